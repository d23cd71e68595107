// Waits for a condition, instead of sleeping for a guessed time. Every wait has a time limit, and reports at its end what it
// waited for and the last value.

import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

/** Options of `waitFor`. */
export interface WaitOptions {
  /** The condition in words, for the error: "the flow is in the table". */
  readonly what: string;
  /** Default: 5000. */
  readonly timeoutMs?: number;
  /** Polling interval. Default: 10. */
  readonly intervalMs?: number;
}

/** Polls `condition` until its value is not false, undefined or null, and returns the value. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | undefined | null>> {
  const timeoutMs = options.timeoutMs ?? 5000;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let seen: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== undefined && value !== null) {
        return value as Exclude<T, false | undefined | null>;
      }
      seen = value;
    } catch (error) {
      // A condition may use something that does not exist yet; the last failure is reported if the wait times out.
      seen = error;
    }
    if (performance.now() >= endMs) {
      const last = seen instanceof Error ? seen.message : inspect(seen);
      throw new Error(`Waited ${timeoutMs} ms for this: ${options.what}. Seen last: ${last}`);
    }
    await delay(options.intervalMs ?? 10);
  }
}

/** Polls until the value has not changed for `quietMs`, and returns it: for "nothing more arrives". */
export async function waitUntilQuiet<T>(
  look: () => T | Promise<T>,
  options: WaitOptions & { readonly quietMs: number },
): Promise<T> {
  let last = await look();
  let sinceMs = performance.now();
  await waitFor(async () => {
    const value = await look();
    if (value !== last) {
      last = value;
      sinceMs = performance.now();
    }
    return performance.now() - sinceMs >= options.quietMs;
  }, options);
  return last;
}
