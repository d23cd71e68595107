// The only file that asks what time it is. Everything else is handed a `Clock`, so that a test can own time.

/** A pending call of `Clock.setTimer`. */
export interface Timer {
  /** Makes sure that the callback is not called any more; safe to repeat. */
  cancel(): void;
}

/** Two clocks and a timer. Micros are whole microseconds in a double, exact until the year 2255. */
export interface Clock {
  /** Microseconds since a fixed but arbitrary moment; never steps, so it is the one for intervals. */
  monotonicMicros(): number;
  /** Microseconds since 1970-01-01 UTC; steps when somebody sets the clock, so it is only for showing and exporting. */
  wallMicros(): number;
  /** Calls `callback` once, when at least `delayMs` milliseconds of monotonic time have passed. */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** The clock of the operating system. Its timers keep the process alive until they fire or are cancelled. */
export const systemClock: Clock = {
  monotonicMicros: () => Math.floor(performance.now() * 1000),
  wallMicros: () => Date.now() * 1000,
  setTimer(callback, delayMs) {
    // Node fires a timer of more than 2^31 - 1 ms at once; no timer of ours is that long, but a flag may ask for one.
    const timeout = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), 0x7fff_ffff));
    return { cancel: () => clearTimeout(timeout) };
  },
};
