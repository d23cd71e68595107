// The flow cache of one exporter: adds batches of samples, and expires flows. flow/flow-cache.ts is the same in TypeScript and says
// why things are as they are.

import {
  EXPIRED_AT,
  EXPIRED_REASON,
  EXPIRED_WORDS,
  EXTENDED_ID_FIRST,
  SLOT_ADDRESS,
  SLOT_BYTES,
  SLOT_HASH,
  SLOT_TEMPLATE,
  SLOT_TIME,
  SLOTS_AT,
} from '../flow/engine-memory';
import {
  beginEntry,
  completePlainSlot,
  entryWordCount,
  fold,
  foldPlain,
  hashOf,
  isEntryOf,
  isPlainEntryOf,
  keyWordCount,
  PLAIN_EXTENDED_WORDS,
  PLAIN_WORDS,
  startOf,
  templateOf,
} from './entry';
import { hashPlainSlot, hashSlot } from './hash';
import { usedBytes } from './memory';
import {
  firstOldPlace,
  firstPlace,
  flowCount,
  insert,
  isAddress,
  isFull,
  nextOldPlace,
  nextPlace,
  remove,
  smallTableBytes,
} from './slots';
import { after, append, head, liveBytes, removeHead, setSegmentCountMax } from './store';

const REASON_ACTIVE_TIMEOUT: i32 = 2;
const REASON_FORCED_END: i32 = 4;
const REASON_LACK_OF_RESOURCES: i32 = 5;
/** Flows whose index and entries are in a processor's cache without reading them ahead. */
const SMALL_FLOW_COUNT: u32 = 4096;
/** A word of an entry in the second of the cache lines (64 bytes each) that it lies in, and the last one of plain frames, in bytes. */
const SECOND_LINE: usize = 64;
const LAST_WORD: usize = 92;
const LAST_EXTENDED_WORD: usize = 108;
/** Flows whose slots are touched together before they expire: a power of 2. */
const TOUCHED_COUNT = 32;

let activeTimeout: i64 = 0;
let flowsMax: f64 = 0;
let flowBytesMax: f64 = 0;
/** When the oldest flow is to expire, in microseconds. */
let due: i64 = i64.MAX_VALUE;
/** Flows in the memory of those that have expired. */
let expiredCount: i32 = 0;
// Counts since the engine was created.
let inserted: f64 = 0;
let aggregated: f64 = 0;
let refused: f64 = 0;
let expiredByFlowBytes: f64 = 0;
/** Where the sums of touched words go, so that the compiler keeps the reads. */
const TOUCHED_AT: usize = 512;

/** Sets the limits: microseconds, flows, bytes of entries and segments of them. */
export function setLimits(timeoutMicros: f64, flows: f64, bytes: f64, segments: u32): void {
  activeTimeout = <i64>timeoutMicros;
  flowsMax = flows;
  flowBytesMax = bytes;
  setSegmentCountMax(segments);
  noteDue();
}

/** Returns when the oldest flow is to expire: Infinity without a flow, -Infinity when a limit is exceeded. */
export function nextExpiry(): f64 {
  return due === i64.MAX_VALUE ? Infinity : due === i64.MIN_VALUE ? -Infinity : <f64>due;
}

/** Returns a count; see `WasmEngine.status`. */
export function countOf(index: i32): f64 {
  return index === 0 ? inserted : index === 1 ? aggregated : index === 2 ? refused : expiredByFlowBytes;
}

/** Returns the bytes of entries and index. */
export function memoryBytes(): f64 {
  return <f64>smallTableBytes() + usedBytes();
}

/** Returns the address of the entry behind one; 0 when that is the newest. */
export function entryBehind(address: u32): u32 {
  return after(address, entryWordCount(templateOf((<usize>address) << 2)));
}

/**
 * Adds the samples of the first `count` slots in their order, and expires after each of them the flows that are due, up to
 * `expiriesMax` a sample. Returns how many flows have expired.
 */
