// Ends what a test has started, in a fixed order (the daemon and its collectors first, OVS last, because the others use it),
// and each of them even if the end of an earlier one failed.

import type { TestContext } from 'node:test';

/** Returns a function that registers an end for the end of the test; the last one registered runs first. */
export function lastFirst(t: TestContext): (end: () => Promise<unknown>) => void {
  const endings: (() => Promise<unknown>)[] = [];
  t.after(() => endInOrder(...endings));
  return (end) => void endings.unshift(end);
}

/** Runs the ends one after the other; rejects with the first failure after all of them have run. */
export async function endInOrder(...endings: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const end of endings) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) {
    throw failures[0];
  }
}
