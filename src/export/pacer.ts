// Decides when the next slice of a long run of records follows: at the end of the batch, or a little later while a
// collector's backlog is long and shrinks, so that a burst is not dropped at the backlog's limit. A collector that takes
// nothing is not waited for, so that it never hurts another one.

import type { Clock } from '../runtime/clock.ts';

/** Messages that wait at one collector from which on the next slice is put off. */
export const PACE_BACKLOG_COUNT = 256;
/** How long it is put off before the backlogs are looked at again. */
const PACE_MS = 2;

/** Whoever says when the next slice may follow. */
export interface Pace {
  /** Calls back when the next slice may follow. */
  next(callback: () => void): void;
}

/** See the head of the file. */
export class Pacer implements Pace {
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #backlogCount: () => number;

  /** @param backlogCount the longest backlog of all collectors, in messages */
  constructor(clock: Clock, defer: (callback: () => void) => void, backlogCount: () => number) {
    this.#clock = clock;
    this.#defer = defer;
    this.#backlogCount = backlogCount;
  }

  next(callback: () => void): void {
    this.#look(callback, Number.POSITIVE_INFINITY);
  }

  #look(callback: () => void, countBefore: number): void {
    const count = this.#backlogCount();
    if (count > PACE_BACKLOG_COUNT && count < countBefore) {
      this.#clock.setTimer(() => this.#look(callback, count), PACE_MS);
    } else {
      this.#defer(callback);
    }
  }
}
