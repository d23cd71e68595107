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
import { dissect } from './dissect';

const HEADER_BYTES: u32 = 16;
const MICROS: i64 = 1_000_000;

// Of the records that were read last.
let at: u32 = 0;
let captured: u32 = 0;
let octets: u64 = 0;
let lastMicros: i64 = 0;
/** A bit for each slot whose frame is left to TypeScript. */
let left: i32 = 0;

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
  return <f64>octets;
}

/** Returns the time of the last one. */
export function recordsLastMicros(): f64 {
  return <f64>lastMicros;
}

/** Returns a bit for each slot whose frame TypeScript has to dissect. */
export function recordsLeft(): i32 {
  return left;
}

/**
 * Reads records in `frames[from, end)` into the slots from `index`, and dissects them; returns how many. Times are whole
 * microseconds.
 */
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
  point: u32,
  ingress: u32,
): u32 {
  const untilMicros = <i64>until;
  const beforeMicros = <i64>before;
  const indexEnd = min(index + countMax, SLOT_COUNT);
  at = from;
  captured = 0;
  octets = 0;
  left = 0;
  lastMicros = <i64>last;
  let next = index;
  for (; next < indexEnd && at + HEADER_BYTES <= end; next += 1) {
    const record = <usize>(FRAMES_AT + at);
    const time = <i64>load<u32>(record) * MICROS + <i64>load<u32>(record, 4);
    const bytes = load<u32>(record, 8);
    // The subtraction cannot overflow, and the sum could.
    if (bytes > end - at - HEADER_BYTES || time < lastMicros || time > untilMicros || time >= beforeMicros) {
      break;
    }
    const frame = <u32>record + HEADER_BYTES;
    const frameSize = max(bytes, load<u32>(record, 12));
    const slot = <usize>(SLOTS_AT + next * SLOT_BYTES);
    store<i64>(slot, time, SLOT_TIME);
    store<f64>(slot, <f64>frameSize, SLOT_OCTETS);
    store<u32>(slot, frameSize, SLOT_FRAME_SIZE);
    store<u32>(slot, 1, SLOT_WEIGHT);
    store<i32>(slot, domain, SLOT_DOMAIN);
    store<i32>(slot, template, SLOT_TEMPLATE);
    if (!dissect(slot, frame, bytes, point, ingress)) {
      store<u32>(slot, frame, SLOT_FRAME);
      store<u32>(slot, bytes, SLOT_FRAME_BYTES);
      store<u32>(slot, point, SLOT_POINT);
      store<u32>(slot, ingress, SLOT_INGRESS);
      left |= 1 << next;
    }
    lastMicros = time;
    captured += bytes;
    octets += frameSize;
    at += HEADER_BYTES + bytes;
  }
  return next - index;
}
