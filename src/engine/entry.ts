// One flow in memory: see flow/flow-entry.ts, whose layout and arithmetic it has; 64-bit counters are integers here. `entry` and
// `slot` are addresses in bytes.

import {
  EXTENDED_ID_FIRST,
  KEY_WORDS_AT,
  SLOT_DOMAIN,
  SLOT_FRAME_SIZE,
  SLOT_HASH,
  SLOT_HEADER_BYTES,
  SLOT_IP_LENGTH,
  SLOT_IS_IP,
  SLOT_KEY,
  SLOT_OCTETS,
  SLOT_TCP_FLAGS,
  SLOT_TEMPLATE,
  SLOT_TIME,
  SLOT_WEIGHT,
  TEMPLATE_ID_FIRST,
} from '../flow/engine-memory';
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
} from '../flow/entry-layout';
import { ETHERNET_HEADER_BYTES } from './dissect';

/** Words of the key of a plain frame in the format `extended`. */
const PLAIN_EXTENDED_WORDS: u32 = 11;
/** Whole numbers above this are not all doubles. */
const EXACT_MAX: f64 = 9_007_199_254_740_992;

/** Returns the words of the flow key of a template. */
export function keyWordCount(template: i32): u32 {
  return <u32>load<u8>(<usize>(KEY_WORDS_AT - TEMPLATE_ID_FIRST + template));
}

/** Returns the words of an entry of a template. */
export function entryWordCount(template: i32): u32 {
  return ENTRY_KEY + keyWordCount(template) + (template >= EXTENDED_ID_FIRST ? EXTENDED_WORD_COUNT : 0);
}

/** Returns the template of an entry. */
export function templateOf(entry: usize): i32 {
  return load<i32>(entry, ENTRY_TEMPLATE * 4);
}

/** Returns the hash of an entry. */
export function hashOf(entry: usize): i32 {
  return load<i32>(entry, ENTRY_HASH * 4);
}

/** Returns when a flow started, in microseconds. */
export function startOf(entry: usize): i64 {
  return load<i64>(entry, ENTRY_START * 4);
}

/** Initialises an entry: with the key and the time of the sample, and zeros for all that samples will change. */
export function beginEntry(entry: usize, slot: usize, wordCount: u32): void {
  const template = load<i32>(slot, SLOT_TEMPLATE);
  store<i32>(entry, load<i32>(slot, SLOT_HASH), ENTRY_HASH * 4);
  store<i32>(entry, load<i32>(slot, SLOT_DOMAIN), ENTRY_DOMAIN * 4);
  store<i32>(entry, template, ENTRY_TEMPLATE * 4);
  store<i32>(entry, 0, ENTRY_LENGTHS * 4);
  store<i64>(entry, load<i64>(slot, SLOT_TIME), ENTRY_START * 4);
  store<i64>(entry, 0, ENTRY_END * 4);
  store<i64>(entry, 0, ENTRY_PACKETS * 4);
  store<i64>(entry, 0, ENTRY_OCTETS * 4);
  store<i64>(entry, 0, ENTRY_SQUARES * 4);
  const keyBytes = (<usize>wordCount) << 2;
  for (let at: usize = 0; at < keyBytes; at += 4) {
    store<u32>(entry + at, load<u32>(slot + at, SLOT_KEY), ENTRY_KEY * 4);
  }
  if (template >= EXTENDED_ID_FIRST) {
    store<i64>(entry + keyBytes, 0, (ENTRY_KEY + EXTENDED_OCTETS) * 4);
    store<i32>(entry + keyBytes, 0, (ENTRY_KEY + EXTENDED_TCP_FLAGS) * 4);
  }
}

