// The hash of the flow cache. Senders choose what is in a flow key, so the hash has a secret: nobody who does
// not know the seed can make flows that all fall on one spot. It is the NH construction (RFC 4418 section 5.2)
// with 16-bit halves: each word plus a secret word is split in two, the halves are multiplied, the products are
// added. Two different keys of one length collide for about one seed in 2^15 at most, and the products need not
// wait for each other.

import { randomWord } from './random.ts';

/** Domain and template are hashed as two words before those of the key. */
const PREFIX_WORD_COUNT = 2;
const KEY_WORD_COUNT_MAX = 18;

/** The secret words that a seed stands for. */
export function hashSecrets(seed: number): Int32Array {
  const secrets = new Int32Array(PREFIX_WORD_COUNT + KEY_WORD_COUNT_MAX);
  for (let index = 0; index < secrets.length; index++) {
    secrets[index] = randomWord(seed, index);
  }
  return secrets;
}

/** The hash of `words[0, wordCount)`, a template and an observation domain; any 32 bits, as a signed number. */
export function hashFlow(
  secrets: Int32Array,
  words: Int32Array,
  wordCount: number,
  templateId: number,
  observationDomainId: number,
): number {
  let word = (observationDomainId + secrets[0]!) | 0;
  let sum = Math.imul(word >>> 16, word & 0xffff);
  word = (templateId + secrets[1]!) | 0;
  sum = (sum + Math.imul(word >>> 16, word & 0xffff)) | 0;
  for (let index = 0; index < wordCount; index++) {
    word = (words[index]! + secrets[index + PREFIX_WORD_COUNT]!) | 0;
    sum = (sum + Math.imul(word >>> 16, word & 0xffff)) | 0;
  }
  // The sum's bits are uneven, and the index uses the low ones: spread them (the multiplications are
  // bijective).
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return sum ^ (sum >>> 16);
}
