// `ovs-ipfix replay` compared with an earlier build (--against), and with the exporters in C and C++ that read captures:
// softflowd from Debian, and YAF and ipfixprobe if they are on the path. The measure is the processor time of the whole process,
// alternately; wall time would favour us, because others sleep while they send. If the build has two flow engines, both are
// measured, and it is checked that they send the same octets.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programPath } from '../../support/tiers.ts';
import { type BenchPart, type EarlierVersion, type Row, scaled } from '../row.ts';
import { writeCapture } from './capture-file.ts';
import { checkEngines } from './engine-check.ts';
import {
  type Build,
  buildOf,
  type Exporter,
  exporterOf,
  formatsOf,
  PEERS,
  type RecordFormat,
  type SentMessages,
  senderOf,
} from './exporters.ts';
import { allOf, type Contestants, scenarioRows } from './figures.ts';
import { type Run, runExporter } from './measured-run.ts';
import { GOALS_COMMIT, SCENARIOS, type Scenario } from './scenarios.ts';

const ROUNDS = 5;
const PACKETS = 5_000_000;
const CAPTURE_SECONDS = 60;

export const replayPart: BenchPart = async (told, against) => {
  const rows: Row[] = [];
  const build = buildOf();
  const latest = new Map<Exporter, Run>();
  const contestants = contestantsOf(build, against, latest);
  const folder = mkdtempSync(join(tmpdir(), 'bench-replay-'));
  try {
    for (const scenario of SCENARIOS) {
      for (const row of await measure(join(folder, 'capture.pcap'), scenario, contestants, build, latest)) {
        rows.push(row);
        told(row);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
};

/** @param latest the latest run of each exporter */
function contestantsOf(
  build: Build,
  against: EarlierVersion | undefined,
  latest: ReadonlyMap<Exporter, Run>,
): Contestants {
  const ours = inFormats(build);
  const earlier = against === undefined ? new Map<RecordFormat, Exporter>() : inFormats(buildOf(against));
  const peers = PEERS.filter(({ name }) => {
    const isThere = programPath(name) !== undefined;
    if (!isThere) {
      process.stderr.write(`  SKIPPED: ${name} is not on the path\n`);
    }
    return isThere;
  });
  const engine = (name: 'wasm' | 'typescript') => exporterOf(build, 'extended', name);
  return {
    ours,
    earlier: new Map(
      [...ours.keys()].flatMap((format) => {
        const other = earlier.get(format) ?? earlier.get('original');
        return other === undefined ? [] : [[format, other] as const];
      }),
    ),
    engines: build.hasEngines ? { wasm: engine('wasm'), typescript: engine('typescript') } : undefined,
    peers,
    senders: new Map(
      [...ours].map(([format, exporter]) => [format, senderOf(exporter, () => sentBy(exporter, latest))]),
    ),
    isGoalsCommit: against?.commit === GOALS_COMMIT,
  };
}

/** Returns what an exporter has sent in its latest run. */
function sentBy(exporter: Exporter, latest: ReadonlyMap<Exporter, Run>): SentMessages {
  const account = latest.get(exporter)?.account;
  if (account === undefined) {
    throw new Error(`${exporter.name} has not been run before its messages are sent alone.`);
  }
  return account;
}

function inFormats(build: Build): Map<RecordFormat, Exporter> {
  return new Map(formatsOf(build).map((format) => [format, exporterOf(build, format)]));
}

async function measure(
  file: string,
  scenario: Scenario,
  contestants: Contestants,
  build: Build,
  latest: Map<Exporter, Run>,
): Promise<readonly Row[]> {
  const { flows, distribution, name: column } = scenario;
  const packets = scaled(PACKETS);
  writeCapture(file, { packets, flows: scaled(flows), distribution, seconds: CAPTURE_SECONDS, seed: 1 });
  const runs = new Map<Exporter, Run[]>(allOf(contestants).map((exporter) => [exporter, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [exporter, done] of runs) {
      const run = await runExporter(exporter, file, scenario, packets);
      latest.set(exporter, run);
      done.push(run);
    }
  }
  const rows = [...scenarioRows(contestants, scenario, packets, runs)];
  if (contestants.engines !== undefined) {
    for (const format of formatsOf(build)) {
      const value = await checkEngines(build, format, file, scenario, packets);
      const what = `records that are equal with both engines, ${format}`;
      rows.push({ part: 'replay', what, column, unit: 'count', value });
    }
  }
  return rows;
}
