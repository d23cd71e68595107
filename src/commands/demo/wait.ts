// Waits for a condition with a time limit, for the demo.

import { systemClock } from '../../runtime/clock.ts';

const INTERVAL_MS_DEFAULT = 50;

/** Options of `becomes`. */
export interface WaitOptions {
  readonly timeoutMs: number;
  /** Milliseconds between two polls. Default 50. */
  readonly intervalMs?: number;
  /** Ends the wait when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Polls `condition`; true as soon as it holds, false when the time is up or the signal aborted. */
export async function becomes(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, intervalMs = INTERVAL_MS_DEFAULT, signal }: WaitOptions,
): Promise<boolean> {
  const deadline = systemClock.monotonicMicros() + timeoutMs * 1000;
  for (;;) {
    if (await condition()) {
      return true;
    }
    if (signal?.aborted || systemClock.monotonicMicros() >= deadline) {
      return false;
    }
    await pause(intervalMs, signal);
  }
}

/** Sleeps, until the signal aborts at the latest. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  // A signal that has already aborted fires no event.
  if (signal?.aborted) {
    return;
  }
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = systemClock.setTimer(finish, delayMs);
    signal?.addEventListener('abort', finish);
  });
}