export function addSamples(count: i32, expiriesMax: i32): i32 {
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    store<i32>(slot, hashSlot(slot, keyWordCount(load<i32>(slot, SLOT_TEMPLATE))), SLOT_HASH);
  }
  touch(count);
  expiredCount = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    addSample(slot);
    expireAfter(slot, expiriesMax);
  }
  return expiredCount;
}

/** The same for slots that have plain frames with weight 1, and only what `foldPlain` needs. */
export function addPlainSamples(count: i32, isExtended: bool, expiriesMax: i32): i32 {
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    store<i32>(slot, hashPlainSlot(slot, isExtended), SLOT_HASH);
  }
  touch(count);
  expiredCount = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    addPlainSample(slot, isExtended);
    expireAfter(slot, expiriesMax);
  }
  return expiredCount;
}

/** Expires flows that started up to `startMax`, and those beyond a limit, up to `countMax`; returns how many. */
export function expire(startMax: f64, countMax: i32): i32 {
  expiredCount = 0;
  expireDue(<i64>floor(startMax), countMax);
  return expiredCount;
}

/** Expires the oldest flows, due or not, up to `countMax`; returns how many. */
export function flush(countMax: i32): i32 {
  expiredCount = 0;
  for (let count = 0; count < countMax; count += 1) {
    const address = head();
    if (address === 0) {
      break;
    }
    if ((count & (TOUCHED_COUNT - 1)) === 0) {
      touchOldest(TOUCHED_COUNT);
    }
    removeOldest(address, REASON_FORCED_END);
  }
  noteDue();
  return expiredCount;
}

function slotAt(index: i32): usize {
  return <usize>(SLOTS_AT + index * SLOT_BYTES);
}

/**
 * Reads ahead what adding the samples will read: the reads do not depend on each other, so the processor does them at the same
 * time.
 */
function touch(count: i32): void {
  if (flowCount() > SMALL_FLOW_COUNT) {
    touchEntries(count);
  }
  if (load<i64>(slotAt(0), SLOT_TIME) >= due) {
    touchOldest(count);
  }
}

/** Reads ahead the slots of the index and the entries of the samples. */
function touchEntries(count: i32): void {
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    const hash = load<i32>(slot, SLOT_HASH);
    const place = firstPlace(hash);
    store<u32>(slot, load<u32>(load<i32>(place) === hash ? place : nextPlace(place), 4), SLOT_ADDRESS);
  }
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    const address = load<u32>(slot, SLOT_ADDRESS);
    if (isAddress(address)) {
      const entry = (<usize>address) << 2;
      const last = load<i32>(slot, SLOT_TEMPLATE) >= EXTENDED_ID_FIRST ? LAST_EXTENDED_WORD : LAST_WORD;
      sum ^= load<i32>(entry) ^ load<i32>(entry + SECOND_LINE) ^ load<i32>(entry + last);
    }
  }
  store<i32>(TOUCHED_AT, sum);
}

/** Reads ahead the slots of the `count` oldest flows, which removing them will read. */
function touchOldest(count: i32): void {
  let address = head();
  let sum = 0;
  for (let index = 0; index < count && address !== 0; index += 1) {
    sum ^= load<i32>(firstPlace(hashOf((<usize>address) << 2)));
    address = entryBehind(address);
  }
  store<i32>(TOUCHED_AT, sum);
}

function addSample(slot: usize): void {
  const hash = load<i32>(slot, SLOT_HASH);
  const wordCount = keyWordCount(load<i32>(slot, SLOT_TEMPLATE));
  for (let place = firstPlace(hash); ; place = nextPlace(place)) {
    const address = load<u32>(place, 4);
    if (address === 0) {
      break;
    }
    const entry = (<usize>address) << 2;
    if (load<i32>(place) === hash && isEntryOf(entry, slot, wordCount)) {
      aggregated += 1;
      if (!fold(entry, slot, wordCount)) {
        noteDue();
      }
      return;
    }
  }
  addOther(slot, hash, wordCount);
}