/** Returns whether the entry has the domain, template and key of the slot; the first two lie side by side in both. */
export function isEntryOf(entry: usize, slot: usize, wordCount: u32): bool {
  // All differences are combined and tested once: where the hash is equal, the key nearly always is.
  let difference = load<u64>(entry, ENTRY_DOMAIN * 4) ^ load<u64>(slot, SLOT_DOMAIN);
  const keyBytes = (<usize>wordCount) << 2;
  let at: usize = 0;
  for (; at + 28 < keyBytes; at += 32) {
    difference |=
      (load<u64>(entry + at, ENTRY_KEY * 4) ^ load<u64>(slot + at, SLOT_KEY)) |
      (load<u64>(entry + at, ENTRY_KEY * 4 + 8) ^ load<u64>(slot + at, SLOT_KEY + 8)) |
      (load<u64>(entry + at, ENTRY_KEY * 4 + 16) ^ load<u64>(slot + at, SLOT_KEY + 16)) |
      (load<u64>(entry + at, ENTRY_KEY * 4 + 24) ^ load<u64>(slot + at, SLOT_KEY + 24));
  }
  for (; at + 4 < keyBytes; at += 8) {
    difference |= load<u64>(entry + at, ENTRY_KEY * 4) ^ load<u64>(slot + at, SLOT_KEY);
  }
  if (at < keyBytes) {
    difference |= load<u32>(entry + at, ENTRY_KEY * 4) ^ load<u32>(slot + at, SLOT_KEY);
  }
  return difference === 0;
}

/** The same as `isEntryOf` for the key of a plain frame. */
export function isPlainEntryOf(entry: usize, slot: usize, isExtended: bool): bool {
  const difference =
    (load<u64>(entry, ENTRY_DOMAIN * 4) ^ load<u64>(slot, SLOT_DOMAIN)) |
    (load<u64>(entry, ENTRY_KEY * 4) ^ load<u64>(slot, SLOT_KEY)) |
    (load<u64>(entry, ENTRY_KEY * 4 + 8) ^ load<u64>(slot, SLOT_KEY + 8)) |
    (load<u64>(entry, ENTRY_KEY * 4 + 16) ^ load<u64>(slot, SLOT_KEY + 16)) |
    (load<u64>(entry, ENTRY_KEY * 4 + 24) ^ load<u64>(slot, SLOT_KEY + 24)) |
    (load<u64>(entry, ENTRY_KEY * 4 + 32) ^ load<u64>(slot, SLOT_KEY + 32));
  return (
    difference === 0 &&
    (!isExtended || load<u32>(entry, ENTRY_KEY * 4 + 40) === load<u32>(slot, SLOT_KEY + 40))
  );
}

/** Writes what only `fold` needs of a sample of a plain frame with weight 1. */
export function completePlainSlot(slot: usize): void {
  store<f64>(slot, <f64>load<u32>(slot, SLOT_FRAME_SIZE), SLOT_OCTETS);
  store<u32>(slot, 1, SLOT_WEIGHT);
  store<u32>(slot, ETHERNET_HEADER_BYTES, SLOT_HEADER_BYTES);
  store<u32>(slot, 1, SLOT_IS_IP);
}

/** The same as `fold` for a plain frame with weight 1. */
export function foldPlain(entry: usize, slot: usize, isExtended: bool): bool {
  const frameSize = load<u32>(slot, SLOT_FRAME_SIZE);
  const room = frameSize - ETHERNET_HEADER_BYTES;
  const length = min(room, IP_TOTAL_LENGTH_MAX);
  add(entry + ENTRY_PACKETS * 4, 1);
  add(entry + ENTRY_OCTETS * 4, frameSize);
  add(entry + ENTRY_SQUARES * 4, <u64>(length * length));
  foldLength(entry, length);
  if (isExtended) {
    const said = load<u32>(slot, SLOT_IP_LENGTH);
    const at = entry + (ENTRY_KEY + PLAIN_EXTENDED_WORDS) * 4;
    add(at + EXTENDED_OCTETS * 4, said === 0 || said > room ? room : said);
    store<i32>(
      at,
      load<i32>(at, EXTENDED_TCP_FLAGS * 4) | load<i32>(slot, SLOT_TCP_FLAGS),
      EXTENDED_TCP_FLAGS * 4,
    );
  }
  return foldTime(entry, load<i64>(slot, SLOT_TIME));
}

