// Waiting for something to become true, in place of sleeping for a guessed time. Every wait has an end, and says at the
// end what it waited for and what it saw last.

import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

/** Options of `waitFor`. */
export interface WaitOptions {
  /** What is waited for, for the error: "the flow is in the table". */
  readonly what: string;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** Pause between two looks. Default 10. */
  readonly intervalMs?: number;
}

/** Asks `condition` again and again until its value is neither false, undefined nor null, and gives that value back. */
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
      // A condition may ask something that does not exist yet; the last failure is shown if it never does.
      seen = error;
    }
    if (performance.now() >= endMs) {
      const last = seen instanceof Error ? seen.message : inspect(seen);
      throw new Error(`Waited ${timeoutMs} ms for this: ${options.what}. Seen last: ${last}`);
    }
    await delay(options.intervalMs ?? 10);
  }
}

/** Looks until the value has been the same for `quietMs`, and gives it back: for "nothing more comes". */
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
