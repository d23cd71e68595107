// The rows of caches that grow to a million flows (in the part `core`) and to ten million (the part `large`), for each engine
// and record format.

import { ENGINES } from '../../../src/flow/flow-engine.ts';
import { RECORD_FORMATS } from '../replay/exporters.ts';
import { type BenchPart, type Row, scaled, summary } from '../row.ts';
import { type Growth, type GrowthShape, growthOf, ipv6FlowBytes } from './growth.ts';

const ROUNDS = 3;
const FLOWS = 1_000_000;
const LARGE_FLOWS = 10_000_000;
const FLOW_BYTES_GOALS = { original: '<= 128', extended: '<= 144' } as const;
const SLICE_GOAL = '<= 10';
const LARGE_PAUSE_GOAL = '<= 20';

/** A row without its part. */
type Figure = Omit<Row, 'part'>;

/** Measures caches of a million flows, and passes each row to `add`. */
export function growthRows(add: (row: Figure) => void): void {
  for (const cache of caches()) {
    const shape = { ...cache, flows: scaled(FLOWS) };
    const expired = rounds(ROUNDS, { ...shape, ending: 'expire' });
    const flushed = rounds(ROUNDS, { ...shape, ending: 'flush' });
    const all = [...expired, ...flushed];
    const column = columnOf(shape);
    const each = (what: string, unit: string, of: readonly Growth[], pick: (growth: Growth) => number) => ({
      what,
      column,
      unit,
      ...summary(of.map(pick)),
    });
    const goal = SLICE_GOAL;
    const flowGoal = FLOW_BYTES_GOALS[shape.format];
    add(each('insert', 'ns', all, ({ insertNanos }) => insertNanos));
    add({ ...each('expire and encode', 'ns', expired, ({ endNanos }) => endNanos), goal: '<= 300' });
    add(each('flush and encode', 'ns', flushed, ({ endNanos }) => endNanos));
    add({ ...each('longest pause, growing', 'ms', all, ({ insertPauseMs }) => insertPauseMs), goal });
    add({ ...each('longest slice, expiring', 'ms', expired, ({ endPauseMs }) => endPauseMs), goal });
    add({ ...each('longest slice, flushing', 'ms', flushed, ({ endPauseMs }) => endPauseMs), goal });
    add(
      each('growing, processor time of 256 frames, longest', 'ms', all, ({ insertBusyMs }) => insertBusyMs),
    );
    add(each('expiring, processor time of a slice, longest', 'ms', expired, ({ endBusyMs }) => endBusyMs));
    add(each('flushing, processor time of a slice, longest', 'ms', flushed, ({ endBusyMs }) => endBusyMs));
    add({ ...each('a flow, IPv4', 'bytes', all, ({ flowBytes }) => flowBytes), goal: flowGoal });
    add(each('a flow, IPv4, resident', 'bytes', all, ({ residentBytes }) => residentBytes));
    const ipv6Goal = shape.format === 'original' ? { goal: '<= 168' } : {};
    add({ what: 'a flow, IPv6', column, unit: 'bytes', value: ipv6FlowBytes(shape), ...ipv6Goal });
  }
}

/** Measures caches of ten million flows, which need up to 2 GB of memory. */
export const largePart: BenchPart = async (told) => {
  const rows: Row[] = [];
  for (const cache of caches()) {
    const shape: GrowthShape = { ...cache, flows: scaled(LARGE_FLOWS), ending: 'flush' };
    const measured = rounds(ROUNDS, shape);
    const add = (what: string, unit: string, pick: (growth: Growth) => number, goal?: string): void => {
      const row = { part: 'large', what, column: columnOf(shape), unit, ...summary(measured.map(pick)) };
      rows.push(goal === undefined ? row : { ...row, goal });
      told(row);
    };
    add('longest pause, growing', 'ms', ({ insertPauseMs }) => insertPauseMs, LARGE_PAUSE_GOAL);
    add('longest slice, flushing', 'ms', ({ endPauseMs }) => endPauseMs, LARGE_PAUSE_GOAL);
    add('growing, processor time of 256 frames, longest', 'ms', ({ insertBusyMs }) => insertBusyMs);
    add('flushing, processor time of a slice, longest', 'ms', ({ endBusyMs }) => endBusyMs);
    add('insert', 'ns', ({ insertNanos }) => insertNanos);
    add('flush and encode', 'ns', ({ endNanos }) => endNanos);
    add('a flow, IPv4', 'bytes', ({ flowBytes }) => flowBytes, FLOW_BYTES_GOALS[shape.format]);
    add('a flow, IPv4, resident', 'bytes', ({ residentBytes }) => residentBytes);
  }
  return rows;
};

/** Each engine with each format. */
function caches(): readonly Pick<GrowthShape, 'engine' | 'format'>[] {
  return ENGINES.flatMap((engine) => RECORD_FORMATS.map((format) => ({ engine, format })));
}

function columnOf({ engine, format }: Pick<GrowthShape, 'engine' | 'format'>): string {
  return `${engine}, ${format}`;
}

function rounds(count: number, shape: GrowthShape): readonly Growth[] {
  return Array.from({ length: count }, () => growthOf(shape));
}
