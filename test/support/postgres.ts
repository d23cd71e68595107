// A private PostgreSQL server on a unix socket in a folder of its own. It refuses to run as root, and then runs as a user without rights.

import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackgroundProgram, runProgram } from './process.ts';
import { waitFor } from './wait.ts';

/** The user and the group without rights of every Debian. */
const UNPRIVILEGED_ID = 65_534;
export const POSTGRES_USER = 'fleet';
export const POSTGRES_DATABASE = 'postgres';

export class Postgres {
  /** The folder of the socket, for `host` of its clients. */
  readonly folder: string;
  readonly pid: number;
  readonly #program: BackgroundProgram;

  private constructor(folder: string, program: BackgroundProgram) {
    this.folder = folder;
    this.pid = program.pid;
    this.#program = program;
  }

  /** Makes a database and starts the server; `programs` is the folder of its programs. */
  static async start(programs: string): Promise<Postgres> {
    const folder = await mkdtemp(join(tmpdir(), 'postgres-'));
    const isRoot = process.getuid?.() === 0;
    const unprivileged = isRoot
      ? [
          'setpriv',
          `--reuid=${UNPRIVILEGED_ID}`,
          `--regid=${UNPRIVILEGED_ID}`,
          '--clear-groups',
          'env',
          `HOME=${folder}`,
        ]
      : ['env'];
    if (isRoot) {
      await chown(folder, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
    }
    const [first = '', ...rest] = unprivileged;
    const data = join(folder, 'data');
    const initdb = [join(programs, 'initdb'), '-D', data, '-U', POSTGRES_USER, '-A', 'trust'];
    await runProgram(first, [...rest, ...initdb], { timeoutMs: 60_000 });
    const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off'];
    const server = [
      join(programs, 'postgres'),
      '-D',
      data,
      ...settings.flatMap((setting) => ['-c', setting]),
    ];
    const postgres = new Postgres(folder, await BackgroundProgram.start(first, [...rest, ...server]));
    await waitFor(async () => postgres.query('select 1').then(() => true), {
      what: 'PostgreSQL answers',
      timeoutMs: 20_000,
    });
    return postgres;
  }

  /** Runs a statement; returns its rows, with a vertical bar between the columns. */
  query(statement: string): Promise<readonly string[]> {
    return this.#psql('-Atc', statement);
  }

  /** Runs the statements of a file. */
  async runFile(path: string): Promise<void> {
    await this.#psql('-qf', path);
  }

  async #psql(...command: readonly string[]): Promise<readonly string[]> {
    const where = ['-h', this.folder, '-U', POSTGRES_USER, POSTGRES_DATABASE];
    const options = { timeoutMs: 60_000 };
    const text = await runProgram('psql', [...where, '-v', 'ON_ERROR_STOP=1', ...command], options);
    return text.split('\n').filter((line) => line !== '');
  }

  async stop(): Promise<void> {
    await this.#program.stop('SIGINT');
    await rm(this.folder, { recursive: true, force: true });
  }
}
