// What a keeper needs from a protocol and from its owner, and what it shows of itself.

import type { Duplex } from 'node:stream';
import type { Clock } from './clock.ts';
import type { Endpoint, TlsFiles } from './endpoint.ts';
import type { Logger } from './log.ts';
import type { ReadMemory } from './read-memory.ts';
import type { ReconnectOptions } from './reconnect.ts';

/** How a session ended; no error when it was closed as asked for. */
export interface SessionEnd {
  readonly error?: Error | undefined;
}

/** What a protocol shows to the keeper. */
export interface KeptSession {
  /** Fulfilled once, when the session is over for whatever reason; never rejected. */
  readonly ended: Promise<SessionEnd>;
  /** Grows with everything that arrives; a peer that sends needs no probe. */
  readonly receivedBytes: number;
  /** Asks the peer for a sign of life, and is fulfilled when it came. */
  probe(): Promise<void>;
  /** Ends the session soon, after what was written has left. */
  close(reason?: Error): void;
}

/** The states of a keeper. */
export type KeeperState = 'stopped' | 'backoff' | 'connecting' | 'opening' | 'up' | 'probing';

/** What a keeper shows of itself. */
export interface KeeperStatus {
  readonly name: string;
  readonly state: KeeperState;
  /** The peer that is or was last dialled, as text. */
  readonly endpoint: string;
  /** How often a session has come up since the start. */
  readonly upCount: number;
  /** Attempts that failed since a session was last up. */
  readonly failureCount: number;
  /** How long the present session has been up. */
  readonly upMs: number | undefined;
  /** Why the last session or attempt ended. */
  readonly lastError: string | undefined;
  /** The stable `code` of that reason, when it has one. */
  readonly lastErrorCode: string | undefined;
}

/** Options of `ConnectionKeeper`. */
export interface KeeperOptions<S extends KeptSession> {
  /** For the log and the status, such as `ovsdb` or `bridge br0`. */
  readonly name: string;
  /** Tried one after the other, from the first again after the last. */
  readonly endpoints: readonly Endpoint[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Handshake and first synchronisation over a fresh stream. The keeper gives up by destroying the stream. */
  readonly open: (stream: Duplex, readMemory: ReadMemory | undefined) => Promise<S>;
  /** Called when a session is ready for use. */
  readonly onUp?: (session: S) => void;
  /** Called once for each `onUp`, when the session is not to be used any more. */
  readonly onDown?: (session: S, reason: Error | undefined) => void;
  /** Default: OVS's times; for unix sockets pauses from 0.1 to 1 s, as a failed attempt costs nothing there. */
  readonly reconnect?: Partial<ReconnectOptions>;
  /** For `ssl:` endpoints. */
  readonly tls?: TlsFiles;
  /**
   * Bytes of the memory that sockets read into. `open` is then given the memory, and the stream has no 'data' events; but
   * for `ssl:` endpoints, and streams that `dial` makes. Default: none.
   */
  readonly readMemoryBytes?: number;
  /** Makes the stream; a test hands in its own. */
  readonly dial?: (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>;
}
