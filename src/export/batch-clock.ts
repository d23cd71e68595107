// A clock that reads the time once for each turn of the event loop, however many samples arrive in it: they arrived in one
// read, so none has a time of its own, and reading the system's clock for each would cost more than counting it. Both times
// are read together. Timers are those of the underlying clock.

import type { Clock, Timer } from '../runtime/clock.ts';

/** All exporters of a process share one. */
export class BatchClock implements Clock {
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #forget: () => void;
  /** Undefined between batches; that also keeps the number boxed, so that returning it allocates nothing. */
  #monotonicMicros: number | undefined = undefined;
  #wallMicros: number | undefined = undefined;

  /** @param defer calls back at the end of the current batch of input; default `setImmediate` */
  constructor(clock: Clock, defer: (callback: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#defer = defer;
    this.#forget = () => {
      this.#monotonicMicros = undefined;
      this.#wallMicros = undefined;
    };
  }

  monotonicMicros(): number {
    return this.#monotonicMicros ?? this.#read();
  }

  wallMicros(): number {
    if (this.#wallMicros === undefined) {
      this.#read();
    }
    return this.#wallMicros ?? this.#clock.wallMicros();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.#clock.setTimer(callback, delayMs);
  }

  #read(): number {
    const monotonicMicros = this.#clock.monotonicMicros();
    this.#monotonicMicros = monotonicMicros;
    this.#wallMicros = this.#clock.wallMicros();
    this.#defer(this.#forget);
    return monotonicMicros;
  }
}
