// The client of one OVSDB connection: the methods of RFC 7047, section 4.1 and the extensions of ovsdb-server(7), by
// name and typed. It takes a stream that is ready for use; dialling, reconnecting and time limits are the caller's.

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

/** Limits of a client; see README.md for what happens at each. */
export type OvsdbClientOptions = RpcPeerOptions;

/** The defaults: a database of some 100,000 rows fits into one message of 64 MiB. */
export const OVSDB_CLIENT_DEFAULTS: OvsdbClientOptions = {
  messageBytesMax: 64 * 1024 * 1024,
  depthMax: 64,
  pendingRequestsMax: 1000,
  sendBytesMax: 16 * 1024 * 1024,
};

/** How to give up a request. */
export interface RequestOptions {
  /**
   * When it fires, the promise rejects at once with the code OVSDB_ABORTED, and a transaction is cancelled. The server
   * does not take back other requests: after giving up a lock or a monitor, close the connection.
   */
  readonly signal?: AbortSignal;
}

export interface TransactOptions extends RequestOptions {
  /** Decodes selected columns by their types. */
  readonly schema?: DatabaseSchema;
}

/** What to monitor, and whom to tell. */
export interface MonitorOptions {
  readonly database: string;
  readonly method: MonitorMethod;
  readonly tables: Readonly<Record<string, MonitorTable>>;
  /** For monitor_cond_since: where the content that the caller already has ends. */
  readonly lastTransactionId?: string | undefined;
  /**
   * Hears of the reply first and of each later change, synchronously and in the order of the wire. An
   * OvsdbError that it throws ends the connection, as the updates that follow would make no sense. Any other
   * exception is a fault of the listener: it rejects the promise if the reply was being read, else it is not caught.
   */
  readonly onUpdate: (update: MonitorUpdate) => void;
  /** The server has cancelled the monitor: its database was converted or removed. Only for aware clients. */
  readonly onCanceled?: () => void;
}

/** A running monitor. */
export interface Monitor {
  /** Stops it; no update is told any more, from now on. */
  cancel(options?: RequestOptions): Promise<void>;
}

/** Hears whether this connection has a lock: the reply first, then each change, and false when the connection ends. */
export type LockListener = (held: boolean) => void;

interface Lock {
  held: boolean;
  readonly onHeld: LockListener | undefined;
}

/** One connection to an OVSDB server. */
export class OvsdbClient {
  /** Resolves once, when the connection is over for whatever reason; never rejects. */
  readonly ended: Promise<OvsdbEnd>;
  readonly #peer: RpcPeer;
  readonly #monitors = new Map<string, MonitorOptions>();
  readonly #locks = new Map<string, Lock>();
  #nextMonitor = 1;

  constructor(stream: Duplex, options: Partial<OvsdbClientOptions> = {}) {
    const limits = { ...OVSDB_CLIENT_DEFAULTS, ...options };
    this.#peer = new RpcPeer(stream, limits, this.#onNotification, this.#onEnd);
    this.ended = this.#peer.ended;
  }

  /** Bytes received so far: when it stands still for long, it is time for a {@link probe}. */
  get receivedBytes(): number {
    return this.#peer.receivedBytes;
  }

  /** How the connection ended, or undefined while it lasts. */
  get end(): OvsdbEnd | undefined {
    return this.#peer.end;
  }

  /** Ends the connection. All that waits for replies is rejected with the code OVSDB_CLOSED. Safe to repeat. */
  close(reason?: Error): void {
    this.#peer.close({ by: 'here', error: reason });
  }

  /** Sends an echo and waits for it (RFC 7047, section 4.1.11). */
  async probe(options: RequestOptions = {}): Promise<void> {
    await this.request('echo', [], options);
  }

  /** Any method, for extensions that this class has no name for. */
  request(method: string, params: readonly unknown[], options: RequestOptions = {}): Promise<unknown> {
    return this.#peer.request(method, params, options.signal, (result) => result);
  }

  /** The names of the server's databases, `_Server` included (RFC 7047, section 4.1.1). */
  async listDbs(options: RequestOptions = {}): Promise<readonly string[]> {
    const result = await this.request('list_dbs', [], options);
    return array(result, 'list_dbs').map((name, index) => string(name, `list_dbs[${index}]`));
  }

  /** RFC 7047, section 4.1.2. */
  async getSchema(database: string, options: RequestOptions = {}): Promise<DatabaseSchema> {
    return parseDatabaseSchema(await this.request('get_schema', [database], options));
  }

  /** An id that the server makes up when it starts (ovsdb-server 2.7 and later). */
  async getServerId(options: RequestOptions = {}): Promise<string> {
    return string(await this.request('get_server_id', [], options), 'get_server_id');
  }

  /**
   * Does all operations or none (RFC 7047, section 4.1.3). Rejects with OvsdbTransactionError when one of them or the
   * commit fails. After OVSDB_ABORTED or OVSDB_CLOSED it is unknown whether it was done.
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

  /** Has the server convert the database to another schema of the same name (ovsdb-server 2.9 and later). */
  async convert(database: string, schemaJson: object, options: RequestOptions = {}): Promise<void> {
    await this.request('convert', [database, schemaJson], options);
  }

  /**
   * Whether the server cancels monitors when a database is converted or removed, instead of closing the connection
   * (ovsdb-server 2.9 and later; others answer "unknown method").
   */
  async setDbChangeAware(isAware: boolean, options: RequestOptions = {}): Promise<void> {
    await this.request('set_db_change_aware', [isAware], options);
  }

  /**
   * Queues for a lock; true when it was free (RFC 7047, section 4.1.8). `onHeld` hears of it in the order of the wire,
   * while a promise is told later: by then {@link hasLock} may say otherwise, and it is the one to believe.
   * The server's names for locks have letters, digits and "_" only.
   */
  lock(id: string, onHeld?: LockListener, options: RequestOptions = {}): Promise<boolean> {
    return this.#takeLock('lock', id, onHeld, options);
  }

  /** Takes a lock from whoever holds it; that one stays queued for it (RFC 7047, section 4.1.8). */
  async steal(id: string, onHeld?: LockListener, options: RequestOptions = {}): Promise<void> {
    await this.#takeLock('steal', id, onHeld, options);
  }

  /** Gives a lock back, or leaves the queue for it. `onHeld` hears nothing more. */
  async unlock(id: string, options: RequestOptions = {}): Promise<void> {
    this.#locks.delete(id);
    // Once more at the reply, in case that the reply to `lock` came in between.
    await this.#peer.request('unlock', [id], options.signal, () => this.#locks.delete(id));
  }

  /** Whether this connection holds the lock, by what the server has said so far. */
  hasLock(id: string): boolean {
    return this.#locks.get(id)?.held ?? false;
  }

  /** Starts a monitor; resolves after `onUpdate` has had the initial content. */
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
      // A monitor that is not there has been cancelled with this update on its way.
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
