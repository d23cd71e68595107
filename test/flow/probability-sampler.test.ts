import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProbabilitySampler } from '../../src/flow/probability-sampler.ts';

test('the sum of the weights of kept packets is exact within one packet, for every probability', () => {
  for (const probability of [1, 2, 655, 16_384, 20_000, 40_000, 65_534, 65_535]) {
    const sampler = new ProbabilitySampler(1);
    let sum = 0;
    for (let index = 0; index < 1000; index += 1) {
      sum += sampler.weight(probability);
    }
    assert.ok(Math.abs(sum - (1000 * 65_535) / probability) < 1.001, `${probability}: ${sum}`);
  }
});

test('a probability of 65,535 keeps every packet as one packet', () => {
  const sampler = new ProbabilitySampler(7);
  for (let index = 0; index < 1000; index += 1) {
    assert.equal(sampler.keep(65_535), true);
    assert.equal(sampler.weight(65_535), 1);
  }
  assert.deepEqual(sampler.status(), { received: 1000, selected: 1000 });
});

test('the estimate is unbiased: within 3 standard errors over 200,000 packets', () => {
  for (const [seed, probability] of [
    [101, 655],
    [102, 16_384],
    [103, 50_000],
    [104, 65_534],
  ] as const) {
    const sampler = new ProbabilitySampler(seed);
    const packets = 200_000;
    let estimate = 0;
    for (let index = 0; index < packets; index += 1) {
      if (sampler.keep(probability)) {
        estimate += sampler.weight(probability);
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

test('what a shared meter drops is made up for: more are kept, or each stands for more', () => {
  for (const [probability, expansion] of [
    [655, 4],
    [32_768, 4],
    [65_535, 2.5],
    [65_535, 0.5],
  ] as const) {
    const sampler = new ProbabilitySampler(11, new Float64Array([expansion]));
    const packets = 200_000;
    let estimate = 0;
    let squares = 0;
    for (let index = 0; index < packets; index += 1) {
      if (!sampler.keep(probability)) {
        continue;
      }
      const weight = sampler.weight(probability);
      estimate += weight;
      squares += weight * weight;
    }
    const expected = packets * expansion;
    const off = Math.abs(estimate - expected);
    assert.ok(off <= 3 * Math.sqrt(squares) + 1, `${probability}, ${expansion}: ${estimate} of ${expected}`);
  }
});
