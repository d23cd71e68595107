// `npm run bench -- [PART...] [--against COMMIT]`: measures the exporter, part by part, each in a process of its own; prints one
// table and writes .cache/bench.json. With --against, the parts `ovs` and `kernel` measure that commit beside the working tree.
// The values of a ratio were measured alternately in one run; single figures depend on the machine. docs/performance.md explains
// each. BENCH_SCALE below 1 makes everything smaller, for a test of the benchmark itself.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parentPort } from 'node:worker_threads';
import { corePart } from './core/core.ts';
import { flushPart } from './flush/flush.ts';
import { intakePart, runStream } from './intake/intake.ts';
import { runSender } from './intake/switch.ts';
import { kernelPart } from './kernel/kernel.ts';
import { ovsPart } from './ovs/ovs.ts';
import { pagePart } from './page/page.ts';
import { replayPart } from './replay/replay.ts';
import { runSink } from './replay/sink.ts';
import { revalidationPart } from './revalidation/revalidation.ts';
import { type BenchPart, type EarlierVersion, type Row, SCALE } from './row.ts';
import { rowsPart } from './rows/rows.ts';
import { startPart } from './start/start.ts';

const PARTS: Readonly<Record<string, BenchPart>> = {
  start: startPart,
  core: corePart,
  replay: replayPart,
  intake: intakePart,
  ovs: ovsPart,
  rows: rowsPart,
  page: pagePart,
  revalidation: revalidationPart,
  kernel: kernelPart,
  flush: flushPart,
};
/** Measured only when named: one needs a virtual machine, and the other a machine without other work. */
const NAMED_ONLY: readonly string[] = ['kernel', 'flush'];
const RESULTS = join(process.cwd(), '.cache', 'bench.json');

function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ part, what, value, unit, spread, goal, note }) => [
    part,
    what,
    shown(value),
    unit,
    spread === undefined ? '' : `${shown(spread[0])}..${shown(spread[1])}`,
    goal ?? '',
    note ?? '',
  ]);
  const table = [['part', 'what', 'median', 'unit', 'spread', 'goal', 'note'], ...cells];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? [];
  for (const row of table) {
    const line = row.map((cell, column) =>
      column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    process.stdout.write(`${line.join('  ').trimEnd()}\n`);
  }
}

function shown(value: number): string {
  const size = Math.abs(value);
  return size >= 1000 ? Math.round(value).toString() : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** Builds the commit of `--against`. */
function buildEarlier(name: string): EarlierVersion {
  const folder = execFileSync('.ci/earlier-version', [name], { encoding: 'utf8' }).trim();
  return { name, program: join(folder, 'dist', 'ovs-ipfix.cjs') };
}

async function runParts(args: string[]): Promise<void> {
  const { values, positionals: chosen } = parseArgs({
    args,
    options: { against: { type: 'string' } },
    allowPositionals: true,
  });
  const unknown = chosen.filter((name) => PARTS[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(`There is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}.`);
  }
  const against = values.against === undefined ? undefined : buildEarlier(values.against);
  const rows: Row[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    if (chosen.length > 0 ? !chosen.includes(name) : NAMED_ONLY.includes(name)) {
      continue;
    }
    process.stderr.write(`bench: ${name}\n`);
    rows.push(
      ...(await part(
        (row) => process.stderr.write(`  ${row.what}: ${shown(row.value)} ${row.unit}\n`),
        against,
      )),
    );
  }
  printTable(rows);
  mkdirSync(join(process.cwd(), '.cache'), { recursive: true });
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  };
  writeFileSync(RESULTS, `${JSON.stringify({ machine, scale: SCALE, rows }, null, 2)}\n`);
  process.stderr.write('bench: the rows are in .cache/bench.json\n');
}

/** Parts start this program again for what needs its own process or thread. */
const [role = '', ...args] = process.argv.slice(2);
if (role === 'sink') {
  runSink();
} else if (role === 'send') {
  await runSender(args[0] ?? '', Number(args[1]), Number(args[2]));
} else if (role === 'stream') {
  runStream(args[0] ?? '', Number(args[1]), Number(args[2]), () => parentPort?.postMessage('listening', []));
} else {
  await runParts(process.argv.slice(2));
}
