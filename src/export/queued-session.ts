// A session whose messages wait in memory until they are handed over, over reconnections too: the newest ones are lost when the queue
// is full. A subclass takes the oldest messages, and removes each when it is handed over.

import { counted } from '../runtime/counted.ts';
import type { CollectorTarget, SessionHealth, SessionListener, SessionStatus } from './collector-session.ts';
import { SocketSession, type SocketSessionOptions, type SocketSessionParts } from './socket-session.ts';
import { type QueueMemory, WaitingMessages } from './waiting-messages.ts';

/** Limits and intervals of a session whose messages wait. */
export interface QueuedSessionOptions extends SocketSessionOptions {
  /** Memory of the messages that wait, in bytes; the newest ones beyond are lost. */
  readonly queueBytesMax: number;
}

/** What such a session needs from outside. */
export interface QueuedSessionParts extends SocketSessionParts {
  /** The memory that all queues of the process share. Default: a queue is bounded only by its own limit. */
  readonly queueMemory?: QueueMemory | undefined;
}

export abstract class QueuedSession extends SocketSession {
  readonly isReliable = true;
  protected readonly waiting: WaitingMessages;
  readonly #queueBytesMax: number;
  /** Whether a message was refused and since then more than half of the queue waits. */
  #isOverfull = false;
  #onDrained: (() => void) | undefined;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: QueuedSessionParts,
    options: QueuedSessionOptions,
  ) {
    super(target, listener, parts, options);
    this.#queueBytesMax = options.queueBytesMax;
    this.waiting = new WaitingMessages(options.queueBytesMax, parts.queueMemory);
  }

  /** Messages that wait for a connection that there is, or that is being made; 0 while the collector cannot be reached. */
  override get backlogCount(): number {
    return this.isBackingOff ? 0 : this.waiting.count;
  }

  /** A collector that takes nothing has failed when its queue is full: what follows would be lost. */
  override get health(): SessionHealth {
    return this.#isOverfull ? 'failed' : super.health;
  }

  /** Takes the message in any state but the last ones. */
  override send(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.isEnding) {
      this.traffic.countLost(recordCount, 'notConnected');
      return false;
    }
    if (!this.waiting.push(bytes, size, recordCount)) {
      this.#isOverfull = true;
      this.traffic.countLost(recordCount, 'queueFull');
      this.traffic.countError(
        'BACKLOG',
        `${counted(this.waiting.count, 'message')} already waiting to be sent`,
      );
      return false;
    }
    this.handOver();
    return true;
  }

  override status(): SessionStatus {
    return { ...super.status(), backlogCount: this.waiting.count, backlogBytes: this.waiting.bytes };
  }

  protected override get hasWaiting(): boolean {
    return this.waiting.count > 0;
  }

  /** The oldest message was handed over. */
  protected shiftWaiting(): void {
    this.waiting.shift();
    this.#isOverfull &&= this.waiting.bytes * 2 > this.#queueBytesMax;
  }

  protected override async drained(): Promise<void> {
    if (this.waiting.count > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
  }

  /** Nothing waits any more, or the connection was lost: at a stop there is no other attempt. */
  protected endDrain(): void {
    this.#onDrained?.();
  }

  /** The messages that wait are handed over on the next connection. */
  protected override connectionLost(): void {
    this.traffic.forget();
    this.endDrain();
  }

  protected override dropWaiting(): number {
    let records = 0;
    this.traffic.forget();
    for (let message = this.waiting.oldest; message !== undefined; message = this.waiting.oldest) {
      this.traffic.countLost(message.recordCount, 'stop');
      records += message.recordCount;
      this.waiting.shift();
    }
    return records;
  }
}
