// What every transport to a collector looks like to the exporter: a place to hand messages to. A session moves bytes and
// looks after its connection; sequence numbers and templates are the business of `CollectorStream`. The contract is tested
// by test/export/session-contract.ts for each transport.

/** Where records go to. */
export interface CollectorTarget {
  /** An IPv4 or IPv6 address without brackets, or a host name. */
  readonly host: string;
  readonly port: number;
  /** The target as people read and write it, such as `[::1]:4739`. */
  readonly text: string;
  /** Default: udp. */
  readonly transport?: 'udp' | 'tcp';
}

/**
 * connecting: resolving or connecting, messages wait; open: messages leave; failing: messages leave, and the network reports
 * that they do not arrive (over UDP, by ICMP); waiting: the last attempt failed and the next has its time, messages are lost;
 * closing: what waits is still sent; closed: the end.
 */
export type SessionState = 'connecting' | 'open' | 'failing' | 'waiting' | 'closing' | 'closed';

/** What a session tells its owner. */
export interface SessionListener {
  /**
   * Messages from now on go over a new connection: RFC 7011, sections 3.1 and 8, wants sequence numbers and templates
   * to begin anew. Called before any message of that connection is accepted; not called for the first connection.
   */
  restarted(): void;
  /** The collector was out of reach and may have started anew itself: send it the templates again. */
  templatesDoubtful(): void;
}

/** Facts about a session for operators. Counts are of the session's whole life. */
export interface SessionStatus {
  readonly state: SessionState;
  readonly transport: string;
  /** The address that the host name stood for, when connected. */
  readonly address: string | undefined;
  /** Handed to the network; over UDP that says nothing of their arrival. */
  readonly messagesSent: number;
  readonly recordsSent: number;
  readonly octetsSent: number;
  /** Not sent: no connection, a full backlog, or an error of the system. */
  readonly messagesLost: number;
  readonly recordsLost: number;
  /** How often each fault occurred, by system error code; `BACKLOG` counts messages dropped for a full backlog. */
  readonly errors: Readonly<Record<string, number>>;
  readonly lastError: string | undefined;
  /** Messages that wait to be sent. */
  readonly backlogCount: number;
  /** Connections made, the first included. */
  readonly connectionCount: number;
}

/** One collector over one transport. */
export interface CollectorSession {
  /** True where nothing is lost while connected (TCP, TLS): templates are sent once a connection and not repeated. */
  readonly isReliable: boolean;
  /** Messages that wait to be sent. */
  readonly backlogCount: number;
  start(): void;
  /**
   * Takes over a message: `size` bytes of `bytes`, copied before this returns. False when it was dropped, which
   * the session has counted.
   */
  send(bytes: Buffer, size: number, recordCount: number): boolean;
  /** Sends what waits, as far as that is possible within the session's drain time, and closes. Safe to repeat. */
  stop(): Promise<void>;
  status(): SessionStatus;
}

/** Makes the session of a target; handed to the exporter by the composition root. */
export type OpenSession = (target: CollectorTarget, listener: SessionListener) => CollectorSession;