/** Adds the sample to its flow. Returns false when it is not the flow's latest. */
export function fold(entry: usize, slot: usize, wordCount: u32): bool {
  const weight = load<u32>(slot, SLOT_WEIGHT);
  const frameSize = load<u32>(slot, SLOT_FRAME_SIZE);
  const octets = load<f64>(slot, SLOT_OCTETS);
  const headerBytes = load<u32>(slot, SLOT_HEADER_BYTES);
  const room: u32 = frameSize > headerBytes ? frameSize - headerBytes : 0;
  const length: u32 = load<u32>(slot, SLOT_IS_IP) === 0 ? 0 : min(room, IP_TOTAL_LENGTH_MAX);
  add(entry + ENTRY_PACKETS * 4, weight);
  add(entry + ENTRY_OCTETS * 4, wholeOctets(octets, weight, frameSize));
  // The square of a length has 32 bits.
  add(entry + ENTRY_SQUARES * 4, <u64>weight * (length * length));
  if (length !== 0) {
    foldLength(entry, length);
  }
  if (load<i32>(slot, SLOT_TEMPLATE) >= EXTENDED_ID_FIRST) {
    foldExtended(entry + ((<usize>wordCount) << 2) + ENTRY_KEY * 4, slot, weight, room, octets);
  }
  return foldTime(entry, load<i64>(slot, SLOT_TIME));
}

/** Adds what only entries of the format `extended` have, behind the key at `at`. */
function foldExtended(at: usize, slot: usize, weight: u32, room: u32, frameOctets: f64): void {
  const frameSize = <f64>load<u32>(slot, SLOT_FRAME_SIZE);
  const said = load<u32>(slot, SLOT_IP_LENGTH);
  const length = said === 0 || said > room ? room : said;
  // IP octets have the same weight as octets of frames.
  const octets =
    frameOctets === <f64>weight * frameSize
      ? <f64>weight * <f64>length
      : rounded((frameOctets / frameSize) * <f64>length);
  add(at + EXTENDED_OCTETS * 4, wholeOctets(octets, weight, length));
  const flags = at + EXTENDED_TCP_FLAGS * 4;
  store<i32>(flags, load<i32>(flags) | load<i32>(slot, SLOT_TCP_FLAGS));
}

/** Returns octets as an integer: as the product of weight and length where they are that, which may exceed a double. */
function wholeOctets(octets: f64, weight: u32, length: u32): u64 {
  if (octets === <f64>weight * <f64>length) {
    return <u64>weight * length;
  }
  return octets <= EXACT_MAX ? <u64>octets : 0;
}

/** Rounds as `Math.round` of JavaScript. */
function rounded(value: f64): f64 {
  const above = Math.ceil(value);
  return above - 0.5 > value ? above - 1 : above;
}

function add(at: usize, value: u64): void {
  store<u64>(at, load<u64>(at) + value);
}

/** Updates minimum and maximum with a length that is not 0; a minimum of 0 means that there is none yet. */
function foldLength(entry: usize, length: u32): void {
  const lengths = load<u32>(entry, ENTRY_LENGTHS * 4);
  const minimum = lengths >>> 16;
  const maximum = lengths & 0xffff;
  if (minimum === 0 || length < minimum || length > maximum) {
    const least = minimum === 0 ? length : min(minimum, length);
    store<u32>(entry, (least << 16) | max(maximum, length), ENTRY_LENGTHS * 4);
  }
}

/** Extends the flow to this time, at its end or at its start; returns false for a sample that does not arrive in order. */
function foldTime(entry: usize, time: i64): bool {
  if (time >= load<i64>(entry, ENTRY_END * 4)) {
    store<i64>(entry, time, ENTRY_END * 4);
    return true;
  }
  if (time < load<i64>(entry, ENTRY_START * 4)) {
    store<i64>(entry, time, ENTRY_START * 4);
  }
  return false;
}
