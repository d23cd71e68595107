// A collector session for tests that keeps the messages it gets and lets the test act as the network.

import type {
  CollectorSession,
  CollectorTarget,
  OpenSession,
  SessionHealth,
  SessionListener,
  SessionStatus,
} from '../../src/export/collector-session.ts';

export class RecordingSession implements CollectorSession {
  readonly isReliable: boolean;
  readonly target: CollectorTarget;
  readonly listener: SessionListener;
  readonly messages: Buffer[] = [];
  backlogCount = 0;
  recordsLost = 0;
  /** The longest message that fits the path. */
  messageBytesMax: number | undefined;
  health: SessionHealth = 'works';
  isConnected = true;
  /** What `send` returns; a dropped message is not kept. */
  accepts = true;
  isStarted = false;
  isStopped = false;

  constructor(target: CollectorTarget, listener: SessionListener, isReliable = false) {
    this.target = target;
    this.listener = listener;
    this.isReliable = isReliable;
  }

  start(): void {
    this.isStarted = true;
  }

  send(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.accepts && this.isReliable) {
      const message = { bytes: Buffer.from(bytes.subarray(0, size)), size, recordCount, lostBefore: 0 };
      this.listener.stamp(message, (ahead, aheadSize) => this.#keep(ahead, aheadSize));
      this.messages.push(message.bytes);
    } else if (this.accepts) {
      this.#keep(bytes, size);
    }
    return this.accepts;
  }

  #keep(bytes: Buffer, size: number): boolean {
    this.messages.push(Buffer.from(bytes.subarray(0, size)));
    return true;
  }

  async stop(): Promise<number> {
    this.isStopped = true;
    return 0;
  }

  status(): SessionStatus {
    return {
      state: this.isStopped ? 'closed' : 'open',
      transport: 'recording',
      address: undefined,
      messagesSent: this.messages.length,
      recordsSent: 0,
      octetsSent: 0,
      messagesLost: 0,
      recordsLost: this.recordsLost,
      recordsLostBy: { queueFull: 0, notConnected: 0, sendError: 0, stop: 0 },
      recordsDeliveryUnknown: 0,
      errors: {},
      lastError: undefined,
      backlogCount: this.backlogCount,
      backlogBytes: 0,
      connectionCount: 1,
    };
  }

  /** The messages with data records, without the Template Sets' messages. */
  get dataMessages(): Buffer[] {
    return this.messages.filter((message) => message.readUInt16BE(16) >= 256);
  }

  get templateMessages(): Buffer[] {
    return this.messages.filter((message) => message.readUInt16BE(16) === 2);
  }
}

/** Returns an `openSession` for `ExporterParts`, and the sessions that it creates. */
export function recordingSessions(isReliable = false): {
  readonly sessions: RecordingSession[];
  readonly openSession: OpenSession;
} {
  const sessions: RecordingSession[] = [];
  const openSession: OpenSession = (target, listener) => {
    const session = new RecordingSession(target, listener, isReliable);
    sessions.push(session);
    return session;
  };
  return { sessions, openSession };
}
