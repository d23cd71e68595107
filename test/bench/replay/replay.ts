// `ovs-ipfix replay` compared with the exporters in C and C++ that read captures: softflowd from Debian, and YAF and ipfixprobe
// if they are on the path. The measure is the processor time of the whole process, alternately; wall time would favour us,
// because others sleep while they send.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { programPath } from '../../support/tiers.ts';
import type { Distribution } from '../flow-choice.ts';
import { childSeconds } from '../processor-time.ts';
import { type BenchPart, type Row, scaled, summary } from '../row.ts';
import { writeCapture } from './capture-file.ts';
import type { SinkCounts } from './sink.ts';

const ROUNDS = 3;
const PACKETS = 5_000_000;
const CAPTURE_SECONDS = 60;

interface Scenario {
  readonly name: string;
  readonly flows: number;
  readonly distribution: Distribution;
  /** Seconds of the active timeout. */
  readonly activeTimeout: number;
  /** The goal as a multiple of softflowd's speed. */
  readonly goal: string;
}

const HOLD = 4200;
const SCENARIOS: readonly Scenario[] = [
  { name: '1k hold', flows: 1000, distribution: 'uniform', activeTimeout: HOLD, goal: '>= 4.5' },
  { name: '100k Zipf hold', flows: 100_000, distribution: 'zipf', activeTimeout: HOLD, goal: '' },
  { name: '100k hold', flows: 100_000, distribution: 'uniform', activeTimeout: HOLD, goal: '>= 15' },
  { name: '1M hold', flows: 1_000_000, distribution: 'uniform', activeTimeout: HOLD, goal: '>= 15' },
  { name: '1M act10', flows: 1_000_000, distribution: 'uniform', activeTimeout: 10, goal: '' },
];

interface Exporter {
  readonly name: string;
  command(file: string, port: number, scenario: Scenario): readonly string[];
}

function oursIn(format: string, name: string): Exporter {
  const program = join(process.cwd(), 'dist', 'ovs-ipfix.cjs');
  return {
    name,
    command: (file, port, { activeTimeout }) => [
      process.execPath,
      program,
      ...words(`replay ${file} --to 127.0.0.1:${port} --format json --record-format ${format}`),
      ...words(`--cache-active-timeout ${activeTimeout} --cache-max-flows 2000000`),
    ],
  };
}

const OURS = oursIn('extended', 'ovs-ipfix');
const ORIGINAL = oursIn('original', 'ovs-ipfix, original');

const PEERS: readonly Exporter[] = [
  {
    name: 'softflowd',
    command: (file, port, { activeTimeout }) =>
      words(
        `softflowd -r ${file} -n 127.0.0.1:${port} -v 10 -d -c none -m 2000000 -t maxlife=${activeTimeout}`,
      ),
  },
  {
    name: 'yaf',
    command: (file, port, { activeTimeout }) =>
      words(
        `yaf --in ${file} --out 127.0.0.1 --ipfix udp --ipfix-port ${port} --silent --idle-timeout 4200 ` +
          `--active-timeout ${activeTimeout}`,
      ),
  },
  {
    name: 'ipfixprobe',
    command: (file, port, { activeTimeout }) =>
      words(
        `ipfixprobe -i pcap-file;file=${file} -s cache;s=21;a=${activeTimeout};i=4200 ` +
          `-o ipfix;host=127.0.0.1;port=${port};udp`,
      ),
  },
];

/** Splits a command at its spaces; no word has one. */
function words(command: string): readonly string[] {
  return command.split(' ');
}

interface Run {
  readonly cpuSeconds: number;
  readonly memoryMegabytes: number;
  readonly counts: SinkCounts;
  readonly stdout: string;
}

