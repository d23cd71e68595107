// The records that were sent in the last seconds. An error over UDP is about a message that left earlier, and does not say which: these
// are the records that may not have arrived.

import type { Clock } from '../runtime/clock.ts';

/** Seconds before an error in which records may not have arrived: Linux reports a host that does not answer ARP after 3 s. */
export const DOUBT_SECONDS = 5;

export class SentWindow {
  readonly #clock: Clock;
  /** Records by the second in which they were sent, and those seconds. */
  readonly #records = new Float64Array(DOUBT_SECONDS);
  readonly #seconds = new Float64Array(DOUBT_SECONDS).fill(Number.NEGATIVE_INFINITY);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes records that are sent now. */
  add(recordCount: number): void {
    const second = this.#second();
    const slot = second % DOUBT_SECONDS;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#records[slot] = 0;
    }
    this.#records[slot]! += recordCount;
  }

  /** Returns the records of the window, and forgets them. */
  take(): number {
    const second = this.#second();
    let sum = 0;
    for (let slot = 0; slot < DOUBT_SECONDS; slot += 1) {
      sum += this.#seconds[slot]! > second - DOUBT_SECONDS ? this.#records[slot]! : 0;
    }
    this.#records.fill(0);
    return sum;
  }

  #second(): number {
    return Math.floor(this.#clock.monotonicMicros() / 1_000_000);
  }
}
