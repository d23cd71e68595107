// A copy of part of a database that outlives connections. It is attached to each new client, and yields whole snapshots
// and the rows that differ between them, so a reconnect to an unchanged database causes no call. Connecting is the
// owner's: after an error the client is closed, and the owner attaches the next one.

import type { OvsdbClient } from './client.ts';
import { isUnknownMethod, OvsdbError, OvsdbErrorCode } from './errors.ts';
import { MonitorMethod, type MonitorUpdate } from './monitor.ts';
import {
  intersect,
  isSameMonitored,
  type MissingColumn,
  type MonitoredTables,
  ReplicaContent,
  type RowChange,
  type Snapshot,
} from './replica-content.ts';
import type { DatabaseSchema } from './schema.ts';

/** What to copy, and the listener. */
export interface ReplicaOptions {
  readonly database: string;
  /** The columns to copy of each table. Those that the database lacks are reported by `missing`. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /**
   * Called with the first snapshot, and then with each one that differs from the previous one, if only in which columns
   * exist. Called synchronously while a message is being read, so it must return soon.
   */
  readonly onChange: (snapshot: Snapshot, changes: readonly RowChange[]) => void;
  /** The monitor methods to try, in this order. Default: all, newest first. */
  readonly methods?: readonly MonitorMethod[];
}

const NEWEST_FIRST: readonly MonitorMethod[] = [
  MonitorMethod.monitorCondSince,
  MonitorMethod.monitorCond,
  MonitorMethod.monitor,
];

/** The copy. Created once, and attached to each new client. */
export class Replica {
  readonly #options: ReplicaOptions;
  /** The current client; messages of an earlier one are ignored. */
  #client: OvsdbClient | undefined;
  /** The content that `onChange` was last called with. */
  #content: ReplicaContent | undefined;
  #schema: DatabaseSchema | undefined;
  #missing: readonly MissingColumn[] = [];
  #transactionId: string | undefined;
  #method: MonitorMethod | undefined;

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** The last snapshot; kept while there is no connection. */
  get snapshot(): Snapshot | undefined {
    return this.#content;
  }

  /** The schema by which the snapshot was decoded: for `transact`, and to see which columns exist. */
  get schema(): DatabaseSchema | undefined {
    return this.#schema;
  }

  /** The monitor method in use. */
  get method(): MonitorMethod | undefined {
    return this.#method;
  }

  /** Returns the tables and columns that the database lacks, as of the last snapshot. */
  missing(): readonly MissingColumn[] {
    return this.#missing;
  }

  /**
   * Follows this client from now on. Resolves after the first whole snapshot, for which `onChange` is called unless it
   * equals the last one. When it rejects, or when the copy cannot follow the client later, the client is closed with the
   * reason.
   */
  async attach(client: OvsdbClient): Promise<void> {
    this.#client = client;
    try {
      await becomeAware(client);
      await this.#synchronise(client);
    } catch (cause) {
      throw this.#closeClient(client, cause);
    }
  }

  /** Reads the schema and starts a monitor: after `attach`, and after the server has cancelled the previous monitor. */
  async #synchronise(client: OvsdbClient): Promise<void> {
    const schema = await client.getSchema(this.#options.database);
    const { monitored, missing } = intersect(schema, this.#options.tables);
    const methods = this.#options.methods ?? NEWEST_FIRST;
    for (const method of methods) {
      if (this.#client !== client) {
        throw new OvsdbError(
          OvsdbErrorCode.replica,
          'Another client was attached before the first snapshot came.',
        );
      }
      try {
        await this.#monitor(client, method, schema, monitored, missing);
        return;
      } catch (error) {
        if (!isUnknownMethod(error)) {
          throw error;
        }
      }
    }
    throw new OvsdbError(
      OvsdbErrorCode.replica,
      `The server supports none of the methods ${methods.join(', ')}.`,
    );
  }

  async #monitor(
    client: OvsdbClient,
    method: MonitorMethod,
    schema: DatabaseSchema,
    monitored: MonitoredTables,
    missing: readonly MissingColumn[],
  ): Promise<void> {
    const old = this.#content;
    // Differences apply only to rows of the same columns and types.
    const base = old !== undefined && isSameMonitored(old.monitored, monitored) ? old : undefined;
    await client.monitor({
      method,
      database: this.#options.database,
      tables: Object.fromEntries(
        Array.from(monitored, ([table, columns]) => [table, { columns: [...columns.keys()] }]),
      ),
      lastTransactionId: base === undefined ? undefined : this.#transactionId,
      onUpdate: (update) => {
        if (this.#client !== client) {
          return;
        }
        if (update.initial) {
          this.#method = method;
          this.#schema = schema;
          this.#missing = missing;
          this.#begin(update, monitored, base);
        } else if (this.#content !== undefined) {
          this.#proceed(update, this.#content);
        }
      },
      onCanceled: () => {
        if (this.#client === client) {
          this.#synchronise(client).catch((cause: unknown) => this.#closeClient(client, cause));
        }
      },
    });
  }

  /** Handles the reply to a monitor request: the whole content, or the changes since the last known transaction. */
  #begin(update: MonitorUpdate, monitored: MonitoredTables, base: ReplicaContent | undefined): void {
    if (update.isContinuation) {
      if (base === undefined) {
        const text = 'The server continued from a transaction that was not requested.';
        throw new OvsdbError(OvsdbErrorCode.protocol, text);
      }
      this.#proceed(update, base);
      return;
    }
    const old = this.#content;
    const whole = new ReplicaContent(monitored).update(update).content;
    const { content, changes } = whole.since(old, old?.monitored.keys() ?? []);
    const isSame = old !== undefined && changes.length === 0 && isSameMonitored(old.monitored, monitored);
    this.#publish(update, content, changes, isSame);
  }

  #proceed(update: MonitorUpdate, base: ReplicaContent): void {
    const { content, changes } = base.update(update);
    this.#publish(update, content, changes, changes.length === 0);
  }

  /** Stores the content and then calls the listener, which may read the replica. */
  #publish(
    update: MonitorUpdate,
    content: ReplicaContent,
    changes: readonly RowChange[],
    isSame: boolean,
  ): void {
    this.#transactionId = update.transactionId;
    if (isSame) {
      return;
    }
    this.#content = content;
    this.#options.onChange(content, changes);
  }

  #closeClient(client: OvsdbClient, cause: unknown): Error {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `The replica of database ${this.#options.database} cannot follow this connection: ${why}`;
    const error = new OvsdbError(OvsdbErrorCode.replica, text, cause);
    client.close(error);
    return error;
  }
}

/** Requests `monitor_canceled` instead of a closed connection when the database is converted; old servers lack it. */
async function becomeAware(client: OvsdbClient): Promise<void> {
  try {
    await client.setDbChangeAware(true);
  } catch (error) {
    if (!isUnknownMethod(error)) {
      throw error;
    }
  }
}
