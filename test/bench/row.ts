// Rows of the table, medians and the scale of a run, for all parts of the benchmark.

/** A row of the table. */
export interface Row {
  readonly part: string;
  readonly what: string;
  /** Where several things are measured in the same way: which of them. Such rows are printed as a line for each `what`. */
  readonly column?: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly unit: string;
  /** The smallest and the largest of the rounds. */
  readonly spread?: readonly [number, number];
  /** The goal, as text. */
  readonly goal?: string;
  readonly note?: string;
}

/** An earlier commit of this repository that is measured beside the working tree. */
export interface EarlierVersion {
  /** As it was named on the command line. */
  readonly name: string;
  /** The whole hash of the commit. */
  readonly commit: string;
  /** The built program. */
  readonly program: string;
}

/** Measures its part; reports each row as soon as it is measured. */
export type BenchPart = (told: (row: Row) => void, against?: EarlierVersion) => Promise<readonly Row[]>;

/** The scale of a run; 1 for the figures of the manual. */
export const SCALE = Number(process.env['BENCH_SCALE'] ?? 1);

/** Returns a number of packets or flows at the scale of the run. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * SCALE));
}

export interface Summary {
  readonly value: number;
  readonly spread: readonly [number, number];
}

/** Returns the median of the rounds, the upper one of an even number, with their smallest and largest. */
export function summary(rounds: readonly number[]): Summary {
  const sorted = [...rounds].sort((a, b) => a - b);
  return {
    value: sorted[sorted.length >> 1] ?? Number.NaN,
    spread: [sorted[0] ?? Number.NaN, sorted.at(-1) ?? Number.NaN],
  };
}

/** Returns the summary of the ratios of figures that were measured in the same rounds. */
export function ratioSummary(figures: readonly number[], to: readonly number[]): Summary {
  if (figures.length !== to.length) {
    throw new Error(`A ratio has ${figures.length} rounds of one figure and ${to.length} of the other.`);
  }
  return summary(figures.map((figure, round) => figure / to[round]!));
}
