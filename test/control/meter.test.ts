import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isUnmanagedMeter,
  METER_BURST_MIN,
  meterIds,
  planMeter,
  planMeterRemoval,
} from '../../src/control/meter.ts';
import { METER_FLAGS, type MeterConfig } from '../../src/node-openflow/index.ts';

const meter: MeterConfig = {
  meterId: 65_000,
  flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
  bands: [{ type: 'drop', rate: 5000, burstSize: METER_BURST_MIN }],
};

test('uses fixed meter ids, or the highest of a datapath with fewer', () => {
  assert.deepEqual(meterIds(262_144), { hook: 65_000, sample: 65_001 });
  assert.deepEqual(meterIds(65_000), { hook: 64_999, sample: 65_000 });
  assert.deepEqual(meterIds(2), { hook: 1, sample: 2 });
  assert.deepEqual(meterIds(0), { hook: undefined, sample: undefined });
});

test('adds a missing meter, changes one of another rate, and keeps a correct one', () => {
  const [added] = planMeter(65_000, undefined, 5000);
  assert.deepEqual(added?.messages, [{ type: 'meter_mod', command: 'add', ...meter }]);
  assert.deepEqual(added.meterChange, { meterId: 65_000, event: 'meterAdded' });
  const [changed] = planMeter(65_000, meter, 100);
  const bands = [{ type: 'drop', rate: 100, burstSize: METER_BURST_MIN }];
  assert.deepEqual(changed?.messages, [{ type: 'meter_mod', command: 'modify', ...meter, bands }]);
  assert.deepEqual(changed.meterChange, { meterId: 65_000, event: 'rateChanged' });
  assert.deepEqual(planMeter(65_000, meter, 5000), []);
  assert.deepEqual(planMeter(undefined, undefined, 5000), []);
});

test('deletes managed meters only', () => {
  assert.equal(planMeterRemoval(65_000, meter).length, 1);
  assert.deepEqual(planMeterRemoval(65_000, { ...meter, bands: [] }), []);
  assert.deepEqual(planMeterRemoval(65_000, undefined), []);
});

test("recognises a meter of another shape as a user's, but not one of another rate", () => {
  assert.equal(isUnmanagedMeter(meter), false);
  assert.equal(isUnmanagedMeter({ ...meter, bands: [{ type: 'drop', rate: 1, burstSize: 100 }] }), false);
  assert.equal(isUnmanagedMeter({ ...meter, flags: METER_FLAGS.kbps }), true);
  assert.equal(isUnmanagedMeter({ ...meter, bands: [] }), true);
  assert.equal(isUnmanagedMeter({ ...meter, bands: [{ type: 'drop', rate: 5000, burstSize: 99 }] }), true);
});

test('sets a burst of at least a millisecond of the rate, without which a userspace meter is never filled again', () => {
  for (const [rate, burstSize] of [
    [1, 100],
    [5000, 100],
    [100_000, 100],
    [100_001, 101],
    [1_000_000, 1000],
  ] as const) {
    const [message] = planMeter(1, undefined, rate)[0]?.messages ?? [];
    assert.equal(message?.type, 'meter_mod');
    assert.deepEqual(message.bands, [{ type: 'drop', rate, burstSize }]);
    assert.equal(isUnmanagedMeter({ ...meter, bands: message.bands }), false);
  }
});
