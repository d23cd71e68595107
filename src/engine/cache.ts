// The flow cache of one exporter: adds batches of samples, and expires flows. flow/flow-cache.ts is the same in TypeScript and says
// why things are as they are.

import {
  EXPIRED_AT,
  EXPIRED_REASON,
  EXPIRED_WORDS,
  SLOT_ADDRESS,
  SLOT_HASH,
  SLOT_TEMPLATE,
  SLOT_TIME,
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
  startOf,
  templateOf,
} from './entry';
import { hashPlainSlot, hashSlot } from './hash';
import { usedBytes } from './memory';
import { slotAt } from './sample-slot';
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
import { after, append, head, liveBytes, removedCount, removeHead, setSegmentCountMax } from './store';
import { TOUCHED_COUNT, touchEntries, touchOldest } from './touch';

const REASON_ACTIVE_TIMEOUT: i32 = 2;
const REASON_FORCED_END: i32 = 4;
const REASON_LACK_OF_RESOURCES: i32 = 5;
/** Flows whose index and entries are in a processor's cache without reading them ahead. */
const SMALL_FLOW_COUNT: u32 = 4096;
/** The last word of the entries of plain frames, in bytes; one of the format `extended` may be in a third cache line. */
const LAST_WORD: usize = 92;
const LAST_EXTENDED_WORD: usize = 108;

/**
 * How many entries had been removed when those of the batch were read ahead: until one is removed, the probable addresses in the slots
 * are those of entries.
 */
let removedAtTouch = 0;
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
  forgetExpired();
  return addMoreSamples(count, expiriesMax);
}

/** Makes room for flows that expire. */
export function forgetExpired(): void {
  expiredCount = 0;
}

/** The same as `addSamples`, behind the flows that have expired since `forgetExpired`. */
export function addMoreSamples(count: i32, expiriesMax: i32): i32 {
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    store<i32>(slot, hashSlot(slot, keyWordCount(load<i32>(slot, SLOT_TEMPLATE))), SLOT_HASH);
  }
  touch(count, LAST_EXTENDED_WORD);
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    addSample(slot);
    expireAfter(slot, expiriesMax);
  }
  return expiredCount;
}

/** The same for slots that have plain frames with weight 1, and only what `foldPlain` needs. */
export function addMorePlainSamples(count: i32, isExtended: bool, expiriesMax: i32): i32 {
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    store<i32>(slot, hashPlainSlot(slot, isExtended), SLOT_HASH);
  }
  const isTouched = touch(count, isExtended ? LAST_EXTENDED_WORD : LAST_WORD);
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    const entry = probableEntry(slot, isTouched);
    if (entry === 0 || !isPlainEntryOf(entry, slot, isExtended)) {
      completePlainSlot(slot);
      addSample(slot);
    } else {
      aggregated += 1;
      if (!foldPlain(entry, slot, isExtended)) {
        noteDue();
      }
    }
    expireAfter(slot, expiriesMax);
  }
  return expiredCount;
}

/** Expires flows that started up to `startMax`, and those beyond a limit, up to `countMax`; returns how many. */
export function expire(startMax: f64, countMax: i32): i32 {
  forgetExpired();
  expireDue(<i64>floor(startMax), countMax);
  return expiredCount;
}

/** Expires the oldest flows, due or not, up to `countMax`; returns how many. */
export function flush(countMax: i32): i32 {
  forgetExpired();
  for (let count = 0; count < countMax; count += 1) {
    const address = head();
    if (address === 0) {
      break;
    }
    if (count % TOUCHED_COUNT === 0) {
      touchOldest(address, TOUCHED_COUNT);
    }
    removeOldest(address, REASON_FORCED_END);
  }
  noteDue();
  return expiredCount;
}

/** Reads ahead what adding the samples will read; returns whether their slots have probable addresses. */
function touch(count: i32, last: usize): bool {
  if (load<i64>(slotAt(count - 1), SLOT_TIME) >= due) {
    touchOldest(head(), count);
  }
  if (flowCount() <= SMALL_FLOW_COUNT) {
    return false;
  }
  touchEntries(count, last);
  removedAtTouch = removedCount();
  return true;
}

/** Returns the first entry with the hash of the sample, which is nearly always its flow; 0 when there is none, or it is not known. */
function probableEntry(slot: usize, isTouched: bool): usize {
  if (isTouched && removedCount() === removedAtTouch) {
    return (<usize>load<u32>(slot, SLOT_ADDRESS)) << 2;
  }
  const hash = load<i32>(slot, SLOT_HASH);
  let place = firstPlace(hash);
  while (load<u32>(place, 4) !== 0 && load<i32>(place) !== hash) {
    place = nextPlace(place);
  }
  return (<usize>load<u32>(place, 4)) << 2;
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
    if (count % TOUCHED_COUNT === 0 && countMax > TOUCHED_COUNT) {
      touchOldest(address, TOUCHED_COUNT);
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
  // Not by memory.copy, which is a call out of the engine.
  const bytes = (<usize>wordCount) << 2;
  for (let at: usize = 0; at < bytes; at += 8) {
    store<u64>(copy + at, load<u64>(entry + at));
  }
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
