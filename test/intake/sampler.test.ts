import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeterLedger } from '../../src/intake/meter-ledger.ts';
import { Sampler } from '../../src/intake/sampler.ts';

/** P of a `sample` action is out of so many. */
const PROBABILITY_MAX = 65_535;

/** Whether a binomial count of `trials` at probability `share` lies within 3 standard errors of its mean. */
function assertWithinErrors(count: number, trials: number, share: number, what: string): void {
  const mean = trials * share;
  const error = Math.sqrt(trials * share * (1 - share));
  assert.ok(Math.abs(count - mean) <= 3 * error, `${what}: ${count}, expected ${mean} within ${3 * error}`);
}

function oneIn(interval: number, seed: number): Sampler {
  const sampler = new Sampler(seed);
  sampler.setProbability(1, interval);
  return sampler;
}

function withProbability(probability: number, seed: number, factor = 1): Sampler {
  const sampler = new Sampler(seed, new Float64Array([factor]));
  sampler.setProbability(probability, PROBABILITY_MAX);
  return sampler;
}

function kept(sampler: Sampler, count: number): boolean[] {
  return Array.from({ length: count }, () => sampler.keep());
}

test('keeps every packet with weight 1 at an interval of 1', () => {
  const sampler = oneIn(1, 1);
  assert.ok(kept(sampler, 10_000).every(Boolean));
  assert.equal(sampler.weight(), 1);
  assert.deepEqual([sampler.status().received, sampler.status().selected], [10_000, 10_000]);
});

for (const interval of [2, 3, 64, 400, 9973]) {
  test(`keeps one packet in ${interval}, each with that weight`, () => {
    for (const seed of [1, 2, 3, 0xffff_ffff]) {
      const sampler = oneIn(interval, seed);
      const trials = 1_000_000;
      let selected = 0;
      for (let packet = 0; packet < trials; packet += 1) {
        selected += sampler.keep() ? 1 : 0;
      }
      assertWithinErrors(selected, trials, 1 / interval, `seed ${seed}`);
      assert.equal(sampler.status().selected, selected);
      assert.equal(sampler.weight(), interval);
    }
  });
}

test('keeps packets independently of each other and of their place', () => {
  const interval = 8;
  const flags = kept(oneIn(interval, 42), 400_000);
  const total = flags.length;
  for (const distance of [1, 2, 3, 8, 16, 64]) {
    const pairs = flags.filter((flag, at) => flag && flags[at + distance] === true).length;
    assertWithinErrors(pairs, total - distance, 1 / interval ** 2, `pairs ${distance} apart`);
  }
  for (let phase = 0; phase < 4; phase += 1) {
    const atPhase = flags.filter((flag, at) => flag && at % 4 === phase).length;
    assertWithinErrors(atPhase, total / 4, 1 / interval, `phase ${phase}`);
  }
});

test('keeps the same packets with the same seed, and others with another seed', () => {
  const [once, again, other] = [5, 5, 6].map((seed) => kept(oneIn(4, seed), 200));
  assert.deepEqual(once, again);
  assert.notDeepEqual(once, other);
});

test('applies a changed interval from the next packet on', () => {
  const sampler = oneIn(1, 9);
  kept(sampler, 100);
  sampler.setProbability(1, 16);
  const selected = kept(sampler, 200_000).filter(Boolean).length;
  assertWithinErrors(selected, 200_000, 1 / 16, 'after the change');
  assert.equal(sampler.weight(), 16);
  assert.equal(sampler.status().selected, selected + 100);
});

test('refuses a probability that is not a fraction of whole numbers below 2^32', () => {
  const sampler = oneIn(0xffff_ffff, 9);
  assert.ok(!kept(sampler, 1000).includes(true));
  for (const interval of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => sampler.setProbability(1, interval), RangeError);
  }
  for (const numerator of [0, -1, 1.5, 17, Number.NaN]) {
    assert.throws(() => sampler.setProbability(numerator, 16), RangeError);
  }
});

