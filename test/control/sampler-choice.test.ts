import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DROP_SECONDS,
  DROP_WINDOW_SECONDS,
  QUIET_SECONDS,
  SamplerChoice,
  type SamplerFacts,
} from '../../src/control/sampler-choice.ts';

const FACTS: SamplerFacts = {
  policy: 'auto',
  hasKernelDatapath: false,
  hasMeters: true,
  allowsUnmetered: false,
  path: 'good',
};
const DROPS = { hasDropped: true, packetRate: 50_000, maxSampleRate: 5000 };
const BUSY = { ...DROPS, hasDropped: false, packetRate: 2500 };
const QUIET = { ...BUSY, packetRate: 2499 };

/** Returns the sampler of a bridge with these facts, and why. */
function choiceOf(facts: Partial<SamplerFacts>): readonly [string, string] {
  const choice = new SamplerChoice(0);
  choice.setFacts({ ...FACTS, ...facts }, 1);
  const { sampler, reason } = choice.status();
  return [sampler, reason];
}

test('auto takes the datapath on a kernel datapath and without meters, and packet-ins otherwise', () => {
  assert.deepEqual(choiceOf({ hasKernelDatapath: true }), ['datapath', 'kernel datapath']);
  assert.deepEqual(choiceOf({ hasMeters: false }), ['datapath', 'no meters']);
  assert.equal(choiceOf({})[0], 'packet-in');
  assert.equal(choiceOf({ hasMeters: undefined })[0], 'packet-in');
});

test('a sampler that the row names is used at any rate', () => {
  assert.deepEqual(choiceOf({ policy: 'datapath' }), ['datapath', 'ovs-ipfix-sampler']);
  for (const hasKernelDatapath of [true, false]) {
    for (const hasMeters of [true, false]) {
      assert.equal(choiceOf({ policy: 'packet-in', hasKernelDatapath, hasMeters })[0], 'packet-in');
    }
  }
});

test('uses no path that is not good: packet-ins with meters, nothing without', () => {
  for (const path of ['untested', 'failed'] as const) {
    assert.equal(choiceOf({ policy: 'datapath', path })[0], 'packet-in');
    assert.equal(choiceOf({ hasKernelDatapath: true, path })[0], 'packet-in');
    assert.equal(choiceOf({ policy: 'datapath', path, hasMeters: false })[0], 'none');
    assert.equal(choiceOf({ path, hasMeters: false, allowsUnmetered: true })[0], 'packet-in');
    assert.equal(choiceOf({ policy: 'packet-in', path, hasMeters: false })[0], 'packet-in');
  }
});

test('auto leaves packet-ins after drops in two of ten seconds, and returns after a quiet minute', () => {
  const choice = new SamplerChoice(0);
  choice.setFacts(FACTS, 0);
  const pass = (second: Parameters<SamplerChoice['passSecond']>[0], wall = 0) =>
    choice.passSecond(second, wall);
  assert.equal(DROP_SECONDS, 2);
  for (let round = 0; round < 3; round += 1) {
    assert.equal(pass(DROPS), false, 'the drops are too far apart');
    for (let second = 1; second < DROP_WINDOW_SECONDS; second += 1) {
      assert.equal(pass(BUSY), false);
    }
  }
  assert.equal(pass(DROPS), false);
  assert.equal(pass(QUIET), false);
  assert.equal(pass(DROPS, 7), true);
  assert.deepEqual(choice.status(), {
    sampler: 'datapath',
    sinceMicros: 7,
    reason: 'meter dropped',
    changes: 1,
  });
  for (let second = 1; second < QUIET_SECONDS; second += 1) {
    assert.equal(pass(QUIET), false);
  }
  assert.equal(pass(BUSY), false, 'the minute begins again');
  assert.equal(pass({ ...QUIET, packetRate: undefined }), false);
  for (let second = 1; second < QUIET_SECONDS; second += 1) {
    assert.equal(pass(QUIET), false);
  }
  assert.equal(pass(QUIET, 9), true);
  assert.deepEqual([choice.sampler, choice.status().changes], ['packet-in', 2]);
});
