import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSIT_READINGS_MAX, Transit } from '../../src/intake/transit.ts';

const NOTHING = [0, 0] as const;

/** Notes readings, and returns what each made known to be lost. */
function observe(transit: Transit, ...readings: readonly (readonly [number, number])[]): number[] {
  return readings.map(([passed, arrived]) => transit.observe(passed, arrived));
}

test('counts a packet as lost that is absent at several readings', () => {
  const transit = new Transit(1024);
  assert.equal(TRANSIT_READINGS_MAX, 3);
  assert.deepEqual(observe(transit, [1000, 990], [1000, 1000]), [0, 0]);
  assert.deepEqual([transit.lost, transit.inTransit], [0, 10]);
  assert.deepEqual(observe(transit, [1000, 1000], [1000, 1000]), [10, 0]);
  assert.deepEqual([transit.lost, transit.inTransit, transit.surplus], [10, 0, 0]);
});

test('counts no packet as lost that is late at two readings', () => {
  const transit = new Transit(1024);
  assert.deepEqual(observe(transit, [10_000, 9958], [10_000, 10_000], [10_000, 10_042]), [0, 0, 0]);
  assert.deepEqual([transit.lost, transit.inTransit, transit.surplus], [0, 0, 0]);
});

test('counts what is lost at each reading, with other packets in transit', () => {
  const transit = new Transit(1024);
  // 5 of 100 are lost each time, and 1 to 3 more are in transit.
  const lost = observe(
    transit,
    ...([[100, 92], [100, 97], [100, 94], [100, 95], [100, 94], NOTHING, [0, 3], NOTHING, NOTHING] as const),
  );
  assert.equal(transit.lost, 25);
  assert.equal(
    lost.reduce((sum, each) => sum + each, 0),
    25,
  );
  assert.deepEqual([transit.inTransit, transit.surplus], [0, 0]);
});

test('takes back what was counted as lost and arrives, up to what can be in transit', () => {
  const transit = new Transit(1024);
  assert.deepEqual(observe(transit, [2000, 0], NOTHING, NOTHING), [0, 0, 2000]);
  assert.deepEqual(observe(transit, [0, 24], [0, 1500]), [-24, -1000]);
  assert.deepEqual([transit.lost, transit.surplus, transit.inTransit], [976, 500, 0]);
});

test('offsets no later loss by a surplus', () => {
  const transit = new Transit(1024);
  assert.deepEqual(observe(transit, [1000, 45_000]), [0]);
  assert.deepEqual([transit.surplus, transit.inTransit], [44_000, 0]);
  assert.deepEqual(observe(transit, [1000, 500], NOTHING, NOTHING), [0, 0, 500]);
  assert.deepEqual([transit.lost, transit.surplus], [500, 44_000]);
});

test('counts what has not arrived at an event as lost, and takes it back if it arrives', () => {
  const transit = new Transit(1024);
  observe(transit, [100, 90]);
  assert.equal(transit.restart(true), 10);
  assert.deepEqual(observe(transit, [100, 104]), [-4]);
  assert.deepEqual([transit.lost, transit.surplus], [6, 0]);
  observe(transit, [100, 95]);
  assert.equal(transit.restart(false), 5);
  assert.deepEqual(observe(transit, [100, 105]), [0]);
  assert.deepEqual([transit.lost, transit.surplus], [11, 5]);
});
