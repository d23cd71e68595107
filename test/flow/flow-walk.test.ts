import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { FlowVisitor } from '../../src/flow/flow-cache.ts';
import { ENGINES, type EngineName, type FlowEngine } from '../../src/flow/flow-engine.ts';
import { addSample, engineOf } from './engines.ts';
import { flowKey, TEMPLATE_IDS } from './flow-samples.ts';

const noVisitor: FlowVisitor = { flow: () => {} };

function cacheWith(engine: EngineName, flowCount: number): FlowEngine {
  const cache = engineOf(engine, { activeTimeoutMicros: 1e9, flowsMax: 1e6, hashSeed: 1 });
  for (let number = 0; number < flowCount; number += 1) {
    add(cache, number);
  }
  return cache;
}

function add(cache: FlowEngine, number: number): void {
  const templateId = TEMPLATE_IDS[number % TEMPLATE_IDS.length] ?? 256;
  addSample(cache, flowKey(templateId, number), 0, 1000 + number, 1, 100);
}

/** Returns the number that `add` wrote into the key. */
function numberOf(record: { keyBytes: Buffer; keyStart: number; keySize: number }): number {
  return record.keyBytes.readUInt32BE(record.keyStart + record.keySize - 4);
}

for (const engine of ENGINES) {
  describe(`the engine ${engine}`, () => testEngine(engine));
}

function testEngine(engine: EngineName): void {
  test('visits each flow once, oldest first, across segments', () => {
    const cache = cacheWith(engine, 20_000);
    const walk = cache.walk();
    const seen: number[] = [];
    while (walk.next((record) => seen.push(numberOf(record)), 777)) {}
    assert.deepEqual(
      seen,
      Array.from({ length: 20_000 }, (_, number) => number),
    );
    assert.equal(
      walk.next(() => assert.fail('there is no more'), 10),
      false,
    );
  });

  test('visits nothing in an empty cache', () => {
    assert.equal(
      cacheWith(engine, 0)
        .walk()
        .next(() => assert.fail('nothing is there'), 10),
      false,
    );
  });

  test('visits flows that stay once and in order, and none that has left, whatever starts and leaves meanwhile', () => {
    const step = fc.record({
      look: fc.integer({ min: 0, max: 40 }),
      leave: fc.integer({ min: 0, max: 60 }),
      begin: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.array(step, { maxLength: 30 }), (flowCount, steps) => {
        const cache = cacheWith(engine, flowCount);
        const walk = cache.walk();
        const seen: number[] = [];
        let oldest = 0;
        let next = flowCount;
        for (const { look, leave, begin } of steps) {
          walk.next((record) => {
            const number = numberOf(record);
            assert.ok(number >= oldest, `${number} has left`);
            assert.ok(number > (seen.at(-1) ?? -1), 'in order');
            seen.push(number);
          }, look);
          oldest += cache.flush(noVisitor, leave);
          for (let count = 0; count < begin; count += 1) {
            add(cache, next);
            next += 1;
          }
        }
        while (walk.next((record) => seen.push(numberOf(record)), 50)) {}
        const staying = Array.from({ length: Math.max(flowCount - oldest, 0) }, (_, index) => oldest + index);
        assert.ok(staying.every((number) => seen.includes(number)));
        assert.ok(seen.length <= flowCount);
      }),
    );
  });
}
