// The clock and its timers. No other file reads the time: each is given a `Clock`, so that a test can control it.

/** A pending call of `Clock.setTimer`. */
export interface Timer {
  /** Cancels the timer: the callback is not called any more. Idempotent. */
  cancel(): void;
}

/** A monotonic clock, a wall clock and timers. Times are whole microseconds in a double, exact until the year 2255. */
export interface Clock {
  /** Microseconds since an arbitrary fixed moment; it never steps, so intervals are measured with it. */
  monotonicMicros(): number;
  /** Microseconds since 1970-01-01 UTC; it steps when the system clock is set, so it is only exported and displayed. */
  wallMicros(): number;
  /** Calls `callback` once, when at least `delayMs` milliseconds of monotonic time have passed. */
  setTimer(callback: () => void, delayMs: number): Timer;
}

/** When the process loaded this file. */
const START = process.hrtime();

/** The clock of the operating system. Its timers keep the process alive until they fire or are cancelled. */
export const systemClock: Clock = {
  monotonicMicros() {
    // performance.now() is as exact, but Node would load its measuring of performance for it.
    const [seconds, nanoseconds] = process.hrtime(START);
    return seconds * 1_000_000 + Math.floor(nanoseconds / 1000);
  },
  wallMicros: () => Date.now() * 1000,
  setTimer(callback, delayMs) {
    // Node fires a timer of more than 2^31 - 1 ms immediately. None of the daemon's is that long, but a flag may set one.
    const timeout = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), 0x7fff_ffff));
    return { cancel: () => clearTimeout(timeout) };
  },
};
