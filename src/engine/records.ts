// Reads records of a pcap file in the memory, and adds them in batches: see flow/record-run.ts.

import {
  EXPIRED_COUNT,
  FRAMES_AT,
  SLOT_COUNT,
  SLOT_DOMAIN,
  SLOT_FRAME,
  SLOT_FRAME_BYTES,
  SLOT_FRAME_SIZE,
  SLOT_INGRESS,
  SLOT_POINT,
  SLOT_TIME,
} from '../flow/engine-memory';
import { addMorePlainSamples, addMoreSamples, forgetExpired } from './cache';
import { dissect, plainTemplate } from './dissect';
import { completePlainSlot } from './entry';
import { slotAt } from './sample-slot';

const HEADER_BYTES: u32 = 16;
const MICROS: i64 = 1_000_000;

// Of the records that were read last.
let at: u32 = 0;
let captured: u32 = 0;
let octets: u64 = 0;
let lastMicros: i64 = 0;
/** The last time of the batch. */
let batchEndMicros: i64 = 0;
/** A bit for each slot whose frame is left to TypeScript. */
let left: i32 = 0;

/** Slots of the batch that is not added yet. */
let waiting: u32 = 0;
/** Flows that the last batch has expired. */
let expired: i32 = 0;

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

/** Returns the last time of the batch that waits. */
export function recordsBatchEnd(): f64 {
  return <f64>batchEndMicros;
}

/** Returns a bit for each slot whose frame TypeScript has to dissect. */
export function recordsLeft(): i32 {
  return left;
}

/** Returns how many slots have samples that wait to be added. */
export function recordsWaiting(): u32 {
  return waiting;
}

/** Returns how many flows have expired by these records. */
export function recordsExpired(): i32 {
  return expired;
}

/**
 * Reads up to `countMax` records in `frames[from, end)`, and returns how many. They are put into the slots behind the first `index`,
 * and a batch is added whenever all slots are full or a packet is after the batch's end; what is left of a batch waits in the slots.
 * Ends with the first batch if `isOneBatch`, and before one that has a frame for TypeScript. When flows have expired, it goes on up to
 * the next time that is a multiple of `passMicros`, and as long as there is room for all flows that another batch may expire. Times
 * are whole microseconds.
 */
export function addRecords(
  from: u32,
  end: u32,
  index: u32,
  countMax: u32,
  isOneBatch: bool,
  last: f64,
  until: f64,
  before: f64,
  batchEnd: f64,
  batchMicros: u32,
  passMicros: u32,
  isExtended: bool,
  domain: i32,
  point: u32,
  ingress: u32,
  expiriesMax: i32,
): u32 {
  let untilMicros = <i64>min(until, before - 1);
  const pointBytes = bswap(point);
  // Domain and template lie side by side.
  const prefix = <u64>(<u32>domain) | ((<u64>plainTemplate(isExtended)) << 32);
  at = from;
  captured = 0;
  octets = 0;
  left = 0;
  expired = 0;
  forgetExpired();
  lastMicros = <i64>last;
  batchEndMicros = <i64>batchEnd;
  waiting = index;
  /** Slots that are complete: see `completePlainSlot`. */
  let complete = index;
  let total: u32 = 0;
  while (expired <= EXPIRED_COUNT - SLOT_COUNT * expiriesMax) {
    const indexEnd = min(waiting + (countMax - total), SLOT_COUNT);
    const micros = min(untilMicros, batchEndMicros);
    total += putRecords(end, indexEnd, micros, prefix, pointBytes, ingress, isExtended);
    if (left !== 0) {
      break;
    }
    if (waiting !== SLOT_COUNT) {
      const time = total < countMax ? timeOfNext(end) : -1;
      if (time < lastMicros || time > untilMicros) {
        break;
      }
      batchEndMicros = time + batchMicros;
    }
    if (waiting !== 0) {
      if (complete === 0) {
        expired = addMorePlainSamples(waiting, isExtended, expiriesMax);
      } else {
        completeSlots(complete);
        expired = addMoreSamples(waiting, expiriesMax);
      }
      waiting = 0;
      complete = 0;
      if (isOneBatch) {
        break;
      }
      if (expired !== 0) {
        untilMicros = min(untilMicros, multipleAfter(lastMicros, passMicros));
      }
    }
  }
  completeSlots(complete);
  return total;
}

/** Returns the time of the next record; -1 if it is not whole. */
function timeOfNext(end: u32): i64 {
  if (at + HEADER_BYTES > end) {
    return -1;
  }
  const record = <usize>(FRAMES_AT + at);
  return load<u32>(record, 8) > end - at - HEADER_BYTES ? -1 : timeOf(record);
}

/** Returns a time, or the next one that is a multiple of `micros`. */
function multipleAfter(time: i64, micros: i64): i64 {
  return ((time + micros - 1) / micros) * micros;
}

function timeOf(record: usize): i64 {
  return <i64>load<u32>(record) * MICROS + <i64>load<u32>(record, 4);
}

/** Writes what only samples of other frames need into the slots from `begin` that wait. */
function completeSlots(begin: u32): void {
  for (let index = begin; index < waiting; index += 1) {
    completePlainSlot(slotAt(index));
  }
}

/** Reads records into the slots up to `indexEnd`, and dissects them; returns how many. */
function putRecords(
  end: u32,
  indexEnd: u32,
  untilMicros: i64,
  prefix: u64,
  pointBytes: u32,
  ingress: u32,
  isExtended: bool,
): u32 {
  const begin = waiting;
  let next = begin;
  let record = <usize>(FRAMES_AT + at);
  const recordEnd = <usize>(FRAMES_AT + end);
  let last = lastMicros;
  for (; next < indexEnd && record + HEADER_BYTES <= recordEnd; next += 1) {
    const time = timeOf(record);
    const bytes = load<u32>(record, 8);
    const frame = record + HEADER_BYTES;
    // The subtraction cannot overflow, and the sum could.
    if (bytes > <u32>(recordEnd - frame) || time < last || time > untilMicros) {
      break;
    }
    const frameSize = max(bytes, load<u32>(record, 12));
    const slot = slotAt(next);
    store<i64>(slot, time, SLOT_TIME);
    store<u32>(slot, frameSize, SLOT_FRAME_SIZE);
    store<u64>(slot, prefix, SLOT_DOMAIN);
    if (!dissect(slot, frame, bytes, pointBytes, ingress, isExtended)) {
      store<u32>(slot, <u32>frame, SLOT_FRAME);
      store<u32>(slot, bytes, SLOT_FRAME_BYTES);
      store<u32>(slot, bswap(pointBytes), SLOT_POINT);
      store<u32>(slot, ingress, SLOT_INGRESS);
      left |= 1 << next;
    }
    last = time;
    captured += bytes;
    octets += frameSize;
    record = frame + bytes;
  }
  lastMicros = last;
  at = <u32>(record - FRAMES_AT);
  waiting = next;
  return next - begin;
}
