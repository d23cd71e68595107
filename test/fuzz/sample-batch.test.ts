// Batches compared with the same samples one by one, each followed by the expiry of what is due.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FlowCache } from '../../src/flow/flow-cache.ts';
import { BATCH_SAMPLES_MAX, SampleBatch } from '../../src/flow/sample-batch.ts';
import { CollectingVisitor, flowKey, setKey, TEMPLATE_IDS } from '../flow/flow-samples.ts';

const EXPIRIES_MAX = 3;

interface Sample {
  readonly templateId: number;
  readonly number: number;
  readonly domain: number;
  readonly nowMicros: number;
  readonly weight: number;
  readonly size: number;
}

/** Two caches with the same secret, one of which gets batches. */
class Caches {
  readonly plain: FlowCache;
  readonly batched: FlowCache;
  readonly seenPlain = new CollectingVisitor();
  readonly seenBatched = new CollectingVisitor();
  readonly #batch = new SampleBatch();
  readonly #key = flowKey(256, 0);

  constructor(activeTimeoutMicros: number, flowsMax: number) {
    const options = { activeTimeoutMicros, flowsMax, hashSeed: 4739 };
    this.plain = new FlowCache(options);
    this.batched = new FlowCache(options);
  }

  add(samples: readonly Sample[]): void {
    const batch = this.#batch;
    for (const { templateId, number, domain, nowMicros, weight, size } of samples) {
      setKey(this.#key, templateId, number);
      this.#key.ipTotalLength = size >> 1;
      this.#key.tcpControlBits = weight & 0xff;
      this.plain.add(this.#key, domain, nowMicros, weight, size);
      if (this.plain.isDue(nowMicros)) {
        this.plain.expire(nowMicros, this.seenPlain, EXPIRIES_MAX);
      }
      const index = batch.count;
      const sample = batch.samples[index];
      assert.ok(sample !== undefined);
      setKey(sample, templateId, number);
      sample.ipTotalLength = size >> 1;
      sample.tcpControlBits = weight & 0xff;
      sample.domain = domain | 0;
      sample.timeMicros = nowMicros;
      sample.weight = weight;
      sample.frameSize = size;
      sample.octets = weight * size;
      batch.count = index + 1;
    }
    const before = this.seenBatched.flows.length;
    const expiredCount = this.batched.addBatch(batch, this.seenBatched, EXPIRIES_MAX);
    assert.equal(expiredCount, this.seenBatched.flows.length - before);
    assert.equal(batch.count, 0);
  }

  /** Checks that both have passed on and counted the same, and flush the same. */
  compare(): void {
    assert.deepEqual(this.batched.status(), this.plain.status());
    assert.equal(this.batched.nextExpiryMicros(), this.plain.nextExpiryMicros());
    this.plain.flush(this.seenPlain);
    this.batched.flush(this.seenBatched);
    assert.deepEqual(this.seenBatched.take(), this.seenPlain.take());
  }
}

test('adds a batch with the same result as its samples one by one', () => {
  const sample = fc.record({
    templateId: fc.constantFrom(...TEMPLATE_IDS),
    number: fc.nat({ max: 9 }),
    domain: fc.constantFrom(0, 0xffff_ffff),
    later: fc.integer({ min: -3, max: 12 }),
    weight: fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(400, 0xffff_ffff)),
    size: fc.oneof(fc.constantFrom(0, 14, 60, 46_341, 65_549), fc.integer({ min: 14, max: 100_000 })),
  });
  const batches = fc.array(fc.array(sample, { minLength: 1, maxLength: BATCH_SAMPLES_MAX }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(batches, fc.constantFrom(0, 5, 100), fc.constantFrom(0, 1, 6, 1000), (all, timeout, max) => {
      const caches = new Caches(timeout, max);
      let nowMicros = 2 ** 32 - 50;
      for (const batch of all) {
        caches.add(
          batch.map(({ later, ...rest }) => {
            nowMicros += later;
            return { ...rest, nowMicros };
          }),
        );
      }
      caches.compare();
    }),
    { numRuns: 1000 },
  );
});

test('adds batches with the same result while a large cache grows, turns over and shrinks', () => {
  const caches = new Caches(50_000_000, 40_000);
  let seed = 11;
  let sent = 0;
  while (sent < 200_000) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    const count = 1 + ((seed >>> 10) % BATCH_SAMPLES_MAX);
    const first = sent;
    sent += count;
    caches.add(
      Array.from({ length: count }, (_, index) => {
        const number = first + index - ((Math.imul(seed, index + 1) >>> 9) % 30_000);
        return {
          templateId: TEMPLATE_IDS[Math.abs(number) % TEMPLATE_IDS.length] ?? 256,
          number: Math.abs(number),
          domain: 1,
          nowMicros: (first + index) * 500,
          weight: 1 + (index % 2),
          size: 60 + (number & 511),
        };
      }),
    );
  }
  assert.ok(caches.plain.status().aggregated > 50_000 && caches.plain.status().expiredByLackOfResources > 0);
  caches.compare();
});
