import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BURST_MESSAGES,
  BURST_MICROS,
  ORDINARY_DIVISOR,
  SendBudget,
  STOP_PERCENT,
} from '../../src/export/send-budget.ts';
import { ManualClock } from '../support/manual-clock.ts';

const RATE_MAX = 32_000;
const ORDINARY_RATE = RATE_MAX / ORDINARY_DIVISOR;

/** Sends messages of `size` bytes as fast as the account allows, for `ms` milliseconds in steps of 0.1; returns how many. */
function sendFor(clock: ManualClock, budget: SendBudget, ms: number, size = 1400): number {
  const account = budget.open('collector');
  let count = 0;
  for (let step = 0; step < ms * 10; step += 1) {
    while (account.waitMs() === 0) {
      account.spend(size, 10);
      count += 1;
    }
    clock.advance(100);
  }
  account.close();
  return count;
}

function near(actual: number, expected: number): void {
  assert.ok(
    Math.abs(actual - expected) <= BURST_MESSAGES + expected * 0.02,
    `${actual} is not near ${expected}`,
  );
}

test('outside of a stop a collector gets a part of the maximum rate, a longer message needs more of it', () => {
  const clock = new ManualClock();
  const budget = new SendBudget(clock, RATE_MAX);
  near(sendFor(clock, budget, 1000), ORDINARY_RATE);
  near(sendFor(clock, budget, 1000, 100), ORDINARY_RATE);
  near(sendFor(clock, budget, 1000, 14_000), ORDINARY_RATE / 10);
});

test('the later flows are, the faster they are sent, up to the maximum', () => {
  const clock = new ManualClock();
  const budget = new SendBudget(clock, RATE_MAX);
  for (const [lateSeconds, rate] of [
    [1, 2 * ORDINARY_RATE],
    [60, RATE_MAX],
    [0, ORDINARY_RATE],
  ] as const) {
    const account = budget.open('collector');
    account.setLateness(lateSeconds * 1_000_000);
    near(sendFor(clock, budget, 1000), rate);
  }
});

test('no more than a burst is sent at once, after any silence, and at a lower rate a smaller one', () => {
  for (const [lateSeconds, burst] of [
    [0, (ORDINARY_RATE * BURST_MICROS) / 1_000_000],
    [60, BURST_MESSAGES],
  ] as const) {
    const clock = new ManualClock();
    const account = new SendBudget(clock, RATE_MAX).open('collector');
    account.setLateness(lateSeconds * 1_000_000);
    clock.advance(60_000_000);
    for (let sent = 0; sent < burst; sent += 1) {
      assert.equal(account.waitMs(), 0);
      account.spend(1400, 10);
    }
    account.spend(1400, 10);
    assert.ok(account.waitMs() > 0);
  }
});

test('all exporters of a collector share its account, another collector has its own', () => {
  const clock = new ManualClock();
  const budget = new SendBudget(clock, RATE_MAX);
  const [first, second, other] = [budget.open('a'), budget.open('a'), budget.open('b')];
  for (let sent = 0; sent < 10 * BURST_MESSAGES; sent += 1) {
    first.spend(1400, 10);
  }
  assert.ok(second.waitMs() > 0);
  assert.equal(other.waitMs(), 0);
  first.close();
  assert.ok(second.waitMs() > 0, 'as long as one uses it');
  second.close();
  assert.equal(budget.open('a').waitMs(), 0, 'a forgotten account begins anew');
});

test('at a stop the rate is what the messages that are left need, up to the maximum', () => {
  for (const [expected, rate] of [
    [1000, ORDINARY_RATE],
    [40_000, 40_000 / (0.04 * STOP_PERCENT)],
    [1_000_000, RATE_MAX],
  ] as const) {
    const clock = new ManualClock();
    const budget = new SendBudget(clock, RATE_MAX);
    budget.open('collector').expect(10 * expected, expected);
    budget.endWithin(4000);
    near(sendFor(clock, budget, 100), rate / 10);
  }
});

test('at a stop everything is sent in its part of the time, and nothing waits beyond the end', () => {
  // Records that are shorter than the longest need fewer messages.
  for (const messageCountMax of [20_000, 32_000]) {
    const clock = new ManualClock();
    const budget = new SendBudget(clock, RATE_MAX);
    const account = budget.open('collector');
    account.expect(200_000, messageCountMax);
    budget.endWithin(4000);
    let sent = 0;
    let ms = 0;
    for (; sent < 20_000; ms += 0.1) {
      while (account.waitMs() === 0 && sent < 20_000) {
        account.spend(1400, 10);
        sent += 1;
      }
      clock.advance(100);
    }
    assert.ok(ms > 39 * STOP_PERCENT && ms < 40 * STOP_PERCENT + 10, `sent in ${ms} ms`);
    for (let more = 0; more < 1_000_000; more += 1) {
      account.spend(1400, 10);
    }
    assert.equal(account.waitMs(), budget.leftMs);
  }
});

test('a message with templates or options alone is none of those that are expected', () => {
  const clock = new ManualClock();
  const budget = new SendBudget(clock, RATE_MAX);
  const account = budget.open('collector');
  account.expect(360_000, 36_000);
  budget.endWithin(4000);
  for (let sent = 0; sent < 1000; sent += 1) {
    account.spend(200, 0);
  }
  clock.advance(1_000_000);
  near(sendFor(clock, budget, 100), 3600 / (0.04 * STOP_PERCENT - 1));
});

test('shows the rates, and when the time of a stop is up', () => {
  const clock = new ManualClock();
  const budget = new SendBudget(clock, RATE_MAX);
  assert.equal(budget.leftMs, Number.POSITIVE_INFINITY);
  budget.countDelay();
  assert.deepEqual(budget.status(), {
    messageRateMax: RATE_MAX,
    messageRate: ORDINARY_RATE,
    slicesDelayed: 1,
  });
  budget.endWithin(100);
  clock.advance(60_000);
  assert.equal(budget.leftMs, 40);
  clock.advance(60_000);
  assert.equal(budget.leftMs, 0);
});
