// The table at the end of a run: a line for each fault, with the sums of its rounds.

import type { RoundAccount } from './account.ts';
import { BUSY_SHARE } from './pressure.ts';
import type { RoundResult } from './round.ts';

const COLUMNS: readonly (readonly [string, (account: RoundAccount) => number, 'sum' | 'max'])[] = [
  ['injected', ({ injected }) => injected, 'sum'],
  ['exported', ({ exported }) => exported, 'sum'],
  ['counted', ({ counted }) => counted, 'sum'],
  ['in gaps', ({ inGaps }) => inGaps, 'sum'],
  ['no daemon', ({ withoutDaemon }) => withoutDaemon, 'sum'],
  ['not selected', ({ notSelected }) => notSelected, 'sum'],
  ['gaps', ({ gapCount }) => gapCount, 'sum'],
  ['longest ms', ({ longestGapMs }) => longestGapMs, 'max'],
  ['doubled', ({ doubled, doubledAtChanges }) => doubled + doubledAtChanges, 'sum'],
  ['unexplained', ({ unexplained }) => Math.abs(unexplained), 'sum'],
];

/**
 * Returns the table; `busy` are rounds whose gaps are not judged by their lengths. A round with two faults is in a line of its own
 * kind, "FAULT + another".
 */
export function roundsTable(results: readonly RoundResult[]): string {
  const kinds = new Map<string, RoundResult[]>();
  for (const result of results) {
    const [first, second] = result.plan.faults;
    const kind = `${first?.fault.name ?? 'none'}${second === undefined ? '' : ' + another'}, ${result.plan.sampler}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), result]);
  }
  const head = ['fault, sampler', 'rounds', 'busy', 'wrong', ...COLUMNS.map(([name]) => name)];
  const lines = [...kinds].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, of]) => [kind, ...cells(of)]);
  return aligned([head, ...lines, ['all', ...cells(results)]]);
}

function cells(results: readonly RoundResult[]): string[] {
  const accounts = results.flatMap(({ account }) => account ?? []);
  const wrong = results.filter(({ faults }) => faults.length > 0).length;
  return [
    String(results.length),
    String(results.filter(({ busyShare }) => busyShare >= BUSY_SHARE).length),
    String(wrong),
    ...COLUMNS.map(([, read, how]) => {
      const values = accounts.map(read);
      const value = how === 'max' ? Math.max(0, ...values) : values.reduce((sum, each) => sum + each, 0);
      return String(Math.round(value));
    }),
  ];
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
