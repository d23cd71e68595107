import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SetIdWatch } from '../../src/control/set-id-watch.ts';

test('avoids an id for which records of another domain arrive, once', () => {
  const watch = new SetIdWatch();
  assert.equal(watch.check(7, { own: 0, others: 0 }), undefined);
  assert.equal(watch.check(7, { own: 1, others: 0 }), undefined);
  assert.equal(watch.check(7, { own: 1, others: 1 }), 7);
  assert.equal(watch.check(7, { own: 1, others: 2 }), undefined, 'it moves already');
  assert.deepEqual([...watch.avoided], [7]);
});

test('does not blame an id for records of the set before it', () => {
  const watch = new SetIdWatch();
  watch.check(7, { own: 1, others: 0 });
  assert.equal(watch.check(7, { own: 2, others: 0 }), undefined);
  assert.equal(watch.check(8, { own: 2, others: 5 }), undefined);
  assert.equal(watch.check(8, { own: 2, others: 9 }), undefined, 'the new set is not heard yet');
  assert.equal(watch.check(8, { own: 3, others: 9 }), undefined);
  assert.equal(watch.check(8, { own: 3, others: 9 }), undefined);
  assert.equal(watch.check(undefined, { own: 3, others: 10 }), undefined, 'there is no own set');
  assert.deepEqual([...watch.avoided], []);
});
