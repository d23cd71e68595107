import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LossCompensation, PENDING_LOSS_OBSERVATIONS_MAX } from '../../src/intake/loss-compensation.ts';

/** Runs intervals, and adds up what their packets represented. */
function represented(
  compensation: LossCompensation,
  intervals: readonly (readonly [number, number])[],
): number {
  let sum = 0;
  for (const [arrived, missing] of intervals) {
    sum += arrive(compensation, arrived);
    observe(compensation, arrived, missing);
  }
  return sum;
}

/** Ends an interval whose loss is known at once. */
function observe(compensation: LossCompensation, arrived: number, lost: number): void {
  compensation.observe({ arrived, observed: arrived + Math.max(lost, 0), lost });
}

/** Lets packets arrive, and adds up what they represented. */
function arrive(compensation: LossCompensation, packets: number): number {
  let sum = 0;
  for (let packet = 0; packet < packets; packet += 1) {
    compensation.arrive(1);
    sum += compensation.cells[0]!;
  }
  return sum;
}

const times = (count: number, interval: readonly [number, number]) =>
  Array.from({ length: count }, () => interval);

test('each packet represents itself while none is lost', () => {
  const compensation = new LossCompensation();
  assert.equal(represented(compensation, [...times(5, [1000, 0]), [0, 0], [3, 0]]), 5003);
  assert.deepEqual(compensation.status(), {
    factor: 1,
    pending: 0,
    writtenOff: 0,
  });
});

test('the sum follows the pool by one interval in a steady overload', () => {
  const compensation = new LossCompensation();
  assert.equal(represented(compensation, times(10, [5000, 15_000])), 185_000);
  assert.deepEqual(compensation.status(), {
    factor: 4,
    pending: 15_000,
    writtenOff: 0,
  });
  // The loss of the last interval is compensated by the packets that arrive after it.
  assert.equal(represented(compensation, times(3, [5000, 0])), 30_000);
  assert.equal(compensation.status().pending, 0);
});

test('no packet represents more than one of the last intervals had to', () => {
  const compensation = new LossCompensation();
  represented(compensation, times(3, [5000, 15_000]));
  represented(compensation, [[10, 0]]);
  assert.equal(compensation.cells[0], 4);
});

test('loss that is too old is written off', () => {
  const compensation = new LossCompensation();
  represented(compensation, [[100, 900], ...times(PENDING_LOSS_OBSERVATIONS_MAX, [0, 0])]);
  assert.deepEqual(compensation.status(), {
    factor: 1,
    pending: 0,
    writtenOff: 900,
  });
});

test('loss is written off also while few packets arrive', () => {
  const compensation = new LossCompensation();
  represented(compensation, [[100, 900], ...times(PENDING_LOSS_OBSERVATIONS_MAX, [1, 0])]);
  const { pending, writtenOff } = compensation.status();
  assert.deepEqual([compensation.cells[0], pending], [1, 0]);
  // Ten packets represented ten each meanwhile.
  assert.equal(writtenOff, 900 - 10 * 9);
});

test('packets represent themselves once no loss is pending, when more arrive than were expected', () => {
  const compensation = new LossCompensation();
  assert.equal(represented(compensation, [[200, 200]]), 200);
  assert.equal(compensation.cells[0], 2);
  assert.equal(arrive(compensation, 200), 400);
  assert.equal(arrive(compensation, 800), 800);
  observe(compensation, 1000, 0);
  assert.deepEqual(compensation.status(), {
    factor: 1,
    pending: 0,
    writtenOff: 0,
  });
});

test('packets that arrive late after they counted as lost make others represent less, until the sum is right', () => {
  const compensation = new LossCompensation();
  const sum = represented(compensation, [
    [1000, 10],
    [1000, -10],
    [1000, 0],
  ]);
  assert.ok(Math.abs(sum + arrive(compensation, 100) - 3100) < 1e-6, String(sum));
});

test('a loss is compensated once, and not again when it is out of the last intervals', () => {
  const compensation = new LossCompensation();
  const sum = represented(compensation, [[1000, 100], [1000, -100], ...times(25, [1000, 0] as const)]);
  assert.ok(Math.abs(sum - 27_000) < 1e-6, String(sum));
  const { pending, writtenOff } = compensation.status();
  assert.ok(Math.abs(pending) + writtenOff < 1e-6, `${pending} pending, ${writtenOff} written off`);
});

test('the packets of the next burst represent the loss of the last one, when nothing arrives between them', () => {
  const compensation = new LossCompensation();
  const burst = [
    [400, 1200],
    [0, 0],
    [0, 0],
  ] as const;
  const sum = represented(compensation, Array.from({ length: 20 }, () => burst).flat());
  assert.equal(sum, 20 * 400 + 19 * 1200);
  assert.equal(compensation.status().writtenOff, 0);
});

test('the packets of a burst represent its loss also when that is counted in the interval after it', () => {
  const compensation = new LossCompensation();
  const burst = [
    [100, 200],
    [0, 900],
    [0, 0],
  ] as const;
  const sum = represented(compensation, Array.from({ length: 40 }, () => burst).flat());
  const { pending, writtenOff } = compensation.status();
  assert.ok(Math.abs(40 * 1200 - sum - pending - writtenOff) < 1e-6, String(sum));
  assert.ok(writtenOff <= 2000, `${writtenOff} of ${40 * 1200}`);
});

test('octets of packets of any size represent what was lost, exactly', () => {
  const compensation = new LossCompensation();
  compensation.arrive(1000);
  compensation.observe({ arrived: 1000, observed: 4000, lost: 3000 });
  let sum = 0;
  for (const octets of [60, 440, 1, 499, 60, 1514]) {
    compensation.arrive(octets);
    sum += compensation.cells[0]! * octets;
  }
  assert.equal(sum, 2574 + 3000);
});

test('the pool always equals what packets represent, the pending loss and what was written off', () => {
  const interval = fc.tuple(fc.nat(10_000), fc.nat(100_000));
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 60 }), (intervals) => {
      const compensation = new LossCompensation();
      let sum = 0;
      let pool = 0;
      for (const [arrived, missing] of intervals) {
        const before = compensation.cells[0]!;
        assert.ok(before >= 0.5, `${before}`);
        sum += arrive(compensation, arrived);
        pool += arrived + missing;
        observe(compensation, arrived, missing);
      }
      const { pending, writtenOff } = compensation.status();
      const unexplained = Math.abs(pool - sum - pending);
      assert.ok(unexplained <= writtenOff + 1e-3, `${unexplained} of ${pool}, ${writtenOff} written off`);
    }),
  );
});
