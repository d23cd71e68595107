import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PATH_SILENCE_MS, PathTest, PROBE_INTERVAL_MS } from '../../src/control/path-test.ts';

test('probes until a datagram arrives, and again after 20 samples that did not', () => {
  const path = new PathTest();
  assert.equal(path.state, 'untested');
  assert.equal(path.check(0, 0, 0), true);
  assert.equal(path.check(0, 0, PROBE_INTERVAL_MS - 1), false);
  assert.equal(path.check(0, 0, PROBE_INTERVAL_MS), true);
  assert.equal(path.check(1, 0, 600), false);
  assert.equal(path.state, 'good');
  assert.equal(path.check(1, 19, 5000), false);
  assert.equal(path.check(2, 19, 6000), false, 'a datagram');
  assert.equal(path.check(2, 19, 7000), false);
  assert.equal(path.check(2, 1, 8000), true);
  assert.equal(path.state, 'good', 'until the probe has had its time');
  path.check(2, 0, 8000 + PATH_SILENCE_MS - 1);
  assert.equal(path.state, 'good');
  path.check(2, 0, 8000 + PATH_SILENCE_MS);
  assert.equal(path.state, 'failed');
  assert.equal(path.check(2, 0, 8000 + PATH_SILENCE_MS + PROBE_INTERVAL_MS), true, 'it goes on probing');
  path.check(3, 0, 20_000);
  assert.equal(path.state, 'good');
});

test('fails when no probe is ever answered', () => {
  const path = new PathTest();
  for (let nowMs = 0; nowMs < PATH_SILENCE_MS; nowMs += 100) {
    path.check(0, 0, nowMs);
    assert.equal(path.state, 'untested');
  }
  path.check(0, 0, PATH_SILENCE_MS);
  assert.equal(path.state, 'failed');
});

test('tests a good path again after a restart, and forgets it without rows', () => {
  const path = new PathTest();
  path.check(1, 0, 0);
  path.restart(1);
  assert.equal(path.state, 'good');
  assert.equal(path.check(1, 0, 1), true);
  path.forget(2);
  assert.equal(path.check(2, 0, 2), true, 'datagrams of before do not count');
  assert.equal(path.state, 'untested');
});
