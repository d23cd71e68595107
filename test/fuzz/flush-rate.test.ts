// A flush into a collector that has the receive buffer of Linux's default: what the kernel of the receiver drops is lost, and the
// sender is not told.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Exporter } from '../../src/export/exporter.ts';
import { EXPORTER_DEFAULTS } from '../../src/export/exporter-options.ts';
import { SendBudget } from '../../src/export/send-budget.ts';
import { UdpSession } from '../../src/export/udp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import type { ReceiverReport } from '../support/bounded-receiver.ts';
import { udpFrame } from '../support/frames.ts';
import { waitFor } from '../support/wait.ts';

const RECEIVER = join(import.meta.dirname, '..', 'support', 'bounded-receiver.ts');
const FLOW_COUNT = 100_000;
const BUFFER_BYTES = 212_992;
const MESSAGE_RATE_MAX = 32_000;
const STOP_MS = 4800;
const ATTEMPTS_MAX = 3;

/** Starts the receiver; as root ahead of other programs, so that only its pauses and the sender's rate decide. */
async function startReceiver(t: TestContext): Promise<{ receiver: ChildProcess; first: ReceiverReport }> {
  const receiver = fork(RECEIVER, { execArgv: ['--import', 'tsx'] });
  t.after(() => receiver.disconnect());
  const [first] = (await once(receiver, 'message')) as [ReceiverReport];
  if (process.getuid?.() === 0 && receiver.pid !== undefined) {
    setPriority(receiver.pid, constants.priority.PRIORITY_HIGHEST);
  }
  return { receiver, first };
}

async function ask(receiver: ChildProcess): Promise<ReceiverReport> {
  receiver.send('report');
  const [report] = await once(receiver, 'message');
  return report as ReceiverReport;
}

/** An exporter to the port, with `FLOW_COUNT` flows in its cache. */
function filledExporter(port: number, sendBudget: SendBudget): Exporter {
  const exporter = new Exporter(
    'br0',
    {
      ...EXPORTER_DEFAULTS,
      recordFormat: 'original',
      activeTimeoutSeconds: 600,
      flowsMax: FLOW_COUNT,
      targets: [{ host: '127.0.0.1', port, text: `127.0.0.1:${port}` }],
    },
    {
      clock: systemClock,
      log: silentLogger,
      sendBudget,
      openSession: (target, listener) =>
        new UdpSession(target, listener, { clock: systemClock, log: silentLogger }),
    },
  );
  exporter.start();
  const frame = udpFrame({ sourcePort: 1 });
  for (let flow = 0; flow < FLOW_COUNT; flow += 1) {
    // The source address, which is part of the flow key.
    frame.writeUInt32BE(0x0a00_0000 + flow, 26);
    exporter.sample(frame, 0, frame.length, frame.length, 1, 1, 1, 1);
  }
  assert.equal(exporter.status().cache.flows, FLOW_COUNT);
  return exporter;
}

/** Flushes at the rate that lasts until the end of a stop; returns the records that the receiver lacks. */
async function flushAtRate(t: TestContext): Promise<number> {
  const { receiver, first } = await startReceiver(t);
  assert.equal(first.bufferBytes, BUFFER_BYTES);
  const sendBudget = new SendBudget(systemClock, MESSAGE_RATE_MAX);
  const exporter = filledExporter(first.port, sendBudget);
  await waitFor(() => exporter.status().collectors[0]?.state === 'open', { what: 'the session is open' });
  const beginMs = performance.now();
  sendBudget.endWithin(STOP_MS);
  assert.deepEqual(await exporter.stop(), { flowsUnsent: 0, recordsLost: 0 });
  t.diagnostic(`flushed in ${Math.round(performance.now() - beginMs)} ms`);
  const { records, missing } = await waitFor(
    async () => {
      const report = await ask(receiver);
      return report.records + report.missing >= FLOW_COUNT && report;
    },
    { what: 'the last record has arrived' },
  );
  assert.equal(records, FLOW_COUNT - missing);
  assert.ok(sendBudget.status().slicesDelayed > 0);
  return missing;
}

test('a flush of 100,000 flows loses none at a receiver with a buffer of 212,992 bytes', async (t) => {
  const missing: number[] = [];
  // Another program may keep the receiver from running for longer than its buffer lasts, but seldom three times.
  while (missing.at(-1) !== 0 && missing.length < ATTEMPTS_MAX) {
    missing.push(await flushAtRate(t));
  }
  assert.equal(missing.at(-1), 0, `missing: ${missing.join(', ')}`);
});

test('flows that do not fit into the time of a stop are reported as unsent', async (t) => {
  const { receiver, first } = await startReceiver(t);
  // 100,000 flows are some 4,000 messages: 4 s at this rate.
  const sendBudget = new SendBudget(systemClock, 1000);
  const exporter = filledExporter(first.port, sendBudget);
  await waitFor(() => exporter.status().collectors[0]?.state === 'open', { what: 'the session is open' });
  const beginMs = performance.now();
  sendBudget.endWithin(300);
  const { flowsUnsent, recordsLost } = await exporter.stop();
  const lastedMs = performance.now() - beginMs;
  assert.ok(lastedMs < 1000, `stopped after ${lastedMs} ms`);
  assert.ok(flowsUnsent > FLOW_COUNT / 2, `${flowsUnsent} unsent`);
  assert.equal(recordsLost, 0);
  const { records, missing } = await waitFor(
    async () => {
      const report = await ask(receiver);
      return report.records + report.missing >= FLOW_COUNT - flowsUnsent && report;
    },
    { what: 'the last record has arrived' },
  );
  assert.deepEqual({ records, missing }, { records: FLOW_COUNT - flowsUnsent, missing: 0 });
  assert.equal(exporter.status().flowsUnsent, flowsUnsent);
});
