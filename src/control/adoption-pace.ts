// When rows may be written while many bridges are being set up: each write is a new snapshot of all rows, so those of bridges that are
// sampled one after the other are written together.

import type { Clock } from '../runtime/clock.ts';
import type { Samplability } from './sampling-watch.ts';

/** Bridges that are being set up, up to which rows are written as soon as one is sampled. */
const PENDING_MAX = 8;
/** Milliseconds between two writes while there are more. */
const INTERVAL_MS = 200;

export class AdoptionPace {
  readonly #clock: Clock;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether rows may be written now. */
  allows(bridges: Iterable<{ readonly samplability: Samplability }>): boolean {
    if (this.#nowMs() - this.#writtenMs >= INTERVAL_MS) {
      return true;
    }
    let pending = 0;
    for (const { samplability } of bridges) {
      pending += samplability === 'pending' ? 1 : 0;
    }
    return pending <= PENDING_MAX;
  }

  /** Notes that rows are written. */
  written(): void {
    this.#writtenMs = this.#nowMs();
  }

  #nowMs(): number {
    return this.#clock.monotonicMicros() / 1000;
  }
}
