// The account of a round, by facts that are written here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountOf, lengthWithout, type RoundFacts, TRANSIT_MS } from './account.ts';

/** Packets of the numbers 1 to `count`, one each 100 ms, and a record of each that is not in `missing`. */
function factsOf(count: number, missing: readonly number[], more: Partial<RoundFacts> = {}): RoundFacts {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return {
    injections: numbers.map((number) => ({ number, beforeMs: number * 100, afterMs: number * 100 + 1 })),
    exported: new Map(numbers.filter((number) => !missing.includes(number)).map((number) => [number, 1])),
    gaps: [],
    switchOutages: [],
    daemonOutages: [],
    uncounted: [],
    thinned: [],
    counted: 0,
    ...more,
  };
}

test('a packet that is neither exported nor explained is found, and shown', () => {
  const account = accountOf(factsOf(9, [4]));
  assert.equal(account.unexplained, 1);
  assert.deepEqual(
    account.firstUnexplained.map(({ number }) => number),
    [4],
  );
  assert.equal(accountOf(factsOf(9, [])).unexplained, 0);
});

test('a gap explains the packets within it, and no other', () => {
  const gap = { cause: 'hook', fromMs: 350, toMs: 450 };
  const { inGaps, unexplained, gapMs } = accountOf(factsOf(9, [4, 7], { gaps: [gap] }));
  assert.deepEqual([inGaps, unexplained, gapMs], [1, 1, 100]);
  const late = { ...gap, fromMs: 401 + TRANSIT_MS + 1 };
  assert.equal(accountOf(factsOf(9, [4], { gaps: [late] })).unexplained, 1);
});

test('counters explain as many packets as they have, and more losses than packets are wrong as well', () => {
  assert.equal(accountOf(factsOf(9, [1, 2], { counted: 2 })).unexplained, 0);
  assert.equal(accountOf(factsOf(9, [1, 2], { counted: 1 })).unexplained, 1);
  assert.equal(accountOf(factsOf(9, [1, 2], { counted: 3 })).unexplained, -1);
});

test('a packet of a gap may be in a counter, too', () => {
  const gaps = [{ cause: 'connection', fromMs: 350, toMs: 450 }];
  assert.equal(accountOf(factsOf(9, [4], { gaps, counted: 1 })).unexplained, 0);
});

test('a packet that is exported twice is wrong, but at a change of the exporter', () => {
  const exported = new Map([
    [1, 1],
    [2, 2],
  ]);
  const gaps = [{ cause: 'take-over', fromMs: 150, toMs: 210 }];
  assert.equal(accountOf(factsOf(2, [], { exported })).doubled, 1);
  const { doubled, doubledAtChanges } = accountOf(factsOf(2, [], { exported, gaps }));
  assert.deepEqual([doubled, doubledAtChanges], [0, 1]);
});

test('a time that two daemons have logged counts once', () => {
  const gaps = [
    { cause: 'hand-back', fromMs: 350, toMs: 450 },
    { cause: 'replaced', fromMs: 300, toMs: 420 },
    { cause: 'take-over', fromMs: 500, toMs: 530 },
  ];
  const { gapMs, longestGapMs, gapCount } = accountOf(factsOf(9, [], { gaps }));
  assert.deepEqual([gapMs, longestGapMs, gapCount], [180, 120, 3]);
});

test('the length of a gap is without the time in which the switch did not forward', () => {
  const gap = { fromMs: 100, toMs: 400 };
  assert.equal(lengthWithout(gap, [{ fromMs: 0, toMs: 150 }]), 250);
  assert.equal(lengthWithout(gap, [{ fromMs: 200, toMs: 300 }]), 200);
  assert.equal(lengthWithout(gap, [{ fromMs: 0, toMs: 500 }]), 0);
  assert.equal(lengthWithout(gap, []), 300);
});
