// The messages of a session in transit and their counts: waiting, handed to the socket, sent, lost. It is the same for every
// transport; the sessions own the sockets.

import { counted } from '../runtime/counted.ts';
import type { LossCause, SessionStatus } from './collector-session.ts';
import { MessageQueue } from './message-queue.ts';

/** The part of a session's status about its messages. */
export type TrafficStatus = Omit<
  SessionStatus,
  'state' | 'transport' | 'address' | 'sourceAddress' | 'pathMtu' | 'connectionCount'
>;

export class SessionTraffic {
  readonly #queue: MessageQueue;
  readonly #errors: Record<string, number> = {};
  /** Messages of the queue that the socket has, from the oldest. */
  #handedCount = 0;
  #messagesSent = 0;
  #recordsSent = 0;
  #octetsSent = 0;
  #messagesLost = 0;
  readonly #recordsLostBy: Record<LossCause, number> = {
    queueFull: 0,
    notConnected: 0,
    sendError: 0,
    stop: 0,
  };
  #recordsDeliveryUnknown = 0;
  #lastError: string | undefined;
  #lastErrorCode: string | undefined;
  #onEmpty: (() => void) | undefined;

  /** @param backlogMax messages that may wait; the newest ones beyond are lost */
  constructor(backlogMax: number) {
    this.#queue = new MessageQueue(backlogMax);
  }

  get backlogCount(): number {
    return this.#queue.count;
  }

  /** Messages that the socket does not have yet. */
  get waitingCount(): number {
    return this.#queue.count - this.#handedCount;
  }

  /** Copies a message in; returns false when it is lost because the backlog is full. */
  add(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#queue.push(bytes, size, recordCount)) {
      return true;
    }
    this.countLost(recordCount, 'queueFull');
    this.countError('BACKLOG', `${counted(this.#queue.count, 'message')} already waiting to be sent`);
    return false;
  }

  /** Returns the next message that the socket does not have yet; its bytes stay as they are until `sent` reaches it. */
  hand(): Buffer | undefined {
    if (this.#handedCount === this.#queue.count) {
      return undefined;
    }
    this.#handedCount += 1;
    return this.#queue.bytesAt(this.#handedCount - 1);
  }

  /** Notes that the oldest message that the socket has was sent or not: sends end in the order in which they began. */
  sent(isSent: boolean): { readonly size: number; readonly recordCount: number } {
    const size = this.#queue.sizeAt(0);
    const recordCount = this.#queue.recordCountAt(0);
    this.#queue.shift();
    this.#handedCount -= 1;
    if (isSent) {
      this.#messagesSent += 1;
      this.#recordsSent += recordCount;
      this.#octetsSent += size;
    } else {
      this.countLost(recordCount, 'sendError');
    }
    if (this.#queue.count === 0) {
      this.#onEmpty?.();
    }
    return { size, recordCount };
  }

  /** Counts all messages of the queue as lost, and forgets what the socket has not reported on; returns their records. */
  drop(cause: LossCause): number {
    const lostBefore = this.#recordsLost;
    for (let index = 0; index < this.#queue.count; index += 1) {
      this.countLost(this.#queue.recordCountAt(index), cause);
    }
    this.forget();
    return this.#recordsLost - lostBefore;
  }

  /** Removes all messages of the queue without counting them. */
  forget(): void {
    while (this.#queue.count > 0) {
      this.#queue.shift();
    }
    this.#handedCount = 0;
    this.#onEmpty?.();
  }

  /** Resolves when the queue is empty. */
  async emptied(): Promise<void> {
    if (this.#queue.count > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  countLost(recordCount: number, cause: LossCause): void {
    this.#messagesLost += 1;
    this.#recordsLostBy[cause] += recordCount;
  }

  /** Counts records that were sent and may not have arrived. */
  countDeliveryUnknown(recordCount: number): void {
    this.#recordsDeliveryUnknown += recordCount;
  }

  get #recordsLost(): number {
    const { queueFull, notConnected, sendError, stop } = this.#recordsLostBy;
    return queueFull + notConnected + sendError + stop;
  }

  /** Counts a fault by its system error code. */
  countError(code: string | undefined, message: string): void {
    const key = code ?? 'UNKNOWN';
    this.#errors[key] = (this.#errors[key] ?? 0) + 1;
    this.#lastError = message;
    this.#lastErrorCode = key;
  }

  status(): TrafficStatus {
    return {
      messagesSent: this.#messagesSent,
      recordsSent: this.#recordsSent,
      octetsSent: this.#octetsSent,
      messagesLost: this.#messagesLost,
      recordsLost: this.#recordsLost,
      recordsLostBy: { ...this.#recordsLostBy },
      recordsDeliveryUnknown: this.#recordsDeliveryUnknown,
      errors: { ...this.#errors },
      lastError: this.#lastError,
      lastErrorCode: this.#lastErrorCode,
      backlogCount: this.#queue.count,
      backlogBytes: this.#queue.bytes,
    };
  }
}
