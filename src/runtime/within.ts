// Bounded waits: a promise, or the end of a timeout.

import type { Clock, Timer } from './clock.ts';

/** Returns the promise's value; rejects with `message` after `timeoutMs`. */
export async function within<Value>(
  clock: Clock,
  timeoutMs: number,
  message: string,
  promise: Promise<Value>,
): Promise<Value> {
  let value: Value | undefined;
  const taken = promise.then((result) => {
    value = result;
  });
  if (!(await settlesWithin(clock, timeoutMs, taken))) {
    throw new Error(message);
  }
  return value as Value;
}

/** Resolves with true as soon as the promise does, and with false after `timeoutMs`; rejects when the promise does first. */
export async function settlesWithin(
  clock: Clock,
  timeoutMs: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let timer: Timer | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = clock.setTimer(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    timer?.cancel();
  }
}

/** Returns the milliseconds until a moment of the monotonic clock, at least 0. */
export function msUntil(clock: Clock, endMicros: number): number {
  return Math.max(0, (endMicros - clock.monotonicMicros()) / 1000);
}
