// Network namespaces without names: one for the switch and one for each VM, joined by veth pairs. Each is
// held by a sleeping process; when these end, the kernel removes namespaces and interfaces.

import { constants } from 'node:fs';
import { access, readlink } from 'node:fs/promises';
import { BackgroundProgram, type CommandLine, hasProgram, ProgramError, run } from './programs.ts';
import { VMS } from './vms.ts';
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

/** Name of the interface in a VM. */
export const VM_INTERFACE = 'eth0';
/** The place of the switch; the others are the names of VMs. */
export const SWITCH = 'switch';

/** See the head of the file. */
export class Namespaces {
  readonly #holders = new Map<string, BackgroundProgram>();

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
      await namespaces.#hold(SWITCH);
      for (const { name, port } of VMS) {
        await namespaces.#hold(name);
        await namespaces.#join(name, port);
      }
      return namespaces;
    } catch (error) {
      await namespaces.stop();
      throw error;
    }
  }

  /** Returns the command prefix that enters a namespace. */
  prefix(place: string): CommandLine {
    return ['nsenter', `--target=${this.#pid(place)}`, '--net', '--'];
  }

  /** Runs a command in a namespace and returns its output. */
  async run(place: string, command: CommandLine): Promise<string> {
    return run([...this.prefix(place), ...command]);
  }

  /** Whether a command succeeds in a namespace. */
  async succeeds(place: string, command: CommandLine): Promise<boolean> {
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

  async #hold(place: string): Promise<void> {
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

  /** Creates a veth pair between a VM and the switch; the VM's end stays down. */
  async #join(vm: string, switchInterface: string): Promise<void> {
    const peer = ['peer', 'name', VM_INTERFACE, 'netns', String(this.#pid(vm))];
    await this.run(SWITCH, ['ip', 'link', 'add', switchInterface, 'type', 'veth', ...peer]);
    await this.run(vm, ['perl', '-e', CHECKSUMS_IN_SOFTWARE, VM_INTERFACE]);
    await this.run(SWITCH, ['ip', 'link', 'set', switchInterface, 'up']);
  }

  #pid(place: string): number {
    const holder = this.#holders.get(place);
    if (holder === undefined) {
      throw new ProgramError(`The namespace of ${place} is gone.`);
    }
    return holder.pid;
  }
}
