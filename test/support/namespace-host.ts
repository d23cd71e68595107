// A host on a switch's port that is real to the kernel: a network namespace of its own with one interface, joined to the
// namespace of an Ovs of mode `netdev` by a veth pair. Its addresses exist nowhere else.

import { readlink } from 'node:fs/promises';
import type { Ovs } from './ovs.ts';
import { BackgroundProgram, runProgram } from './process.ts';
import { waitFor } from './wait.ts';

const INTERFACE = 'eth0';

/**
 * Turns checksum offload off (ETHTOOL_STXCSUM by SIOCETHTOOL), and with it segmentation offload: else the switch in user
 * space gets packets whose checksums the kernel has left to a network card. perl is on every Debian, ethtool is not.
 */
const CHECKSUMS_IN_SOFTWARE = `use Socket;
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
my $value = pack("LL", 0x17, 0);
ioctl($socket, 0x8946, pack("a16px16", $ARGV[0], $value)) or die "ioctl: $!";`;

/** What a host is called on its link and in its networks. */
export interface HostOptions {
  /** The switch's interface, and its port. */
  readonly port: string;
  readonly mac: string;
  /** With the length of the prefix. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** See the head of the file. */
export class NamespaceHost {
  readonly options: HostOptions;
  readonly #ovs: Ovs;
  readonly #holder: BackgroundProgram;

  private constructor(ovs: Ovs, options: HostOptions, holder: BackgroundProgram) {
    this.options = options;
    this.#ovs = ovs;
    this.#holder = holder;
  }

  /** Makes the host and adds its port to the bridge; it says nothing before `bringUp`. */
  static async create(ovs: Ovs, bridge: string, options: HostOptions): Promise<NamespaceHost> {
    const own = await readlink('/proc/self/ns/net');
    const holder = await BackgroundProgram.start('unshare', ['--net', 'sleep', 'infinity']);
    await waitFor(async () => (await readlink(`/proc/${holder.pid}/ns/net`)) !== own, {
      what: 'the network namespace of a host is there',
    });
    const host = new NamespaceHost(ovs, options, holder);
    const peer = ['peer', 'name', INTERFACE, 'address', options.mac, 'netns', String(holder.pid)];
    await ovs.inNamespace('ip', 'link', 'add', options.port, 'type', 'veth', ...peer);
    await host.run('perl', '-e', CHECKSUMS_IN_SOFTWARE, INTERFACE);
    await ovs.inNamespace('ip', 'link', 'set', options.port, 'up');
    await ovs.vsctl('add-port', bridge, options.port);
    return host;
  }

  /** From here on the kernel sends what it likes to: neighbour and router solicitations, multicast reports. */
  async bringUp(): Promise<void> {
    const { ipv4, ipv6 } = this.options;
    await this.run('ip', 'address', 'add', ipv4, 'dev', INTERFACE);
    // "nodad": usable at once, without asking whether somebody has the address.
    await this.run('ip', 'address', 'add', ipv6, 'dev', INTERFACE, 'nodad');
    await this.run('ip', 'link', 'set', INTERFACE, 'up');
  }

  /** Nothing comes from the host after this. */
  async bringDown(): Promise<void> {
    await this.run('ip', 'link', 'set', INTERFACE, 'down');
  }

  /** Runs a program on the host. */
  async run(...command: readonly string[]): Promise<string> {
    return runProgram('nsenter', this.#arguments(command), { timeoutMs: 20_000 });
  }

  /** Starts a program on the host. */
  async start(...command: readonly string[]): Promise<BackgroundProgram> {
    return BackgroundProgram.start('nsenter', this.#arguments(command));
  }

  /** The host is gone, its link with it, and before both its port, whose loss the switch would report. */
  async stop(): Promise<void> {
    await this.#ovs.vsctl('del-port', this.options.port);
    await this.#holder.stop();
  }

  #arguments(command: readonly string[]): string[] {
    return [`--target=${this.#holder.pid}`, '--net', '--', ...command];
  }
}
