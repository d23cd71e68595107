// Changes of the record format while an exporter runs: flows are sent in the format that they began in, older ones first, and
// none is lost or counted twice, whatever else happens meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLICE_RECORDS_MAX } from '../../src/export/cache-flush.ts';
import { FormatBench } from './format-bench.ts';

for (const isReliable of [false, true]) {
  const transport = isReliable ? 'a reliable transport' : 'UDP';
  test(`sends older flows in their format, then the templates of the new one, then its records, over ${transport}`, async () => {
    const bench = new FormatBench({ activeTimeoutSeconds: 600, flowsMax: 100_000 }, isReliable);
    const count = 3 * SLICE_RECORDS_MAX + 10;
    for (let flow = 0; flow < count; flow += 1) {
      bench.sample(flow);
    }
    await bench.settle();
    assert.equal(bench.records().length, 0);
    bench.configure({ recordFormat: 'extended' });
    assert.ok(bench.records().length < count, 'not all at once');
    // The same flows, and new ones, while the older ones are sent.
    for (let flow = 0; flow < count + 5; flow += 1) {
      bench.sample(flow);
    }
    await bench.settle();
    const older = bench.records();
    assert.deepEqual(
      older,
      Array.from({ length: count }, (_, flow) => ({ flow, format: 'original', packets: 1, reason: 4 })),
    );
    assert.equal(bench.exporter.status().cache.flows, count + 5);
    void bench.exporter.stop();
    await bench.settle();
    const newer = bench.records().slice(count);
    assert.deepEqual(
      newer.map(({ flow }) => flow),
      Array.from({ length: count + 5 }, (_, flow) => flow),
    );
    assert.ok(newer.every(({ format, packets }) => format === 'extended' && packets === 1));
    // A template message begins with the set 2, and then with the id of its first template.
    const kinds = bench.messages().map((bytes) => {
      const setId = bytes.readUInt16BE(16);
      const isNew = (setId === 2 ? bytes.readUInt16BE(20) : setId) >= 512;
      return `${isNew ? 'extended' : 'original'} ${setId === 2 ? 'templates' : 'records'}`;
    });
    assert.deepEqual(
      kinds.filter((kind, index) => kind !== kinds[index - 1]),
      ['original templates', 'original records', 'extended templates', 'extended records'],
    );
  });
}

test('changes the format at once without a cache, and for each observation domain', async () => {
  const bench = new FormatBench({});
  for (const format of ['original', 'extended', 'original'] as const) {
    bench.configure({ recordFormat: format });
    for (const domain of [1, 2]) {
      bench.sample(domain, domain);
    }
    await bench.settle();
  }
  assert.deepEqual(
    bench.records().map(({ flow, format }) => `${flow} ${format}`),
    ['1 original', '2 original', '1 extended', '2 extended', '1 original', '2 original'],
  );
  assert.equal(bench.exporter.status().options.recordFormat, 'original');
});
