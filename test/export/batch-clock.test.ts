import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchClock } from '../../src/export/batch-clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('stops both times within a batch, and continues after it', () => {
  const clock = new ManualClock(5_000_000, 1_000_000);
  const deferred: (() => void)[] = [];
  const batch = new BatchClock(clock, (callback) => deferred.push(callback));
  assert.equal(batch.wallMicros(), 5_000_000);
  clock.advance(700);
  assert.deepEqual([batch.monotonicMicros(), batch.wallMicros()], [1_000_000, 5_000_000]);
  assert.equal(deferred.length, 1, 'one end for the batch');
  deferred.pop()?.();
  assert.deepEqual([batch.monotonicMicros(), batch.wallMicros()], [1_000_700, 5_000_700]);
});

test('passes timers to the underlying clock', () => {
  const clock = new ManualClock();
  const batch = new BatchClock(clock, () => {});
  let isFired = false;
  batch.setTimer(() => {
    isFired = true;
  }, 3);
  batch.monotonicMicros();
  clock.advance(3000);
  assert.ok(isFired);
});
