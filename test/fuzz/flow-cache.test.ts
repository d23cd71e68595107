// Each flow engine compared with a plain cache over generated operations and over many flows.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ENGINES, type EngineName } from '../../src/flow/flow-engine.ts';
import { ComparedCaches } from '../flow/compared-caches.ts';
import { TEMPLATE_IDS } from '../flow/flow-samples.ts';

const SECOND = 1_000_000;

const operation = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      what: fc.constant('add' as const),
      templateId: fc.constantFrom(...TEMPLATE_IDS),
      number: fc.nat({ max: 12 }),
      domain: fc.constantFrom(0, 1, 0xffff_ffff),
      later: fc.integer({ min: -3, max: 10 }),
      weight: fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(400, 0xffff_ffff)),
      size: fc.oneof(fc.constantFrom(0, 14, 18, 60), fc.integer({ min: 14, max: 65_535 })),
      extra: fc.nat({ max: 0x1_00ff }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constantFrom('expire' as const, 'flush' as const),
      countMax: fc.constantFrom(0, 1, 3, 100, Number.POSITIVE_INFINITY),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('limits' as const),
      timeout: fc.constantFrom(0, 5, 30),
      flowsMax: fc.constantFrom(0, 1, 5, 0xffff_ffff),
    }),
  },
);

for (const engine of ENGINES) {
  describe(`the engine ${engine}`, () => testEngine(engine));
}

function testEngine(engine: EngineName): void {
  test('agrees with the plain cache over any sequence of operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), fc.integer(), (operations, seed) => {
        const pair = new ComparedCaches(engine, 20, 8, seed);
        let now = 2 ** 32 - 100;
        for (const step of operations) {
          if (step.what === 'add') {
            now += step.later;
            pair.add(step.templateId, step.number, step.domain, now, step.weight, step.size, step.extra);
          } else if (step.what === 'limits') {
            pair.setLimits(step.timeout, step.flowsMax);
          } else {
            pair.expire(now, step.countMax, step.what === 'flush');
          }
          pair.check();
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('agrees with the plain cache while tens of thousands of flows start and expire', () => {
    const pair = new ComparedCaches(engine, 40 * SECOND, 30_000, 99);
    // A walk over flow numbers with steps back of half their length: hits, insertions, growth, shrinking, reused segments.
    let seed = 7;
    for (let round = 0; round < 150_000; round += 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      const number = round - ((seed >>> 8) % 20_000);
      const templateId = TEMPLATE_IDS[Math.abs(number) % TEMPLATE_IDS.length] ?? 256;
      const extra = (number & 0x1_0001) + 2 * (seed % 100);
      pair.add(templateId, Math.abs(number), 1, round * 1000, 1 + (seed % 3), 60 + (seed % 1000), extra);
      if (round % 50 === 0) {
        pair.expire(round * 1000, 400, false);
      }
      if (round % 40_000 === 39_999) {
        pair.check();
        pair.expire(round * 1000, 25_000, true);
        pair.check();
      }
    }
    pair.expire(0, Number.POSITIVE_INFINITY, true);
    assert.equal(pair.cache.flowCount, 0);
  });
}
