import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { OnceATurn, TurnGate, TurnQueue } from '../../src/runtime/turns.ts';

test('runs once for all requests of a turn, and again for those of the next', async () => {
  let runs = 0;
  const once = new OnceATurn(() => {
    runs += 1;
  });
  for (let request = 0; request < 1000; request += 1) {
    once.schedule();
  }
  assert.deepEqual([runs, once.isDue], [0, true]);
  await turn();
  assert.deepEqual([runs, once.isDue], [1, false]);
  once.schedule();
  await turn();
  await turn();
  assert.equal(runs, 2);
});

test('a run may request the next one', async () => {
  let runs = 0;
  const once: OnceATurn = new OnceATurn(() => {
    runs += 1;
    if (runs < 3) {
      once.schedule();
    }
  });
  once.schedule();
  await turn();
  await turn();
  await turn();
  await turn();
  assert.equal(runs, 3);
});

test('works through a list some items a turn, the first ones at once, and says once that all are done', async () => {
  const done: number[] = [];
  let ends = 0;
  const queue = new TurnQueue<number>(
    2,
    (item) => done.push(item),
    () => {
      ends += 1;
    },
  );
  queue.replace([1, 2]);
  await turn();
  assert.deepEqual([done, ends], [[1, 2], 0]);
  queue.replace([3, 4, 5, 6, 7]);
  assert.deepEqual([done, queue.size], [[1, 2, 3, 4], 3]);
  await turn();
  assert.deepEqual([done, queue.size, ends], [[1, 2, 3, 4, 5, 6], 1, 0]);
  // A turn is scheduled, so nothing is done before it.
  queue.replace([8]);
  assert.equal(queue.size, 1);
  await turn();
  await turn();
  assert.deepEqual([done, queue.size, ends], [[1, 2, 3, 4, 5, 6, 8], 0, 1]);
});

test('lets a number of callers pass in a turn, in their order', async () => {
  const gate = new TurnGate(3);
  const passed: number[] = [];
  for (let index = 0; index < 8; index += 1) {
    void gate.pass().then(() => passed.push(index));
  }
  const counts: number[] = [];
  for (let turns = 0; turns < 4; turns += 1) {
    await turn();
    counts.push(passed.length);
  }
  assert.deepEqual(passed, [0, 1, 2, 3, 4, 5, 6, 7]);
  const steps = counts.map((count, index) => count - (counts[index - 1] ?? 0));
  assert.ok(
    steps.every((step, index) => step <= (index === 0 ? 6 : 3)),
    counts.join(' '),
  );
  await gate.pass();
});
