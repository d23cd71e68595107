import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ROWS_MS, OwnRowsWatch, unreachableCondition } from '../../src/control/own-rows-watch.ts';

const RIGHT = { port: 5, hasOwnSet: true, refusal: undefined };
const REFUSED = { ...RIGHT, hasOwnSet: false, refusal: 'the table is missing' };

test('reports rows that are refused, or a missing socket, after two seconds, and their end at once', () => {
  const watch = new OwnRowsWatch();
  watch.check(REFUSED, 0);
  assert.equal(watch.fault, undefined, 'they may be written soon');
  watch.check(REFUSED, NO_ROWS_MS);
  assert.equal(watch.fault, 'the table is missing');
  watch.check(RIGHT, NO_ROWS_MS + 1);
  assert.equal(watch.fault, undefined);
  const unopened = { ...RIGHT, port: undefined, hasOwnSet: false };
  watch.check(unopened, 9000);
  watch.check(unopened, 9000 + NO_ROWS_MS);
  assert.match(watch.fault ?? '', /no socket/u);
});

test('rows that are not written yet are not a fault', () => {
  const watch = new OwnRowsWatch();
  for (const nowMs of [0, NO_ROWS_MS, 10 * NO_ROWS_MS]) {
    watch.check({ ...RIGHT, hasOwnSet: false }, nowMs);
    assert.equal(watch.fault, undefined);
  }
});

test('the condition says what is missing, and what follows', () => {
  const about = {
    where: 'Bridge br0',
    severity: 'warning',
    consequence: 'so it is sampled otherwise.',
  } as const;
  const refused = unreachableCondition('br0', { ...about, fault: 'the table is missing' });
  assert.deepEqual([refused.code, refused.severity], ['no-own-rows', 'warning']);
  assert.match(refused.message, /\(the table is missing\), so it is sampled otherwise\.$/u);
  const silent = unreachableCondition('br0', { ...about, severity: 'error', fault: undefined });
  assert.deepEqual([silent.code, silent.severity], ['datapath-unreachable', 'error']);
});
