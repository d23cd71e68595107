import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProbabilityControl, type ProbabilityLimits } from '../../src/control/probability-control.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A control and a bridge with a packet rate, measured each second. */
class Controlled {
  readonly clock = new ManualClock();
  readonly control: ProbabilityControl;
  packetRate = 0;
  #limits: ProbabilityLimits;

  constructor(limits: ProbabilityLimits) {
    this.#limits = limits;
    this.control = new ProbabilityControl(limits, this.nowMs);
  }

  get nowMs(): number {
    return this.clock.monotonicMicros() / 1000;
  }

  setLimits(limits: Partial<ProbabilityLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
    this.control.setLimits(this.#limits, this.nowMs);
  }

  /** Measures each second; returns P after each. */
  async seconds(count: number): Promise<number[]> {
    const probabilities: number[] = [];
    for (let second = 0; second < count; second += 1) {
      await this.clock.advanceMs(1000);
      this.control.measure(this.packetRate, this.nowMs);
      probabilities.push(this.control.probability);
    }
    return probabilities;
  }
}

test('starts at 1 in 100, or at what the row asks for if that is less', () => {
  const start = (interval: number) => new ControlledStart(interval).probability;
  assert.deepEqual([1, 64, 100, 400, 65_535, 100_000].map(start), [655, 655, 655, 164, 1, 1]);
});

class ControlledStart {
  readonly probability: number;

  constructor(interval: number) {
    this.probability = new Controlled({ interval, maxSampleRate: 5000 }).control.probability;
  }
}

test('rises at most twofold for each second, by one change in five seconds, to what the row asks for', async () => {
  const quiet = new Controlled({ interval: 1, maxSampleRate: 5000 });
  assert.ok(quiet.control.isRising);
  assert.deepEqual(
    await quiet.seconds(11),
    [655, 655, 655, 655, 20_960, 20_960, 20_960, 20_960, 20_960, 65_535, 65_535],
  );
  assert.equal(quiet.control.changes, 2);
  assert.ok(!quiet.control.isRising);
  assert.equal(quiet.control.probability, 65_535);
});

test('stays below the rate of samples, and makes no small changes', async () => {
  const busy = new Controlled({ interval: 10, maxSampleRate: 5000 });
  busy.packetRate = 1_000_000;
  // 5,000 of 1,000,000 packets are 327 of 65,535.
  assert.deepEqual(await busy.seconds(6), [655, 655, 655, 655, 327, 327]);
  busy.packetRate = 1_300_000;
  assert.equal((await busy.seconds(10)).at(-1), 327);
  assert.ok(!busy.control.isRising);
  busy.packetRate = 100_000;
  assert.equal((await busy.seconds(5)).at(-1), 3276);
  assert.notEqual(busy.control.probability, 6554);
  busy.packetRate = 48_000;
  // 6,554 is what the row asks for.
  assert.equal((await busy.seconds(5)).at(-1), 6554);
});

test('reaches what the row asks for by a step of any size', async () => {
  const controlled = new Controlled({ interval: 1, maxSampleRate: 5000 });
  controlled.packetRate = 6000;
  const [last = 0] = (await controlled.seconds(15)).slice(-1);
  assert.equal(last, 54_612);
  controlled.packetRate = 5000;
  assert.equal((await controlled.seconds(5)).at(-1), 65_535);
});

test('falls at once when 100 ms bring more than a fifth of the rate, and not again by the same samples', async () => {
  const { control, clock, seconds } = bound(new Controlled({ interval: 10, maxSampleRate: 5000 }));
  await seconds(10);
  assert.equal(control.probability, 6554);
  const nowMs = () => clock.monotonicMicros() / 1000;
  assert.equal(control.countSamples(1000, 100, nowMs()), false, 'a fifth');
  assert.equal(control.countSamples(5000, 100, nowMs()), true);
  assert.equal(control.probability, 655);
  assert.ok(control.isRising);
  await clock.advanceMs(100);
  assert.equal(control.countSamples(5000, 100, nowMs()), false, 'samples of the earlier probability');
  await clock.advanceMs(100);
  assert.equal(control.countSamples(5000, 100, nowMs()), true);
  assert.equal(control.probability, 65);
  await clock.advanceMs(300);
  control.countSamples(1_000_000, 100, nowMs());
  assert.equal(control.probability, 1, 'never 0');
});

test('follows changed limits: down at once, up by the rules', async () => {
  const controlled = new Controlled({ interval: 10, maxSampleRate: 5000 });
  await controlled.seconds(10);
  controlled.setLimits({ interval: 1000 });
  assert.equal(controlled.control.probability, 66);
  controlled.setLimits({ interval: 100 });
  assert.equal(controlled.control.probability, 66);
  assert.equal((await controlled.seconds(5)).at(-1), 656);
});

function bound(controlled: Controlled) {
  const { control, clock } = controlled;
  return { control, clock, seconds: (count: number) => controlled.seconds(count) };
}
