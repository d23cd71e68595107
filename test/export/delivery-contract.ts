// What every transport has to do, from samples to the records that a strict collector decodes: the test files of the transports
// call it.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type DeliveryTransport, NumberedExporter, numbersOf, range, targetOf } from '../support/delivery.ts';
import { waitFor } from '../support/wait.ts';

/** The error of a socket. */
const REFUSED = { code: 'ECONNREFUSED', text: /^no process listens at the port \(ECONNREFUSED\)$/u };

/** Declares the tests for one transport. */
export function testDelivery(transport: DeliveryTransport): void {
  const { name, isReliable, openSession, refusal = REFUSED } = transport;
  const { targetText = (port: number, host: string) => `${name}:${host}:${port}` } = transport;

  /** An exporter to collectors, which the test ends. */
  const open = async (t: TestContext, collectorCount: number, host = '127.0.0.1') => {
    const collectors = await Promise.all(Array.from({ length: collectorCount }, transport.openCollector));
    const targets = collectors.map(({ port }) => targetOf(targetText(port, host)));
    const numbered = new NumberedExporter(targets, openSession);
    t.after(async () => {
      await numbered.exporter.stop();
      await Promise.all(collectors.map((collector) => collector.close()));
    });
    return { numbered, collectors };
  };

  describe(`delivery over ${name}`, () => {
    for (const host of transport.hosts) {
      test(`each record arrives once and in order at ${host}, after its templates`, async (t) => {
        const { numbered, collectors } = await open(t, 1, host);
        for (let batch = 0; batch < 10; batch += 1) {
          numbered.send(20);
          await waitFor(() => collectors[0]?.records().length === (batch + 1) * 20, {
            what: 'a batch arrives',
          });
        }
        assert.deepEqual(numbersOf(collectors[0]?.records() ?? []), range(0, 200));
        assert.deepEqual(collectors[0]?.problems(), []);
        const {
          recordsSent,
          recordsLost,
          recordsDeliveryUnknown,
          state,
          transport: shown,
        } = numbered.collector();
        assert.deepEqual([recordsSent, recordsLost, recordsDeliveryUnknown], [200, 0, 0]);
        assert.deepEqual([state, shown], ['open', name]);
      });
    }

    test('a refusal is counted and named', async () => {
      const gone = await transport.openCollector();
      const { port } = gone;
      await gone.close();
      const numbered = new NumberedExporter([targetOf(targetText(port, '127.0.0.1'))], openSession);
      await waitFor(
        () => {
          numbered.send(1);
          return (numbered.collector().errors[refusal.code] ?? 0) > 1;
        },
        { what: 'refusals are counted' },
      );
      const { lastError, state } = numbered.collector();
      assert.match(lastError ?? '', refusal.text);
      assert.notEqual(state, 'open');
      await numbered.exporter.stop();
    });

    test('a stop sends what waits', async (t) => {
      const { numbered, collectors } = await open(t, 1);
      numbered.send(500);
      assert.deepEqual(await numbered.exporter.stop(), { flowsUnsent: 0, recordsLost: 0 });
      await waitFor(() => collectors[0]?.records().length === 500, { what: 'all have arrived' });
      assert.deepEqual(numbersOf(collectors[0]?.records() ?? []), range(0, 500));
      assert.deepEqual(collectors[0]?.problems(), []);
    });

    test('a collector that cannot be reached does not affect another one', async (t) => {
      const { numbered, collectors } = await open(t, 2);
      await collectors[0]?.close();
      for (let batch = 0; batch < 50; batch += 1) {
        numbered.send(20);
        await waitFor(() => collectors[1]?.records().length === (batch + 1) * 20, {
          what: 'a batch arrives',
        });
      }
      assert.deepEqual(numbersOf(collectors[1]?.records() ?? []), range(0, 1000));
      assert.deepEqual([collectors[1]?.problems(), numbered.collector(1).recordsLost], [[], 0]);
      assert.equal(
        numbered.collector(0).backlogCount > 0,
        isReliable,
        'only a reliable transport keeps them',
      );
    });
  });
}
