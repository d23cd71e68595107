import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settlesWithin, within } from '../../src/runtime/within.ts';
import { ManualClock } from '../support/manual-clock.ts';

const never = new Promise<never>(() => {});

test('within returns the value of a promise that resolves in time, and leaves no timer', async () => {
  const clock = new ManualClock();
  assert.equal(await within(clock, 10, 'late', Promise.resolve(5)), 5);
  assert.equal(clock.pendingCount, 0);
});

test('within rejects with its message after the timeout, and with the failure of the promise before', async () => {
  const clock = new ManualClock();
  const late = within(clock, 10, 'no answer', never);
  clock.advance(10_000);
  await assert.rejects(late, { message: 'no answer' });
  await assert.rejects(within(clock, 10, 'late', Promise.reject(new Error('refused'))), {
    message: 'refused',
  });
  assert.equal(clock.pendingCount, 0);
});

test('settlesWithin says whether the promise or the timeout came first', async () => {
  const clock = new ManualClock();
  assert.equal(await settlesWithin(clock, 10, Promise.resolve()), true);
  const late = settlesWithin(clock, 10, never);
  clock.advance(9000);
  assert.equal(clock.pendingCount, 1);
  clock.advance(1000);
  assert.equal(await late, false);
  assert.equal(clock.pendingCount, 0);
});