test('sums up weights exactly within one packet, for every probability', () => {
  for (const probability of [1, 2, 655, 16_384, 20_000, 40_000, 65_534, 65_535]) {
    const sampler = withProbability(probability, 1);
    let sum = 0;
    for (let index = 0; index < 1000; index += 1) {
      sum += sampler.weight();
    }
    assert.ok(Math.abs(sum - (1000 * 65_535) / probability) < 1.001, `${probability}: ${sum}`);
  }
});

test('keeps every packet as one packet at a probability of 65,535', () => {
  const sampler = withProbability(65_535, 7);
  for (let index = 0; index < 1000; index += 1) {
    assert.equal(sampler.keep(), true);
    assert.equal(sampler.weight(), 1);
  }
  assert.deepEqual(sampler.status(), { received: 1000, selected: 1000 });
});

test('estimates without bias: within 3 standard errors over 200,000 packets', () => {
  for (const [seed, probability] of [
    [101, 655],
    [102, 16_384],
    [103, 50_000],
    [104, 65_534],
  ] as const) {
    const sampler = withProbability(probability, seed);
    const packets = 200_000;
    let estimate = 0;
    for (let index = 0; index < packets; index += 1) {
      if (sampler.keep()) {
        estimate += sampler.weight();
      }
    }
    const p = probability / 65_535;
    const standardError = Math.sqrt((packets * (1 - p)) / p);
    assert.ok(
      Math.abs(estimate - packets) <= 3 * standardError + 1,
      `seed ${seed}: ${estimate} of ${packets}`,
    );
  }
});

test('compensates for what a shared meter drops: keeps more, or gives each more weight', () => {
  for (const [probability, factor] of [
    [655, 4],
    [32_768, 4],
    [65_535, 2.5],
    [65_535, 0.5],
  ] as const) {
    const sampler = withProbability(probability, 11, factor);
    const packets = 200_000;
    let estimate = 0;
    let squares = 0;
    for (let index = 0; index < packets; index += 1) {
      if (!sampler.keep()) {
        continue;
      }
      const weight = sampler.weight();
      estimate += weight;
      squares += weight * weight;
    }
    const expected = packets * factor;
    const off = Math.abs(estimate - expected);
    assert.ok(off <= 3 * Math.sqrt(squares) + 1, `${probability}, ${factor}: ${estimate} of ${expected}`);
  }
});

test('applies the probability of each packet, and sums up their weights within one packet', () => {
  const probabilities = [655, 65_535, 16_384];
  const sampler = new Sampler(12);
  const rounds = 200_000;
  const counts = probabilities.map(() => 0);
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, probability] of probabilities.entries()) {
      sampler.setProbability(probability, PROBABILITY_MAX);
      if (sampler.keep()) {
        counts[index]! += 1;
        sum += sampler.weight();
      }
    }
  }
  for (const [index, probability] of probabilities.entries()) {
    assertWithinErrors(counts[index]!, rounds, probability / PROBABILITY_MAX, `probability ${probability}`);
  }
  const exact = counts.reduce(
    (total, count, index) => total + (count * PROBABILITY_MAX) / probabilities[index]!,
    0,
  );
  assert.ok(Math.abs(sum - exact) < 1.001, `${sum} of ${exact}`);
});

test('gives packets that take turns the same weight on average', () => {
  for (const share of [1.5, 2.25, 38.5]) {
    const sampler = withProbability(65_535, 13, share);
    const sums = [0, 0];
    const rounds = 10_000;
    for (let round = 0; round < rounds; round += 1) {
      sums[0]! += sampler.weight();
      sums[1]! += sampler.weight();
    }
    for (const sum of sums) {
      // The standard deviation of a weight is below 1.
      assert.ok(Math.abs(sum - rounds * share) <= 4 * Math.sqrt(rounds), `${share}: ${sums.join(', ')}`);
    }
    assert.ok(Math.abs(sums[0]! + sums[1]! - 2 * rounds * share) < 1);
  }
});

test('a packet weighs one at least, also after one that was rounded up', () => {
  const sampler = withProbability(65_535, 14, 1.01);
  for (let packet = 0; packet < 10_000; packet += 1) {
    assert.ok(sampler.weight() >= 1);
  }
});

