// The live page and its history at 100 bridges: what the history costs for each sample and each second, and its memory when an hour of
// the worst traffic is in it; and what the whole daemon takes beside a real Open vSwitch without and with a browser.

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { dissectExtended } from '../../../src/packet/dissect-extended.ts';
import { FlowKey } from '../../../src/packet/flow-key.ts';
import { TrafficSource } from '../../report/traffic-source.ts';
import { startDaemon } from '../../support/daemon.ts';
import { udpFrame } from '../../support/frames.ts';
import { startOvs } from '../../support/ovs.ts';
import { pageAddress } from '../../support/page-address.ts';
import { tier } from '../../support/tiers.ts';
import { UdpSink } from '../../support/udp-sink.ts';
import { waitFor } from '../../support/wait.ts';
import { type BenchPart, type Row, scaled, summary } from '../row.ts';

const BRIDGES = scaled(100);
/** Seconds of the history that is measured in this process: more than an hour, so that it is full. */
const HISTORY_SECONDS = scaled(3700);
/** Conversations of a second, more than a slot keeps, and all of them: nearly as many as the history has room for. */
const CONVERSATIONS = 500;
const ALL_CONVERSATIONS = 32_000;
const SAMPLES = 200_000;
const VIEWS = 20;
const ROUNDS = 3;
const DAEMON_SECONDS = Math.max(2, scaled(20));
const TICKS = 100;
const SOURCE_ADDRESS_AT = 26;

export const pagePart: BenchPart = async (told) => {
  const rows: Row[] = [];
  const add = (row: Omit<Row, 'part'>): void => {
    rows.push({ part: 'page', ...row });
    told({ part: 'page', ...row });
  };
  measureHistory(add);
  const { skip } = tier('ovs', 'daemon');
  if (skip === false) {
    await measureDaemon(add);
  } else {
    process.stderr.write(`  SKIPPED: the daemon of the page: ${skip}\n`);
  }
  return rows;
};

/** Fills a history, and measures it in this process. */
function measureHistory(add: (row: Omit<Row, 'part'>) => void): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const memory = () => {
    // Twice: the memory of arrays is released after the collection that finds them.
    collect();
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = memory();
  const source = new TrafficSource();
  const exporters = Array.from({ length: BRIDGES }, (_, index) => source.addExporter(`br${index}`));
  const frame = udpFrame({ destinationPort: 53 });
  let number = 0;
  const slotMs: number[] = [];
  for (let second = 0; second < HISTORY_SECONDS; second += 1) {
    for (let each = 0; each < CONVERSATIONS; each += 1) {
      number += 1;
      frame.writeUInt32BE(number % ALL_CONVERSATIONS, SOURCE_ADDRESS_AT);
      source.sample(exporters[number % BRIDGES]!, frame, 1);
    }
    const begin = performance.now();
    source.clock.advance(1_000_000);
    slotMs.push(performance.now() - begin);
  }
  add({ what: 'memory of a full history', unit: 'MB', value: (memory() - before) / 1e6, goal: '< 16' });
  add({
    what: 'end of a second',
    unit: 'ms',
    ...summary(slotMs),
    note: `${CONVERSATIONS} conversations`,
  });
  for (const window of ['5m', '1h']) {
    const views = Array.from({ length: VIEWS }, () => timed(() => source.find(`window=${window}`)));
    add({ what: `traffic of a window of ${window}`, unit: 'ms', ...summary(views) });
  }
  const keys = Array.from({ length: 4096 }, (_, index) => {
    frame.writeUInt32BE(index, SOURCE_ADDRESS_AT);
    const key = new FlowKey();
    dissectExtended(frame, 0, frame.length, 0, 1, key);
    return Object.assign(key, { weight: 1, octets: frame.length });
  });
  const perSample = Array.from({ length: ROUNDS }, () => {
    const ms = timed(() => {
      for (let sample = 0; sample < SAMPLES; sample += 1) {
        source.table.add(sample % BRIDGES, keys[sample & 4095]!);
      }
    });
    source.table.clear();
    return (ms * 1e6) / SAMPLES;
  });
  add({ what: 'a sample', unit: 'ns', ...summary(perSample) });
}

function timed(work: () => unknown): number {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

/** Measures the processor time of a daemon with bridges without traffic. */
async function measureDaemon(add: (row: Omit<Row, 'part'>) => void): Promise<void> {
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  const sink = await UdpSink.open();
  try {
    const bridges = Array.from({ length: BRIDGES }, (_, index) => `br${index}`);
    const words = bridges.flatMap((name) =>
      `-- add-br ${name} -- set Bridge ${name} datapath_type=dummy ipfix=@${name} -- --id=@${name} create IPFIX targets="${sink.target}"`.split(
        ' ',
      ),
    );
    await ovs.vsctl('--timeout=60', ...words.slice(1));
    const daemon = await startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0'], waitForReady: false });
    const isReady = async () => (await daemon.appctl('ready').catch(() => '')).trim() === 'ready';
    await waitFor(isReady, { what: 'the daemon is ready', timeoutMs: 60_000, intervalMs: 200 });
    const url = await pageAddress(daemon);
    const alone = await shares(daemon.pid);
    add({ what: `${BRIDGES} bridges, idle, history`, unit: '% of a core', ...summary(alone) });
    const stop = browse(url);
    const watched = await shares(daemon.pid);
    stop();
    add({ what: `${BRIDGES} bridges, idle, history and page`, unit: '% of a core', ...summary(watched) });
    const cost = watched.map((share, round) => share - (alone[round] ?? 0));
    add({ what: `${BRIDGES} bridges: the page`, unit: '% of a core', ...summary(cost), goal: '< 2' });
    await daemon.kill();
  } finally {
    await sink.close();
    await ovs.abandon();
  }
}

/** Does what the page does: reads the WebSocket, and asks for the traffic with each update. */
function browse(url: string): () => void {
  const socket = new WebSocket(`${url.replace('http', 'ws')}ws`);
  socket.on('message', () => {
    void fetch(`${url}flows.json?window=300&by=interface&top=15`).then((response) => response.text());
  });
  return () => socket.terminate();
}

/** Returns the share of a core that a process takes, in percent, in some rounds. */
async function shares(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = processorMs(pid);
    const begin = performance.now();
    await new Promise<void>((resolve) => setTimeout(resolve, DAEMON_SECONDS * 1000));
    found.push((100 * (processorMs(pid) - before)) / (performance.now() - begin));
  }
  return found;
}

/** Returns the processor time of a process. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}
