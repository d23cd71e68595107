// The end of a test that has started several things: in a fixed order (the daemon and its collectors first, OVS last, for
// it is what the others work with), and each of them whatever became of those before.

import type { TestContext } from 'node:test';

/** For a test that starts one thing after the other: what it hands over is ended with it, the last first. */
export function lastFirst(t: TestContext): (end: () => Promise<unknown>) => void {
  const endings: (() => Promise<unknown>)[] = [];
  t.after(() => endInOrder(...endings));
  return (end) => void endings.unshift(end);
}

/** Ends one after the other; rejects with the first failure after all have been tried. */
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
