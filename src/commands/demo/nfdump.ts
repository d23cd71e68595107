// A real collector for the demo: nfcapd, which writes a file every few seconds, and nfdump, which shows each of them.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackgroundProgram, hasProgram, ProgramError, run } from './programs.ts';
import { commandText, type Write } from './text.ts';
import { becomes } from './wait.ts';

const PROGRAMS = ['nfcapd', 'nfdump'];
/** Seconds of one file. */
const FILE_SECONDS = 5;
const START_TIMEOUT_MS = 5000;
const FORMAT = 'fmt:%ts %td %pr %sap -> %dap %pkt %byt';

/** See the head of the file. */
export class Nfdump {
  readonly port: number;
  readonly #folder: string;
  readonly #program: BackgroundProgram;
  readonly #shown = new Set<string>();

  private constructor(port: number, folder: string, program: BackgroundProgram) {
    this.port = port;
    this.#folder = folder;
    this.#program = program;
  }

  /** Throws a sentence with what to install when a program is missing. */
  static assertInstalled(): void {
    const missing = PROGRAMS.filter((program) => !hasProgram(program));
    if (missing.length > 0) {
      throw new ProgramError(
        `--collector nfdump needs ${missing.join(' and ')}; on Debian, "apt-get install nfdump" installs them.`,
      );
    }
  }

  /** Starts nfcapd with its files in `folder`; resolves when it listens. */
  static async start(folder: string, port: number, write: Write): Promise<Nfdump> {
    // Version 1.6 names the folder by -l, version 1.7 by -w.
    const help = await run(['nfcapd', '-h']).catch((error: unknown) => String(error));
    const folderFlag = /^-w\s/mu.test(help) ? '-w' : '-l';
    const args = ['-b', '127.0.0.1', '-p', String(port), '-t', String(FILE_SECONDS), folderFlag, folder];
    write(commandText(['nfcapd', ...args]));
    const program = await BackgroundProgram.start(['nfcapd', ...args]);
    const isReady = await becomes(async () => program.end !== undefined || (await isBound(port)), {
      timeoutMs: START_TIMEOUT_MS,
    });
    program.assertRunning();
    if (!isReady) {
      throw new ProgramError(`nfcapd does not listen on port ${port}.`);
    }
    return new Nfdump(port, folder, program);
  }

  assertRunning(): void {
    this.#program.assertRunning();
  }

  /** Shows what nfdump makes of the files that nfcapd has completed since the last call. */
  async show(write: Write): Promise<void> {
    for (const file of await this.#files()) {
      if (this.#shown.has(file)) {
        continue;
      }
      this.#shown.add(file);
      const command = ['nfdump', '-q', '-r', join(this.#folder, file), '-o', FORMAT] as const;
      const text = await run(command);
      if (text.trim() !== '') {
        write(`\n${commandText(command.map((word) => (word === FORMAT ? `'${FORMAT}'` : word)))}${text}`);
      }
    }
  }

  /** Ends nfcapd, which completes its last file. Safe to repeat. */
  async stop(): Promise<void> {
    await this.#program.stop();
  }

  /** Returns the packets of all flows that nfdump finds. */
  async packets(): Promise<number> {
    const text = await run(['nfdump', '-q', '-R', this.#folder, '-N', '-o', 'fmt:%pkt']);
    const lines = text.split('\n').filter((line) => /^\s*\d+\s*$/u.test(line));
    return lines.reduce((sum, line) => sum + Number(line), 0);
  }

  async #files(): Promise<readonly string[]> {
    return (await readdir(this.#folder)).filter((name) => /^nfcapd\.\d+$/u.test(name)).sort();
  }
}

/** Returns whether a UDP port of this host is bound, by the kernel's table of sockets. */
async function isBound(port: number): Promise<boolean> {
  const table = await readFile('/proc/net/udp', 'utf8');
  return table.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `);
}
