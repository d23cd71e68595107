// The start of the program: the size of its file, and the processor time of `ovs-ipfix --version` relative to `node -e 0`. A
// command is loaded when it is called, so every call of the program has this cost.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { processorSeconds } from '../processor-time.ts';
import { type BenchPart, type Row, summary } from '../row.ts';

const ROUNDS = 25;
const PROGRAM = join(process.cwd(), 'dist', 'ovs-ipfix.cjs');

export const startPart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const add = (row: Omit<Row, 'part'>): void => {
    rows.push({ part: 'start', ...row });
    told({ part: 'start', ...row });
  };
  add({ what: 'size of the program', unit: 'bytes', value: statSync(PROGRAM).size, goal: '<= 1000000' });
  const ours: number[] = [];
  const nodes: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    nodes.push(processorSeconds([process.execPath, '-e', '0']));
    ours.push(processorSeconds([process.execPath, PROGRAM, '--version']));
  }
  const millis = (seconds: readonly number[]) => summary(seconds.map((each) => each * 1000));
  add({ what: 'node -e 0', unit: 'ms', ...millis(nodes) });
  add({ what: 'ovs-ipfix --version', unit: 'ms', ...millis(ours) });
  const ratios = ours.map((seconds, round) => seconds / (nodes[round] ?? Number.NaN));
  add({ what: '--version to node -e 0', unit: 'ratio', ...summary(ratios), goal: '<= 1.6' });
  return rows;
};
