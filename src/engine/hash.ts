// The hash of a flow: see flow/flow-hash.ts, whose values it has. The secret words are in the fixed part of the memory.

import { SECRETS_AT, SLOT_DOMAIN } from '../flow/engine-memory';

/** Words of domain and template, which lie before those of the key. */
const PREFIX_WORDS: u32 = 2;

/** Returns the hash of domain, template and the `wordCount` words of the key in a slot. */
export function hashSlot(slot: usize, wordCount: u32): i32 {
  let word = slot + SLOT_DOMAIN;
  let secret: usize = SECRETS_AT;
  const end = word + ((<usize>(wordCount + PREFIX_WORDS)) << 2);
  let sums = i32x4.splat(0);
  for (; word + 12 < end; word += 16) {
    sums = i32x4.add(sums, products(word, secret));
    secret += 16;
  }
  let hash = sumOf(sums);
  for (; word < end; word += 4) {
    hash += product(load<i32>(word) + load<i32>(secret));
    secret += 4;
  }
  return mixed(hash);
}

/** The same for the key of a plain frame: its first 12 words, and one of the format `extended`. */
export function hashPlainSlot(slot: usize, isExtended: bool): i32 {
  const word = slot + SLOT_DOMAIN;
  const secret: usize = SECRETS_AT;
  const first = i32x4.add(products(word, secret), products(word + 16, secret + 16));
  let hash = sumOf(i32x4.add(first, products(word + 32, secret + 32)));
  if (isExtended) {
    hash += product(load<i32>(word, 48) + load<i32>(secret, 48));
  }
  return mixed(hash);
}

/** Returns the products of four words. */
function products(word: usize, secret: usize): v128 {
  const sum = i32x4.add(v128.load(word), v128.load(secret));
  return i32x4.mul(i32x4.shr_u(sum, 16), v128.and(sum, i32x4.splat(0xffff)));
}

function sumOf(sums: v128): i32 {
  return (
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3)
  );
}

/** The bits of the sum are uneven, and the index uses the low ones: mixes them. */
function mixed(sum: i32): i32 {
  let hash = (sum ^ (sum >>> 16)) * 0x85eb_ca6b;
  hash = (hash ^ (hash >>> 13)) * 0xc2b2_ae35;
  return hash ^ (hash >>> 16);
}

/** Returns the product of the halves of the sum of a word and a secret one. */
function product(sum: i32): i32 {
  return (sum >>> 16) * (sum & 0xffff);
}
