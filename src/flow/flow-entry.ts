// How a sample changes a flow in the memory of the cache, whose layout is in entry-layout.ts. All functions take the words of a segment and
// the word where the entry begins; they run for each sample, so they neither allocate nor return objects.

import { isExtended, keyWordCount } from '../ipfix/record-layout.ts';
import type { FlowKey } from '../packet/flow-key.ts';
import { addProduct, addSmall, SMALL_MAX } from './counter64.ts';
import {
  ENTRY_DOMAIN,
  ENTRY_END,
  ENTRY_HASH,
  ENTRY_KEY,
  ENTRY_LENGTHS,
  ENTRY_OCTETS,
  ENTRY_PACKETS,
  ENTRY_SQUARES,
  ENTRY_START,
  ENTRY_TEMPLATE,
  EXTENDED_OCTETS,
  EXTENDED_TCP_FLAGS,
  EXTENDED_WORD_COUNT,
  IP_TOTAL_LENGTH_MAX,
} from './entry-layout.ts';
import { isTimeUpTo, putTime } from './entry-time.ts';

/** Returns the words of an entry of a template. */
export function entryWordCount(templateId: number): number {
  return ENTRY_KEY + keyWordCount(templateId) + (isExtended(templateId) ? EXTENDED_WORD_COUNT : 0);
}

/** Initialises an entry: with the key, and zeros for all that samples will change. */
export function beginEntry(
  words: Int32Array,
  at: number,
  hash: number,
  domain: number,
  key: FlowKey,
  wordCount: number,
): void {
  words[at + ENTRY_HASH] = hash;
  words[at + ENTRY_DOMAIN] = domain;
  words[at + ENTRY_TEMPLATE] = key.templateId;
  for (let word = at + ENTRY_LENGTHS; word < at + ENTRY_KEY; word += 1) {
    words[word] = 0;
  }
  for (let index = 0; index < wordCount; index += 1) {
    words[at + ENTRY_KEY + index] = key.words[index]!;
  }
  for (let word = at + ENTRY_KEY + wordCount; word < at + entryWordCount(key.templateId); word += 1) {
    words[word] = 0;
  }
}

/** Returns whether the entry has this domain, template and key. Keys of one template have one size. */
export function isEntryOf(
  words: Int32Array,
  at: number,
  key: FlowKey,
  domain: number,
  wordCount: number,
): boolean {
  const keyWords = key.words;
  const from = at + ENTRY_KEY;
  // All differences are combined and tested once: where the hash is equal, the key nearly always is.
  let difference = (words[at + ENTRY_DOMAIN]! ^ domain) | (words[at + ENTRY_TEMPLATE]! ^ key.templateId);
  let index = 0;
  for (; index + 1 < wordCount; index += 2) {
    difference |=
      (words[from + index]! ^ keyWords[index]!) | (words[from + index + 1]! ^ keyWords[index + 1]!);
  }
  if (index < wordCount) {
    difference |= words[from + index]! ^ keyWords[index]!;
  }
  return difference === 0;
}

/**
 * Extends the flow to this time, at its end or at its start. Nearly all samples arrive in order, so the end is tested first;
 * returns false for one that does not.
 */
export function foldTime(words: Int32Array, at: number, high: number, low: number): boolean {
  if (isTimeUpTo(words, at + ENTRY_END, high, low)) {
    putTime(words, at + ENTRY_END, high, low);
    return true;
  }
  if (!isTimeUpTo(words, at + ENTRY_START, high, low)) {
    putTime(words, at + ENTRY_START, high, low);
  }
  return false;
}

/** The square of a smaller size does not exceed `SMALL_MAX`. */
const ONCE_SIZE_MAX = 46_341;

/**
 * Adds a sample of `weight` packets and `octets` octets of frames to the counters. Octets are not `weight * frameSize` where lost
 * packets of another size are compensated; lengths are those of the sample.
 */
export function foldSample(
  words: Int32Array,
  at: number,
  key: FlowKey,
  weight: number,
  frameSize: number,
  octets: number,
): void {
  const length = key.isIp
    ? Math.min(Math.max(0, frameSize - key.ethernetHeaderLength), IP_TOTAL_LENGTH_MAX)
    : 0;
  if (weight === 1 && octets < ONCE_SIZE_MAX && frameSize < ONCE_SIZE_MAX) {
    addSmall(words, at + ENTRY_PACKETS, 1);
    addSmall(words, at + ENTRY_OCTETS, octets);
    addSmall(words, at + ENTRY_SQUARES, Math.imul(length, length));
  } else if (
    weight <= SMALL_MAX &&
    octets <= SMALL_MAX &&
    weight * length <= SMALL_MAX / IP_TOTAL_LENGTH_MAX
  ) {
    addSmall(words, at + ENTRY_PACKETS, weight);
    addSmall(words, at + ENTRY_OCTETS, octets);
    addSmall(words, at + ENTRY_SQUARES, weight * length * length);
  } else {
    addProduct(words, at + ENTRY_PACKETS, weight, 1, false);
    addOctets(words, at + ENTRY_OCTETS, weight, frameSize, octets);
    addProduct(words, at + ENTRY_SQUARES, weight, length, true);
  }
  if (length !== 0) {
    foldLength(words, at + ENTRY_LENGTHS, length);
  }
}

/**
 * Adds what only entries of the format `extended` have, behind the key at `at`: the TCP flags, and octets of the length that the
 * IP header says. Where it says none, or more than the frame has, and for other frames: the frame without its Ethernet header.
 */
export function foldExtended(
  words: Int32Array,
  at: number,
  key: FlowKey,
  weight: number,
  frameSize: number,
  frameOctets: number,
): void {
  const room = Math.max(0, frameSize - key.ethernetHeaderLength);
  const said = key.ipTotalLength;
  const length = said === 0 || said > room ? room : said;
  // IP octets have the same weight as octets of frames.
  const octets =
    frameOctets === weight * frameSize ? weight * length : Math.round((frameOctets / frameSize) * length);
  if (octets <= SMALL_MAX) {
    addSmall(words, at + EXTENDED_OCTETS, octets);
  } else {
    addOctets(words, at + EXTENDED_OCTETS, weight, length, octets);
  }
  words[at + EXTENDED_TCP_FLAGS]! |= key.tcpControlBits;
}

/** Adds octets beyond `SMALL_MAX`: as the product of weight and length where they are that, which may exceed a double. */
function addOctets(words: Int32Array, at: number, weight: number, length: number, octets: number): void {
  if (octets === weight * length) {
    addProduct(words, at, weight, length, false);
  } else {
    addProduct(words, at, octets, 1, false);
  }
}

/** Updates minimum and maximum with a length that is not 0; a minimum of 0 means that there is none yet. */
function foldLength(words: Int32Array, at: number, length: number): void {
  const lengths = words[at]!;
  const minimum = lengths >>> 16;
  const maximum = lengths & 0xffff;
  if (minimum === 0 || length < minimum || length > maximum) {
    words[at] = ((minimum === 0 || length < minimum ? length : minimum) << 16) | Math.max(maximum, length);
  }
}
