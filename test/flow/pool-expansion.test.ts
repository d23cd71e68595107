import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DEBT_OBSERVATIONS_MAX, PoolExpansion } from '../../src/flow/pool-expansion.ts';

/** Lets intervals pass, and adds up what their packets stood for. */
function represented(expansion: PoolExpansion, intervals: readonly (readonly [number, number])[]): number {
  let sum = 0;
  for (const [arrived, missing] of intervals) {
    sum += arrive(expansion, arrived);
    expansion.observe(arrived, missing);
  }
  return sum;
}

/** Lets packets arrive, and adds up what they stood for. */
function arrive(expansion: PoolExpansion, packets: number): number {
  let sum = 0;
  for (let packet = 0; packet < packets; packet += 1) {
    expansion.arrives();
    sum += expansion.cell[0]!;
  }
  return sum;
}

const times = (count: number, interval: readonly [number, number]) =>
  Array.from({ length: count }, () => interval);

test('while nothing is missing, each packet stands for itself', () => {
  const expansion = new PoolExpansion();
  assert.equal(represented(expansion, [...times(5, [1000, 0]), [0, 0], [3, 0]]), 5003);
  assert.deepEqual(expansion.status(), { expansion: 1, packetsOwed: 0, packetsGivenUp: 0 });
});

test('in a steady overload the sum follows the pool by one interval', () => {
  const expansion = new PoolExpansion();
  assert.equal(represented(expansion, times(10, [5000, 15_000])), 185_000);
  assert.deepEqual(expansion.status(), { expansion: 4, packetsOwed: 15_000, packetsGivenUp: 0 });
  // What is missing of the last interval is made up for by the packets that come after it.
  assert.equal(represented(expansion, times(3, [5000, 0])), 30_000);
  assert.equal(expansion.status().packetsOwed, 0);
});

test('no packet stands for more than one of the last intervals had to', () => {
  const expansion = new PoolExpansion();
  represented(expansion, times(3, [5000, 15_000]));
  represented(expansion, [[10, 0]]);
  assert.equal(expansion.cell[0], 4);
});

test('what was missing in a time that is long gone is given up', () => {
  const expansion = new PoolExpansion();
  represented(expansion, [[100, 900], ...times(DEBT_OBSERVATIONS_MAX, [0, 0])]);
  assert.deepEqual(expansion.status(), { expansion: 1, packetsOwed: 0, packetsGivenUp: 900 });
});

test('it is given up also while a trickle goes on', () => {
  const expansion = new PoolExpansion();
  represented(expansion, [[100, 900], ...times(DEBT_OBSERVATIONS_MAX, [1, 0])]);
  const { packetsOwed, packetsGivenUp } = expansion.status();
  assert.deepEqual([expansion.cell[0], packetsOwed], [1, 0]);
  // Ten packets stood for ten each meanwhile.
  assert.equal(packetsGivenUp, 900 - 10 * 9);
});

test('when more packets come than were expected, those after the debt is paid stand for themselves', () => {
  const expansion = new PoolExpansion();
  assert.equal(represented(expansion, [[200, 200]]), 200);
  assert.equal(expansion.cell[0], 2);
  assert.equal(arrive(expansion, 200), 400);
  assert.equal(arrive(expansion, 800), 800);
  expansion.observe(1000, 0);
  assert.deepEqual(expansion.status(), { expansion: 1, packetsOwed: 0, packetsGivenUp: 0 });
});

test('packets that were taken for missing and come late make others stand for less, until the sum is right', () => {
  const expansion = new PoolExpansion();
  const sum = represented(expansion, [
    [1000, 10],
    [1000, -10],
    [1000, 0],
  ]);
  assert.ok(Math.abs(sum + arrive(expansion, 100) - 3100) < 1e-6, String(sum));
});

test('whatever comes, the pool is what packets stand for, what is owed and what was given up', () => {
  const interval = fc.tuple(fc.nat(10_000), fc.nat(100_000));
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 60 }), (intervals) => {
      const expansion = new PoolExpansion();
      let sum = 0;
      let pool = 0;
      for (const [arrived, missing] of intervals) {
        const before = expansion.cell[0]!;
        assert.ok(before >= 0.5, `${before}`);
        sum += arrive(expansion, arrived);
        pool += arrived + missing;
        expansion.observe(arrived, missing);
      }
      const { packetsOwed, packetsGivenUp } = expansion.status();
      const unexplained = Math.abs(pool - sum - packetsOwed);
      assert.ok(
        unexplained <= packetsGivenUp + 1e-3,
        `${unexplained} of ${pool}, ${packetsGivenUp} given up`,
      );
    }),
  );
});
