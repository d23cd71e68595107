// Records that the engine in WebAssembly reads itself: what tells flows apart that a capture never has side by side.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowEngine } from '../../src/flow/flow-engine.ts';
import { hashSecrets } from '../../src/flow/flow-hash.ts';
import { RecordRun } from '../../src/flow/record-run.ts';
import { engineOf } from './engines.ts';
import { CollectingVisitor } from './flow-samples.ts';

const UDP_FRAME = Buffer.from(
  '02000000000102000000000208004500002e00000000401100000a000001c0a8000004000035001a0000',
  'hex',
);
const RECORD_BYTES = 16 + UDP_FRAME.length;
/** Two batches. */
const RECORDS = 64;

/** Writes the record of that index, and returns its frame. */
function putRecord(frames: Buffer, index: number, micros: number): Buffer {
  const at = index * RECORD_BYTES;
  frames.writeUInt32LE(micros, at + 4);
  frames.writeUInt32LE(UDP_FRAME.length, at + 8);
  frames.writeUInt32LE(UDP_FRAME.length, at + 12);
  UDP_FRAME.copy(frames, at + 16);
  return frames.subarray(at + 16, at + RECORD_BYTES);
}

test('frames of another interface, another point and another domain are of other flows', () => {
  const engine = engineOf('wasm', { activeTimeoutMicros: 60_000_000, flowsMax: 100, hashSeed: 77 });
  const frames = engine.frames!;
  for (let index = 0; index < RECORDS; index += 1) {
    putRecord(frames, index, index);
  }
  const visitor = new CollectingVisitor();
  const run = new RecordRun(() => {});
  run.isExtended = true;
  run.untilMicros[0] = 1_000_000;
  run.beforeMicros[0] = 1_000_000;
  const read = (
    change: Partial<Pick<RecordRun, 'ingressInterface' | 'observationPointId' | 'domain'>>,
  ): void => {
    Object.assign(run, { ingressInterface: 1, observationPointId: 1, domain: 1 }, change);
    run.at = 0;
    run.end = RECORDS * RECORD_BYTES;
    run.countMax = RECORDS;
    run.lastMicros[0] = 0;
    run.batchEndMicros[0] = 1_000_000;
    engine.addRecords(run, visitor, 16);
    assert.equal(run.count, RECORDS);
  };
  read({});
  read({});
  read({ ingressInterface: 2 });
  read({ observationPointId: 2 });
  read({ domain: 2 });
  assert.equal(engine.batch.count, 0);
  engine.flush(visitor);
  assert.deepEqual(
    visitor.flows.map(({ packets }) => packets),
    [128n, 64n, 64n, 64n],
  );
});

/** So many that entries are read ahead. */
const MANY_FLOWS = 4200;
const HASH_SEED = 77;
/** Where the frame has the lower half of the source address, and the word of the key that begins in the destination address. */
const SOURCE_AT = 28;
const KEY_WORD = 8;
const KEY_WORD_AT = 33;

/** An engine that reads records of frames which `change` has made different, each a microsecond after the one before. */
class RecordReader {
  readonly engine: FlowEngine;
  readonly visitor = new CollectingVisitor();
  readonly #frames: Buffer;
  readonly #run = new RecordRun(() => {});
  #micros = 0;

  constructor(flowsMax: number, isExtended: boolean, activeTimeoutMicros = 60_000_000) {
    this.engine = engineOf('wasm', { activeTimeoutMicros, flowsMax, hashSeed: HASH_SEED });
    this.#frames = this.engine.frames!;
    this.#run.isExtended = isExtended;
    this.#run.passMicros = 1_000_000;
  }

  /** Lets time pass before the next record. */
  wait(micros: number): void {
    this.#micros += micros;
  }

  read(count: number, change: (frame: Buffer, index: number) => void): void {
    for (let index = 0; index < count; index += 1) {
      change(putRecord(this.#frames, index, this.#micros), index);
      this.#micros += 1;
    }
    const run = this.#run;
    Object.assign(run, { at: 0, end: count * RECORD_BYTES, countMax: count });
    run.untilMicros[0] = this.#micros;
    run.beforeMicros[0] = this.#micros + 1;
    run.batchEndMicros[0] = this.#micros;
    while (run.countMax > 0) {
      this.engine.addRecords(run, this.visitor, 16);
      run.countMax -= run.count;
    }
    this.engine.addBatch(this.engine.batch, this.visitor, 16);
  }

  /** Returns inserted and aggregated samples. */
  counts(): readonly number[] {
    const { inserted, aggregated } = this.engine.status();
    return [inserted, aggregated];
  }
}

for (const isExtended of [false, true]) {
  const format = isExtended ? 'extended' : 'original';

  test(`${format}: flows with the same hash among thousands stay apart`, () => {
    const reader = new RecordReader(1e6, isExtended);
    reader.read(MANY_FLOWS, (frame, index) => frame.writeUInt16BE(index, SOURCE_AT));
    // The hash multiplies the halves of the sum of a word and a secret: it is 0 for these.
    const word = -hashSecrets(HASH_SEED)[2 + KEY_WORD]!;
    const change = (frame: Buffer, index: number): unknown =>
      frame.writeInt32LE((word + (index % 3)) | 0, KEY_WORD_AT);
    reader.read(RECORDS, change);
    reader.read(RECORDS, change);
    reader.engine.flush(reader.visitor);
    assert.deepEqual(
      reader.visitor.flows.slice(MANY_FLOWS).map(({ packets }) => packets),
      [44n, 42n, 42n],
    );
  });

  test(`${format}: a flow that expires within a batch starts anew in the same one`, () => {
    const reader = new RecordReader(MANY_FLOWS, isExtended);
    reader.read(MANY_FLOWS, (frame, index) => frame.writeUInt16BE(index, SOURCE_AT));
    assert.deepEqual(reader.counts(), [MANY_FLOWS, 0]);
    // A new flow, which the oldest one gives way to, then those that have just given way.
    reader.read(32, (frame, index) => frame.writeUInt16BE(index === 0 ? 0xffff : index - 1, SOURCE_AT));
    assert.deepEqual(reader.counts(), [MANY_FLOWS + 32, 0]);
    assert.ok(reader.visitor.flows.every(({ packets }) => packets === 1n));
    reader.engine.flush(reader.visitor);
    assert.equal(reader.visitor.flows.length, MANY_FLOWS + 32);
  });
}

test('thousands of flows that are due at once are passed in order, some hundreds at a time', () => {
  const reader = new RecordReader(1e6, false, 10_000);
  const change = (frame: Buffer, index: number): unknown => frame.writeUInt16BE(index, SOURCE_AT);
  reader.read(MANY_FLOWS, change);
  assert.deepEqual(reader.counts(), [MANY_FLOWS, 0]);
  reader.wait(20_000);
  reader.read(RECORDS * 8, (frame) => frame.writeUInt16BE(0xffff, SOURCE_AT));
  const starts = reader.visitor.flows.map(({ startMicros }) => startMicros);
  assert.deepEqual(
    starts,
    Array.from({ length: MANY_FLOWS }, (_, index) => index),
  );
  assert.ok(reader.visitor.flows.every(({ packets, reason }) => packets === 1n && reason === 2));
});
