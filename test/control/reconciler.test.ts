import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reconciler } from '../../src/control/reconciler.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Makes a reconciliation that the test ends, and counts the running ones. */
function scriptedReconciliation() {
  const open: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const reconcile = () => new Promise<void>((resolve, reject) => open.push({ resolve, reject }));
  const finish = async (error?: Error) => {
    const first = open.shift();
    assert.ok(first, 'no reconciliation is running');
    if (error === undefined) {
      first.resolve();
    } else {
      first.reject(error);
    }
    // The reconciler continues in microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { reconcile, finish, open };
}

test('runs one more reconciliation after triggers during one, never two at a time', async () => {
  const { reconcile, finish, open } = scriptedReconciliation();
  const reconciler = new Reconciler({ clock: new ManualClock(), reconcile, onFailure: assert.fail });
  reconciler.trigger();
  reconciler.trigger();
  reconciler.trigger();
  assert.equal(open.length, 1);
  await finish();
  assert.equal(open.length, 1);
  await finish();
  assert.equal(open.length, 0);
  assert.deepEqual(reconciler.status(), {
    state: 'idle',
    reconcileCount: 2,
    failureCount: 0,
    lastError: undefined,
  });
});

test('retries a failed reconciliation with a backoff that doubles up to its limit, and resets it after a success', async () => {
  const clock = new ManualClock();
  const failures: string[] = [];
  const { reconcile, finish, open } = scriptedReconciliation();
  const onFailure = (error: Error) => failures.push(error.message);
  const reconciler = new Reconciler({ clock, reconcile, onFailure, retryMinMs: 100, retryMaxMs: 300 });
  reconciler.trigger();
  for (const pauseMs of [100, 200, 300, 300]) {
    await finish(new Error(`after this, ${pauseMs}`));
    assert.equal(reconciler.status().state, 'backoff');
    clock.advance(pauseMs * 1000 - 1);
    assert.equal(open.length, 0);
    clock.advance(1);
    assert.equal(open.length, 1);
  }
  await finish();
  assert.equal(reconciler.status().lastError, undefined);
  reconciler.trigger();
  await finish(new Error('again'));
  clock.advance(100_000);
  assert.equal(open.length, 1);
  assert.equal(failures.length, 5);
});

test('ends the backoff on a trigger', async () => {
  const { reconcile, finish, open } = scriptedReconciliation();
  const reconciler = new Reconciler({ clock: new ManualClock(), reconcile, onFailure: () => {} });
  reconciler.trigger();
  await finish(new Error('no'));
  reconciler.trigger();
  assert.equal(open.length, 1);
});

test('settled waits for the reconciliation and its retries, and stop releases it', async () => {
  const { reconcile, finish } = scriptedReconciliation();
  const reconciler = new Reconciler({ clock: new ManualClock(), reconcile, onFailure: () => {} });
  await reconciler.settled();
  reconciler.trigger();
  let isSettled = false;
  const settled = reconciler.settled().then(() => {
    isSettled = true;
  });
  await finish(new Error('no'));
  assert.equal(isSettled, false);
  reconciler.stop();
  await settled;
  reconciler.trigger();
  assert.equal(reconciler.status().state, 'stopped');
});