test('sums up octets exactly within one octet, also where a weight is rounded', () => {
  const factor = new Float64Array([38.5]);
  const sampler = new Sampler(5, factor);
  let octets = 0;
  let sum = 0;
  for (let packet = 0; packet < 80; packet += 1) {
    const frameLength = 60 + (packet % 20) * 60;
    octets += frameLength;
    sampler.weight();
    sum += sampler.octets(frameLength);
  }
  assert.ok(Math.abs(sum - octets * 38.5) <= 1, `${sum} of ${octets * 38.5}`);
});

test('octets are the frame length times the share of a packet, which may have another factor for octets', () => {
  const factor = new Float64Array([1]);
  const octetFactor = new Float64Array([1]);
  const sampler = new Sampler(3, factor, octetFactor);
  sampler.setProbability(655, PROBABILITY_MAX);
  assert.equal(sampler.octets(1514), Math.floor((1514 * PROBABILITY_MAX) / 655));
  factor[0] = 2;
  octetFactor[0] = 3.3;
  // A sample represents 65535/655 packets, of which each has 3.3/2 times the octets; the fraction is carried.
  let sum = 0;
  for (let sample = 0; sample < 1000; sample += 1) {
    sampler.weight();
    sum += sampler.octets(61);
  }
  assert.ok(Math.abs(sum - (1000 * 61 * PROBABILITY_MAX * 1.65) / 655) <= 1, String(sum));
});

/** Runs a sampler behind a meter that passes `rate` packets an interval, and adds up the weights. */
function estimateBehindMeter(interval: number, seed: number, offers: readonly number[], rate: number) {
  const ledger = new MeterLedger();
  const sampler = new Sampler(seed, ledger.factorCell);
  sampler.setProbability(1, interval);
  ledger.observe({ packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n });
  let pool = 0;
  let dropped = 0;
  let estimate = 0;
  /** The sum of the squares of the weights: the variance of an estimate of independent samples is about that. */
  let squares = 0;
  for (const offered of offers) {
    const passing = Math.min(offered, rate);
    pool += offered;
    dropped += offered - passing;
    for (let packet = 0; packet < passing; packet += 1) {
      ledger.arrive(0);
      if (!sampler.keep()) {
        continue;
      }
      const weight = sampler.weight();
      estimate += weight;
      squares += weight * weight;
    }
    ledger.observe({ packets: BigInt(pool), octets: 0n, dropped: BigInt(dropped), droppedOctets: 0n });
  }
  return { pool, estimate, squares, sampler, ledger };
}

for (const interval of [1, 2, 64, 1000]) {
  test(`estimates within 3 standard errors behind a meter that drops, at 1 in ${interval}`, () => {
    for (const seed of [1, 2, 3]) {
      const bursts = Array.from({ length: 60 }, (_, at) => (at % 20 < 12 ? 20_000 : 4000));
      // Less traffic at the end, in which the pending loss is compensated.
      const { pool, estimate, squares, ledger } = estimateBehindMeter(
        interval,
        seed,
        [...bursts, ...Array.from({ length: 6 }, () => 4000)],
        5000,
      );
      const { pendingLossPackets, writtenOffPackets } = ledger.status();
      assert.ok(Math.abs(pendingLossPackets) < 1 && writtenOffPackets === 0, `${pendingLossPackets} pending`);
      const deviation = Math.abs(estimate - pool);
      if (interval === 1) {
        assert.ok(deviation <= 1, `${estimate} of ${pool}`);
      } else {
        assert.ok(deviation <= 3 * Math.sqrt(squares), `seed ${seed}: ${estimate} of ${pool}`);
      }
    }
  });
}

test('keeps more packets behind a meter that drops, before the weight exceeds N', () => {
  const { sampler, ledger } = estimateBehindMeter(64, 9, [20_000, 20_000, 20_000], 5000);
  assert.equal(ledger.status().compensationFactor, 4);
  const keptOf = (count: number) => {
    const flags = Array.from({ length: count }, () => {
      ledger.arrive(0);
      return sampler.keep();
    });
    return flags.filter(Boolean).length;
  };
  assertWithinErrors(keptOf(5000), 5000, 4 / 64, 'kept');
  assert.equal(sampler.weight(), 64);
  // With that, the loss of the last interval is compensated.
  assertWithinErrors(keptOf(100_000), 100_000, 1 / 64, 'kept');
});
