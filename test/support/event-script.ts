// Scripts for tests of state machines: a list of events with their times, and the printed states to compare, like
// tests/reconnect.at of Open vSwitch. Only lines that differ from the previous state are printed.
//
//     const printed = await runScript(clock, () => [`hook: ${session.status().hook}`], [
//       { atMs: 0, what: 'start', act: () => session.start() },
//       { atMs: 1000, what: 'another client deletes the hook', act: () => ... },
//     ]);
//     assert.deepEqual(printed, ['0 ms: start', '  hook: installed', '1000 ms: another client deletes the hook', ...]);

import type { ManualClock } from './manual-clock.ts';

/** An event at a time, in milliseconds after the start of the script. */
export interface ScriptEvent {
  readonly atMs: number;
  /** The printed line. */
  readonly what: string;
  /** Default: only time passes. */
  readonly act?: () => unknown;
}

/**
 * Runs the events in order, each at its time, and everything that follows from it immediately. `print` returns the state as
 * lines; after each event the lines that the previous state did not have are printed, indented.
 */
export async function runScript(
  clock: ManualClock,
  print: () => readonly string[],
  events: readonly ScriptEvent[],
): Promise<string[]> {
  const printed: string[] = [];
  let before: readonly string[] = [];
  let nowMs = 0;
  for (const { atMs, what, act } of events) {
    if (atMs < nowMs) {
      throw new Error(`The event "${what}" at ${atMs} ms comes after one at ${nowMs} ms.`);
    }
    await clock.advanceMs(atMs - nowMs);
    nowMs = atMs;
    await act?.();
    await clock.advanceMs(0);
    const after = print();
    const known = before;
    printed.push(
      `${atMs} ms: ${what}`,
      ...after.filter((line) => !known.includes(line)).map((line) => `  ${line}`),
    );
    before = after;
  }
  return printed;
}
