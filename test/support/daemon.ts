// Runs the daemon as a user does: the built file under plain node, with a test's private OVS.

import { join } from 'node:path';
import type { Ovs } from './ovs.ts';
import { BackgroundProgram, type ProgramExit } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';
import { waitFor } from './wait.ts';

/** How long the daemon may take to end after SIGTERM (docs: interfaces). */
export const STOP_TIMEOUT_MS = 5000;

/** Options of `startDaemon`. */
export interface DaemonOptions {
  /** Arguments after `run --db ENDPOINT`. */
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether to wait until `ready` succeeds. Default: true. */
  readonly waitForReady?: boolean;
  readonly readyTimeoutMs?: number;
  /** The program; default: the built file. */
  readonly program?: string;
  /** Whether it runs in vswitchd's network namespace (mode `netdev`), where samples of the datapath arrive. Default: false. */
  readonly inSwitchNamespace?: boolean;
  /** A program that executes the daemon, with its arguments. */
  readonly executor?: readonly string[];
}

/** Starts the daemon. */
export async function startDaemon(ovs: Ovs, options: DaemonOptions = {}): Promise<Daemon> {
  const file = options.program ?? DAEMON_FILE;
  const { executor = [] } = options;
  const command = [
    ...executor,
    process.execPath,
    file,
    'run',
    '--db',
    ovs.dbEndpoint,
    ...(options.arguments ?? []),
  ];
  const [first = '', ...rest] =
    options.inSwitchNamespace === true ? ovs.namespaceCommand(...command) : command;
  const environment = { ...ovs.environment, ...options.environment };
  const program = await BackgroundProgram.start(first, rest, { environment });
  const daemon = new Daemon(ovs, program);
  if (options.waitForReady ?? true) {
    try {
      await daemon.waitForReady(options.readyTimeoutMs);
    } catch (error) {
      await daemon.kill();
      throw error;
    }
  }
  return daemon;
}

/** A running daemon. */
export class Daemon {
  readonly controlPath: string;
  readonly #ovs: Ovs;
  readonly #program: BackgroundProgram;

  constructor(ovs: Ovs, program: BackgroundProgram) {
    this.#ovs = ovs;
    this.#program = program;
    this.controlPath = join(ovs.rundir, `ovs-ipfix.${program.pid}.ctl`);
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Its log so far. */
  get log(): string {
    return this.#program.stderr;
  }

  get stdout(): string {
    return this.#program.stdout;
  }

  /** Resolves when it has ended. */
  get exited(): Promise<ProgramExit> {
    return this.#program.exited;
  }

  /** Runs a command by ovs-appctl. */
  async appctl(...command: readonly string[]): Promise<string> {
    return this.#ovs.appctl('-t', this.controlPath, ...command);
  }

  /** Waits until `ready` succeeds: the database is in sync and all bridges are hooked. */
  async waitForReady(timeoutMs = 15_000): Promise<void> {
    const state = await waitFor(
      async (): Promise<string> => (this.#program.exit === undefined ? this.appctl('ready') : 'ended'),
      { what: 'the daemon is ready', timeoutMs },
    );
    if (state === 'ended') {
      throw new Error(`The daemon has ended (exit ${this.#program.exit?.exitCode}): ${this.log}`);
    }
  }

  /** Waits until `ready` fails with a matching answer. */
  async waitForRefusal(answer: RegExp, timeoutMs = 5000): Promise<void> {
    await waitFor(
      async () => {
        const said = await this.appctl('ready').catch((error: unknown) => String(error));
        return answer.test(said);
      },
      { what: `the daemon answers ${answer}`, timeoutMs },
    );
  }

  /** Sends SIGTERM; fails unless it exits with 0 in time. */
  async stop(): Promise<void> {
    const { exitCode, signal } = await this.#program.stop('SIGTERM', STOP_TIMEOUT_MS);
    if (exitCode !== 0) {
      const how = signal === 'SIGKILL' ? `not within ${STOP_TIMEOUT_MS} ms` : `with ${exitCode ?? signal}`;
      throw new Error(`The daemon has not ended with 0 but ${how}:\n${this.log}`);
    }
  }

  /** Sends SIGKILL or another signal, and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#program.stop(signal);
  }

  /** Sends a signal without waiting, such as SIGSTOP, SIGCONT or SIGINT. */
  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal);
  }
}
