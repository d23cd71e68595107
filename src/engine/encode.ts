// Writes the records of flows that have expired, as they stand in messages: see export/record-encoder.ts, whose octets it gives.

import {
  EXPIRED_AT,
  EXPIRED_REASON,
  EXPIRED_WORDS,
  LAYOUT_BYTES,
  LAYOUT_DIRECTION,
  LAYOUT_EGRESS,
  LAYOUT_END,
  LAYOUT_ICMP,
  LAYOUT_INGRESS,
  LAYOUT_IS_IP,
  LAYOUT_KEY_SIZE,
  LAYOUT_OCTETS,
  LAYOUT_SAMPLING,
  LAYOUT_START,
  LAYOUT_TCP_FLAGS,
  LAYOUTS_AT,
  RECORDS_AT,
  TEMPLATE_ID_FIRST,
} from '../flow/engine-memory';
import {
  ENTRY_DOMAIN,
  ENTRY_END,
  ENTRY_KEY,
  ENTRY_LENGTHS,
  ENTRY_OCTETS,
  ENTRY_PACKETS,
  ENTRY_SQUARES,
  EXTENDED_OCTETS,
  EXTENDED_TCP_FLAGS,
} from '../flow/entry-layout';
import { keyWordCount, startOf, templateOf } from './entry';

// Where the elements lie behind the key, in bytes.
const START_DELTA: usize = 0;
const END_DELTA: usize = 4;
const PACKETS: usize = 8;
const OCTETS: usize = 16;
const END_REASON: usize = 24;
const SUM_OF_SQUARES: usize = 25;
const MINIMUM_LENGTH: usize = 33;
const MAXIMUM_LENGTH: usize = 41;

const DELTA_MAX: i64 = 0xffff_ffff;
/** The value of samplingInterval. */
const SCALED: u32 = 1;

/**
 * Encodes flows that have expired, from the one of index `first`: up to `countMax` that have its template, domain and reason and did
 * not end after the export time, or that one alone. Returns how many. `exportMicros` is the export time on the clock of the flows, and
 * the first record lies `shift` bytes behind the start of the records.
 */
export function encodeExpired(
  first: i32,
  countMax: i32,
  exportMicros: f64,
  exportSeconds: f64,
  shift: i32,
): i32 {
  const exportTime = <i64>floor(exportMicros);
  const exportMillis = <i64>exportSeconds * 1000;
  const begin = expiredAt(first);
  const template = templateOf(begin);
  const prefix = load<u64>(begin, ENTRY_DOMAIN * 4);
  const reason = load<u32>(begin, EXPIRED_REASON * 4);
  const layout = <usize>(LAYOUTS_AT + (template - TEMPLATE_ID_FIRST) * LAYOUT_BYTES);
  const recordSize = <usize>load<u8>(layout);
  let record = <usize>(RECORDS_AT + shift);
  let count = 0;
  for (; count < countMax; count += 1) {
    const entry = expiredAt(first + count);
    // Domain and template lie side by side.
    const isAlike =
      load<u64>(entry, ENTRY_DOMAIN * 4) === prefix && load<u32>(entry, EXPIRED_REASON * 4) === reason;
    if (count > 0 && (!isAlike || load<i64>(entry, ENTRY_END * 4) > exportTime)) {
      break;
    }
    encode(record, entry, layout, reason, exportTime, exportMillis);
    record += recordSize;
  }
  return count;
}

function expiredAt(index: i32): usize {
  return <usize>(EXPIRED_AT + index * EXPIRED_WORDS * 4);
}

function encode(
  record: usize,
  entry: usize,
  layout: usize,
  reason: u32,
  exportTime: i64,
  exportMillis: i64,
): void {
  const keySize = <usize>load<u8>(layout, LAYOUT_KEY_SIZE);
  // By words: what is written behind the key follows.
  for (let word: usize = 0; word < keySize; word += 4) {
    store<u32>(record + word, load<u32>(entry + word, ENTRY_KEY * 4));
  }
  const at = record + keySize;
  const endDelta = min(max(exportTime - load<i64>(entry, ENTRY_END * 4), 0), DELTA_MAX);
  const startDelta = min(max(exportTime - startOf(entry), endDelta), DELTA_MAX);
  store<u32>(at, bswap(<u32>startDelta), START_DELTA);
  store<u32>(at, bswap(<u32>endDelta), END_DELTA);
  store<u64>(at, bswap(load<u64>(entry, ENTRY_PACKETS * 4)), PACKETS);
  store<u64>(at, bswap(load<u64>(entry, ENTRY_OCTETS * 4)), OCTETS);
  store<u8>(at, <u8>reason, END_REASON);
  if (load<u8>(layout, LAYOUT_IS_IP) !== 0) {
    const lengths = load<u32>(entry, ENTRY_LENGTHS * 4);
    store<u64>(at, bswap(load<u64>(entry, ENTRY_SQUARES * 4)), SUM_OF_SQUARES);
    store<u64>(at, bswap(<u64>(lengths >>> 16)), MINIMUM_LENGTH);
    store<u64>(at, bswap(<u64>(lengths & 0xffff)), MAXIMUM_LENGTH);
  }
  if (load<u8>(layout, LAYOUT_OCTETS) !== 0) {
    encodeExtended(record, entry, layout);
    store<u64>(placeOf(record, layout, LAYOUT_START), bswap(exportMillis - startDelta / 1000));
    store<u64>(placeOf(record, layout, LAYOUT_END), bswap(exportMillis - endDelta / 1000));
  }
}

/** Writes what the format `extended` has behind the original record, but for the times. */
function encodeExtended(record: usize, entry: usize, layout: usize): void {
  const trailing = entry + (((<usize>load<u8>(layout, LAYOUT_KEY_SIZE) + 3) >> 2) << 2) + ENTRY_KEY * 4;
  const behind = entry + ((<usize>keyWordCount(templateOf(entry))) << 2) + ENTRY_KEY * 4;
  store<u32>(placeOf(record, layout, LAYOUT_INGRESS), bswap(load<u32>(trailing)));
  store<u32>(placeOf(record, layout, LAYOUT_EGRESS), 0);
  store<u8>(placeOf(record, layout, LAYOUT_DIRECTION), 0);
  if (load<u8>(layout, LAYOUT_TCP_FLAGS) !== 0) {
    store<u8>(placeOf(record, layout, LAYOUT_TCP_FLAGS), load<u8>(behind, EXTENDED_TCP_FLAGS * 4));
  } else if (load<u8>(layout, LAYOUT_ICMP) !== 0) {
    store<u16>(placeOf(record, layout, LAYOUT_ICMP), bswap(load<u16>(trailing, 4)));
  }
  store<u64>(placeOf(record, layout, LAYOUT_OCTETS), bswap(load<u64>(behind, EXTENDED_OCTETS * 4)));
  store<u32>(placeOf(record, layout, LAYOUT_SAMPLING), bswap(SCALED));
}

/** Returns where an element lies in the record, by its index in the layout. */
function placeOf(record: usize, layout: usize, element: usize): usize {
  return record + <usize>load<u8>(layout + element);
}
