// The client of one OVSDB connection: typed methods for RFC 7047, section 4.1 and the extensions of ovsdb-server(7). It
// takes a connected stream; dialling, reconnecting and time limits are the caller's.

import type { Duplex } from 'node:stream';
import { array, object, string } from './json-shape.ts';
import {
  decodeMonitorReply,
  decodeUpdate,
  encodeMonitorRequest,
  isUpdateMethod,
  type MonitorMethod,
  type MonitorTable,
  type MonitorUpdate,
} from './monitor.ts';
import { decodeResults, encodeOperation, type Operation, type ResultsOf } from './operations.ts';
import { type OvsdbEnd, RpcPeer, type RpcPeerOptions } from './rpc-peer.ts';
import { type DatabaseSchema, parseDatabaseSchema } from './schema.ts';

/** Limits of a client; README.md says what happens at each. */
export type OvsdbClientOptions = RpcPeerOptions;

/** Default limits: a database of some 100,000 rows fits into one message of 64 MiB. */
export const OVSDB_CLIENT_DEFAULTS: OvsdbClientOptions = {
  messageBytesMax: 64 * 1024 * 1024,
  depthMax: 64,
  pendingRequestsMax: 1000,
  sendBytesMax: 16 * 1024 * 1024,
  replyBytesMax: 64 * 1024,
};

/** Options of every request. */
export interface RequestOptions {
  /**
   * Aborts the request: the promise rejects immediately with the code OVSDB_ABORTED, and a transaction is cancelled on the
   * server. Other requests cannot be cancelled there: after aborting one for a lock or a monitor, close the connection.
   */
  readonly signal?: AbortSignal;
}

export interface TransactOptions extends RequestOptions {
  /** The schema by which selected columns are decoded. */
  readonly schema?: DatabaseSchema;
}

/** What to monitor, and the listeners. */
export interface MonitorOptions {
  readonly database: string;
  readonly method: MonitorMethod;
  readonly tables: Readonly<Record<string, MonitorTable>>;
  /** For monitor_cond_since: the last transaction that the caller's content includes. */
  readonly lastTransactionId?: string | undefined;
  /**
   * Called with the reply and then with each update, synchronously and in the order received. An OvsdbError that it throws
   * ends the connection, because later updates could not be applied. Any other exception rejects the promise if it was
   * thrown for the reply, and is not caught otherwise.
   */
  readonly onUpdate: (update: MonitorUpdate) => void;
  /** Called when the server has cancelled the monitor: its database was converted or removed. Needs `setDbChangeAware`. */
  readonly onCanceled?: () => void;
}

/** A monitor that has been started. */
export interface Monitor {
  /** Cancels the monitor; `onUpdate` is not called any more. */
  cancel(options?: RequestOptions): Promise<void>;
}

/** Called with whether this connection holds a lock: for the reply, for each change, and with false when it ends. */
export type LockListener = (held: boolean) => void;

interface Lock {
  held: boolean;
  readonly onHeld: LockListener | undefined;
}

/** One connection to an OVSDB server. */
export class OvsdbClient {
  /** Resolves once, when the connection has ended for any reason; never rejects. */
  readonly ended: Promise<OvsdbEnd>;
  readonly #peer: RpcPeer;
  readonly #monitors = new Map<string, MonitorOptions>();
  readonly #locks = new Map<string, Lock>();
  /** Locks that have been requested and not released, also before the reply. */
  readonly #requestedLocks = new Set<string>();
  #nextMonitor = 1;

  constructor(stream: Duplex, options: Partial<OvsdbClientOptions> = {}) {
    const limits = { ...OVSDB_CLIENT_DEFAULTS, ...options };
    this.#peer = new RpcPeer(stream, limits, this.#onNotification, this.#onEnd);
    this.ended = this.#peer.ended;
  }

  /** Bytes received so far; when it does not grow for long, send a {@link probe}. */
  get receivedBytes(): number {
    return this.#peer.receivedBytes;
  }

  /** How often reading was stopped at `replyBytesMax`. */
  get readPauses(): number {
    return this.#peer.readPauses;
  }

  /** How the connection ended; undefined while it is open. */
  get end(): OvsdbEnd | undefined {
    return this.#peer.end;
  }

  /** Closes the connection. Pending requests are rejected with the code OVSDB_CLOSED. Idempotent. */
  close(reason?: Error): void {
    this.#peer.close({ by: 'here', error: reason });
  }

  /** Sends an echo request and waits for the reply (RFC 7047, section 4.1.11). */
  async probe(options: RequestOptions = {}): Promise<void> {
    await this.request('echo', [], options);
  }

  /** Sends a request of any method, for extensions that this class does not cover. */
  request(method: string, params: readonly unknown[], options: RequestOptions = {}): Promise<unknown> {
    return this.#peer.request(method, params, options.signal, (result) => result);
  }

  /** Returns the names of the server's databases, `_Server` included (RFC 7047, section 4.1.1). */
  async listDbs(options: RequestOptions = {}): Promise<readonly string[]> {
    const result = await this.request('list_dbs', [], options);
    return array(result, 'list_dbs').map((name, index) => string(name, `list_dbs[${index}]`));
  }