export const replayPart: BenchPart = async (told) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-replay-'));
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    told(row);
  };
  const peers = PEERS.filter(({ name }) => {
    const isThere = programPath(name) !== undefined;
    if (!isThere) {
      process.stderr.write(`  SKIPPED: ${name} is not on the path\n`);
    }
    return isThere;
  });
  try {
    for (const scenario of SCENARIOS) {
      await measure(join(folder, 'capture.pcap'), scenario, peers, add);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return rows;
};

async function measure(
  file: string,
  scenario: Scenario,
  peers: readonly Exporter[],
  add: (row: Row) => void,
): Promise<void> {
  const { flows, distribution, name, goal } = scenario;
  const packets = scaled(PACKETS);
  writeCapture(file, { packets, flows: scaled(flows), distribution, seconds: CAPTURE_SECONDS, seed: 1 });
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const exporter of [OURS, ORIGINAL, ...peers]) {
      const run = await runExporter(exporter, file, scenario);
      if (exporter === OURS || exporter === ORIGINAL) {
        checkAccount(run, packets);
      }
      runs.set(exporter.name, [...(runs.get(exporter.name) ?? []), run]);
    }
  }
  const ours = runs.get(OURS.name) ?? [];
  const nanos = ours.map(({ cpuSeconds }) => (cpuSeconds * 1e9) / packets);
  const memory = summary(ours.map(({ memoryMegabytes }) => memoryMegabytes));
  const sent = ours[0]?.counts.messages ?? 0;
  add({
    part: 'replay',
    what: `${name}: ovs-ipfix`,
    unit: 'ns/packet',
    ...summary(nanos),
    note: `start included; ${Math.round(memory.value)} MB; ${sent} messages`,
  });
  const original = runs.get(ORIGINAL.name) ?? [];
  const ratiosOf = (figure: (run: Run) => number) =>
    summary(ours.map((run, round) => figure(run) / figure(original[round] ?? run)));
  add({
    part: 'replay',
    what: `${name}: extended / original, processor time`,
    unit: 'ratio',
    ...ratiosOf(({ cpuSeconds }) => cpuSeconds),
    goal: '<= 1.1',
  });
  add({
    part: 'replay',
    what: `${name}: extended / original, octets`,
    unit: 'ratio',
    ...ratiosOf(({ counts }) => counts.octets),
    goal: '<= 1.5',
  });
  for (const peer of peers) {
    const theirs = runs.get(peer.name) ?? [];
    const ratios = theirs.map(
      ({ cpuSeconds }, round) => cpuSeconds / (ours[round]?.cpuSeconds ?? Number.NaN),
    );
    const peerMemory = Math.round(theirs[0]?.memoryMegabytes ?? 0);
    add({
      part: 'replay',
      what: `${name}: ${peer.name} / ovs-ipfix`,
      unit: 'ratio',
      ...summary(ratios),
      ...(peer.name === 'softflowd' ? { goal } : {}),
      note: `${peerMemory} MB; ${theirs[0]?.counts.messages ?? 0} messages`,
    });
  }
}

/** Checks by our own counts that every packet is in a record that was sent. */
function checkAccount({ stdout }: Run, packets: number): void {
  const { packetsInFlows, shortfalls } = JSON.parse(stdout) as {
    packetsInFlows: number;
    shortfalls: string[];
  };
  if (packetsInFlows !== packets || shortfalls.length > 0) {
    throw new Error(`Of ${packets} packets ${packetsInFlows} are in records: ${shortfalls.join(' ')}`);
  }
}

/** Runs an exporter to its end, with its own sink. */
async function runExporter(exporter: Exporter, file: string, scenario: Scenario): Promise<Run> {
  const sink = spawn(process.execPath, [process.argv[1] ?? '', 'sink'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  sink.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (!said.includes('\n')) {
    await once(sink.stdout, 'data');
  }
  const port = Number(said);
  const { cpuSeconds, memoryMegabytes, stdout } = await runMeasured(exporter.command(file, port, scenario));
  sink.kill('SIGTERM');
  await once(sink, 'exit');
  const counts = JSON.parse(said.slice(said.indexOf('\n'))) as SinkCounts;
  return { cpuSeconds, memoryMegabytes, counts, stdout };
}

/** Runs a command; returns its processor time from the shell, because a minimal Debian lacks GNU time. */
async function runMeasured(command: readonly string[]): Promise<Omit<Run, 'counts'>> {
  const script = '"$@"; status=$?; times >&3; exit $status';
  const child = spawn('bash', ['-c', script, 'bench', ...command], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', '', ''];
  for (const index of [1, 2, 3]) {
    (child.stdio[index] as Readable).setEncoding('utf8').on('data', (text: string) => {
      texts[index] += text;
    });
  }
  let memoryMegabytes = 0;
  const look = setInterval(() => {
    memoryMegabytes = Math.max(memoryMegabytes, peakMegabytesOfChild(child.pid ?? 0));
  }, 50);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearInterval(look);
  if (exitCode !== 0) {
    throw new Error(`${command[0]} has failed (exit ${exitCode}): ${texts[2]}`);
  }
  return { cpuSeconds: childSeconds(texts[3] ?? ''), memoryMegabytes, stdout: texts[1] ?? '' };
}

/** Returns the peak memory of the one child of a shell, from the kernel; 0 when it has ended. */
function peakMegabytesOfChild(shell: number): number {
  try {
    const [child = ''] = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').split(' ');
    return Number(/VmHWM:\s+(\d+)/u.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    // It has ended between two readings, and the last one is used.
    return 0;
  }
}
