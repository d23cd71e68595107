// What the sessions over reliable transports share (RFC 7011, section 10.4). Messages wait in memory until the kernel has taken all
// of their bytes, over reconnections too. Those that wait at the end of a slice are handed over together, and each stays in the
// queue until the kernel has it. A message gets its sequence number only then, after the templates of its connection.
// What the kernel had taken when a connection broke is counted apart, as of unknown delivery.

import type { Socket } from 'node:net';
import type { HandingOver } from '../runtime/kernel-write.ts';
import { nextTurn } from '../runtime/turns.ts';
import { settlesWithin } from '../runtime/within.ts';
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

/** Messages that are handed over in one turn of the event loop; templates and options records before them are added. */
const BATCH_MAX = 64;
/** Bytes of these messages; a longer message is alone. */
const BATCH_BYTES_MAX = 65_536;
/** Milliseconds that the end of a session waits for a connection that does not close. */
export const CONNECTION_CLOSE_MS_MAX = 1000;

export abstract class ReliableSession extends QueuedSession {
  readonly #connectTimeoutMs: number;
  readonly #unconfirmed = new UnconfirmedRecords();
  #socket: Socket | undefined;
  /** Counts connections and attempts: reports of an earlier one are ignored. */
  #attempt = 0;
  #isReady = false;
  /** Whether messages are being handed over, or will be at the end of the slice. */
  #isWriting = false;
  #isClosedInOrder = false;
  /** Whether nothing more is handed over: the session ends. */
  #isHeld = false;
  /** Messages that are being handed over, in the order of `traffic`; those of the queue are the last ones of their groups. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  /** For each message of the queue that is being handed over: itself, and what precedes it, as far as the kernel lacks it. */
  #groups: number[] = [];
  readonly #sendAhead = (bytes: Buffer, size: number, recordCount: number) => {
    this.#batchBytes += size;
    return this.traffic.add(bytes, size, recordCount);
  };

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

  /**
   * Hands the messages to the kernel, in order: the first one at least. Not done after an error, which the socket reports. A collector
   * never gets a whole message that the kernel is not said to have taken: it would get it again on the next connection.
   */
  protected abstract handTo(socket: Socket, messages: readonly Buffer[], over: HandingOver): void;

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
    if (!this.#isReady || this.#isWriting || this.#isHeld) {
      return;
    }
    if (this.waiting.count === 0) {
      this.endDrain();
      return;
    }
    this.#isWriting = true;
    const attempt = this.#attempt;
    // The messages of a slice arrive one after the other.
    process.nextTick(() => {
      if (attempt === this.#attempt && !this.#isHeld) {
        this.#collect();
        this.#write(attempt);
      }
    });
  }

  protected override connectionLost(): void {
    const nowMicros = this.clock.monotonicMicros();
    this.traffic.countDeliveryUnknown(this.#unconfirmed.take(this.#isClosedInOrder, nowMicros));
    super.connectionLost();
  }

  /**
   * Ends the connection in order when everything is written; a collector that accepts nothing is not waited for, and one that does
   * not let the connection end for a limited time.
   */
  protected async close(isDrained: boolean): Promise<void> {
    this.#isHeld = true;
    if (!isDrained) {
      // A socket over TLS reports in the next turn what the kernel has taken at once.
      await nextTurn();
      await nextTurn();
    }
    const socket = this.#socket;
    const canEnd = isDrained && this.#isReady;
    this.#detach();
    if (socket === undefined) {
      return;
    }
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    if (canEnd) {
      socket.destroySoon();
    } else {
      socket.destroy();
    }
    if (!(await settlesWithin(this.clock, CONNECTION_CLOSE_MS_MAX, closed))) {
      this.log.warn(
        `collector ${this.target.text}: the connection did not end within ${CONNECTION_CLOSE_MS_MAX} ms and was cut`,
      );
      socket.destroy();
    }
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

  /** Puts messages together, each with what precedes it. */
  #collect(): void {
    this.#batchBytes = 0;
    for (;;) {
      const message = this.waiting.at(this.#groups.length);
      const isFull = this.#groups.length > 0 && this.#batchBytes + (message?.size ?? 0) > BATCH_BYTES_MAX;
      if (message === undefined || isFull || this.traffic.backlogCount >= BATCH_MAX) {
        break;
      }
      const before = this.traffic.backlogCount;
      this.listener.stamp(message, this.#sendAhead);
      this.#sendAhead(message.bytes, message.size, message.recordCount);
      this.#groups.push(this.traffic.backlogCount - before);
    }
    for (let bytes = this.traffic.hand(); bytes !== undefined; bytes = this.traffic.hand()) {
      this.#batch.push(bytes);
    }
  }

  #write(attempt: number): void {
    const socket = this.#socket;
    if (socket === undefined) {
      return;
    }
    this.handTo(socket, this.#batch, {
      taken: (messageCount) => {
        if (attempt === this.#attempt) {
          this.#batch = this.#batch.slice(messageCount);
          for (let count = 0; count < messageCount; count += 1) {
            this.#taken();
          }
        }
      },
      done: () => {
        if (attempt === this.#attempt && !this.#isHeld) {
          this.#writeOn(attempt);
        }
      },
    });
  }

  /** Goes on with what is left of the messages that were put together, or with those that wait. */
  #writeOn(attempt: number): void {
    if (this.#batch.length > 0) {
      this.#write(attempt);
    } else if (this.waiting.count > 0) {
      setImmediate(() => this.#written(attempt));
    } else {
      this.#written(attempt);
    }
  }

  /** The kernel has taken the oldest message. */
  #taken(): void {
    const { size, recordCount } = this.traffic.sent(true);
    this.#unconfirmed.add(size, recordCount, this.clock.monotonicMicros());
    const left = (this.#groups[0] ?? 1) - 1;
    this.#groups[0] = left;
    if (left === 0) {
      this.#groups.shift();
      this.shiftWaiting();
    }
  }

  #written(attempt: number): void {
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
    this.#batch = [];
    this.#groups = [];
  }
}
