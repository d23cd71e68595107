// The lease of the active daemon: what proves it, and when it ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TAKEOVER_MS } from '../../src/control/deputy-watch.ts';
import { LEASE_MS, LeaderLease, STANDBY_MEMORY_MS } from '../../src/control/leader-lease.ts';
import { LEASE_TICK_MS } from '../../src/control/leadership.ts';
import { ManualClock } from '../support/manual-clock.ts';

function open() {
  const clock = new ManualClock();
  const lease = new LeaderLease(clock);
  return { clock, lease, pass: (ms: number) => clock.advance(ms * 1000) };
}

test('a lease begins with a proof and ends before a standby may take over', () => {
  assert.ok(LEASE_MS + LEASE_TICK_MS < TAKEOVER_MS);
  const { clock, lease, pass } = open();
  assert.equal(lease.isValid, false);
  const sentMicros = clock.monotonicMicros();
  pass(100);
  lease.prove(sentMicros);
  pass(LEASE_MS - 101);
  assert.equal(lease.isValid, true);
  pass(1);
  assert.equal(lease.isValid, false);
});

test('without a standby, the event loop prolongs it, also without the database, but not after a pause', () => {
  const { clock, lease, pass } = open();
  lease.prove(clock.monotonicMicros());
  for (let count = 0; count < 100; count += 1) {
    pass(LEASE_TICK_MS);
    assert.equal(lease.tick(), false);
  }
  pass(LEASE_MS);
  assert.equal(lease.isValid, false);
  assert.deepEqual([lease.tick(), lease.isValid], [true, false], 'a proof is needed');
  lease.prove(clock.monotonicMicros());
  assert.deepEqual([lease.tick(), lease.isValid], [false, true]);
});

test('with a standby, only proofs prolong it, until none has been seen for long', () => {
  const { clock, lease, pass } = open();
  lease.prove(clock.monotonicMicros());
  lease.seeStandby();
  assert.deepEqual([lease.hasStandby, lease.tick()], [true, true]);
  for (let ms = 0; ms <= STANDBY_MEMORY_MS; ms += LEASE_TICK_MS) {
    pass(LEASE_TICK_MS);
    lease.tick();
    lease.prove(clock.monotonicMicros());
  }
  assert.deepEqual([lease.hasStandby, lease.tick(), lease.isValid], [false, false, true]);
  lease.seeStandby();
  pass(LEASE_MS);
  assert.deepEqual([lease.tick(), lease.isValid], [true, false]);
  lease.prove(clock.monotonicMicros());
  lease.end();
  assert.equal(lease.isValid, false);
});
