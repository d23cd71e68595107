// How a flow lies in the memory of the cache, and what becomes of it when a sample is added. All functions get
// the words of a segment and the word where the entry begins; they run for each sample, so they neither make
// nor return objects.

import type { FlowKey } from '../packet/flow-key.ts';
import { keySize } from '../packet/template-id.ts';
import { addProduct } from './counter64.ts';
import { isTimeUpTo, putTime } from './entry-time.ts';

/**
 * Lengths of IP packets are kept in 16 bits; a longer one (offloaded, or a jumbogram of RFC 2675) counts as
 * this long in minimum, maximum and sum of squares. Octets count it whole.
 */
export const IP_TOTAL_LENGTH_MAX = 0xffff;

/** Words of an entry, from its start. Counters and times are two words, the low one first. */
export const EntryWord = {
  hash: 0,
  observationDomainId: 1,
  templateId: 2,
  /** The smallest IP total length in the upper half, the largest in the lower. */
  lengths: 3,
  start: 4,
  end: 6,
  packets: 8,
  octets: 10,
  sumOfSquares: 12,
  key: 14,
} as const;

/** How many words the key of a template takes: its last word is filled up with zeros. */
export function keyWordCount(templateId: number): number {
  return (keySize(templateId) + 3) >> 2;
}

/** Makes an entry of the flow: with its key, and zeros for all that samples and time will make of it. */
export function beginEntry(
  words: Int32Array,
  at: number,
  hash: number,
  domain: number,
  key: FlowKey,
  wordCount: number,
): void {
  words[at + EntryWord.hash] = hash;
  words[at + EntryWord.observationDomainId] = domain;
  words[at + EntryWord.templateId] = key.templateId;
  for (let word = at + EntryWord.lengths; word < at + EntryWord.key; word++) {
    words[word] = 0;
  }
  for (let index = 0; index < wordCount; index++) {
    words[at + EntryWord.key + index] = key.words[index]!;
  }
}

/** Whether the entry has this domain, template and key. Keys of one template are of one size. */
export function isEntryOf(
  words: Int32Array,
  at: number,
  key: FlowKey,
  domain: number,
  wordCount: number,
): boolean {
  if (
    words[at + EntryWord.observationDomainId] !== domain ||
    words[at + EntryWord.templateId] !== key.templateId
  ) {
    return false;
  }
  const keyWords = key.words;
  for (let index = 0; index < wordCount; index++) {
    if (words[at + EntryWord.key + index] !== keyWords[index]) {
      return false;
    }
  }
  return true;
}

/**
 * Makes the flow last until this time, or begin with it. Samples come in order almost always, so the end is
 * first.
 */
export function foldTime(words: Int32Array, at: number, high: number, low: number): void {
  if (isTimeUpTo(words, at + EntryWord.end, high, low)) {
    putTime(words, at + EntryWord.end, high, low);
  } else if (!isTimeUpTo(words, at + EntryWord.start, high, low)) {
    putTime(words, at + EntryWord.start, high, low);
  }
}

/** Adds a sample of `weight` packets to the counters. */
export function foldSample(
  words: Int32Array,
  at: number,
  key: FlowKey,
  weight: number,
  frameSize: number,
): void {
  addProduct(words, at + EntryWord.packets, weight, 1, false);
  addProduct(words, at + EntryWord.octets, weight, frameSize, false);
  if (key.isIp) {
    const length = Math.min(Math.max(0, frameSize - key.ethernetHeaderLength), IP_TOTAL_LENGTH_MAX);
    addProduct(words, at + EntryWord.sumOfSquares, weight, length, true);
    foldLength(words, at + EntryWord.lengths, length);
  }
}

/** Minimum and maximum; a length of 0 never lowers the minimum, and the first real one replaces it. */
function foldLength(words: Int32Array, at: number, length: number): void {
  const lengths = words[at]!;
  const minimum = lengths >>> 16;
  const maximum = lengths & 0xffff;
  const newMinimum = minimum === 0 || (length !== 0 && length < minimum) ? length : minimum;
  words[at] = (newMinimum << 16) | Math.max(maximum, length);
}
