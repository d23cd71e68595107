// Changes of the record format under generated sequences of samples and changes of options.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { FormatBench, SECOND, target } from '../export/format-bench.ts';

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('sample' as const), count: fc.nat({ max: 400 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('format' as const),
      format: fc.constantFrom<RecordFormat>('original', 'extended'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('turn' as const, 'flush' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('limits' as const),
      activeTimeoutSeconds: fc.constantFrom(0, 1, 600),
      flowsMax: fc.constantFrom(0, 100, 100_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('collector' as const), port: fc.nat({ max: 2 }) }) },
);

test('loses and mixes nothing over any sequence of samples, changes of the format and other options', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const bench = new FormatBench({ activeTimeoutSeconds: 600, flowsMax: 100_000, targets: [target(9)] });
      let format: RecordFormat = 'original';
      const began = new Map<number, RecordFormat>();
      for (const each of steps) {
        if (each.what === 'sample') {
          for (let count = 0; count < each.count; count += 1) {
            began.set(began.size, format);
            bench.sample(began.size - 1);
          }
        } else if (each.what === 'format') {
          format = each.format;
          bench.configure({ recordFormat: format });
        } else if (each.what === 'limits') {
          bench.configure({ activeTimeoutSeconds: each.activeTimeoutSeconds, flowsMax: each.flowsMax });
        } else if (each.what === 'collector') {
          bench.configure({ targets: [target(9), target(each.port)] });
        } else if (each.what === 'flush') {
          void bench.exporter.flush();
        } else {
          bench.turn();
        }
      }
      bench.configure({ activeTimeoutSeconds: 0 });
      bench.clock.advance(SECOND);
      await bench.settle();
      const sent = bench.records();
      assert.deepEqual(
        sent.map(({ flow, format }) => `${flow} ${format}`),
        Array.from(began, ([flow, format]) => `${flow} ${format}`),
      );
      // Collectors that were added meanwhile can decode what they got.
      for (let index = 1; bench.messages(index).length > 0; index += 1) {
        bench.records(index);
      }
    }),
    { numRuns: 150 },
  );
});
