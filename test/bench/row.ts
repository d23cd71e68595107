// What the parts of the benchmark have in common: rows of the table, medians, and the size of a run.

/** A row of the table. */
export interface Row {
  readonly part: string;
  readonly what: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly unit: string;
  /** The smallest and the largest of the rounds. */
  readonly spread?: readonly [number, number];
  /** What is to be reached, as text. */
  readonly goal?: string;
  readonly note?: string;
}

/** Measures its part; tells of each row as soon as it is there. */
export type BenchPart = (told: (row: Row) => void) => Promise<readonly Row[]>;

/** How large runs are; 1 is what the figures of the manual were measured with. */
export const SCALE = Number(process.env['BENCH_SCALE'] ?? 1);

/** A number of packets or flows at the chosen scale. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * SCALE));
}

export interface Summary {
  readonly value: number;
  readonly spread: readonly [number, number];
}

export function summary(rounds: readonly number[]): Summary {
  const sorted = [...rounds].sort((a, b) => a - b);
  return {
    value: sorted[sorted.length >> 1] ?? Number.NaN,
    spread: [sorted[0] ?? Number.NaN, sorted.at(-1) ?? Number.NaN],
  };
}
