import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/runtime/backoff.ts';

test('the delay doubles from the minimum to the maximum, and starts over after a success', () => {
  const backoff = new Backoff(100, 700);
  assert.equal(backoff.delayMs, 0);
  assert.deepEqual(
    Array.from({ length: 5 }, () => backoff.grow()),
    [100, 200, 400, 700, 700],
  );
  assert.equal(backoff.delayMs, 700);
  backoff.reset();
  assert.equal(backoff.delayMs, 0);
  assert.equal(backoff.grow(), 100);
});
