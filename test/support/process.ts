// Runs programs: once for their output, or in the background until the test ends them by their process id.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** A failed program, with its output. */
export class ProgramError extends Error {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, exitCode: number | undefined, stdout: string, stderr: string) {
    super(`${command} failed (exit ${exitCode ?? 'by signal'}): ${stderr.trim() || stdout.trim()}`);
    this.name = 'ProgramError';
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Options of `runProgram`. */
export interface RunOptions {
  /** Variables added to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Written to its standard input. */
  readonly input?: string | Uint8Array;
  /** Default 10 s. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Runs a program and returns its standard output; throws `ProgramError` if it fails. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return (await runForOutput(program, args, options)).stdout;
}

/** Runs a program and returns standard output and standard error; throws `ProgramError` if it fails. */
export async function runForOutput(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      {
        env: programEnvironment(options.environment),
        timeout: options.timeoutMs ?? 10_000,
        killSignal: 'SIGKILL',
        maxBuffer: OUTPUT_BYTES_MAX,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve({ stdout, stderr });
          return;
        }
        const exitCode = typeof error.code === 'number' ? error.code : undefined;
        const said = stderr === '' && exitCode === undefined ? error.message : stderr;
        reject(new ProgramError([program, ...args].join(' '), exitCode, stdout, said));
      },
    );
    // A program that ends without reading its input breaks the pipe; its exit code tells whether it failed.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** How a program in the background ended. */
export interface ProgramExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Running programs; killed if the test's process exits without having stopped them. */
const live = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of live) {
    child.kill('SIGKILL');
  }
});

/** A program in the background. */
export class BackgroundProgram {
  readonly name: string;
  readonly #exited: Promise<ProgramExit>;
  readonly #child: ChildProcess;
  #exit: ProgramExit | undefined;
  #stdout = '';
  #stderr = '';

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#exited = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => {
        live.delete(child);
        this.#exit = { exitCode, signal };
        resolve(this.#exit);
      });
    });
  }

  /** Starts a program; resolves when it runs, rejects if it cannot be run. */
  static async start(
    program: string,
    args: readonly string[],
    options: Pick<RunOptions, 'environment' | 'cwd'> = {},
  ): Promise<BackgroundProgram> {
    const child = spawn(program, [...args], {
      env: programEnvironment(options.environment),
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const started = new BackgroundProgram(program, child);
    live.add(child);
    // A failed test may leave it running: it must not keep the test's process alive, which kills it when it exits.
    child.unref();
    for (const pipe of [child.stdout, child.stderr]) {
      (pipe as Socket | null)?.unref();
    }
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        live.delete(child);
        reject(error);
      });
    });
    return started;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new Error(`${this.name} has no process id.`);
    }
    return pid;
  }

  /** Resolves when it has ended. */
  get exited(): Promise<ProgramExit> {
    // The test waits for it now, so it may keep the test's process alive.
    this.#child.ref();
    return this.#exited;
  }

  /** How it ended, if it has. */
  get exit(): ProgramExit | undefined {
    return this.#exit;
  }

  /** Its output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Sends a signal to this process. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it by the signal, and by SIGKILL after the timeout. Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeoutMs = 5000): Promise<ProgramExit> {
    if (this.#exit !== undefined) {
      return this.#exit;
    }
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Returns the environment of a program: that of the test, without OVS_* variables, which would lead it to the machine's OVS,
 * and with the folders of system programs in PATH, which an ordinary user's PATH on Debian lacks.
 */
export function programEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { OVS_RUNDIR: _run, OVS_LOGDIR: _log, OVS_DBDIR: _db, OVS_SYSCONFDIR: _etc, ...own } = process.env;
  return { ...own, PATH: `${own['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, ...extra };
}
