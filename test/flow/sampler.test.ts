import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketSampler } from '../../src/flow/sampler.ts';

/** Whether a binomial count of `trials` at probability `share` lies within 3 standard errors of its mean. */
function assertWithinErrors(count: number, trials: number, share: number, what: string): void {
  const mean = trials * share;
  const error = Math.sqrt(trials * share * (1 - share));
  assert.ok(Math.abs(count - mean) <= 3 * error, `${what}: ${count}, expected ${mean} within ${3 * error}`);
}

function kept(sampler: PacketSampler, count: number): boolean[] {
  return Array.from({ length: count }, () => sampler.keep());
}

test('an interval of 1 keeps every packet with weight 1', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 1 });
  assert.ok(kept(sampler, 10_000).every(Boolean));
  assert.equal(sampler.weight(), 1);
  assert.deepEqual([sampler.status().received, sampler.status().selected], [10_000, 10_000]);
});

for (const interval of [2, 3, 64, 400, 9973]) {
  test(`an interval of ${interval} keeps one packet in ${interval}, each with that weight`, () => {
    for (const seed of [1, 2, 3, 0xffff_ffff]) {
      const sampler = new PacketSampler({ interval, seed });
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

test('packets are kept independently of each other and of their place', () => {
  const interval = 8;
  const flags = kept(new PacketSampler({ interval, seed: 42 }), 400_000);
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

test('the same seed keeps the same packets, another seed others', () => {
  const [once, again, other] = [5, 5, 6].map((seed) => kept(new PacketSampler({ interval: 4, seed }), 200));
  assert.deepEqual(once, again);
  assert.notDeepEqual(once, other);
});

test('a changed interval holds from the next packet on', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 9 });
  kept(sampler, 100);
  sampler.setInterval(16);
  const selected = kept(sampler, 200_000).filter(Boolean).length;
  assertWithinErrors(selected, 200_000, 1 / 16, 'after the change');
  assert.equal(sampler.weight(), 16);
  assert.equal(sampler.status().selected, selected + 100);
});

test('an interval that is no count is refused', () => {
  const sampler = new PacketSampler({ interval: 0xffff_ffff, seed: 9 });
  assert.ok(!kept(sampler, 1000).includes(true));
  for (const interval of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => sampler.setInterval(interval), RangeError);
  }
});

test('what passed the meter and never arrived is lost', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 1 });
  sampler.observePool({ packets: 0n, octets: 0n, dropped: 0n });
  kept(sampler, 700);
  sampler.observePool({ packets: 1000n, octets: 60_000n, dropped: 250n });
  assert.deepEqual(sampler.status(), {
    interval: 1,
    poolPackets: 1000,
    poolOctets: 60_000,
    droppedByMeter: 250,
    received: 700,
    selected: 700,
    lost: 50,
    shareDropped: 0.25,
    // Those 50 may be on their way: only what the meter dropped is made up for yet.
    expansion: 950 / 700,
    sampleWeight: 950 / 700,
    packetsOwed: 250,
    packetsGivenUp: 0,
  });
  // Packets that have come since the meter was read are not set against what it had counted.
  kept(sampler, 30);
  assert.equal(sampler.status().lost, 50);
  sampler.observePool({ packets: 1030n, octets: 61_800n, dropped: 250n });
  assert.equal(sampler.status().lost, 50);
  assert.equal(sampler.status().shareDropped, 0);
  sampler.observePool({ packets: 1030n, octets: 61_800n, dropped: 250n });
  assert.equal(sampler.status().shareDropped, 0);
});

test('packets that overtake the reading of the meter are no negative loss', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 1 });
  sampler.observePool({ packets: 0n, octets: 0n, dropped: 0n });
  kept(sampler, 12);
  sampler.observePool({ packets: 10n, octets: 600n, dropped: 0n });
  assert.equal(sampler.status().lost, 0);
  sampler.observePool({ packets: 12n, octets: 720n, dropped: 0n });
  assert.equal(sampler.status().lost, 0);
});

test('the account begins at the first reading of a meter that was there before', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 1 });
  kept(sampler, 5);
  sampler.observePool({ packets: 1_000_000n, octets: 60_000_000n, dropped: 999_000n });
  kept(sampler, 80);
  sampler.observePool({ packets: 1_000_100n, octets: 60_006_000n, dropped: 999_010n });
  const { poolPackets, poolOctets, droppedByMeter, lost, received } = sampler.status();
  assert.deepEqual([poolPackets, poolOctets, droppedByMeter, lost, received], [100, 6000, 10, 10, 85]);
});

