import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coverage } from '../../src/report/coverage.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('averages over five seconds, a minute and an hour, or the shorter time since the start', () => {
  const clock = new ManualClock();
  let samples = 1000;
  const coverage = new Coverage(clock, () => ({ samples, never: 0 }));
  coverage.start();
  samples += 50;
  clock.advance(5_000_000);
  assert.deepEqual(coverage.rows(), {
    rows: [{ name: 'samples', perSecond: [10, 10, 10], total: 50 }],
    neverHit: 1,
  });
  clock.advance(5_000_000);
  assert.deepEqual(coverage.rows().rows[0]?.perSecond, [0, 5, 5]);
  clock.advance(3_600_000_000);
  samples += 7;
  assert.deepEqual(coverage.rows().rows[0], { name: 'samples', perSecond: [0, 0, 0], total: 57 });
  coverage.stop();
});

test('keeps the totals when an exporter is removed', () => {
  const clock = new ManualClock();
  let samples = 0;
  const coverage = new Coverage(clock, () => ({ samples }));
  coverage.start();
  samples = 500;
  clock.advance(5_000_000);
  samples = 20;
  clock.advance(5_000_000);
  samples = 30;
  assert.equal(coverage.rows().rows[0]?.total, 510);
  coverage.stop();
});
