// Runs other programs: once for their output, or in the background until the demo ends them by process id. They do not outlive
// the demo.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';

/** Folders of system programs in Debian, which an ordinary user's PATH lacks. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const PATH = [process.env['PATH'] ?? '', ...SYSTEM_FOLDERS].join(delimiter);
/** Longest output of a program; one that writes more is killed. */
const OUTPUT_CHARACTERS_MAX = 4 * 1024 * 1024;
const RUN_TIMEOUT_MS = 20_000;
/** Characters of a background program's standard error that are kept for its error message. */
const SAID_CHARACTERS_MAX = 4000;

/** A program and its arguments. */
export type CommandLine = readonly [program: string, ...args: string[]];

/** The failure of a program; the message has its output. */
export class ProgramError extends Error {
  readonly code = 'PROGRAM_FAILED';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ProgramError';
  }
}

/** Whether a program can be found. */
export function hasProgram(program: string): boolean {
  return PATH.split(delimiter).some((folder) => {
    if (folder === '') {
      return false;
    }
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Runs a program and returns its standard output; rejects with a `ProgramError`. Like programs in the background it gets a
 * session of its own: a Ctrl-C in the terminal does not interrupt it.
 */
export async function run(
  command: CommandLine,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  // A Ctrl-C between the fork and the new session kills the process before the program begins.
  const output = (await runOnce(command, variables)) ?? (await runOnce(command, variables));
  if (output === undefined) {
    throw new ProgramError(`"${command.join(' ')}" has failed: killed by SIGINT`);
  }
  return output;
}

/** Runs a program as `run` does; resolves to undefined when SIGINT has killed it. */
async function runOnce(
  command: CommandLine,
  variables: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: environment(variables),
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      if (output[name].length > OUTPUT_CHARACTERS_MAX) {
        child.kill('SIGKILL');
      }
    });
  }
  return new Promise((resolve, reject) => {
    const fail = (what: string, error?: Error): void => {
      const said = output.stderr.trim() || output.stdout.trim() || what;
      reject(new ProgramError(`"${command.join(' ')}" has failed: ${said}`, error));
    };
    child.once('error', (error) => fail(error.message, error));
    child.once('close', (exitCode, signal) => {
      if (exitCode === 0 || signal === 'SIGINT') {
        resolve(exitCode === 0 ? output.stdout : undefined);
      } else {
        fail(signal === null ? `exit code ${exitCode}` : `killed by ${signal}`);
      }
    });
  });
}

/** A program in the background. */
export class BackgroundProgram {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #said = '';
  #end: string | undefined;
  #exitCode: number | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_CHARACTERS_MAX);
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => {
        this.#exitCode = exitCode ?? undefined;
        this.#end = exitCode === null ? `was killed by ${signal}` : `has ended with exit code ${exitCode}`;
        resolve();
      });
    });
  }

  /**
   * Starts a program. It gets a session of its own, so that a Ctrl-C in the terminal reaches only the demo, which then
   * ends things in their order; and the kernel kills it if the demo is killed, where there is a setpriv that can do so.
   */
  static async start(
    command: CommandLine,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<BackgroundProgram> {
    const [program, ...args] = killedWithUs(command);
    const child = spawn(program, args, {
      env: environment(variables),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const started = new BackgroundProgram(command[0], child);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) =>
        reject(new ProgramError(`${command[0]} cannot be started: ${error.message}`, error)),
      );
    });
    return started;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) {
      throw new ProgramError(`${this.name} has no process id.`);
    }
    return pid;
  }

  /** How it ended, such as "has ended with exit code 1"; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Null while it runs, and when a signal has killed it. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** The end of its standard error. */
  get said(): string {
    return this.#said.trim();
  }

  /** Calls back for each line of standard output; without it the output is not read. */
  onLine(listener: (line: string) => void): void {
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        listener(line);
      }
    });
  }

  /** Throws when it has exited before it was stopped. */
  assertRunning(): void {
    if (this.#end === undefined) {
      return;
    }
    throw new ProgramError(`${this.name} ${this.#end}${this.said === '' ? '.' : `: ${this.said}`}`);
  }

  /** Ends it by SIGTERM, or SIGKILL when it does not exit in time. Safe to repeat. */
  async stop(timeoutMs = 5000): Promise<void> {
    if (this.#end === undefined) {
      this.#child.kill('SIGTERM');
    }
    const timer = systemClock.setTimer(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.#ended;
    timer.cancel();
  }
}

/** Wraps a command so that the kernel kills it when the demo ends; unchanged if setpriv is missing or busybox's. */
function killedWithUs(command: CommandLine): CommandLine {
  const prefix = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;
  const [program, ...args] = prefix;
  const trial = spawnSync(program, [...args, 'true'], { env: environment({}), stdio: 'ignore' });
  return trial.status === 0 ? [...prefix, ...command] : command;
}

/** Returns the environment without settings that direct programs to another OVS. */
function environment(variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(OVS_(RUNDIR|LOGDIR|DBDIR|SYSCONFDIR)$|OVS_IPFIX_)/.test(name),
  );
  return { ...Object.fromEntries(own), PATH, ...variables };
}
