// A virtual machine with a kernel of its own, for what needs the kernel datapath of Open vSwitch: qemu with software
// emulation, from the disk that `.ci/kernel-guest` makes. It runs shell scripts one by one or side by side; nothing that
// they do outlives it. Emulated time is real time, but the processor is some ten times slower: measure counts and ratios in
// it, and no speeds.
//
//     const guest = await Guest.boot();
//     t.after(() => guest.stop());
//     const version = await guest.run('uname -r');

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProgram, ProgramError } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** The host's loopback addresses as the guest sees them. */
export const HOST_ADDRESS = '10.0.2.2';
/** 10 s on an idle machine; the guest is nicer than all that a busy one does. */
const BOOT_TIMEOUT_MS = 300_000;
/** For a script that takes seconds on an idle machine. */
const RUN_TIMEOUT_MS = 120_000;
/** A script that is at its limit ends by itself; when nothing is heard of it this much later, the guest hangs. */
const GRACE_MS = 20_000;

/** In place of an exit code, for scripts that ran when the guest ended. */
const GUEST_ENDED = -1;

/** Options of `Guest.boot`. */
export interface GuestOptions {
  /** The suite of Debian that `.ci/kernel-guest` has made a disk of. Default bookworm. */
  readonly suite?: string | undefined;
  /** Default 1: under emulation a second one costs the host more than it gives the guest. */
  readonly processorCount?: number;
}

/** See the head of the file. */
export class Guest {
  /** Shared with the guest, which has it as /work. */
  readonly folder: string;
  readonly #server: Server;
  readonly #qemu: BackgroundProgram;
  readonly #waiting = new Map<string, (exitCode: number) => void>();
  #port: Socket | undefined;
  #buffer = '';
  #isUp = false;
  #jobCount = 0;

  private constructor(folder: string, server: Server, qemu: BackgroundProgram) {
    this.folder = folder;
    this.#server = server;
    this.#qemu = qemu;
    server.once('connection', (socket) => this.#connect(socket));
  }

  /** Fulfilled when the guest takes scripts. */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    const folder = await mkdtemp(join(tmpdir(), 'guest-'));
    await writeFile(join(folder, 'init.sh'), await readFile(join(import.meta.dirname, 'init.sh')));
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(join(folder, 'jobs'), resolve);
    });
    const command = ['qemu-system-x86_64', ...qemuArguments(folder, options)];
    // nice becomes qemu, so that its process id is qemu's.
    const qemu = await BackgroundProgram.start('nice', ['-n', '5', ...command]);
    const guest = new Guest(folder, server, qemu);
    try {
      await waitFor(() => guest.#isUp || qemu.exit !== undefined, {
        what: 'the guest has booted',
        timeoutMs: BOOT_TIMEOUT_MS,
        intervalMs: 50,
      });
      if (qemu.exit !== undefined) {
        throw new Error('qemu has ended');
      }
    } catch (error) {
      const console = guest.console;
      await guest.stop();
      throw new Error(`The guest has not booted:\n${console}`, { cause: error });
    }
    return guest;
  }

  /** The end of what the kernel and qemu have said. */
  get console(): string {
    return `${this.#qemu.stdout}${this.#qemu.stderr}`.slice(-4000);
  }

  /** Runs a bash script to its end and gives its standard output back; an exit code but 0 is a `ProgramError`. */
  async run(script: string, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    return this.#run(`set -euo pipefail\n${script}\n`, options.timeoutMs ?? RUN_TIMEOUT_MS);
  }

  /** Ends qemu, whatever the guest does. Safe to repeat. */
  async stop(): Promise<void> {
    await this.#qemu.stop('SIGTERM');
    this.#port?.destroy();
    this.#server.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #run(script: string, timeoutMs: number): Promise<string> {
    const port = this.#port;
    if (port === undefined || port.destroyed) {
      throw new Error(`The guest has ended:\n${this.console}`);
    }
    this.#jobCount += 1;
    const name = `job${this.#jobCount}`;
    await writeFile(join(this.folder, `${name}.sh`), script);
    const exitCode = await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(name);
        reject(
          new Error(
            `The guest does not answer after ${timeoutMs + GRACE_MS} ms:\n${script}\n${this.console}`,
          ),
        );
      }, timeoutMs + GRACE_MS);
      this.#waiting.set(name, (code) => {
        clearTimeout(timer);
        this.#waiting.delete(name);
        resolve(code);
      });
      port.write(`${name} ${Math.ceil(timeoutMs / 1000)}\n`);
    });
    if (exitCode === GUEST_ENDED) {
      throw new Error(`The guest has ended:\n${this.console}`);
    }
    const [stdout, stderr] = await Promise.all(
      ['out', 'err'].map((kind) => readFile(join(this.folder, `${name}.${kind}`), 'utf8')),
    );
    if (exitCode !== 0) {
      throw new ProgramError(`(guest) ${script.trim()}`, exitCode, stdout ?? '', stderr ?? '');
    }
    return stdout ?? '';
  }

  #connect(socket: Socket): void {
    this.#port = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#buffer + text).split('\n');
      this.#buffer = lines.pop() ?? '';
      for (const line of lines) {
        this.#receive(line);
      }
    });
    // The guest has ended, by `stop` or by itself; an error is followed by the same event.
    socket.on('error', () => {});
    socket.once('close', () => {
      for (const end of this.#waiting.values()) {
        end(GUEST_ENDED);
      }
    });
  }

  #receive(line: string): void {
    const [name = '', value = ''] = line.split(' ');
    if (name === 'up') {
      this.#isUp = true;
    } else {
      this.#waiting.get(name)?.(Number(value));
    }
  }
}

function qemuArguments(folder: string, options: GuestOptions): string[] {
  const disk = join(ROOT, '.cache', 'kernel-guest', options.suite ?? 'bookworm');
  return [
    ['-accel', 'tcg', '-cpu', 'max', '-smp', String(options.processorCount ?? 1), '-m', '2048'],
    ['-nographic', '-no-reboot', '-nodefaults', '-serial', 'stdio'],
    ['-kernel', join(disk, 'kernel'), '-initrd', join(disk, 'initrd')],
    [
      '-append',
      'console=ttyS0 quiet panic=-1 cryptomgr.notests no_timer_check mitigations=off tsc=unstable random.trust_cpu=on',
    ],
    ['-drive', `file=${join(disk, 'disk')},format=raw,if=virtio,snapshot=on`],
    ['-fsdev', `local,id=work,path=${folder},security_model=none`],
    ['-device', 'virtio-9p-pci,fsdev=work,mount_tag=work'],
    ['-fsdev', `local,id=dist,path=${join(ROOT, 'dist')},security_model=none,readonly=on`],
    ['-device', 'virtio-9p-pci,fsdev=dist,mount_tag=dist'],
    ['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ['-chardev', `socket,id=jobs,path=${join(folder, 'jobs')}`, '-device', 'virtio-serial-pci'],
    ['-device', 'virtserialport,chardev=jobs,name=jobs'],
  ].flat();
}
