// The interfaces of a connection keeper: the session that it keeps up, its options and its status.

import type { Duplex } from 'node:stream';
import type { Clock } from './clock.ts';
import type { Endpoint, TlsFiles } from './endpoint.ts';
import type { Logger } from './log.ts';
import type { ReadMemory } from './read-memory.ts';
import type { ReconnectOptions } from './reconnect.ts';

/** How a session ended; without an error when its owner closed it. */
export interface SessionEnd {
  readonly error?: Error | undefined;
}

/** A session of a protocol, as the keeper uses it. */
export interface KeptSession {
  /** Resolves once, when the session has ended for any reason; never rejects. */
  readonly ended: Promise<SessionEnd>;
  /** Bytes received so far: a peer that sends is not probed. */
  readonly receivedBytes: number;
  /** Sends an echo request; resolves when its reply has come. */
  probe(): Promise<void>;
  /** Ends the session after what was written has been sent. */
  close(reason?: Error): void;
}

/** The states of a keeper. */
export type KeeperState = 'stopped' | 'backoff' | 'connecting' | 'opening' | 'up' | 'probing';

/** The status of a keeper. */
export interface KeeperStatus {
  readonly name: string;
  readonly state: KeeperState;
  /** The connection method dialled last. */
  readonly endpoint: string;
  /** Sessions established since the start. */
  readonly upCount: number;
  /** Failed attempts since a session was last up. */
  readonly failureCount: number;
  /** Age of the current session; undefined while there is none. */
  readonly upMs: number | undefined;
  /** Why the last session or attempt ended. */
  readonly lastError: string | undefined;
  /** The stable `code` of that error, if it has one. */
  readonly lastErrorCode: string | undefined;
}

/** Options of `ConnectionKeeper`. */
export interface KeeperOptions<S extends KeptSession> {
  /** For log and status, such as `ovsdb` or `bridge br0`. */
  readonly name: string;
  /** Tried in turn, round robin. */
  readonly endpoints: readonly Endpoint[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Does the handshake and the first synchronisation over a new stream. The keeper aborts it by destroying the stream. */
  readonly open: (stream: Duplex, readMemory: ReadMemory | undefined) => Promise<S>;
  /** Called when a session is ready for use. */
  readonly onUp?: (session: S) => void;
  /** Called once for each `onUp`, when the session must not be used any more. */
  readonly onDown?: (session: S, reason: Error | undefined) => void;
  /** Default: OVS's times; for unix sockets a backoff of 0.1 to 1 s, as a failed attempt is cheap there. */
  readonly reconnect?: Partial<ReconnectOptions>;
  /** Whether the owner does without the session: attempts that fail are then not warned of. Default: false. */
  readonly isOptional?: boolean;
  /** For `ssl:` endpoints. */
  readonly tls?: TlsFiles;
  /**
   * Size of the buffer that sockets read into, in bytes. `open` is then given the buffer, and the stream emits no 'data'
   * events. Ignored for `ssl:` endpoints and for streams that `dial` makes. Default: none.
   */
  readonly readMemoryBytes?: number;
  /** Makes the stream; tests pass their own. */
  readonly dial?: (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>;
}
