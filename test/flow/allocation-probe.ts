// Run by allocation.test.ts in its own process, with a young generation so large that nothing is collected during a
// measurement: the growth of the heap is what was allocated. Prints bytes a packet as JSON.

import { FlowCache, type FlowRecord } from '../../src/flow/flow-cache.ts';
import type { FlowEngine } from '../../src/flow/flow-engine.ts';
import { RecordRun } from '../../src/flow/record-run.ts';
import { BATCH_SAMPLES_MAX, SampleBatch } from '../../src/flow/sample-batch.ts';
import { MeterLedger } from '../../src/intake/meter-ledger.ts';
import { Sampler } from '../../src/intake/sampler.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { engineOf } from './engines.ts';

/** Rounds after which all that a packet runs through is compiled, what only some rounds do included. */
const WARM_UP_ROUND_COUNT = 8;
/** The result is the median of some rounds: in some of them code is deoptimised and compiled again. */
const ROUND_COUNT = 5;
const PACKETS_PER_ROUND = 300_000;
/** Packets that share one time, like those of a batch. */
const BATCH_COUNT = 1024;
/** Above 2^31, so that no time is a small integer. */
const START_MICROS = 5e12;

const frame = Buffer.from(
  '020000000002020000000001080045000028123400004006549a0a0000010a00000203e80050000000010000000050020000',
  'hex',
);
const key = new FlowKey();
const batch = new SampleBatch();
const collectGarbage = globalThis.gc;
const RECORD_HEADER_BYTES = 16;
const RECORD_BYTES = RECORD_HEADER_BYTES + frame.length;
const records = new RecordRun(() => {});
records.untilMicros[0] = Number.MAX_SAFE_INTEGER;
records.beforeMicros[0] = Number.MAX_SAFE_INTEGER;
const meter = { packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n };
let sink = 0;

const visitor = {
  flow(record: FlowRecord): void {
    sink ^= record.packetsLow ^ record.templateId ^ (record.keyBytes[record.keyStart] ?? 0);
  },
};

/** Samples of `flowCount` flows in turn; with `flowsMax` below that, each starts a flow and expires another. */
function run(cache: FlowCache, count: number, flowCount: number): void {
  for (let first = 0; first < count; first += BATCH_COUNT) {
    runBatch(cache, first, flowCount, START_MICROS + first).next();
  }
}

/** The same as an exporter does it: in batches, each sample with its own time. */
function runInBatches(cache: FlowCache, count: number, flowCount: number): void {
  for (let packet = 0; packet < count; packet += 1) {
    frame.writeUInt32BE(packet % flowCount, 26);
    const index = batch.count;
    const sample = batch.samples[index]!;
    dissect(frame, 0, frame.length, 22, sample);
    sample.domain = 1;
    sample.timeMicros = START_MICROS + packet;
    sample.weight = 400;
    sample.frameSize = 1514;
    sample.octets = 400 * 1514;
    batch.count = index + 1;
    if (batch.count === BATCH_SAMPLES_MAX) {
      cache.addBatch(batch, visitor, 16);
    }
  }
}

/** Frames that the engine in WebAssembly dissects; those of every second batch are read by it as records of a capture. */
function runInWasm(engine: FlowEngine, count: number, flowCount: number): void {
  const { batch, frames } = engine;
  for (let first = 0; first < count; first += BATCH_SAMPLES_MAX) {
    for (let index = 0; index < BATCH_SAMPLES_MAX; index += 1) {
      const at = index * RECORD_BYTES + RECORD_HEADER_BYTES;
      frames!.writeUInt32BE((first + index) % flowCount, at + 26);
      if ((first & BATCH_SAMPLES_MAX) === 0) {
        batch.timeMicros[0] = START_MICROS + first;
        engine.putFrame(at, at + frame.length, false, 1514, 400, 400 * 1514, 1, 22, 0);
      }
    }
    if (batch.count === 0) {
      records.at = 0;
      records.end = BATCH_SAMPLES_MAX * RECORD_BYTES;
      records.countMax = BATCH_SAMPLES_MAX;
      engine.addRecords(records, visitor, 16);
    }
    engine.addBatch(batch, visitor, 16);
  }
}

/** Returns an engine in WebAssembly, in whose memory a batch of records lies, all of one time. */
function wasmEngine(flowsMax: number): FlowEngine {
  const engine = engineOf('wasm', { activeTimeoutMicros: 60_000_000, flowsMax, hashSeed: 77 });
  for (let index = 0; index < BATCH_SAMPLES_MAX; index += 1) {
    const at = index * RECORD_BYTES;
    engine.frames!.writeUInt32LE(START_MICROS / 1_000_000, at);
    engine.frames!.writeUInt32LE(frame.length, at + 8);
    engine.frames!.writeUInt32LE(1514, at + 12);
    frame.copy(engine.frames!, at + RECORD_HEADER_BYTES);
    // UDP: the frame is too short for a header of TCP.
    engine.frames!.writeUInt8(17, at + RECORD_HEADER_BYTES + 23);
  }
  return engine;
}

