// Outages of a collector over a reliable transport, at 2,000 records a second and with exact counts: each takes a second, and 60 s in
// `npm run test:outages`.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type {
  CollectorSession,
  CollectorTarget,
  SessionListener,
} from '../../src/export/collector-session.ts';
import type { ReliableSessionOptions } from '../../src/export/reliable-session.ts';
import { NumberedExporter, numbersOf, range, targetOf } from '../support/delivery.ts';
import type { StreamSink } from '../support/stream-sink.ts';
import { waitFor } from '../support/wait.ts';

const SECONDS = Number(process.env['OVS_IPFIX_OUTAGE_SECONDS'] ?? '1');
const RATE = 2000;
/** Records that the buffers of the system do not hold. */
const BURST = 60_000;

/** One reliable transport. */
export interface ReliableTransport {
  readonly name: 'tcp' | 'tls';
  readonly openSink: () => Promise<StreamSink>;
  openSession(
    options: Partial<ReliableSessionOptions>,
  ): (target: CollectorTarget, listener: SessionListener) => CollectorSession;
}

/** Waits until the sink has that many records. */
async function arrived(sink: StreamSink, count: number): Promise<void> {
  await waitFor(() => sink.records.length >= count, {
    what: `${count} records have arrived`,
    timeoutMs: 20_000,
  });
}

/** Declares the tests for one transport. */
export function testOutages(transport: ReliableTransport): void {
  const open = async (t: TestContext, options: Partial<ReliableSessionOptions> = {}) => {
    const sink = await transport.openSink();
    const other = await transport.openSink();
    const targets = [sink, other].map(({ target }) => targetOf(target));
    const openFirst = transport.openSession({ retryMinMs: 20, ...options });
    const openOther = transport.openSession({ retryMinMs: 20 });
    const numbered = new NumberedExporter(targets, (target, listener) =>
      (target.port === sink.port ? openFirst : openOther)(target, listener),
    );
    t.after(async () => {
      await numbered.exporter.stop();
      await Promise.all([sink.close(), other.close()]);
    });
    numbered.send(100);
    await Promise.all([arrived(sink, 100), arrived(other, 100)]);
    return { sink, other, numbered };
  };

  describe(`outages of a collector over ${transport.name} of ${SECONDS} s`, () => {
    test('nothing is lost while no process listens', async (t) => {
      const { sink, other, numbered } = await open(t);
      const port = await sink.close();
      await waitFor(() => numbered.collector().state === 'backoff', { what: 'the end is noticed' });
      const end = 100 + (await numbered.sendFor(SECONDS, RATE));
      await arrived(other, end);
      assert.ok(numbered.collector().backlogCount > 0);
      await sink.reopen(port);
      await arrived(sink, end);
      assert.deepEqual(numbersOf(sink.records), range(0, end));
      assert.deepEqual(sink.problems, [], 'templates come first, and numbers start over');
      const { recordsSent, recordsLost, backlogCount, connectionCount } = numbered.collector();
      assert.deepEqual([recordsSent, recordsLost, backlogCount, connectionCount], [end, 0, 0, 2]);
      assert.deepEqual([numbersOf(other.records), other.problems], [range(0, end), []]);
    });

    test('nothing is lost while a collector does not read, and others are served', async (t) => {
      const { sink, other, numbered } = await open(t);
      sink.pause();
      // What the buffers of the system hold is written at once.
      numbered.send(BURST);
      const end = 100 + BURST + (await numbered.sendFor(SECONDS, RATE));
      await arrived(other, end);
      assert.ok(numbered.collector().backlogCount > 0, 'messages wait');
      assert.ok(sink.records.length < end);
      sink.resume();
      await arrived(sink, end);
      assert.deepEqual([numbersOf(sink.records), sink.problems], [range(0, end), []]);
      assert.deepEqual([numbersOf(other.records), other.problems], [range(0, end), []]);
      const { recordsSent, recordsLost, recordsDeliveryUnknown, connectionCount } = numbered.collector();
      assert.deepEqual([recordsSent, recordsLost, recordsDeliveryUnknown, connectionCount], [end, 0, 0, 1]);
    });

    test('a reset of a collector that does not read loses at most what is counted apart', async (t) => {
      const { sink, other, numbered } = await open(t);
      sink.pause();
      numbered.send(BURST);
      const end = 100 + BURST + (await numbered.sendFor(SECONDS, RATE));
      await arrived(other, end);
      const before = sink.records.length;
      const handed = numbered.collector().recordsSent;
      assert.ok(handed > before && handed < end);
      sink.reset();
      sink.resume();
      await waitFor(() => numbersOf(sink.records.slice(-1))[0] === end - 1, {
        what: 'the last record has arrived',
        timeoutMs: 20_000,
      });
      const numbers = numbersOf(sink.records);
      assert.deepEqual(
        numbers.slice(before),
        range(handed, end),
        'what the kernel had not taken arrives once',
      );
      assert.deepEqual([numbers.slice(0, before), sink.problems], [range(0, before), []]);
      const { recordsSent, recordsLost, recordsDeliveryUnknown } = numbered.collector();
      assert.deepEqual([recordsSent, recordsLost], [end, 0]);
      const missing = end - numbers.length;
      assert.ok(missing > 0 && missing <= recordsDeliveryUnknown && recordsDeliveryUnknown <= handed);
    });

    test('a stop while a collector does not read counts exactly what arrives later', async (t) => {
      const { sink, numbered } = await open(t, { drainMs: 100 });
      sink.pause();
      numbered.send(BURST);
      await numbered.exporter.stop();
      const { recordsSent, recordsLost } = numbered.collector();
      assert.ok(recordsLost > 0 && recordsSent > 100);
      sink.resume();
      await waitFor(() => sink.openCount === 0, { what: 'the connection has ended', timeoutMs: 20_000 });
      assert.deepEqual([numbersOf(sink.records), sink.problems], [range(0, recordsSent), []]);
      assert.equal(recordsSent + recordsLost, 100 + BURST);
    });

    test('a full queue loses the newest records, which the sequence numbers say', async (t) => {
      const { sink, other, numbered } = await open(t, { queueBytesMax: 100_000 });
      sink.pause();
      numbered.send(BURST);
      const end = 100 + BURST + (await numbered.sendFor(SECONDS, RATE));
      await arrived(other, end);
      const { recordsLost, recordsLostBy, backlogBytes } = numbered.collector();
      assert.ok(recordsLost > 0 && backlogBytes <= 100_000);
      assert.equal(recordsLostBy.queueFull, recordsLost);
      sink.resume();
      await arrived(sink, end - recordsLost);
      numbered.send(10);
      await arrived(sink, end - recordsLost + 10);
      assert.deepEqual(numbersOf(sink.records.slice(-10)), range(end, end + 10));
      const gaps = sink.problems.map(({ code, message }) => {
        assert.equal(code, 'sequence-gap');
        return Number.parseInt(message, 10);
      });
      assert.equal(
        gaps.reduce((sum, count) => sum + count, 0),
        recordsLost,
      );
      assert.equal(numbered.collector(1).recordsLost, 0);
    });
  });
}
