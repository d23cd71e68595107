// A clock that is read once for each turn of the event loop, however many samples come in it: they came in one read, so
// that none has a time of its own anyway, and asking the system for each would cost more than counting it. Both clocks
// are read together. Timers are those of the clock beneath.

import type { Clock, Timer } from '../runtime/clock.ts';

/** See the head of the file; meant to be shared by all exporters of a process. */
export class BatchClock implements Clock {
  readonly #clock: Clock;
  readonly #defer: (callback: () => void) => void;
  readonly #forget: () => void;
  /** Undefined between batches; that also keeps the number boxed, so that handing it out allocates nothing. */
  #monotonicMicros: number | undefined = undefined;
  #wallMicros: number | undefined = undefined;

  /** @param defer calls back at the end of the present batch of input; default `setImmediate` */
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
