// Records that the engine in WebAssembly reads itself: what tells flows apart that a capture never has side by side.

import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('frames of another interface, another point and another domain are of other flows', () => {
  const engine = engineOf('wasm', { activeTimeoutMicros: 60_000_000, flowsMax: 100, hashSeed: 77 });
  const frames = engine.frames!;
  for (let index = 0; index < RECORDS; index += 1) {
    const at = index * RECORD_BYTES;
    frames.writeUInt32LE(index, at + 4);
    frames.writeUInt32LE(UDP_FRAME.length, at + 8);
    frames.writeUInt32LE(UDP_FRAME.length, at + 12);
    UDP_FRAME.copy(frames, at + 16);
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
