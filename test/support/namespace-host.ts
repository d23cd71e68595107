// A host on a switch's port with a real network stack: a network namespace with one interface, connected to the namespace of
// an Ovs of mode `netdev` by a veth pair.

import { readlink } from 'node:fs/promises';
import type { Ovs } from './ovs.ts';
import { BackgroundProgram, runProgram } from './process.ts';
import { waitFor } from './wait.ts';

const INTERFACE = 'eth0';

/**
 * Disables checksum offload (ETHTOOL_STXCSUM by SIOCETHTOOL), and with it segmentation offload: otherwise the userspace switch
 * gets packets whose checksums the kernel leaves to a network card. perl is on every Debian, ethtool is not.
 */
const CHECKSUMS_IN_SOFTWARE = `use Socket;
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
my $value = pack("LL", 0x17, 0);
ioctl($socket, 0x8946, pack("a16px16", $ARGV[0], $value)) or die "ioctl: $!";`;

/** Port and addresses of a host. */
export interface HostOptions {
  /** The name of the switch's interface and port. */
  readonly port: string;
  readonly mac: string;
  /** With the prefix length. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** A running host. */
export class NamespaceHost {
  readonly options: HostOptions;
  readonly #ovs: Ovs;
  readonly #holder: BackgroundProgram;

  private constructor(ovs: Ovs, options: HostOptions, holder: BackgroundProgram) {
    this.options = options;
    this.#ovs = ovs;
    this.#holder = holder;
  }

  /** Makes the host and adds its port to the bridge; it sends nothing before `bringUp`. */
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

  /** Sets the interface up. From here on the kernel sends neighbour and router solicitations and multicast reports. */
  async bringUp(): Promise<void> {
    const { ipv4, ipv6 } = this.options;
    await this.run('ip', 'address', 'add', ipv4, 'dev', INTERFACE);
    // "nodad": usable immediately, without duplicate address detection.
    await this.run('ip', 'address', 'add', ipv6, 'dev', INTERFACE, 'nodad');
    await this.run('ip', 'link', 'set', INTERFACE, 'up');
  }

  /** Sets the interface down: the host sends nothing any more. */
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

  /** Removes the port, whose loss the switch would report, and then host and link. */
  async stop(): Promise<void> {
    await this.#ovs.vsctl('del-port', this.options.port);
    await this.#holder.stop();
  }

  #arguments(command: readonly string[]): string[] {
    return [`--target=${this.#holder.pid}`, '--net', '--', ...command];
  }
}
