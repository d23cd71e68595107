// One call for all requests of a while.

import type { Clock, Timer } from './clock.ts';

/** Milliseconds from the first request to the call. */
const DELAY_MS = 200;

export class DelayedCall {
  readonly #clock: Clock;
  readonly #callback: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock;
    this.#callback = callback;
  }

  /** Calls back after the delay, unless that is scheduled already. */
  schedule(): void {
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#callback();
    }, DELAY_MS);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
