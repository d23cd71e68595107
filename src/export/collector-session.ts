// The interface between the exporter and a transport to a collector. A session moves messages and keeps its connection;
// sequence numbers and templates are up to `CollectorStream`. test/export/session-contract.ts tests each transport for it.

import type { TlsClientFiles } from '../runtime/tls-files.ts';
import type { WaitingMessage } from './waiting-messages.ts';

/** The addresses that messages are sent from, at most one of each family. */
export interface SourceAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

/** Where records are sent. */
export interface CollectorTarget {
  /** An IPv4 or IPv6 address without brackets, or a host name; the pattern of the names for a file. */
  readonly host: string;
  /** 0 for a file. */
  readonly port: number;
  /** The target as operators read and write it, such as `[::1]:4739`. */
  readonly text: string;
  /** Default: udp. */
  readonly transport?: 'udp' | 'tcp' | 'tls' | 'file';
  /** Set for tls. */
  readonly tls?: TlsClientFiles | undefined;
  /** Default: the system chooses the address. */
  readonly source?: SourceAddresses | undefined;
}

/**
 * connecting: resolving or connecting, messages wait; open: messages are sent; failing: messages are sent, and the network
 * reports that they do not arrive (over UDP, by ICMP); backoff: the last attempt failed or the connection ended, until the
 * next attempt messages are lost over UDP and wait over TCP, over TLS and for a file; closing: waiting messages are still sent; closed: the end.
 */
export type SessionState = 'connecting' | 'open' | 'failing' | 'backoff' | 'closing' | 'closed';

/** Whether messages do not reach a collector, as far as its session knows. */
export function isDown(state: SessionState): boolean {
  return state === 'failing' || state === 'backoff';
}

/** Whether messages arrive, as far as the session knows; unknown: it connects for the first time. */
export type SessionHealth = 'unknown' | 'works' | 'failed';

/**
 * Why records were not sent. queueFull: too many waited; notConnected: over UDP, a host name without an address or a change of it,
 * and over any transport, after the end of the session; sendError: the system refused the message; stop: they still waited when
 * the time of a stop was over.
 */
export type LossCause = 'queueFull' | 'notConnected' | 'sendError' | 'stop';

/** Sends a message ahead of the one that is being stamped; returns false when it was dropped. */
export type SendAhead = (bytes: Buffer, size: number, recordCount: number) => boolean;

/** What a session notifies its owner of. */
export interface SessionListener {
  /**
   * The next messages use a new connection, on which sequence numbers and templates start over (RFC 7011, sections 3.1 and
   * 8). Called before any message of that connection is accepted; not called for the first connection.
   */
  restarted(): void;
  /** The collector was unreachable and may have restarted: it needs the templates again. */
  templatesDoubtful(): void;
  /** The session's `messageBytesMax` is another one. */
  messageBytesChanged?(): void;
  /**
   * A reliable session is about to hand over the message: sends what has to precede it on this connection, and puts in the
   * sequence number. It is called again for the same message on the next connection if this one breaks meanwhile.
   */
  stamp(message: WaitingMessage, sendAhead: SendAhead): void;
}

/** The files of a target that is a file. */
export interface FilesStatus {
  /** The name that the file which is being written will have; undefined: none. */
  readonly current: string | undefined;
  /** Files that were completed. */
  readonly written: number;
  /** Files that were removed to make room. */
  readonly removed: number;
}

/** A session for operators. Counts are since the session was created. */
export interface SessionStatus {
  readonly state: SessionState;
  readonly transport: string;
  /** The address that the host name resolved to, while connected. */
  readonly address: string | undefined;
  /** The address that messages are sent from, while connected. */
  readonly sourceAddress?: string | undefined;
  /** The MTU of the path to the collector in bytes; undefined: not known, or the transport divides messages by itself. */
  readonly pathMtu?: number | undefined;
  /** Handed to the network; over UDP they may not have arrived. */
  readonly messagesSent: number;
  readonly recordsSent: number;
  readonly octetsSent: number;
  /** Not sent: no connection, a full backlog, or an error of the system. */
  readonly messagesLost: number;
  readonly recordsLost: number;
  readonly recordsLostBy: Readonly<Record<LossCause, number>>;
  /**
   * Part of `recordsSent` that may not have arrived: the kernel had them when a connection broke; over UDP, they were sent within
   * seconds before an error, or while the collector fails.
   */
  readonly recordsDeliveryUnknown: number;
  /** Counts by system error code; `BACKLOG` counts messages that were dropped for a full backlog. */
  readonly errors: Readonly<Record<string, number>>;
  readonly lastError: string | undefined;
  /** The key of `errors` that the last one is counted under. */
  readonly lastErrorCode?: string | undefined;
  /** Messages that wait to be sent. */
  readonly backlogCount: number;
  /** Memory of these messages, in bytes. */
  readonly backlogBytes: number;
  /** Connections made, the first included. */
  readonly connectionCount: number;
  /** Set for a file. */
  readonly files?: FilesStatus | undefined;
}

/** One collector over one transport. */
export interface CollectorSession {
  /** Whether the transport loses nothing while connected (TCP, TLS, files): templates are sent once a connection or file. */
  readonly isReliable: boolean;
  /** Messages that wait to be sent, as far as the collector can be reached. */
  readonly backlogCount: number;
  /** The longest message that fits the path, in bytes; undefined: not known, or any. */
  readonly messageBytesMax?: number | undefined;
  /** Default: works. */
  readonly health?: SessionHealth;
  /** Whether a message would be sent now, and would not wait or be lost. Default: it would. */
  readonly isConnected?: boolean;
  start(): void;
  /**
   * Accepts a message: `size` bytes of `bytes`, copied before this returns. Returns false when it was dropped, which the
   * session has counted. A reliable session has the message stamped when it is handed over.
   */
  send(bytes: Buffer, size: number, recordCount: number): boolean;
  /**
   * Sends what waits, as far as possible within the drain time and `timeoutMs`, and closes; resolves to the records that still
   * waited, which are lost and counted. Safe to repeat.
   */
  stop(timeoutMs?: number): Promise<number>;
  status(): SessionStatus;
}

/** Creates the session of a target; the composition root hands it to the exporter. */
export type OpenSession = (target: CollectorTarget, listener: SessionListener) => CollectorSession;
