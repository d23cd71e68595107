// Decides when the next slice of a long run of records follows: at the end of the batch, or later while the send budget of a
// collector over UDP is used up, or while a collector's backlog is long and shrinks, so that a burst is dropped neither by a
// receiver nor at the backlog's limit. A collector that accepts nothing does not delay the others.

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

/** What a pacer decides by: the collectors of an exporter. */
export interface PacedCollectors {
  /** The longest backlog of the collectors that the next slice waits for, in messages. */
  readonly pacedBacklogCount: number;
  /** Milliseconds until the send budget of all collectors allows a slice; 0: now. */
  waitMs(): number;
  /** Called when a slice waits for the send budget. */
  countDelay(): void;
}

export class Pacer implements Pace {
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #collectors: PacedCollectors;

  constructor(clock: Clock, defer: (callback: () => void) => void, collectors: PacedCollectors) {
    this.#clock = clock;
    this.#defer = defer;
    this.#collectors = collectors;
  }

  next(callback: () => void): void {
    if (this.#collectors.waitMs() > 0) {
      this.#collectors.countDelay();
    }
    this.#poll(callback, Number.POSITIVE_INFINITY);
  }

  #poll(callback: () => void, countBefore: number): void {
    const waitMs = this.#collectors.waitMs();
    const count = this.#collectors.pacedBacklogCount;
    if (waitMs > 0) {
      this.#clock.setTimer(() => this.#poll(callback, Number.POSITIVE_INFINITY), waitMs);
    } else if (count > PACE_BACKLOG_COUNT && count < countBefore) {
      this.#clock.setTimer(() => this.#poll(callback, count), PACE_MS);
    } else {
      this.#defer(callback);
    }
  }
}