  /** Returns the schema of a database (RFC 7047, section 4.1.2). */
  async getSchema(database: string, options: RequestOptions = {}): Promise<DatabaseSchema> {
    return parseDatabaseSchema(await this.request('get_schema', [database], options));
  }

  /** Returns the id that the server generates when it starts (ovsdb-server 2.7 and later). */
  async getServerId(options: RequestOptions = {}): Promise<string> {
    return string(await this.request('get_server_id', [], options), 'get_server_id');
  }

  /**
   * Executes all operations or none (RFC 7047, section 4.1.3). Rejects with OvsdbTransactionError when one of them or the
   * commit fails. After OVSDB_ABORTED or OVSDB_CLOSED it is unknown whether the transaction was committed.
   */
  async transact<const O extends readonly Operation[]>(
    database: string,
    operations: O,
    options: TransactOptions = {},
  ): Promise<ResultsOf<O>> {
    const params = [database, ...operations.map(encodeOperation)];
    const result = await this.request('transact', params, options);
    return decodeResults(result, operations, options.schema);
  }

  /** Converts the database to another schema of the same name (ovsdb-server 2.9 and later). */
  async convert(database: string, schemaJson: object, options: RequestOptions = {}): Promise<void> {
    await this.request('convert', [database, schemaJson], options);
  }

  /**
   * Sets whether the server cancels monitors when a database is converted or removed, instead of closing the connection
   * (ovsdb-server 2.9 and later; others answer "unknown method").
   */
  async setDbChangeAware(isAware: boolean, options: RequestOptions = {}): Promise<void> {
    await this.request('set_db_change_aware', [isAware], options);
  }

  /**
   * Requests a lock; resolves to true when it was granted immediately, else the connection is queued (RFC 7047, section
   * 4.1.8). `onHeld` is called in the order received; the promise resolves later, when {@link hasLock} may have changed and
   * is authoritative. Names of locks are identifiers: letters, digits and "_".
   */
  lock(id: string, onHeld?: LockListener, options: RequestOptions = {}): Promise<boolean> {
    return this.#takeLock('lock', id, onHeld, options);
  }

  /** Takes a lock over from its holder, which stays queued for it (RFC 7047, section 4.1.8). */
  async steal(id: string, onHeld?: LockListener, options: RequestOptions = {}): Promise<void> {
    await this.#takeLock('steal', id, onHeld, options);
  }

  /** Releases a lock, or leaves the queue for it. `onHeld` is not called any more. */
  async unlock(id: string, options: RequestOptions = {}): Promise<void> {
    this.#requestedLocks.delete(id);
    this.#locks.delete(id);
    // Again with the reply, in case the reply to `lock` came in between.
    await this.#peer.request('unlock', [id], options.signal, () => this.#locks.delete(id));
  }

  /** Whether this connection holds the lock, as of the last message from the server. */
  hasLock(id: string): boolean {
    return this.#locks.get(id)?.held ?? false;
  }

  /** Whether this connection has requested a lock and not released it: it holds it, is queued, or has no reply yet. */
  hasRequestedLock(id: string): boolean {
    return this.#requestedLocks.has(id);
  }

  /** Starts a monitor; resolves after `onUpdate` has been called with the initial content. */
  monitor(options: MonitorOptions, requestOptions: RequestOptions = {}): Promise<Monitor> {
    const { method, database, tables, lastTransactionId } = options;
    const id = `monitor-${this.#nextMonitor}`;
    this.#nextMonitor += 1;
    const params = encodeMonitorRequest(method, database, id, tables, lastTransactionId);
    return this.#peer.request(method, params, requestOptions.signal, (result) => {
      this.#monitors.set(id, options);
      options.onUpdate(decodeMonitorReply(method, result));
      return {
        cancel: async (cancelOptions: RequestOptions = {}): Promise<void> => {
          if (this.#monitors.delete(id)) {
            await this.request('monitor_cancel', [id], cancelOptions);
          }
        },
      };
    });
  }

  #takeLock(
    method: 'lock' | 'steal',
    id: string,
    onHeld: LockListener | undefined,
    options: RequestOptions,
  ): Promise<boolean> {
    this.#requestedLocks.add(id);
    return this.#peer.request(method, [id], options.signal, (result) => {
      const held = object(result, method)['locked'] === true;
      this.#locks.set(id, { held, onHeld });
      onHeld?.(held);
      return held;
    });
  }

  readonly #onNotification = (method: string, params: readonly unknown[]): void => {
    const id = params[0];
    if (typeof id !== 'string') {
      return;
    }
    if (isUpdateMethod(method)) {
      // An update of an unknown monitor was sent before the server had read its cancellation.
      this.#monitors.get(id)?.onUpdate(decodeUpdate(method, params));
    } else if (method === 'monitor_canceled') {
      const monitor = this.#monitors.get(id);
      this.#monitors.delete(id);
      monitor?.onCanceled?.();
    } else if (method === 'locked' || method === 'stolen') {
      this.#setHeld(id, method === 'locked');
    }
  };

  #setHeld(id: string, held: boolean): void {
    const lock = this.#locks.get(id);
    if (lock !== undefined && lock.held !== held) {
      lock.held = held;
      lock.onHeld?.(held);
    }
  }

  readonly #onEnd = (): void => {
    this.#monitors.clear();
    for (const id of this.#locks.keys()) {
      this.#setHeld(id, false);
    }
  };
}
