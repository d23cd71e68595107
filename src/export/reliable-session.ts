// What the sessions over reliable transports share (RFC 7011, section 10.4). Messages wait in memory until the kernel has taken all
// of their bytes, over reconnections too: each is handed over alone, and stays in the queue until the socket says that it is
// written. A message gets its sequence number only then, after the templates of its connection. What the kernel had
// taken when a connection broke is counted apart, as of unknown delivery.

import type { Socket } from 'node:net';
import type { CollectorTarget, SessionListener } from './collector-session.ts';
import { QueuedSession, type QueuedSessionOptions, type QueuedSessionParts } from './queued-session.ts';
import { SESSION_DEFAULTS } from './socket-session.ts';
import { sourceFault, sourceOfName } from './source-binding.ts';
import { UnconfirmedRecords } from './unconfirmed-records.ts';

/** Limits and intervals of a session over TCP or TLS. */
export interface ReliableSessionOptions extends QueuedSessionOptions {
  /** How long resolving and connecting may take, the handshake of TLS included. */
  readonly connectTimeoutMs: number;
}

export const RELIABLE_SESSION_DEFAULTS: ReliableSessionOptions = {
  ...SESSION_DEFAULTS,
  // What waits is in memory, so a collector that is back is found soon.
  retryMaxMs: 8000,
  // Templates and options records before one message.
  sendBacklogMax: 256,
  connectTimeoutMs: 10_000,
  // At 2,000 records of 110 bytes a second, some two minutes.
  queueBytesMax: 33_554_432,
};

/** Messages after which the event loop serves others. */
const MESSAGES_PER_TURN = 64;

export abstract class ReliableSession extends QueuedSession {
  readonly #connectTimeoutMs: number;
  readonly #unconfirmed = new UnconfirmedRecords();
  #socket: Socket | undefined;
  /** Counts connections and attempts: reports of an earlier one are ignored. */
  #attempt = 0;
  #isReady = false;
  /** Whether the oldest message, or what has to precede it, is being written. */
  #isWriting = false;
  #isClosedInOrder = false;
  #messagesInTurn = 0;
  readonly #sendAhead = (bytes: Buffer, size: number, recordCount: number) =>
    this.traffic.add(bytes, size, recordCount);

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: QueuedSessionParts,
    options: ReliableSessionOptions,
  ) {
    super(target, listener, parts, options);
    this.#connectTimeoutMs = options.connectTimeoutMs;
  }

  /**
   * Passes on a socket that begins to connect, before it returns to the event loop: a socket without a listener whose error comes at
   * once, as without a route, would end the process.
   */
  protected abstract openSocket(use: (socket: Socket) => void): Promise<void>;

  /** Calls back when the collector accepts messages on the socket; a second call has no effect. */
  protected abstract whenReady(socket: Socket, ready: () => void): void;

  /** Returns the error, or one with a better message and the same code. */
  protected explained(error: Error): Error {
    return sourceFault(error, sourceOfName(this.target).localAddress);
  }

  protected get address(): string | undefined {
    return this.#isReady ? this.#socket?.remoteAddress : undefined;
  }

  protected get sourceAddress(): string | undefined {
    return this.#isReady ? this.#socket?.localAddress : undefined;
  }

  protected connect(): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const timeoutMs = this.#connectTimeoutMs;
    this.setTimer(() => this.#ended(attempt, new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    this.openSocket((socket) => this.#use(socket, attempt)).catch((error: unknown) =>
      this.#ended(attempt, error),
    );
  }

  protected override handOver(): void {
    const message = this.waiting.oldest;
    if (!this.#isReady || this.#isWriting) {
      return;
    }
    if (message === undefined) {
      this.endDrain();
      return;
    }
    this.#isWriting = true;
    this.listener.stamp(message, this.#sendAhead);
    this.traffic.add(message.bytes, message.size, message.recordCount);
    this.#writeNext(this.#attempt);
  }

  protected override connectionLost(): void {
    const nowMicros = this.clock.monotonicMicros();
    this.traffic.countDeliveryUnknown(this.#unconfirmed.take(this.#isClosedInOrder, nowMicros));
    super.connectionLost();
  }

  /** Ends the connection in order when everything is written; a collector that accepts nothing is not waited for. */
  protected async close(isDrained: boolean): Promise<void> {
    const socket = this.#socket;
    const canEnd = isDrained && this.#isReady;
    this.#detach();
    if (socket === undefined) {
      return;
    }
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      if (canEnd) {
        socket.destroySoon();
      } else {
        socket.destroy();
      }
    });
  }

  #use(socket: Socket, attempt: number): void {
    // Without a listener an error of a discarded socket would end the process.
    socket.on('error', (error) => this.#ended(attempt, this.explained(error)));
    if (attempt !== this.#attempt) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    this.whenReady(socket, () => {
      if (attempt === this.#attempt && !this.#isReady) {
        this.#isReady = true;
        this.opened();
      }
    });
    socket.once('end', () => {
      this.#isClosedInOrder = attempt === this.#attempt;
    });
    socket.on('close', () => this.#ended(attempt, new Error('the collector closed the connection')));
    // A collector sends nothing; reading shows that it closes.
    socket.resume();
  }

  /** Writes the next message of those that precede the oldest one, and that one itself as the last. */
  #writeNext(attempt: number): void {
    const bytes = this.traffic.hand();
    if (bytes === undefined) {
      this.shiftWaiting();
      this.#messagesInTurn = (this.#messagesInTurn + 1) % MESSAGES_PER_TURN;
      if (this.#messagesInTurn === 0) {
        setImmediate(() => this.#writeOldest(attempt));
      } else {
        this.#writeOldest(attempt);
      }
      return;
    }
    this.#socket?.write(bytes, (error) => {
      // An error is reported by an event as well.
      if (attempt === this.#attempt && !error) {
        const { size, recordCount } = this.traffic.sent(true);
        this.#unconfirmed.add(size, recordCount, this.clock.monotonicMicros());
        this.#writeNext(attempt);
      }
    });
  }

  #writeOldest(attempt: number): void {
    if (attempt === this.#attempt) {
      this.#isWriting = false;
      this.handOver();
    }
  }

  #ended(attempt: number, reason: unknown): void {
    if (attempt !== this.#attempt) {
      return;
    }
    const socket = this.#socket;
    this.#detach();
    socket?.destroy();
    this.failed(reason);
    this.#isClosedInOrder = false;
  }

  #detach(): void {
    this.#attempt += 1;
    this.#socket = undefined;
    this.#isReady = false;
    this.#isWriting = false;
  }
}
