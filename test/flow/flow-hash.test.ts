import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashFlow, hashSecrets } from '../../src/flow/flow-hash.ts';
import { RandomSource } from '../../src/flow/random.ts';

const WORD_COUNT = 10;
const BITS = 16;

/** Counts the values of the low bits that the hashes of some keys have, relative to random hashes. */
function spread(secrets: Int32Array, keys: Iterable<Int32Array>): { distinct: number; expected: number } {
  const seen = new Set<number>();
  let count = 0;
  for (const key of keys) {
    seen.add(hashFlow(secrets, key, WORD_COUNT, 259, 7) & ((1 << BITS) - 1));
    count += 1;
  }
  return { distinct: seen.size, expected: 2 ** BITS * (1 - (1 - 2 ** -BITS) ** count) };
}

function* keysBy(change: (key: Int32Array, number: number) => void): Iterable<Int32Array> {
  const key = new Int32Array(WORD_COUNT).fill(0x0a00_0001);
  for (let number = 0; number < 60_000; number += 1) {
    change(key, number);
    yield key;
  }
}

const patterns: readonly (readonly [string, (key: Int32Array, number: number) => void])[] = [
  ['a word that counts', (key, number) => (key[6] = number)],
  ['an upper half that counts', (key, number) => (key[6] = number << 16)],
  ['a byte-swapped counter', (key, number) => (key[6] = ((number & 0xff) << 24) | ((number & 0xff00) << 8))],
  ['two words that count against each other', (key, number) => ([key[6], key[7]] = [number, -number])],
  ['two words of 256 values each', (key, number) => ([key[6], key[8]] = [number & 0xff, number >>> 8])],
  [
    'addresses and ports in steps',
    (key, number) => ([key[6], key[9]] = [(number >>> 8) * 0x100, (number & 0xff) * 0x1_0000]),
  ],
  [
    'upper bits of many words',
    (key, number) =>
      key.forEach((_, at) => (key[at] = (((number >>> at) & 1) << 31) | (at === 9 ? number : 0))),
  ],
];
for (const [what, change] of patterns) {
  test(`spreads keys over slots like random hashes: ${what}`, () => {
    for (const seed of [0, 1, 0xdead_beef]) {
      const { distinct, expected } = spread(hashSecrets(seed), keysBy(change));
      assert.ok(distinct > 0.97 * expected, `seed ${seed}: ${distinct} of ${expected}`);
    }
  });
}

test('lets pairs of keys collide for few seeds, whatever their difference', () => {
  const random = new RandomSource(11);
  const differences: number[][] = [
    [0x8000_0000, 0x8000_0000],
    [0x8000_0000, 0x8001_0000],
    [0x8000_8000, 0x8000_8000],
    [1, -1],
    [0x1_0000, -0x1_0000],
  ];
  for (let round = 0; round < 20; round += 1) {
    differences.push([random.next(), random.next()]);
  }
  const one = Int32Array.from({ length: WORD_COUNT }, () => random.next());
  for (const [first = 0, second = 0] of differences) {
    const other = one.slice();
    other[4] = (other[4] ?? 0) + first;
    other[5] = (other[5] ?? 0) + second;
    let collisions = 0;
    for (let seed = 0; seed < 2000; seed += 1) {
      const secrets = hashSecrets(seed);
      const isSame =
        hashFlow(secrets, one, WORD_COUNT, 259, 7) === hashFlow(secrets, other, WORD_COUNT, 259, 7);
      collisions += isSame ? 1 : 0;
    }
    assert.ok(
      collisions <= 2,
      `${collisions} of 2,000 seeds for ${first.toString(16)} and ${second.toString(16)}`,
    );
  }
});

test('depends on domain, template and every word of the key, and not on words beyond', () => {
  const secrets = hashSecrets(3);
  const key = new Int32Array(WORD_COUNT);
  const hash = hashFlow(secrets, key, 9, 259, 7);
  assert.notEqual(hashFlow(secrets, key, 9, 259, 8), hash);
  assert.notEqual(hashFlow(secrets, key, 9, 265, 7), hash);
  for (let at = 0; at < WORD_COUNT; at += 1) {
    key[at] = 1;
    assert.equal(hashFlow(secrets, key, 9, 259, 7) === hash, at === 9, `word ${at}`);
    key[at] = 0;
  }
});