/**
 * A generator, because it is never inlined: the time of the batch is one boxed number, as it is for the owner of a cache.
 * Inlined, it would be boxed for each call that is not.
 */
function* runBatch(cache: FlowCache, first: number, flowCount: number, nowMicros: number): Generator<void> {
  for (let packet = first; packet < first + BATCH_COUNT; packet += 1) {
    frame.writeUInt32BE(packet % flowCount, 26);
    dissect(frame, 0, frame.length, 22, key);
    cache.add(key, 1, nowMicros, 400, 1514);
    if (cache.isDue(nowMicros)) {
      cache.expire(nowMicros, visitor, 16);
    }
  }
  yield;
}

function weigh(sampler: Sampler, frameLength: number): number {
  const weight = sampler.weight();
  return weight ^ sampler.octets(frameLength);
}

function runSampler(ledger: MeterLedger, sampler: Sampler, count: number): void {
  for (let packet = 0; packet < count; packet += 1) {
    ledger.arrive(64 + (packet & 1023));
    sink ^= sampler.keep() ? weigh(sampler, 64 + (packet & 1023)) : 0;
  }
}

/** Sample actions of several probabilities, behind a meter that dropped half of the packets before. */
function runSetSampler(ledger: MeterLedger, sampler: Sampler, count: number): void {
  meter.packets += BigInt(2 * count);
  meter.dropped += BigInt(count);
  meter.octets += BigInt(1500 * count);
  meter.droppedOctets += BigInt(900 * count);
  ledger.observe(meter);
  for (let packet = 0; packet < count; packet += 1) {
    ledger.arrive(64 + (packet & 1023));
    sampler.setProbability(655 + (packet & 3) * 1000, 65_535);
    sink ^= sampler.keep() ? weigh(sampler, 64 + (packet & 1023)) : 0;
  }
}

/** Allocates one small object a packet: what the others would show if they did. */
function runAllocating(kept: object[], count: number): void {
  for (let packet = 0; packet < count; packet += 1) {
    kept[packet & 0xff] = { packet };
  }
}

function bytesPerPacket(body: (count: number) => void): number {
  for (let round = 0; round < WARM_UP_ROUND_COUNT; round += 1) {
    body(PACKETS_PER_ROUND);
  }
  const rounds: number[] = [];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    collectGarbage?.();
    const before = process.memoryUsage().heapUsed;
    body(PACKETS_PER_ROUND);
    rounds.push((process.memoryUsage().heapUsed - before) / PACKETS_PER_ROUND);
  }
  return rounds.sort((a, b) => a - b)[ROUND_COUNT >> 1] ?? Number.NaN;
}

const cacheOf = (flowsMax: number): FlowCache =>
  new FlowCache({ activeTimeoutMicros: 60_000_000, flowsMax, hashSeed: 77 });
const hits = cacheOf(10_000);
const churn = cacheOf(5000);
const batchHits = cacheOf(10_000);
const batchChurn = cacheOf(5000);
const wasmHits = wasmEngine(10_000);
const wasmChurn = wasmEngine(5000);
const ledger = new MeterLedger();
const hookSampler = new Sampler(3, ledger.factorCell, ledger.octetFactorCell);
hookSampler.setProbability(1, 400);
const lossyLedger = new MeterLedger();
const setSampler = new Sampler(4, lossyLedger.factorCell, lossyLedger.octetFactorCell);
const kept: object[] = [];
const result = {
  hits: bytesPerPacket((count) => run(hits, count, 4000)),
  churn: bytesPerPacket((count) => run(churn, count, 100_000)),
  hitsInBatches: bytesPerPacket((count) => runInBatches(batchHits, count, 4000)),
  churnInBatches: bytesPerPacket((count) => runInBatches(batchChurn, count, 100_000)),
  wasmHits: bytesPerPacket((count) => runInWasm(wasmHits, count, 4000)),
  wasmChurn: bytesPerPacket((count) => runInWasm(wasmChurn, count, 100_000)),
  hookSampler: bytesPerPacket((count) => runSampler(ledger, hookSampler, count)),
  setSampler: bytesPerPacket((count) => runSetSampler(lossyLedger, setSampler, count)),
  allocating: bytesPerPacket((count) => runAllocating(kept, count)),
  compensationFactor: lossyLedger.status().compensationFactor,
  octetCompensationFactor: lossyLedger.status().octetCompensationFactor,
  expired: churn.status().expiredByLackOfResources,
  aggregated: hits.status().aggregated,
  wasmExpired: wasmChurn.status().expiredByLackOfResources,
  wasmAggregated: wasmHits.status().aggregated,
  sink,
};
process.stdout.write(JSON.stringify(result));
