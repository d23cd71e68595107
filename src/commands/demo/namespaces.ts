// Three network namespaces without names: one for the switch and one for each of two hosts, joined by veth pairs. Each is
// held by a sleeping process; when these end, the kernel removes namespaces and interfaces.

import { constants } from 'node:fs';
import { access, readlink } from 'node:fs/promises';
import { BackgroundProgram, type CommandLine, hasProgram, ProgramError, run } from './programs.ts';
import { becomes } from './wait.ts';

/** Required programs beside Open vSwitch, with their Debian packages. */
const PROGRAMS = [
  ['ip', 'iproute2'],
  ['ping', 'iputils-ping'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['perl', 'perl-base'],
] as const;
const HOLDER_TIMEOUT_MS = 5000;

/**
 * Turns checksum offload off (ETHTOOL_STXCSUM by SIOCETHTOOL, see ethtool(8) -K); otherwise the switch gets packets without
 * checksums, which a network card would fill in.
 */
const CHECKSUMS_IN_SOFTWARE = `use Socket;
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
my $value = pack("LL", 0x17, 0);
ioctl($socket, 0x8946, pack("a16px16", $ARGV[0], $value)) or die "ioctl: $!";`;

/** Name of the interface in a host. */
export const HOST_INTERFACE = 'eth0';
/** The switch's ends of the veth pairs. */
export const SWITCH_INTERFACES = ['p1', 'p2'] as const;

/** The owner of a namespace. */
export type Place = 'switch' | 'alice' | 'bob';

/** See the head of the file. */
export class Namespaces {
  readonly #holders = new Map<Place, BackgroundProgram>();

  private constructor() {}

  /** Creates the namespaces; throws a `ProgramError` with the reason when it cannot. */
  static async create(): Promise<Namespaces> {
    if (process.getuid?.() !== 0) {
      throw new ProgramError('you are not root');
    }
    for (const [program, debianPackage] of PROGRAMS) {
      if (!hasProgram(program)) {
        throw new ProgramError(`there is no program "${program}" (apt-get install ${debianPackage})`);
      }
    }
    // The datapath for real interfaces creates a tap device for each bridge.
    await access('/dev/net/tun', constants.R_OK | constants.W_OK).catch((error: unknown) => {
      throw new ProgramError('/dev/net/tun cannot be opened', error);
    });
    const namespaces = new Namespaces();
    try {
      for (const place of ['switch', 'alice', 'bob'] as const) {
        await namespaces.#hold(place);
      }
      await namespaces.#join('alice', SWITCH_INTERFACES[0]);
      await namespaces.#join('bob', SWITCH_INTERFACES[1]);
      return namespaces;
    } catch (error) {
      await namespaces.stop();
      throw error;
    }
  }

  /** Returns the command prefix that enters a namespace. */
  prefix(place: Place): CommandLine {
    return ['nsenter', `--target=${this.#pid(place)}`, '--net', '--'];
  }

  /** Runs a command in a namespace and returns its output. */
  async run(place: Place, command: CommandLine): Promise<string> {
    return run([...this.prefix(place), ...command]);
  }

  /** Whether a command succeeds in a namespace. */
  async succeeds(place: Place, command: CommandLine): Promise<boolean> {
    return this.run(place, command).then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    for (const holder of this.#holders.values()) {
      await holder.stop();
    }
    this.#holders.clear();
  }

  async #hold(place: Place): Promise<void> {
    const ours = await readlink('/proc/self/ns/net');
    const holder = await BackgroundProgram.start(['unshare', '--net', '--', 'sleep', 'infinity']);
    this.#holders.set(place, holder);
    const isApart = async (): Promise<boolean> => {
      const theirs = await readlink(`/proc/${holder.pid}/ns/net`).catch(() => ours);
      return holder.end !== undefined || theirs !== ours;
    };
    const isThere = await becomes(isApart, { timeoutMs: HOLDER_TIMEOUT_MS });
    if (holder.end !== undefined || !isThere) {
      throw new ProgramError(holder.said || 'the kernel makes none');
    }
  }

  /** Creates a veth pair between a host and the switch; the host's end stays down. */
  async #join(host: Place, switchInterface: string): Promise<void> {
    const peer = ['peer', 'name', HOST_INTERFACE, 'netns', String(this.#pid(host))];
    await this.run('switch', ['ip', 'link', 'add', switchInterface, 'type', 'veth', ...peer]);
    await this.run(host, ['perl', '-e', CHECKSUMS_IN_SOFTWARE, HOST_INTERFACE]);
    await this.run('switch', ['ip', 'link', 'set', switchInterface, 'up']);
  }

  #pid(place: Place): number {
    const holder = this.#holders.get(place);
    if (holder === undefined) {
      throw new ProgramError(`The namespace of ${place} is gone.`);
    }
    return holder.pid;
  }
}
