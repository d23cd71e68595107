// The messages of a session on their way, and the account of them: what waits, what the socket has been given, what was
// sent and what was lost. It is the same for each transport; sockets are the business of the sessions.

import type { Clock } from '../runtime/clock.ts';
import type { SessionStatus } from './collector-session.ts';
import { MessageQueue } from './message-queue.ts';

/** The part of a session's status that it keeps. */
export type TrafficStatus = Omit<SessionStatus, 'state' | 'transport' | 'address' | 'connectionCount'>;

/** See the head of the file. */
export class SessionTraffic {
  readonly #queue: MessageQueue;
  readonly #errors: Record<string, number> = {};
  /** How many of the queue's messages the socket has been given. */
  #handedCount = 0;
  #messagesSent = 0;
  #recordsSent = 0;
  #octetsSent = 0;
  #messagesLost = 0;
  #recordsLost = 0;
  #lastError: string | undefined;
  #emptied: (() => void) | undefined;

  /** @param backlogMax messages that may wait; what comes then is lost */
  constructor(backlogMax: number) {
    this.#queue = new MessageQueue(backlogMax);
  }

  get backlogCount(): number {
    return this.#queue.count;
  }

  /** Copies a message in; false when it is lost, because too many wait already. */
  add(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#queue.push(bytes, size, recordCount)) {
      return true;
    }
    this.countLost(recordCount);
    this.countError('BACKLOG', `${this.#queue.count} messages already wait to be sent`);
    return false;
  }

  /** The next message that the socket does not have yet; its bytes stay as they are until `sent` has come to it. */
  hand(): Buffer | undefined {
    if (this.#handedCount === this.#queue.count) {
      return undefined;
    }
    this.#handedCount += 1;
    return this.#queue.bytesAt(this.#handedCount - 1);
  }

  /** The oldest message that the socket was given has been sent, or not: sends end in the order in which they began. */
  sent(isSent: boolean): { readonly size: number } {
    const size = this.#queue.sizeAt(0);
    const recordCount = this.#queue.recordCountAt(0);
    this.#queue.shift();
    this.#handedCount -= 1;
    if (isSent) {
      this.#messagesSent += 1;
      this.#recordsSent += recordCount;
      this.#octetsSent += size;
    } else {
      this.countLost(recordCount);
    }
    if (this.#queue.count === 0) {
      this.#emptied?.();
    }
    return { size };
  }

  /** Gives up all that waits, and whatever the socket has not reported on. */
  drop(): void {
    while (this.#queue.count > 0) {
      this.countLost(this.#queue.recordCountAt(0));
      this.#queue.shift();
    }
    this.#handedCount = 0;
    this.#emptied?.();
  }

  /** Fulfilled when nothing waits any more, or when the time is up. */
  async emptied(clock: Clock, timeoutMs: number): Promise<void> {
    if (this.#queue.count === 0) {
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, timeoutMs);
      this.#emptied = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  countLost(recordCount: number): void {
    this.#messagesLost += 1;
    this.#recordsLost += recordCount;
  }

  /** Counts a fault by its system error code. */
  countError(code: string, message: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
    this.#lastError = message;
  }

  status(): TrafficStatus {
    return {
      messagesSent: this.#messagesSent,
      recordsSent: this.#recordsSent,
      octetsSent: this.#octetsSent,
      messagesLost: this.#messagesLost,
      recordsLost: this.#recordsLost,
      errors: { ...this.#errors },
      lastError: this.#lastError,
      backlogCount: this.#queue.count,
    };
  }
}

/** The system's code of an error, such as ECONNREFUSED. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
