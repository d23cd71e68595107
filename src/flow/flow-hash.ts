// The hash of the flow cache. Senders choose what is in a flow key, so the hash has a secret seed: without it, a sender cannot
// choose flows that collide. It is the NH construction (RFC 4418, section 5.2) with 16-bit halves: each word plus a secret
// word is split in two, the halves are multiplied, the products are added. Two different keys of one length collide for at
// most about one seed in 2^15, and the products do not depend on each other.

import { KEY_SIZE_MAX } from '../ipfix/record-layout.ts';
import { randomWord } from './random.ts';

/** Domain and template are two words before those of the key. */
const PREFIX_WORD_COUNT = 2;
const KEY_WORD_COUNT_MAX = Math.ceil(KEY_SIZE_MAX / 4);

/** Returns the secret words that a seed expands to. */
export function hashSecrets(seed: number): Int32Array {
  const secrets = new Int32Array(PREFIX_WORD_COUNT + KEY_WORD_COUNT_MAX);
  for (let index = 0; index < secrets.length; index += 1) {
    secrets[index] = randomWord(seed, index);
  }
  return secrets;
}

/** Returns the hash of `words[0, wordCount)`, a template and an observation domain: any 32 bits, as a signed number. */
export function hashFlow(
  secrets: Int32Array,
  words: Int32Array,
  wordCount: number,
  templateId: number,
  observationDomainId: number,
): number {
  let sum = (product(observationDomainId, secrets[0]!) + product(templateId, secrets[1]!)) | 0;
  let index = 0;
  // Four at a time: the products depend neither on each other nor on the end of the loop.
  for (; index + 3 < wordCount; index += 4) {
    const first =
      (product(words[index]!, secrets[index + 2]!) + product(words[index + 1]!, secrets[index + 3]!)) | 0;
    const second =
      (product(words[index + 2]!, secrets[index + 4]!) + product(words[index + 3]!, secrets[index + 5]!)) | 0;
    sum = (sum + ((first + second) | 0)) | 0;
  }
  for (; index < wordCount; index += 1) {
    sum = (sum + product(words[index]!, secrets[index + PREFIX_WORD_COUNT]!)) | 0;
  }
  // The bits of the sum are uneven, and the index uses the low ones: mix them (the multiplications are bijective).
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return sum ^ (sum >>> 16);
}

/** Returns the product of the halves of the sum of a word and a secret one. */
function product(word: number, secret: number): number {
  const sum = (word + secret) | 0;
  return Math.imul(sum >>> 16, sum & 0xffff);
}
