// How fast messages are sent over UDP. A receiver keeps what it has not read in a buffer of the kernel (212,992 bytes by
// default, some 90 messages) and loses the rest without notice, so a long run of records is spread over time. All exporters of
// a process share one budget, which has an account for each collector: several exporters can have the same collector.

import type { Clock } from '../runtime/clock.ts';
import { msUntil } from '../runtime/within.ts';

/** Bytes of a message that costs the time of one; a longer message costs more, by its size. */
const MESSAGE_BYTES = 1400;
/** Messages that may be sent at once at the highest rates, before the next slice of records waits. */
export const BURST_MESSAGES = 32;
/** Microseconds of messages that may be sent at once at lower rates: somewhat more than the resolution of timers. */
export const BURST_MICROS = 1500;
/** Outside of a stop, the rate is the maximum divided by this, and as much more for each second that flows are late. */
export const ORDINARY_DIVISOR = 8;
/** Percentage of the time of a stop in which the rate sends everything; the rest is for a busy machine. */
export const STOP_PERCENT = 85;

/** The sending of messages over UDP, for operators. */
export interface SendBudgetStatus {
  /** The most messages a second to a collector: `--message-rate-max`. */
  readonly messageRateMax: number;
  /** Messages a second to a collector outside of a stop, while no flow is late. */
  readonly messageRate: number;
  /** Slices of records that waited, since the start. */
  readonly slicesDelayed: number;
}

/** The account of one collector. */
export interface SendAccount {
  /** Counts a message of `size` bytes with `recordCount` flow records that is sent now. */
  spend(size: number, recordCount: number): void;
  /** Milliseconds until the next slice of records may be sent to the collector; 0: now. */
  waitMs(): number;
  /** Notes that some number of flow records will follow, for the rate at a stop, in this many messages at most. */
  expect(recordCount: number, messageCountMax: number): void;
  /** Notes for how many microseconds the oldest flow has been due: later flows are sent faster. */
  setLateness(micros: number): void;
  /** Ends one use of the account. */
  close(): void;
}

/** The budget of a process. */
export class SendBudget {
  readonly #clock: Clock;
  readonly #messageRateMax: number;
  readonly #accounts = new Map<string, Account>();
  readonly #pace: AccountPace;
  #slicesDelayed = 0;

  /** @param messageRateMax the most messages a second to a collector */
  constructor(clock: Clock, messageRateMax: number) {
    this.#clock = clock;
    this.#messageRateMax = messageRateMax;
    const endMicros = Number.POSITIVE_INFINITY;
    this.#pace = { clock, endMicros, sentMicros: endMicros, messageRateMax };
  }

  /** Returns the account of a collector, named by a key, which the caller closes. */
  open(collector: string): SendAccount {
    let account = this.#accounts.get(collector);
    if (account === undefined) {
      account = new Account(this.#pace, () => this.#accounts.delete(collector));
      this.#accounts.set(collector, account);
    }
    account.useCount += 1;
    return account;
  }

  /** Begins a stop: everything is to be sent within `ms` milliseconds. */
  endWithin(ms: number): void {
    const nowMicros = this.#clock.monotonicMicros();
    this.#pace.endMicros = nowMicros + ms * 1000;
    this.#pace.sentMicros = nowMicros + ms * 10 * STOP_PERCENT;
  }

  /** Milliseconds until the end of a stop, at least 0; Infinity before one. */
  get leftMs(): number {
    return msUntil(this.#clock, this.#pace.endMicros);
  }

  /** Counts a slice of records that waited. */
  countDelay(): void {
    this.#slicesDelayed += 1;
  }

  status(): SendBudgetStatus {
    return {
      messageRateMax: this.#messageRateMax,
      messageRate: this.#messageRateMax / ORDINARY_DIVISOR,
      slicesDelayed: this.#slicesDelayed,
    };
  }
}

/** What the accounts of a budget share. */
interface AccountPace {
  readonly clock: Clock;
  readonly messageRateMax: number;
  /** When nothing is sent any more; Infinity outside of a stop. */
  endMicros: number;
  /** When everything should be sent, likewise. */
  sentMicros: number;
}

class Account implements SendAccount {
  useCount = 0;
  readonly #pace: AccountPace;
  readonly #onClosed: () => void;
  /** The time that all messages so far take at the rate of each. */
  #nextMicros = 0;
  #lateMicros = 0;
  /** Records that are to follow, and messages for each of them: at first the most, then as many as those since then have needed. */
  #expectedRecords = 0;
  #messagesPerRecord = 0;
  #sentRecords = 0;
  #sentMessages = 0;

  constructor(pace: AccountPace, onClosed: () => void) {
    this.#pace = pace;
    this.#onClosed = onClosed;
  }

  spend(size: number, recordCount: number): void {
    const cost = Math.max(1, size / MESSAGE_BYTES);
    const nowMicros = this.#pace.clock.monotonicMicros();
    this.#nextMicros = Math.max(this.#nextMicros, nowMicros) + cost * this.#intervalMicros(nowMicros);
    if (this.#expectedRecords > 0 && recordCount > 0) {
      this.#expectedRecords = Math.max(0, this.#expectedRecords - recordCount);
      this.#sentRecords += recordCount;
      this.#sentMessages += cost;
      this.#messagesPerRecord = this.#sentMessages / this.#sentRecords;
    }
  }

  waitMs(): number {
    const nowMicros = this.#pace.clock.monotonicMicros();
    const burstMicros = Math.min(BURST_MESSAGES * this.#intervalMicros(nowMicros), BURST_MICROS);
    const waitMicros = Math.min(this.#nextMicros - burstMicros, this.#pace.endMicros) - nowMicros;
    return Math.max(0, waitMicros) / 1000;
  }

  expect(recordCount: number, messageCountMax: number): void {
    if (this.#expectedRecords === 0 && recordCount > 0) {
      this.#messagesPerRecord = messageCountMax / recordCount;
      this.#sentRecords = 0;
      this.#sentMessages = 0;
    }
    this.#expectedRecords += recordCount;
  }

  setLateness(micros: number): void {
    this.#lateMicros = micros;
  }

  close(): void {
    this.useCount -= 1;
    if (this.useCount === 0) {
      this.#onClosed();
    }
  }

  /** Microseconds for a message: at a stop, as few as the messages that are left require, up to the maximum rate. */
  #intervalMicros(nowMicros: number): number {
    const { messageRateMax, endMicros, sentMicros } = this.#pace;
    const ordinaryRate = messageRateMax / ORDINARY_DIVISOR;
    if (endMicros === Number.POSITIVE_INFINITY) {
      return 1_000_000 / Math.min(messageRateMax, ordinaryRate * (1 + this.#lateMicros / 1_000_000));
    }
    const leftMicros = sentMicros - nowMicros;
    const messageCount = this.#expectedRecords * this.#messagesPerRecord;
    const neededRate = leftMicros > 0 ? (messageCount * 1_000_000) / leftMicros : messageRateMax;
    return 1_000_000 / Math.min(messageRateMax, Math.max(ordinaryRate, neededRate));
  }
}
