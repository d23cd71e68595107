// Decides when the next slice of a long run of records follows: at the end of the batch, or later while a collector's backlog
// is long and shrinks, so that a burst is not dropped at the backlog's limit. A collector that accepts nothing does not delay
// the others.

import type { Clock } from '../runtime/clock.ts';

/** Messages in the backlog of a collector beyond which the next slice is delayed. */
export const PACE_BACKLOG_COUNT = 256;
/** The delay before the backlogs are polled again. */
const PACE_MS = 2;

/** Decides when the next slice follows. */
export interface Pace {
  /** Calls back when the next slice is to follow. */
  next(callback: () => void): void;
}

export class Pacer implements Pace {
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #backlogCount: () => number;

  /** @param backlogCount returns the longest backlog of all collectors, in messages */
  constructor(clock: Clock, defer: (callback: () => void) => void, backlogCount: () => number) {
    this.#clock = clock;
    this.#defer = defer;
    this.#backlogCount = backlogCount;
  }

  next(callback: () => void): void {
    this.#poll(callback, Number.POSITIVE_INFINITY);
  }

  #poll(callback: () => void, countBefore: number): void {
    const count = this.#backlogCount();
    if (count > PACE_BACKLOG_COUNT && count < countBefore) {
      this.#clock.setTimer(() => this.#poll(callback, count), PACE_MS);
    } else {
      this.#defer(callback);
    }
  }
}
