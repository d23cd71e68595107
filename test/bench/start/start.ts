// The start of the program: the size of its files, and the processor time of `ovs-ipfix --version` and of a short replay relative
// to `node -e 0`. A command is loaded when it is called, so every call of the program has the first cost, and a replay the second
// one, however few packets it reads.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processorSeconds } from '../processor-time.ts';
import { writeCapture } from '../replay/capture-file.ts';
import { type BenchPart, type EarlierVersion, type Row, summary } from '../row.ts';

const ROUNDS = 25;
const DIST = join(process.cwd(), 'dist');
const PACKETS = 1000;
const FLOWS = 100;

/** A command whose processor time is compared with Node's own. */
interface Start {
  readonly what: string;
  readonly command: readonly string[];
  readonly goal: string;
}

export const startPart: BenchPart = async (told, against) => {
  const rows: Row[] = [];
  const add = (row: Omit<Row, 'part'>): void => {
    rows.push({ part: 'start', ...row });
    told({ part: 'start', ...row });
  };
  add({ what: 'size of the program', unit: 'bytes', value: programBytes(), goal: '<= 1000000' });
  const folder = mkdtempSync(join(tmpdir(), 'bench-start-'));
  // A port that is open: what cannot be sent is logged, which takes time. The datagrams are not read.
  const collector = createSocket('udp4').bind(0, '127.0.0.1');
  try {
    await once(collector, 'listening');
    const capture = join(folder, 'short.pcap');
    writeCapture(capture, { packets: PACKETS, flows: FLOWS, distribution: 'uniform', seconds: 1, seed: 1 });
    measure(starts(capture, collector.address().port, against), add);
  } finally {
    collector.close();
    rmSync(folder, { recursive: true });
  }
  return rows;
};

/** Returns the size of all JavaScript of the program but that of the page, in bytes. */
function programBytes(): number {
  const parts = readdirSync(join(DIST, 'parts')).filter((name) => name.endsWith('.cjs'));
  return [join(DIST, 'ovs-ipfix.cjs'), ...parts.map((name) => join(DIST, 'parts', name))]
    .map((file) => statSync(file).size)
    .reduce((sum, size) => sum + size, 0);
}

function starts(capture: string, port: number, against: EarlierVersion | undefined): readonly Start[] {
  const programs = [
    { name: '', program: join(DIST, 'ovs-ipfix.cjs') },
    ...(against === undefined ? [] : [{ name: ` of ${against.name}`, program: against.program }]),
  ];
  return programs.flatMap(({ name, program }) => [
    { what: `--version${name}`, command: [program, '--version'], goal: name === '' ? '<= 1.6' : '' },
    {
      what: `replay of ${PACKETS} packets${name}`,
      command: [program, 'replay', capture, '--to', `127.0.0.1:${port}`],
      goal: name === '' ? '<= 1.8' : '',
    },
  ]);
}

/** Measures the commands and Node in turn. */
function measure(commands: readonly Start[], add: (row: Omit<Row, 'part'>) => void): void {
  const nodes: number[] = [];
  const rounds = commands.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    nodes.push(processorSeconds([process.execPath, '-e', '0']));
    for (const [index, { command }] of commands.entries()) {
      rounds[index]?.push(processorSeconds([process.execPath, ...command]));
    }
  }
  const millis = (seconds: readonly number[]) => summary(seconds.map((each) => each * 1000));
  add({ what: 'node -e 0', unit: 'ms', ...millis(nodes) });
  for (const [index, { what, goal }] of commands.entries()) {
    const seconds = rounds[index] ?? [];
    add({ what, unit: 'ms', ...millis(seconds) });
    const ratios = seconds.map((each, round) => each / (nodes[round] ?? Number.NaN));
    add({ what: `${what} to node -e 0`, unit: 'ratio', ...summary(ratios), goal });
  }
}
