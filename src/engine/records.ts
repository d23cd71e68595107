// Reads records of a pcap file in the memory into slots: see flow/record-run.ts.

import {
  FRAMES_AT,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_DOMAIN,
  SLOT_FRAME,
  SLOT_FRAME_BYTES,
  SLOT_FRAME_SIZE,
  SLOT_INGRESS,
  SLOT_OCTETS,
  SLOT_POINT,
  SLOT_TEMPLATE,
  SLOT_TIME,
  SLOT_WEIGHT,
  SLOTS_AT,
} from '../flow/engine-memory';

const HEADER_BYTES: u32 = 16;
const MICROS: i64 = 1_000_000;

// Of the records that were read last.
let at: u32 = 0;
let captured: u32 = 0;
let octets: f64 = 0;
let lastMicros: f64 = 0;

/** Returns where the records end that were read, in bytes of the frames. */
export function recordsAt(): u32 {
  return at;
}

/** Returns the captured bytes of these records. */
export function recordsCaptured(): u32 {
  return captured;
}

/** Returns the bytes of their frames. */
export function recordsOctets(): f64 {
  return octets;
}

/** Returns the time of the last one. */
export function recordsLastMicros(): f64 {
  return lastMicros;
}

/** Reads records in `frames[from, end)` into the slots from `index`; returns how many. */
export function putRecords(
  from: u32,
  end: u32,
  index: u32,
  countMax: u32,
  last: f64,
  until: f64,
  before: f64,
  template: i32,
  domain: i32,
  point: i32,
  ingress: i32,
): u32 {
  const first = SLOTS_AT + index * SLOT_BYTES;
  const slotsEnd = first + min(countMax, <u32>SLOT_COUNT - index) * SLOT_BYTES;
  at = from;
  captured = 0;
  octets = 0;
  lastMicros = last;
  let slot = first;
  for (; slot < slotsEnd && at + HEADER_BYTES <= end; slot += SLOT_BYTES) {
    const record = <usize>(FRAMES_AT + at);
    const time = <f64>(<i64>load<u32>(record) * MICROS + <i64>load<u32>(record, 4));
    const bytes = load<u32>(record, 8);
    // The subtraction cannot overflow, and the sum could.
    if (bytes > end - at - HEADER_BYTES || time < lastMicros || time > until || time >= before) {
      break;
    }
    const frameSize = max(bytes, load<u32>(record, 12));
    store<f64>(slot, time, SLOT_TIME);
    store<f64>(slot, <f64>frameSize, SLOT_OCTETS);
    store<u32>(slot, <u32>record + HEADER_BYTES, SLOT_FRAME);
    store<u32>(slot, bytes, SLOT_FRAME_BYTES);
    store<u32>(slot, frameSize, SLOT_FRAME_SIZE);
    store<u32>(slot, 1, SLOT_WEIGHT);
    store<i32>(slot, domain, SLOT_DOMAIN);
    store<i32>(slot, point, SLOT_POINT);
    store<i32>(slot, ingress, SLOT_INGRESS);
    store<i32>(slot, template, SLOT_TEMPLATE);
    lastMicros = time;
    captured += bytes;
    octets += <f64>frameSize;
    at += HEADER_BYTES + bytes;
  }
  return (slot - first) / SLOT_BYTES;
}
