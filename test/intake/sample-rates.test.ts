import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SampleRates } from '../../src/intake/sample-rates.ts';

const ALL = 65_535;

/** Returns the packets that a record represents. */
function weightOf(rates: SampleRates, domainId: number, pointId: number, count: number): number {
  const probability = rates.probability(domainId, pointId, count);
  return probability === 0 ? count : (count / Math.floor(ALL / probability)) * (ALL / probability);
}

test('weighs a record by 65535/P of the action with its ids, and by its own count without one', () => {
  const rates = new SampleRates();
  rates.add(7, 9, 32_768);
  rates.add(8, 9, 655);
  assert.equal(weightOf(rates, 7, 9, 1), ALL / 32_768);
  assert.equal(weightOf(rates, 8, 9, 100), ALL / 655);
  assert.equal(weightOf(rates, 7, 10, 1), 1);
  rates.remove(7, 9, 32_768);
  assert.equal(weightOf(rates, 7, 9, 1), 1);
});

test('tells actions of the same ids by the count of the record, and leaves it where it cannot', () => {
  const rates = new SampleRates();
  rates.add(7, 9, 32_768);
  rates.add(7, 9, 655);
  assert.equal(weightOf(rates, 7, 9, 1), ALL / 32_768);
  assert.equal(weightOf(rates, 7, 9, 100), ALL / 655);
  rates.add(7, 9, 65_535);
  assert.equal(weightOf(rates, 7, 9, 1), 1, 'P may be 65535 or 32768');
  assert.equal(weightOf(rates, 7, 9, 100), ALL / 655);
});

test('an action whose ids come from fields has records with any ids', () => {
  const rates = new SampleRates();
  rates.add(7, undefined, 40_000);
  assert.equal(weightOf(rates, 7, 123, 1), ALL / 40_000);
  rates.add(7, 123, 50_000);
  assert.equal(weightOf(rates, 7, 123, 1), 1, 'P may be either');
  assert.equal(weightOf(rates, 7, 124, 1), ALL / 40_000);
});

test('a record of several samples has their weight, where all are of one action', () => {
  const rates = new SampleRates();
  rates.add(7, 9, 21_846);
  assert.equal(weightOf(rates, 7, 9, 6), 3 * (ALL / 21_846));
  assert.equal(weightOf(rates, 7, 9, 7), 7, 'not a multiple: the flow had another probability');
  rates.add(7, 9, 655);
  assert.equal(weightOf(rates, 7, 9, 6), 6);
});

test('ids are signed words, and an action is known until no flow has it', () => {
  const rates = new SampleRates();
  rates.add(0xffff_ffff, 0x8000_0000, 32_768);
  rates.add(0xffff_ffff, 0x8000_0000, 32_768);
  rates.remove(0xffff_ffff, 0x8000_0000, 32_768);
  assert.equal(weightOf(rates, -1, 0x8000_0000 | 0, 1), ALL / 32_768);
  rates.add(1, 1, 0);
  assert.equal(weightOf(rates, 1, 1, 5), 5, 'P of 0 samples nothing');
});

test('finds what a map finds, whatever was added and removed', () => {
  const id = fc.integer({ min: 0, max: 40 });
  const step = fc.record({
    domain: id,
    point: id,
    probability: fc.constantFrom(1, 655, 40_000),
    isAdded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const rates = new SampleRates();
      const known = new Map<string, Map<number, number>>();
      for (const { domain, point, probability, isAdded } of steps) {
        const counts = known.get(`${domain} ${point}`) ?? new Map<number, number>();
        known.set(`${domain} ${point}`, counts);
        const count = counts.get(probability) ?? 0;
        if (isAdded) {
          rates.add(domain, point, probability);
          counts.set(probability, count + 1);
        } else {
          rates.remove(domain, point, probability);
          counts.set(probability, Math.max(0, count - 1));
        }
      }
      for (const [key, counts] of known) {
        const [domain = 0, point = 0] = key.split(' ').map(Number);
        for (const [probability, count] of counts) {
          const own = Math.floor(ALL / probability);
          const others = [...counts].filter(([other, some]) => some > 0 && other !== probability);
          if (count > 0) {
            assert.equal(weightOf(rates, domain, point, own), ALL / probability);
          } else if (others.length === 0) {
            assert.equal(weightOf(rates, domain, point, own), own);
          }
        }
      }
    }),
  );
});
