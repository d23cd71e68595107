import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageQueue } from '../../src/export/message-queue.ts';

/** A reproducible random generator (xorshift). */
function randomSource(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test('behaves like a list with a limit, whatever is pushed and shifted', () => {
  const seed = 20_240_101;
  const random = randomSource(seed);
  const queue = new MessageQueue(50);
  const model: Buffer[] = [];
  for (let step = 0; step < 20_000; step += 1) {
    // Long phases of growth and of decline, so that the ring often wraps, is full and is empty.
    const isGrowing = step % 400 < 200;
    if (random(10) < (isGrowing ? 7 : 3)) {
      const message = Buffer.alloc(1 + random(40), random(256));
      assert.equal(
        queue.push(message, message.length, step),
        model.length < 50,
        `seed ${seed}, step ${step}`,
      );
      if (model.length < 50) {
        model.push(message);
      }
    } else if (model.length > 0) {
      model.shift();
      queue.shift();
    }
    assert.equal(queue.count, model.length);
    const index = model.length === 0 ? -1 : random(model.length);
    if (index >= 0) {
      assert.deepEqual(queue.bytesAt(index), model[index], `seed ${seed}, step ${step}`);
      assert.equal(queue.sizeAt(index), model[index]?.length);
    }
  }
});

test('throws when it is shifted while empty', () => {
  assert.throws(() => new MessageQueue(1).shift(), /message queue is empty/);
});
