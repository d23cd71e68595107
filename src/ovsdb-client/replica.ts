// A copy of part of a database that outlives connections. It is attached to each new client; what it yields are whole
// snapshots and the rows that differ between them, so that an unchanged database costs its user nothing after a
// reconnect. Who connects and when is not its business: a fault ends the client, and the keeper brings another.

import type { OvsdbClient } from './client.ts';
import { isUnknownMethod, OvsdbError, OvsdbErrorCode } from './errors.ts';
import { MonitorMethod, type MonitorUpdate } from './monitor.ts';
import {
  intersect,
  type MissingColumn,
  ReplicaContent,
  type RowChange,
  type Snapshot,
  sameWatched,
  type WatchedTables,
} from './replica-content.ts';
import type { DatabaseSchema } from './schema.ts';

/** What to copy, and whom to tell. */
export interface ReplicaOptions {
  readonly database: string;
  /** The wanted columns of each wanted table. Those that a database lacks are left out and reported as missing. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /**
   * Called for the first snapshot, and then for each one that differs from the one before, be it only in which
   * columns exist. Called synchronously while a message is being read: note it down and return.
   */
  readonly onChange: (snapshot: Snapshot, changes: readonly RowChange[]) => void;
  /** The monitor methods to try, in this order. The default is all, the newest first. */
  readonly methods?: readonly MonitorMethod[];
}

const NEWEST_FIRST: readonly MonitorMethod[] = [
  MonitorMethod.monitorCondSince,
  MonitorMethod.monitorCond,
  MonitorMethod.monitor,
];

/** The copy. Created once; attached to one client after the other. */
export class Replica {
  readonly #options: ReplicaOptions;
  /** The client whose messages count; those of an earlier one are ignored. */
  #client: OvsdbClient | undefined;
  /** What was told last. */
  #content: ReplicaContent | undefined;
  #schema: DatabaseSchema | undefined;
  #missing: readonly MissingColumn[] = [];
  #transactionId: string | undefined;
  #method: MonitorMethod | undefined;

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** What was told last; it stays while there is no connection. */
  get snapshot(): Snapshot | undefined {
    return this.#content;
  }

  /** The schema that the snapshot was read by: for `transact`, and to see which columns exist. */
  get schema(): DatabaseSchema | undefined {
    return this.#schema;
  }

  /** The monitor method in use. */
  get method(): MonitorMethod | undefined {
    return this.#method;
  }

  /** Wanted tables and columns that the database lacks, as of the last snapshot. */
  missing(): readonly MissingColumn[] {
    return this.#missing;
  }

  /**
   * Follows this client from now on. Resolves when the first whole snapshot has been told (or found to be what was
   * told before). When it rejects, or when the copy cannot be kept up later, the client is closed with the reason.
   */
  async attach(client: OvsdbClient): Promise<void> {
    this.#client = client;
    try {
      await becomeAware(client);
      await this.#synchronise(client);
    } catch (cause) {
      throw this.#giveUp(client, cause);
    }
  }

  /** Reads the schema and starts a monitor: at the beginning, and after the server has cancelled the one before. */
  async #synchronise(client: OvsdbClient): Promise<void> {
    const schema = await client.getSchema(this.#options.database);
    const { watched, missing } = intersect(schema, this.#options.tables);
    const methods = this.#options.methods ?? NEWEST_FIRST;
    for (const method of methods) {
      if (this.#client !== client) {
        throw new OvsdbError(
          OvsdbErrorCode.replica,
          'Another client was attached before the first snapshot came.',
        );
      }
      try {
        await this.#monitor(client, method, schema, watched, missing);
        return;
      } catch (error) {
        if (!isUnknownMethod(error)) {
          throw error;
        }
      }
    }
    throw new OvsdbError(
      OvsdbErrorCode.replica,
      `The server knows none of the methods ${methods.join(', ')}.`,
    );
  }

  async #monitor(
    client: OvsdbClient,
    method: MonitorMethod,
    schema: DatabaseSchema,
    watched: WatchedTables,
    missing: readonly MissingColumn[],
  ): Promise<void> {
    const old = this.#content;
    // Differences can only be applied to rows of the same columns and types.
    const base = old !== undefined && sameWatched(old.watched, watched) ? old : undefined;
    await client.monitor({
      method,
      database: this.#options.database,
      tables: Object.fromEntries(
        Array.from(watched, ([table, columns]) => [table, { columns: [...columns.keys()] }]),
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
          this.#begin(update, watched, base);
        } else if (this.#content !== undefined) {
          this.#proceed(update, this.#content);
        }
      },
      onCanceled: () => {
        if (this.#client === client) {
          this.#synchronise(client).catch((cause: unknown) => this.#giveUp(client, cause));
        }
      },
    });
  }

  /** The reply to a monitor request: the whole content, or what happened since the last transaction that we know. */
  #begin(update: MonitorUpdate, watched: WatchedTables, base: ReplicaContent | undefined): void {
    if (update.isContinuation) {
      if (base === undefined) {
        const text = 'The server continues from a transaction that it was not asked to continue from.';
        throw new OvsdbError(OvsdbErrorCode.protocol, text);
      }
      this.#proceed(update, base);
      return;
    }
    const old = this.#content;
    const whole = new ReplicaContent(watched).update(update).content;
    const { content, changes } = whole.since(old, old?.watched.keys() ?? []);
    const isSame = old !== undefined && changes.length === 0 && sameWatched(old.watched, watched);
    this.#tell(update, content, changes, isSame);
  }

  #proceed(update: MonitorUpdate, base: ReplicaContent): void {
    const { content, changes } = base.update(update);
    this.#tell(update, content, changes, changes.length === 0);
  }

  /** Everything is put in place before the listener is called, so that it may look at the replica. */
  #tell(
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

  #giveUp(client: OvsdbClient, cause: unknown): Error {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `The replica of database ${this.#options.database} cannot follow this connection: ${why}`;
    const error = new OvsdbError(OvsdbErrorCode.replica, text, cause);
    client.close(error);
    return error;
  }
}

/** Asks for `monitor_canceled` rather than a closed connection when the database is converted; old servers cannot. */
async function becomeAware(client: OvsdbClient): Promise<void> {
  try {
    await client.setDbChangeAware(true);
  } catch (error) {
    if (!isUnknownMethod(error)) {
      throw error;
    }
  }
}
