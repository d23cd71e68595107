import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reconciler } from '../../src/control/reconciler.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A pass that the test ends by hand, with a count of those under way. */
function handMadePass() {
  const open: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const pass = () => new Promise<void>((resolve, reject) => open.push({ resolve, reject }));
  const finish = async (error?: Error) => {
    const first = open.shift();
    assert.ok(first, 'no pass is under way');
    if (error === undefined) {
      first.resolve();
    } else {
      first.reject(error);
    }
    // The reconciler goes on in microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { pass, finish, open };
}

test('marks during a pass lead to one more pass, never to two at a time', async () => {
  const { pass, finish, open } = handMadePass();
  const reconciler = new Reconciler({ clock: new ManualClock(), pass, onFailure: assert.fail });
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
    passCount: 2,
    failureCount: 0,
    lastError: undefined,
  });
});

test('a failed pass is repeated after a pause that doubles up to its limit, and begins anew after a success', async () => {
  const clock = new ManualClock();
  const failures: string[] = [];
  const { pass, finish, open } = handMadePass();
  const onFailure = (error: Error) => failures.push(error.message);
  const reconciler = new Reconciler({ clock, pass, onFailure, retryMinMs: 100, retryMaxMs: 300 });
  reconciler.trigger();
  for (const pauseMs of [100, 200, 300, 300]) {
    await finish(new Error(`after this, ${pauseMs}`));
    assert.equal(reconciler.status().state, 'waiting');
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

test('a mark cuts the pause short', async () => {
  const { pass, finish, open } = handMadePass();
  const reconciler = new Reconciler({ clock: new ManualClock(), pass, onFailure: () => {} });
  reconciler.trigger();
  await finish(new Error('no'));
  reconciler.trigger();
  assert.equal(open.length, 1);
});

test('settled waits for the pass and its repetitions, and stop lets it go', async () => {
  const { pass, finish } = handMadePass();
  const reconciler = new Reconciler({ clock: new ManualClock(), pass, onFailure: () => {} });
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