test('the account goes on over meters that are made anew, however often', () => {
  const sampler = new PacketSampler({ interval: 1, seed: 1 });
  const truth = { packets: 0, octets: 0, dropped: 0, lost: 0 };
  let meter = { packets: 0n, octets: 0n, dropped: 0n };
  sampler.observePool(meter);
  for (let round = 1; round <= 200; round += 1) {
    const isRemade = round % 7 === 0;
    if (isRemade) {
      meter = { packets: 0n, octets: 0n, dropped: 0n };
    }
    // Counters that have passed their old values when they are read again do not show that the meter is a new
    // one.
    const offered = isRemade && round % 2 === 0 ? 100_000 : 10 + (round % 5);
    const dropped = round % 4;
    const lost = round % 3;
    meter = {
      packets: meter.packets + BigInt(offered),
      octets: meter.octets + BigInt(offered * 100),
      dropped: meter.dropped + BigInt(dropped),
    };
    kept(sampler, offered - dropped - lost);
    truth.packets += offered;
    truth.octets += offered * 100;
    truth.dropped += dropped;
    truth.lost += lost;
    if (isRemade) {
      sampler.poolRestarted();
    }
    sampler.observePool(meter);
    const { poolPackets: packets, poolOctets: octets, droppedByMeter, lost: seenLost } = sampler.status();
    assert.deepEqual({ packets, octets, dropped: droppedByMeter, lost: seenLost }, truth);
  }
});

for (const counter of ['packets', 'octets', 'dropped'] as const) {
  test(`a counter that has gone back is a new meter also when nobody has said so: ${counter}`, () => {
    const sampler = new PacketSampler({ interval: 1, seed: 1 });
    const before = { packets: 100n, octets: 6000n, dropped: 10n };
    const after = { packets: 200n, octets: 20_000n, dropped: 20n, [counter]: 5n };
    sampler.observePool({ packets: 0n, octets: 0n, dropped: 0n });
    sampler.observePool(before);
    sampler.observePool(after);
    const { poolPackets, poolOctets, droppedByMeter, shareDropped } = sampler.status();
    assert.equal(poolPackets, Number(before.packets + after.packets));
    assert.equal(poolOctets, Number(before.octets + after.octets));
    assert.equal(droppedByMeter, Number(before.dropped + after.dropped));
    assert.equal(shareDropped, Number(after.dropped) / Number(after.packets));
  });
}

/** Drives a sampler with a meter of so many packets an interval in front of it, and adds up what samples stand for. */
function estimateBehindMeter(interval: number, seed: number, offers: readonly number[], rate: number) {
  const sampler = new PacketSampler({ interval, seed });
  sampler.observePool({ packets: 0n, octets: 0n, dropped: 0n });
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
      if (!sampler.keep()) {
        continue;
      }
      const weight = sampler.weight();
      estimate += weight;
      squares += weight * weight;
    }
    sampler.observePool({ packets: BigInt(pool), octets: 0n, dropped: BigInt(dropped) });
  }
  return { pool, estimate, squares, sampler };
}

for (const interval of [1, 2, 64, 1000]) {
  test(`behind a meter that drops, the estimate of 1 in ${interval} is right within 3 standard errors`, () => {
    for (const seed of [1, 2, 3]) {
      const bursts = Array.from({ length: 60 }, (_, at) => (at % 20 < 12 ? 20_000 : 4000));
      // A quiet time at the end, in which what is owed is made up for.
      const { pool, estimate, squares, sampler } = estimateBehindMeter(
        interval,
        seed,
        [...bursts, ...Array.from({ length: 6 }, () => 4000)],
        5000,
      );
      const { packetsOwed, packetsGivenUp } = sampler.status();
      assert.ok(Math.abs(packetsOwed) < 1 && packetsGivenUp === 0, `${packetsOwed} owed`);
      const deviation = Math.abs(estimate - pool);
      if (interval === 1) {
        assert.ok(deviation <= 1, `${estimate} of ${pool}`);
      } else {
        assert.ok(deviation <= 3 * Math.sqrt(squares), `seed ${seed}: ${estimate} of ${pool}`);
      }
    }
  });
}

test('a meter that drops makes more packets be kept, before each stands for more than N', () => {
  const { sampler } = estimateBehindMeter(64, 9, [20_000, 20_000, 20_000], 5000);
  assert.equal(sampler.status().expansion, 4);
  assert.equal(sampler.status().sampleWeight, 64);
  assertWithinErrors(kept(sampler, 5000).filter(Boolean).length, 5000, 4 / 64, 'kept');
  // With that, what was missing of the last interval is made up for.
  assertWithinErrors(kept(sampler, 100_000).filter(Boolean).length, 100_000, 1 / 64, 'kept');
});
