// A virtual machine for tests of Open vSwitch's kernel datapath: qemu with software emulation, and the disk that
// `.ci/kernel-guest` makes. It runs shell scripts, one by one or concurrently, and keeps none of their changes. Emulated time
// is real time, but the processor is some ten times slower: measure counts and ratios in it, not speeds.
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
/** The guest's address for the host's loopback. */
export const HOST_ADDRESS = '10.0.2.2';
/** Time limit in milliseconds; 10 s on an idle machine, longer on a busy one, where the guest runs at low priority. */
const BOOT_TIMEOUT_MS = 300_000;
/** Default time limit in milliseconds of a script that takes seconds on an idle machine. */
const RUN_TIMEOUT_MS = 120_000;
/** A script ends at its time limit; without a result this many milliseconds later, the guest hangs. */
const GRACE_MS = 20_000;

/** The exit code of scripts that were running when the guest ended. */
const GUEST_ENDED = -1;

/** Options of `Guest.boot`. */
export interface GuestOptions {
  /** The Debian suite of the disk, made by `.ci/kernel-guest`. Default: bookworm. */
  readonly suite?: string | undefined;
  /** Default: 1. Under emulation a second one costs the host more than the guest gains. */
  readonly processorCount?: number;
}

/** A running guest. */
export class Guest {
  /** A folder shared with the guest, where it is /work. */
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

  /** Boots a guest; waits until it accepts scripts. */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    const folder = await mkdtemp(join(tmpdir(), 'guest-'));
    await writeFile(join(folder, 'init.sh'), await readFile(join(ROOT, 'test', 'kernel', 'init.sh')));
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(join(folder, 'jobs'), resolve);
    });
    const command = ['qemu-system-x86_64', ...qemuArguments(folder, options)];
    // nice executes qemu, so its process id is qemu's.
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

  /** The last output of the kernel and qemu. */
  get console(): string {
    return `${this.#qemu.stdout}${this.#qemu.stderr}`.slice(-4000);
  }

  /** Runs a bash script and returns its standard output; throws `ProgramError` unless it exits with 0. */
  async run(script: string, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    return this.#run(`set -euo pipefail\n${script}\n`, options.timeoutMs ?? RUN_TIMEOUT_MS);
  }

  /** Ends qemu. Idempotent. */
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
    // The guest has ended, by `stop` or on its own; an error is followed by the same event.
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
