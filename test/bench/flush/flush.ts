// The part `flush`: a daemon with a full cache gets SIGTERM. Its flows came through Open vSwitch; they go over UDP to nfcapd, with the
// receive buffer that Linux gives a socket by default, and to a receiver with the same buffer that does not read now and then. A
// record counts as lost that the daemon reports as sent and the receiver does not have.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RECORD_FORMATS, type RecordFormat } from '../../../src/ipfix/record-layout.ts';
import type { ReceiverReport } from '../../support/bounded-receiver.ts';
import { startNfcapd } from '../../support/collectors.ts';
import { type Daemon, startDaemon } from '../../support/daemon.ts';
import { udpFrame } from '../../support/frames.ts';
import { createIpfixRow, waitForBridge, waitForHook } from '../../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../../support/ovs.ts';
import { type BenchPart, type Row, scaled } from '../row.ts';

const BRIDGE = 'br0';
const PORT = 'p0';
const FLOWS = scaled(1_000_000);
/** Frames that are injected before the cache is asked for its flows. */
const PORTION = 20_000;
/** Linux's `net.core.rmem_default`, in bytes; the kernel doubles what a program asks for. */
const BUFFER_BYTES = 212_992;
const FILL_MS_MAX = 600_000;
const RECEIVER = join(process.cwd(), 'test', 'support', 'bounded-receiver.ts');
/** Frames with UDP ports and addresses of their own. */
const PORTS = 60_000;

/** A receiver of the flush. */
interface Receiver {
  readonly name: string;
  readonly target: string;
  /** Ends it, and returns the records that it has. */
  stop(): Promise<number>;
}

export const flushPart: BenchPart = async (told) => {
  const rows: Row[] = [];
  for (const format of RECORD_FORMATS) {
    for (const open of [openNfcapd, openPausing]) {
      const receiver = await open();
      const add = (row: Omit<Row, 'part'>) => {
        rows.push({ part: 'flush', ...row });
        told(rows.at(-1)!);
      };
      await flush(receiver, format, add);
    }
  }
  return rows;
};

async function flush(receiver: Receiver, format: RecordFormat, add: (row: Omit<Row, 'part'>) => void) {
  const ovs = await startOvs({ allowedWarnings: [/./u] });
  try {
    const daemon = await fullDaemon(ovs, receiver, format);
    const begin = performance.now();
    daemon.signal('SIGTERM');
    await daemon.exited;
    const ms = performance.now() - begin;
    const received = await receiver.stop();
    const reported = reportedLoss(daemon.log);
    const what = `${FLOWS} flows (${format}) at SIGTERM into ${receiver.name}`;
    add({ what: `${what}: end`, value: ms, unit: 'ms', goal: '< 5000' });
    add({
      what: `${what}: lost without a report`,
      value: FLOWS - reported - received,
      unit: 'records',
      goal: '0',
    });
    add({ what: `${what}: reported as lost`, value: reported, unit: 'records' });
  } finally {
    await ovs.abandon();
  }
}

/** Starts a daemon whose cache is filled with flows, each of one packet. */
async function fullDaemon(ovs: Ovs, receiver: Receiver, format: RecordFormat): Promise<Daemon> {
  await ovs.addBridge(BRIDGE);
  await ovs.addDummyPort(BRIDGE, PORT);
  const keys = ['ovs-ipfix-sampler=packet-in', 'ovs-ipfix-max-rate=1000000'];
  await ovs.vsctl('set', 'Bridge', BRIDGE, ...keys.map((key) => `external_ids:${key}`));
  await createIpfixRow(ovs, BRIDGE, [receiver.target], {
    sampling: 1,
    cache_active_timeout: 4200,
    cache_max_flows: FLOWS,
  });
  const daemon = await startDaemon(ovs, { arguments: ['--record-format', format] });
  await waitForHook(daemon, BRIDGE);
  const end = performance.now() + FILL_MS_MAX;
  for (let number = 0; (await cachedFlows(daemon)) < FLOWS; number += PORTION) {
    if (performance.now() > end) {
      throw new Error(`The cache has ${await cachedFlows(daemon)} flows after ${FILL_MS_MAX} ms.`);
    }
    const missing = Math.min(PORTION, FLOWS - (await cachedFlows(daemon)));
    await ovs.injectMany(
      BRIDGE,
      PORT,
      Array.from({ length: missing }, (_, index) => frame(number + index)),
    );
  }
  return daemon;
}

/** Returns a frame of a flow of its own. */
function frame(number: number): Buffer {
  return udpFrame({
    source: `10.0.${Math.floor(number / PORTS) >> 8}.${Math.floor(number / PORTS) & 0xff}`,
    sourcePort: 1 + (number % PORTS),
    dataBytes: 18,
  });
}

async function cachedFlows(daemon: Daemon): Promise<number> {
  const { exporter } = await waitForBridge(daemon, BRIDGE, 'its status', () => true);
  return exporter.cache.flows;
}

/** Returns the flows and records that the last line of the daemon says it has lost. */
function reportedLoss(log: string): number {
  const [, flows, records] =
    /(?:(\d+) flows were not sent in time)?(?:, and )?(?:(\d+) records still waited)?[^.]*: they are lost/u.exec(
      log,
    ) ?? [];
  return Number(flows ?? 0) + Number(records ?? 0);
}

async function openNfcapd(): Promise<Receiver> {
  const nfcapd = await startNfcapd(['-I'], ['-B', String(BUFFER_BYTES / 2)]);
  return {
    name: 'nfcapd',
    target: nfcapd.target,
    stop: async () => Number(/^Flows:\s*(\d+)/mu.exec(await nfcapd.stop())?.[1] ?? 0),
  };
}

async function openPausing(): Promise<Receiver> {
  const child = fork(RECEIVER, { execArgv: ['--import', 'tsx'] });
  const [{ port }] = (await once(child, 'message')) as [ReceiverReport];
  return {
    name: 'a receiver that pauses for 6 of 20 ms',
    target: `127.0.0.1:${port}`,
    stop: async () => {
      child.send('report');
      const [{ records }] = (await once(child, 'message')) as [ReceiverReport];
      child.disconnect();
      return records;
    },
  };
}
