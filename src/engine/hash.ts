// The hash of a flow: see flow/flow-hash.ts, whose values it has. The secret words are in the fixed part of the memory.

import { SECRETS_AT } from '../flow/engine-memory';

/** Bytes of the two secret words for domain and template. */
const KEY_SECRETS_AT: usize = SECRETS_AT + 8;

/** Returns the hash of the `wordCount` words at `key`, a template and an observation domain. */
export function hashFlow(key: usize, wordCount: u32, template: i32, domain: i32): i32 {
  let sum = product(domain, load<i32>(SECRETS_AT)) + product(template, load<i32>(SECRETS_AT + 4));
  const end = key + ((<usize>wordCount) << 2);
  let secret = KEY_SECRETS_AT;
  let at = key;
  for (; at + 4 < end; at += 8) {
    sum += product(load<i32>(at), load<i32>(secret)) + product(load<i32>(at, 4), load<i32>(secret, 4));
    secret += 8;
  }
  if (at < end) {
    sum += product(load<i32>(at), load<i32>(secret));
  }
  // The bits of the sum are uneven, and the index uses the low ones: mix them.
  sum = (sum ^ (sum >>> 16)) * 0x85eb_ca6b;
  sum = (sum ^ (sum >>> 13)) * 0xc2b2_ae35;
  return sum ^ (sum >>> 16);
}

/** Returns the product of the halves of the sum of a word and a secret one. */
function product(word: i32, secret: i32): i32 {
  const sum = word + secret;
  return (sum >>> 16) * (sum & 0xffff);
}