/** The same as `addSample` for a plain frame. */
function addPlainSample(slot: usize, isExtended: bool): void {
  const hash = load<i32>(slot, SLOT_HASH);
  for (let place = firstPlace(hash); ; place = nextPlace(place)) {
    const address = load<u32>(place, 4);
    if (address === 0) {
      break;
    }
    const entry = (<usize>address) << 2;
    if (load<i32>(place) === hash && isPlainEntryOf(entry, slot, isExtended)) {
      aggregated += 1;
      if (!foldPlain(entry, slot, isExtended)) {
        noteDue();
      }
      return;
    }
  }
  completePlainSlot(slot);
  addOther(slot, hash, isExtended ? PLAIN_EXTENDED_WORDS : PLAIN_WORDS);
}

/** Adds a sample whose flow is not in the current table of the index: it is in the outgrown one, or new. */
function addOther(slot: usize, hash: i32, wordCount: u32): void {
  let entry = findInOld(slot, hash, wordCount);
  if (entry === 0) {
    const address = isFull() ? 0 : append(entryWordCount(load<i32>(slot, SLOT_TEMPLATE)));
    if (address === 0) {
      refused += 1;
      return;
    }
    entry = (<usize>address) << 2;
    beginEntry(entry, slot, wordCount);
    insert(hash, address);
    inserted += 1;
  } else {
    aggregated += 1;
  }
  fold(entry, slot, wordCount);
  noteDue();
}

/** Returns the flow's entry in the outgrown table; 0 when it is not there. */
function findInOld(slot: usize, hash: i32, wordCount: u32): usize {
  let place = firstOldPlace(hash);
  if (place === 0) {
    return 0;
  }
  for (let address = load<u32>(place, 4); address !== 0; address = load<u32>(place, 4)) {
    if (
      load<i32>(place) === hash &&
      isAddress(address) &&
      isEntryOf((<usize>address) << 2, slot, wordCount)
    ) {
      return (<usize>address) << 2;
    }
    place = nextOldPlace(place);
  }
  return 0;
}

function expireAfter(slot: usize, expiriesMax: i32): void {
  const time = load<i64>(slot, SLOT_TIME);
  if (time >= due) {
    expireDue(time - activeTimeout, expiriesMax);
  }
}

function expireDue(startMax: i64, countMax: i32): void {
  for (let count = 0; count < countMax; count += 1) {
    const address = head();
    if (address === 0) {
      break;
    }
    if ((count & (TOUCHED_COUNT - 1)) === 0 && countMax > TOUCHED_COUNT) {
      touchOldest(TOUCHED_COUNT);
    }
    if (startOf((<usize>address) << 2) <= startMax) {
      removeOldest(address, REASON_ACTIVE_TIMEOUT);
    } else if (isOverLimit()) {
      if (<f64>flowCount() <= flowsMax) {
        expiredByFlowBytes += 1;
      }
      removeOldest(address, REASON_LACK_OF_RESOURCES);
    } else {
      break;
    }
  }
  noteDue();
}

/** Removes the oldest flow, and copies it to those that have expired. */
function removeOldest(address: u32, reason: i32): void {
  const entry = (<usize>address) << 2;
  const wordCount = entryWordCount(templateOf(entry));
  const copy = <usize>(EXPIRED_AT + expiredCount * EXPIRED_WORDS * 4);
  memory.copy(copy, entry, (<usize>wordCount) << 2);
  store<i32>(copy, reason, EXPIRED_REASON * 4);
  expiredCount += 1;
  remove(hashOf(entry), address);
  removeHead(wordCount);
}

/** Updates the next expiry; called whenever the oldest flow, its start or a limit may have changed. */
function noteDue(): void {
  const address = head();
  if (address === 0) {
    due = i64.MAX_VALUE;
  } else if (isOverLimit()) {
    due = i64.MIN_VALUE;
  } else {
    due = startOf((<usize>address) << 2) + activeTimeout;
  }
}

function isOverLimit(): bool {
  return <f64>flowCount() > flowsMax || <f64>liveBytes() > flowBytesMax;
}
