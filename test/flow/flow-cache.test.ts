import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { FlowRecord } from '../../src/flow/flow-cache.ts';
import { ENGINES, type EngineName, type FlowEngine } from '../../src/flow/flow-engine.ts';
import { hashSecrets } from '../../src/flow/flow-hash.ts';
import { templateWithId } from '../../src/ipfix/record-layout.ts';
import { ComparedCaches } from './compared-caches.ts';
import { addSample, engineOf } from './engines.ts';
import { CollectingVisitor, flowKey, setKey } from './flow-samples.ts';

const SECOND = 1_000_000;

for (const engine of ENGINES) {
  describe(`the engine ${engine}`, () => testEngine(engine));
}

function testEngine(engine: EngineName): void {
  const cacheOf = (activeTimeoutMicros: number, flowsMax: number, flowBytesMax?: number): FlowEngine => {
    const options = { activeTimeoutMicros, flowsMax, hashSeed: 0x1234_5678 };
    return engineOf(engine, flowBytesMax === undefined ? options : { ...options, flowBytesMax });
  };

  test('expires each sample for activeTimeout with both limits 0', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    for (const now of [5, 5, 6]) {
      addSample(cache, flowKey(259, 1), 1, now, 1, 100);
      assert.equal(cache.nextExpiryMicros(), Number.NEGATIVE_INFINITY);
      cache.expire(now, visitor);
    }
    assert.deepEqual(
      visitor.flows.map((flow) => [flow.reason, flow.packets]),
      [
        [2, 1n],
        [2, 1n],
        [2, 1n],
      ],
    );
  });

  test('expires each sample for lackOfResources with a timeout and a limit of 0 flows', () => {
    const cache = cacheOf(60 * SECOND, 0);
    const visitor = new CollectingVisitor();
    for (const now of [5, 6]) {
      addSample(cache, flowKey(259, 1), 1, now, 1, 100);
      cache.expire(now, visitor);
    }
    assert.deepEqual(
      visitor.flows.map((flow) => flow.reason),
      [5, 5],
    );
  });

  test('expires a flow exactly at its start plus the timeout, and not a microsecond before', () => {
    const cache = cacheOf(10 * SECOND, 10);
    const visitor = new CollectingVisitor();
    addSample(cache, flowKey(259, 1), 1, 1000, 1, 100);
    addSample(cache, flowKey(259, 1), 1, 9 * SECOND, 1, 100);
    assert.equal(cache.nextExpiryMicros(), 10 * SECOND + 1000);
    assert.equal(cache.expire(10 * SECOND + 999, visitor), 0);
    assert.equal(cache.expire(10 * SECOND + 1000, visitor), 1);
    assert.equal(cache.nextExpiryMicros(), Number.POSITIVE_INFINITY);
  });

  test('prefers the timeout to the limit as the reason, and expires for the limit only what exceeds it', () => {
    const cache = cacheOf(10 * SECOND, 2);
    const visitor = new CollectingVisitor();
    for (const [number, start] of [0, 1, 8, 9, 9].entries()) {
      addSample(cache, flowKey(259, number), 1, start * SECOND, 1, 100);
    }
    cache.expire(11 * SECOND, visitor);
    assert.deepEqual(
      visitor.flows.map((flow) => [flow.key.slice(-2), flow.reason]),
      [
        ['00', 2],
        ['01', 2],
        ['02', 5],
      ],
    );
    assert.equal(cache.flowCount, 2);
  });

  test('separates flows of other domains and templates with equal hashes', () => {
    // Where the upper half of a secret word is 0, the hash does not depend on the word that it is added to.
    const seedWhere = (word: number): number => {
      for (let seed = 0; ; seed += 1) {
        if ((hashSecrets(seed)[word] ?? 0) >>> 16 === 0) {
          return seed;
        }
      }
    };
    const visitor = new CollectingVisitor();
    const key = flowKey(259, 5);
    const ofDomains = engineOf(engine, { activeTimeoutMicros: 0, flowsMax: 0, hashSeed: seedWhere(0) });
    addSample(ofDomains, key, 7, 1, 1, 100);
    addSample(ofDomains, key, 8, 1, 1, 100);
    assert.equal(ofDomains.flush(visitor), 2);
    const ofTemplates = engineOf(engine, { activeTimeoutMicros: 0, flowsMax: 0, hashSeed: seedWhere(1) });
    addSample(ofTemplates, key, 7, 1, 1, 100);
    // The key of 264 is one byte longer than that of 259, and has as many words.
    key.templateId = 264;
    key.size = 38;
    addSample(ofTemplates, key, 7, 1, 1, 100);
    assert.equal(ofTemplates.flush(visitor), 2);
    assert.deepEqual(
      visitor.take().map((flow) => [flow.domain, flow.templateId]),
      [
        [7, 259],
        [8, 259],
        [7, 259],
        [7, 264],
      ],
    );
  });

  test('counts exactly modulo 2^64 for any weight and size', () => {
    const weight = fc.oneof(
      fc.constantFrom(0, 1, 0xffff_ffff, 0x8000_0000, 2 ** 20 + 1),
      fc.nat({ max: 0xffff_ffff }),
    );
    const size = fc.oneof(fc.constantFrom(14, 15, 65_535, 65_549), fc.integer({ min: 14, max: 65_549 }));
    const samples = fc.array(fc.tuple(weight, size), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(samples, (samples) => {
        const pair = new ComparedCaches(engine, 0, 0, 1);
        for (const [weight, size] of samples) {
          pair.add(259, 1, 1, 1, weight, size);
          pair.add(517, 1, 1, 1, weight, size, 2 * (size % 7));
        }
        pair.expire(1, 1, false);
      }),
      { numRuns: 3000 },
    );
  });

  test('wraps counters at 2^64', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    const square = 0xffff_ffffn * 65_535n ** 2n;
    // Two of these exceed 2^64.
    for (const size of [65_549, 65_549, 0xffff_ffff, 0xffff_ffff]) {
      addSample(cache, flowKey(259, 1), 1, 1, 0xffff_ffff, size);
    }
    cache.expire(1, visitor);
    assert.equal(visitor.flows[0]?.squares, BigInt.asUintN(64, 4n * square));
    assert.equal(visitor.flows[0]?.octets, BigInt.asUintN(64, 2n * 0xffff_ffffn * (65_549n + 0xffff_ffffn)));
    assert.equal(visitor.flows[0]?.packets, 4n * 0xffff_ffffn);
  });

  test('limits a length to 65,535, and does not limit octets', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    addSample(cache, flowKey(261, 1), 1, 1, 2, 200_000);
    cache.expire(1, visitor);
    const [flow] = visitor.flows;
    assert.deepEqual(
      [flow?.minimum, flow?.maximum, flow?.squares, flow?.octets],
      [65_535, 65_535, 2n * 65_535n ** 2n, 400_000n],
    );
  });

  test('ignores a length of 0 in minimum and maximum', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    for (const size of [14, 114, 14, 94]) {
      addSample(cache, flowKey(259, 1), 1, 1, 1, size);
    }
    cache.expire(1, visitor);
    assert.deepEqual([visitor.flows[0]?.minimum, visitor.flows[0]?.maximum], [80, 100]);
  });

  test('expires the oldest flows for lack of resources beyond the limit in bytes, with a limit of 4 billion flows', () => {
    const flowBytes = 96;
    const cache = cacheOf(60 * SECOND, 0xffff_ffff, 10 * flowBytes);
    const visitor = new CollectingVisitor();
    for (let number = 0; number < 5000; number += 1) {
      addSample(cache, flowKey(259, number), 1, number, 1, 100);
      cache.expire(number, visitor);
      assert.ok(cache.flowCount <= 10);
    }
    assert.equal(cache.status().expiredByLackOfResources, 4990);
    assert.equal(cache.status().expiredByFlowBytes, 4990);
    assert.deepEqual([visitor.flows[0]?.key.slice(-8), visitor.flows[0]?.reason], ['00000000', 5]);
  });

  test('refuses new flows when its memory is full, and keeps counting in the old ones', () => {
    const cache = cacheOf(60 * SECOND, 0xffff_ffff, 96);
    const key = flowKey(259, 0);
    for (let number = 0; number < 9000; number += 1) {
      setKey(key, 259, number);
      addSample(cache, key, 1, 1, 1, 100);
    }
    const { flows, inserted, refused, memoryBytes } = cache.status();
    assert.ok(flows > 0 && flows < 9000);
    assert.deepEqual([inserted, inserted + refused], [flows, 9000]);
    assert.ok(memoryBytes < 1024 * 1024, `${memoryBytes} bytes`);
    setKey(key, 259, 0);
    addSample(cache, key, 1, 1, 1, 100);
    assert.equal(cache.status().aggregated, 1);
    const visitor = new CollectingVisitor();
    assert.equal(cache.expire(1, visitor, 1), 1);
    assert.equal(cache.flush(visitor), flows - 1);
    setKey(key, 259, 8999);
    addSample(cache, key, 1, 1, 1, 100);
    assert.equal(cache.flowCount, 1);
  });

  test('keeps the view valid during the call, although the flow has left', () => {
    const cache = cacheOf(0, 0);
    const key = flowKey(267, 77);
    addSample(cache, key, 0xffff_ffff, 2 ** 40 + 5, 3, 118);
    let seen: FlowRecord | undefined;
    cache.flush({
      flow(record) {
        seen = record;
        assert.equal(cache.flowCount, 0);
        assert.deepEqual(
          record.keyBytes.subarray(record.keyStart, record.keyStart + record.keySize),
          key.bytes.subarray(0, 70),
        );
        assert.equal(templateWithId(record.templateId).isIp, true);
        assert.equal(record.startMicros, 2 ** 40 + 5);
        assert.equal(record.observationDomainId, 0xffff_ffff);
      },
    });
    assert.notEqual(seen, undefined);
  });

  for (const [templateId, bytesMax] of [
    [259, 128],
    [265, 128],
    [261, 168],
    [267, 168],
    // Tagged as well: a flow of IPv4 in `extended` takes 16 bytes more than in `original`.
    [516, 144],
    [517, 144],
    [518, 144],
    [528, 144],
    [529, 144],
    [530, 144],
    [533, 184],
  ] as const) {
    test(`takes at most ${bytesMax} bytes for a flow of template ${templateId}, however full the index is`, () => {
      const cache = cacheOf(60 * SECOND, 0xffff_ffff);
      const key = flowKey(templateId, 0);
      // The index grows at 81,920 flows, and keeps its outgrown table for some 4,000 more.
      const counts = [60_000, 81_000, 90_000, 120_000];
      for (let number = 0; number < 120_000; number += 1) {
        setKey(key, templateId, number);
        addSample(cache, key, 1, 1, 1, 100);
        const { memoryBytes, flows } = cache.status();
        if (counts.includes(flows)) {
          assert.ok(memoryBytes <= bytesMax * flows, `${memoryBytes / flows} bytes at ${flows} flows`);
        }
      }
    });
  }

  test('releases memory after a peak', () => {
    const cache = cacheOf(60 * SECOND, 0xffff_ffff);
    const key = flowKey(261, 0);
    for (let number = 0; number < 100_000; number += 1) {
      setKey(key, 261, number);
      addSample(cache, key, 1, number, 1, 100);
    }
    const peak = cache.status().memoryBytes;
    assert.ok(peak > 12_000_000);
    cache.flush({ flow: () => undefined }, 99_000);
    // A memory of WebAssembly never shrinks: the engine has another one when it is empty.
    const kept = engine === 'wasm' ? peak : peak / 10;
    assert.ok(cache.status().memoryBytes <= kept, `${cache.status().memoryBytes} of ${peak} bytes`);
    cache.flush({ flow: () => undefined });
    assert.ok(cache.status().memoryBytes < 1024 * 1024);
  });

  test('carries packets into the high word for frames without bytes as well', () => {
    const cache = engineOf(engine, { activeTimeoutMicros: 0, flowsMax: 10, hashSeed: 1 });
    const visitor = new CollectingVisitor();
    for (const weight of [400, 0xffff_ffff]) {
      addSample(cache, flowKey(260, 3), 0, 1000, weight, 0);
    }
    cache.expire(1000, visitor);
    assert.equal(visitor.flows[0]?.packets, 0xffff_ffffn + 400n);
  });

  test('separates flows of the format extended by interface and by type and code of ICMP', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    const key = flowKey(518, 1);
    for (const trailing of [0x1_0800, 0x2_0800, 0x1_0000, 0x1_0800]) {
      setKey(key, 518, 1, trailing);
      addSample(cache, key, 1, 1, 1, 100);
    }
    cache.flush(visitor);
    assert.deepEqual(
      visitor.flows.map((flow) => [flow.key.split('/').slice(1).join('/'), flow.packets]),
      [
        ['1/2048', 2n],
        ['2/2048', 1n],
        ['1/0', 1n],
      ],
    );
  });

  test('adds octets of the length in the IP header, and ORs the TCP flags of all samples', () => {
    const cache = cacheOf(0, 0);
    const visitor = new CollectingVisitor();
    const key = flowKey(517, 1);
    for (const [length, flags, size, weight] of [
      [40, 0x02, 60, 3],
      [0, 0x10, 60, 1],
      [47, 0x18, 60, 1],
      [46, 0x01, 60, 0xffff_ffff],
    ] as const) {
      key.ipTotalLength = length;
      key.tcpControlBits = flags;
      addSample(cache, key, 1, 1, weight, size);
    }
    cache.flush(visitor);
    assert.equal(visitor.flows[0]?.ipOctets, 3n * 40n + 46n + 46n + 0xffff_ffffn * 46n);
    assert.equal(visitor.flows[0]?.tcpFlags, 0x1b);
    assert.equal(visitor.flows[0]?.octets, (5n + 0xffff_ffffn) * 60n);
  });
}
