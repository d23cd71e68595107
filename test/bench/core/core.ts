// The core of the exporter, step by step: the cost of a packet in dissector, hash, cache and encoder, the memory of a flow, the
// time for which the event loop is blocked, and the garbage collections. If there is a C compiler, a tight loop in C does the
// same look-ups in the same batches, for comparison with what is possible.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Distribution } from '../flow-choice.ts';
import { type BenchPart, type Row, SCALE, type Summary, scaled, summary } from '../row.ts';
import { growthRows } from './growth-rows.ts';
import { FLOW_COUNTS, hitNanos, runGarbage, stepNanos } from './steps.ts';

const ROUNDS = 5;

export const corePart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const add = (what: string, unit: string, measured: Summary | number, more: Partial<Row> = {}): void => {
    const figures = typeof measured === 'number' ? { value: measured } : measured;
    const row = { part: 'core', what, unit, ...figures, ...more };
    rows.push(row);
    told(row);
  };
  const inC = buildYardstick();
  for (const [what, nanos] of Object.entries(stepNanos(ROUNDS))) {
    add(what, 'ns', summary(nanos));
  }
  for (const flows of FLOW_COUNTS) {
    for (const shape of ['uniform', 'zipf'] as const) {
      addHits(add, inC, flows, shape);
    }
  }
  inC?.remove();
  growthRows((row) => {
    rows.push({ part: 'core', ...row });
    told({ part: 'core', ...row });
  });
  const garbage = await runGarbage(scaled(10_000_000));
  add('collections in 10 M packets', 'count', garbage.collections, {
    goal: '< 5',
    note: `longest ${garbage.longestMs.toFixed(1)} ms`,
  });
  add('heap growth in 10 M packets', 'bytes/packet', garbage.bytesPerPacket, { goal: '0' });
  return rows;
};

/** Measures hits in our cache and in the one in C, alternately. */
function addHits(
  add: (what: string, unit: string, measured: Summary, more?: Partial<Row>) => void,
  inC: Yardstick | undefined,
  flows: number,
  shape: Distribution,
): void {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(hitNanos(flows, shape));
    if (inC !== undefined) {
      theirs.push(inC.run(flows, shape));
    }
  }
  const name = `${flows.toLocaleString('en-US')} flows, ${shape}`;
  add(`hit, ${name}`, 'ns', summary(ours), { note: 'dissection not included' });
  if (inC === undefined) {
    return;
  }
  add(`hit in C, ${name}`, 'ns', summary(theirs));
  const ratios = ours.map((nanos, round) => nanos / (theirs[round] ?? Number.NaN));
  add(`hit, ours to C, ${name}`, 'ratio', summary(ratios), { goal: '<= 1.8' });
}

interface Yardstick {
  run(flows: number, shape: Distribution): number;
  remove(): void;
}

function buildYardstick(): Yardstick | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'bench-core-'));
  const program = join(folder, 'yardstick');
  const source = join(process.cwd(), 'test', 'bench', 'core', 'yardstick.c');
  const build = spawnSync('cc', ['-O2', '-march=native', '-o', program, source, '-lm'], { encoding: 'utf8' });
  if (build.status !== 0) {
    rmSync(folder, { recursive: true });
    const why = build.error === undefined ? build.stderr : 'there is no C compiler (cc)';
    process.stderr.write(`  SKIPPED: the comparison with C: ${why.trim()}\n`);
    return undefined;
  }
  return {
    run: (flows, shape) => {
      const rounds = String(SCALE < 1 ? 1 : 4);
      const { stdout, status, stderr } = spawnSync(program, [String(flows), shape, rounds], {
        encoding: 'utf8',
      });
      if (status !== 0) {
        throw new Error(`The yardstick has failed: ${stderr}`);
      }
      return Number(stdout);
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
