// `npm run bench -- [PART...] [--against COMMIT]`: measures the exporter, part by part, each in a process of its own; prints one
// table for each and writes .cache/bench.json. With --against, the parts `start`, `replay`, `ovs` and `kernel` measure that commit
// beside the working tree.
// The values of a ratio were measured alternately in one run; single figures depend on the machine. docs/performance.md explains
// each. BENCH_SCALE below 1 makes everything smaller, for a test of the benchmark itself.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { parentPort } from 'node:worker_threads';
import { corePart } from './core/core.ts';
import { runGrowth } from './core/growth.ts';
import { largePart } from './core/growth-rows.ts';
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
import { shown, tablesText } from './table.ts';

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
  large: largePart,
};
/** Measured only when named: they need a virtual machine, a machine without other work, and 2 GB of memory. */
const NAMED_ONLY: readonly string[] = ['kernel', 'flush', 'large'];
const RESULTS = join(process.cwd(), '.cache', 'bench.json');

/** Builds the commit of `--against`. */
function buildEarlier(name: string): EarlierVersion {
  const folder = execFileSync('.ci/earlier-version', [name], { encoding: 'utf8' }).trim();
  return { name, commit: basename(folder), program: join(folder, 'dist', 'ovs-ipfix.cjs') };
}

async function runParts(args: string[]): Promise<void> {
  // With it, Node reads certificates at each start of a program, which takes longer than all the rest of a short run.
  delete process.env['NODE_EXTRA_CA_CERTS'];
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
        ({ column, what, value, unit }) =>
          process.stderr.write(
            `  ${column === undefined ? '' : `${column}: `}${what}: ${shown(value)} ${unit}\n`,
          ),
        against,
      )),
    );
  }
  process.stdout.write(tablesText(rows));
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
} else if (role === 'growth') {
  runGrowth(args[0] ?? '', args[1] ?? '', args[2] ?? '', args[3] ?? '');
} else if (role === 'send') {
  await runSender(args[0] ?? '', Number(args[1]), Number(args[2]));
} else if (role === 'stream') {
  runStream(args[0] ?? '', Number(args[1]), Number(args[2]), () => parentPort?.postMessage('listening', []));
} else {
  await runParts(process.argv.slice(2));
}
