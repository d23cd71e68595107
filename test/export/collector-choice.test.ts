import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CollectorChoice } from '../../src/export/collector-choice.ts';
import type { SessionHealth } from '../../src/export/collector-session.ts';
import { DOUBT_SECONDS, SentWindow } from '../../src/export/sent-window.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SECOND = 1_000_000;

/** A choice with a state for each of its collectors. */
class Script {
  readonly choice: CollectorChoice;
  readonly health: SessionHealth[];

  constructor(count: number, failbackSeconds: number) {
    this.choice = new CollectorChoice(count, failbackSeconds);
    this.health = Array.from({ length: count }, () => 'unknown');
  }

  /** Sets states, and shows which collector is active at that time. */
  at(seconds: number, ...health: readonly SessionHealth[]): number {
    health.forEach((each, index) => {
      this.choice.update(index, each, seconds * SECOND);
    });
    return this.choice.active;
  }

  /** How many of 3,000 flows each collector gets, in percent. */
  shares(): number[] {
    const counts = this.health.map(() => 0);
    for (let flow = 0; flow < 3000; flow += 1) {
      const hash = Math.imul(flow ^ (flow >>> 7), 0x85ebca6b) ^ (flow << 13);
      counts[this.choice.ofFlow(hash)]! += 1;
    }
    return counts.map((count) => Math.round(count / 30));
  }
}

test('failover takes the first that works, and goes back after the hold time only', () => {
  const script = new Script(3, 60);
  assert.equal(script.at(0, 'unknown', 'unknown', 'unknown'), 0, 'the preferred one while all connect');
  assert.equal(script.at(1, 'works', 'works', 'works'), 0);
  assert.equal(script.at(2, 'failed', 'works', 'works'), 1);
  assert.equal(script.at(3, 'failed', 'failed', 'works'), 2);
  assert.equal(script.at(10, 'works', 'failed', 'works'), 2);
  assert.equal(script.at(69, 'works', 'failed', 'works'), 2);
  assert.equal(script.at(70, 'works', 'failed', 'works'), 0);
  assert.equal(script.choice.changes, 3);
});

test('a failure begins the hold time anew', () => {
  const script = new Script(2, 60);
  script.at(0, 'failed', 'works');
  script.at(10, 'works', 'works');
  script.at(60, 'failed', 'works');
  script.at(65, 'works', 'works');
  assert.equal(script.at(124, 'works', 'works'), 1);
  assert.equal(script.at(125, 'works', 'works'), 0);
});

test('without another one that works, the hold time is not waited for', () => {
  const script = new Script(2, 60);
  assert.equal(script.at(0, 'failed', 'failed'), 0, 'the preferred one, and its records are counted as lost');
  assert.equal(script.at(1, 'failed', 'works'), 1);
  assert.equal(script.at(2, 'works', 'works'), 1, 'the other works, so that the preferred one waits');
  const first = new Script(2, 60);
  first.at(0, 'failed', 'failed');
  assert.equal(first.at(1, 'works', 'failed'), 0);
});

test('an attempt to connect again is not a collector that works', () => {
  const script = new Script(2, 0);
  script.at(0, 'failed', 'works');
  assert.equal(script.at(1, 'unknown', 'works'), 1);
  assert.equal(script.at(2, 'works', 'works'), 0, 'without a hold time at once');
});

test('balance gives each flow to one collector, moves those of one that fails evenly, and no others', () => {
  const script = new Script(3, 60);
  assert.ok(
    script.shares().every((share) => share >= 30 && share <= 37),
    script.shares().join(' '),
  );
  const hashes = Array.from({ length: 1000 }, (_, flow) => Math.imul(flow, 0x9e3779b1) ^ (flow << 7));
  const before = hashes.map((hash) => script.choice.ofFlow(hash));
  script.at(1, 'works', 'failed', 'works');
  const after = hashes.map((hash) => script.choice.ofFlow(hash));
  assert.ok(after.every((index) => index !== 1));
  assert.ok(
    before.every((index, flow) => index === 1 || after[flow] === index),
    'flows of the others stay',
  );
  assert.ok(
    script.shares().every((share, index) => (index === 1 ? share === 0 : share >= 45 && share <= 55)),
  );
  assert.deepEqual(
    [0, 1, 2].map((group) => script.choice.ofMessage(group)),
    [0, 2, 2],
  );
  script.at(2, 'works', 'works', 'works');
  script.at(62, 'works', 'works', 'works');
  assert.deepEqual(
    hashes.map((hash) => script.choice.ofFlow(hash)),
    before,
    'back after the hold time',
  );
  script.at(63, 'failed', 'failed', 'failed');
  assert.deepEqual(
    hashes.map((hash) => script.choice.ofFlow(hash)),
    before,
    'none works: each counts its own as lost',
  );
  assert.equal(script.choice.ofMessage(1), 1);
});

test('the window has the records of the last seconds, once', () => {
  const clock = new ManualClock();
  const window = new SentWindow(clock);
  window.add(1);
  clock.advance(SECOND);
  window.add(2);
  window.add(4);
  assert.equal(window.take(), 7);
  assert.equal(window.take(), 0);
  window.add(8);
  clock.advance((DOUBT_SECONDS - 1) * SECOND);
  window.add(16);
  assert.equal(window.take(), 24);
  window.add(32);
  clock.advance(DOUBT_SECONDS * SECOND);
  assert.equal(window.take(), 0);
  clock.advance(SECOND);
  window.add(64);
  assert.equal(window.take(), 64);
});
