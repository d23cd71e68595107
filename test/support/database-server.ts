// Runs ovsdb-server without a switch, in its own folder with a database of any schema: for tests of conversions. The folder is
// OVS_RUNDIR and OVS_DBDIR of the programs that it runs.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OvsdbClient } from '../../src/ovsdb-client/index.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { dial } from '../../src/runtime/endpoint.ts';
import { BackgroundProgram, ProgramError, runForOutput, runProgram } from './process.ts';
import { DAEMON_FILE } from './tiers.ts';
import { waitFor } from './wait.ts';

/** The schema of Open vSwitch before the two columns. */
export const OLD_SCHEMA_FILE = join(import.meta.dirname, '..', 'vectors', 'vswitch-7.3.0.ovsschema');

/** Options of `DatabaseServer.create`. */
export interface DatabaseServerOptions {
  /** Default: 7.3.0, without the columns. */
  readonly schemaFile?: string;
  /** Arguments of ovsdb-server; default: `conf.db`, made from the schema. */
  readonly arguments?: readonly string[];
  /** Whether conf.db is a cluster of this one server. */
  readonly isClustered?: boolean;
  /** A second database, whose file is in the folder. */
  readonly extraDatabase?: { readonly file: string; readonly schemaFile: string };
}

/** A script of many commands takes as long on a machine that is busy with other tests. */
const RUN_TIMEOUT_MS = 60_000;

/** What a run of the program gave. */
export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class DatabaseServer {
  readonly folder: string;
  /** Its connection method. */
  readonly method: string;
  /** Its database's file. */
  readonly file: string;
  readonly #arguments: readonly string[];
  #server: BackgroundProgram | undefined;

  private constructor(folder: string, options: DatabaseServerOptions) {
    this.folder = folder;
    this.method = `unix:${join(folder, 'db.sock')}`;
    this.file = join(folder, 'conf.db');
    this.#arguments = options.arguments ?? [this.file];
  }

  /** Makes the database and starts the server. */
  static async create(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
    const server = new DatabaseServer(await mkdtemp(join(tmpdir(), 'ovsdb-')), options);
    const schema = options.schemaFile ?? OLD_SCHEMA_FILE;
    if (options.isClustered === true) {
      const raft = `unix:${join(server.folder, 'raft.sock')}`;
      await server.run('ovsdb-tool', '-vconsole:off', 'create-cluster', server.file, schema, raft);
    } else {
      await server.run('ovsdb-tool', 'create', server.file, schema);
    }
    const extra = options.extraDatabase;
    if (extra !== undefined) {
      await server.run('ovsdb-tool', 'create', extra.file, extra.schemaFile);
    }
    await server.start();
    return server;
  }

  get environment(): Record<string, string> {
    const { folder } = this;
    return { OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder };
  }

  get socketPath(): string {
    return join(this.folder, 'db.sock');
  }

  /** Starts ovsdb-server; waits until it answers. */
  async start(): Promise<void> {
    const server = await BackgroundProgram.start(
      'ovsdb-server',
      [...this.#arguments, `--remote=punix:${this.socketPath}`, '--pidfile', '-vconsole:err', '-vsyslog:off'],
      { environment: this.environment, cwd: this.folder },
    );
    this.#server = server;
    await waitFor(
      async () => {
        if (server.exit !== undefined) {
          return true;
        }
        const client = await this.connect();
        await client.probe();
        client.close();
        return true;
      },
      { what: 'ovsdb-server answers', timeoutMs: 10_000, intervalMs: 5 },
    );
    if (server.exit !== undefined) {
      throw new Error(`ovsdb-server has ended: ${server.stderr}`);
    }
  }

  /** Ends the server by a signal, and waits for its end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#server?.stop(signal);
    this.#server = undefined;
  }

  /** Ends the server and removes the folder. */
  async remove(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Connects a client of src/ovsdb-client. */
  async connect(method = this.socketPath): Promise<OvsdbClient> {
    return new OvsdbClient(await dial({ kind: 'unix', path: method }, { clock: systemClock }));
  }

  /** Runs a program in the folder. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    return runProgram(program, args, { environment: this.environment, cwd: this.folder });
  }

  /** Runs lines of shell in the folder, with `ovs-ipfix` in PATH. */
  async shell(script: string): Promise<RunResult> {
    const alias = `ovs-ipfix() { '${process.execPath}' '${DAEMON_FILE}' "$@"; }`;
    return this.#result('bash', ['-c', `${alias}\n${script}`]);
  }

  /** Runs `ovs-ipfix migrate`. */
  async migrate(...args: readonly string[]): Promise<RunResult> {
    return this.#result(process.execPath, [DAEMON_FILE, 'migrate', ...args]);
  }

  async #result(program: string, args: readonly string[]): Promise<RunResult> {
    try {
      return {
        exitCode: 0,
        ...(await runForOutput(program, args, {
          environment: this.environment,
          cwd: this.folder,
          timeoutMs: RUN_TIMEOUT_MS,
        })),
      };
    } catch (error) {
      if (!(error instanceof ProgramError) || error.exitCode === undefined) {
        throw error;
      }
      return { exitCode: error.exitCode, stdout: error.stdout, stderr: error.stderr };
    }
  }

  /** Runs operations (RFC 7047, section 5.2) by ovsdb-client. */
  async transact(...operations: readonly object[]): Promise<unknown[]> {
    const request = JSON.stringify(['Open_vSwitch', ...operations]);
    return JSON.parse(await this.run('ovsdb-client', 'transact', this.method, request)) as unknown[];
  }

  async schema(): Promise<SchemaJson> {
    return JSON.parse(
      await this.run('ovsdb-client', 'get-schema', this.method, 'Open_vSwitch'),
    ) as SchemaJson;
  }

  /** Returns all rows with all columns but `_version`, by table and UUID, as the server sends them. */
  async content(): Promise<Record<string, Record<string, Record<string, unknown>>>> {
    const tables = Object.entries((await this.schema()).tables);
    const selects = tables.map(([table, { columns }]) => ({
      op: 'select',
      table,
      where: [],
      columns: ['_uuid', ...Object.keys(columns)],
    }));
    const results = (await this.transact(...selects)) as { rows: Record<string, unknown>[] }[];
    return Object.fromEntries(
      tables.map(([table], index) => [
        table,
        Object.fromEntries((results[index]?.rows ?? []).map((row) => [JSON.stringify(row['_uuid']), row])),
      ]),
    );
  }
}

/** The part of a schema's JSON that tests read. */
export interface SchemaJson {
  readonly tables: Record<string, { readonly columns: Record<string, unknown> }>;
}
