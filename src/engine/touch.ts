// Reads ahead what adding or removing flows will read: the reads do not depend on each other, so the processor does them at the same
// time. It looks ahead a few hundred instructions only, so what may not be in its caches is read in short loops, eight places a pass
// and without a branch that depends on what was read. Addresses are in bytes.

import { SLOT_ADDRESS, SLOT_HASH } from '../flow/engine-memory';
import { entryWordCount, hashOf, templateOf } from './entry';
import { slotAt } from './sample-slot';
import { firstPlace, LAST_PROBABLE_BYTES, probableAddress } from './slots';
import { after } from './store';

/** Flows that are touched together: a multiple of 8. */
export const TOUCHED_COUNT = 32;
/** The addresses that a loop reads at, and the place of the sums of what was read, without which the compiler drops the reads. */
const PLACES_AT: usize = 256;
const SUM_AT: usize = 512;
/** A word of an entry in the second of the cache lines (64 bytes each) that it lies in. */
const SECOND_LINE: usize = 64;

/**
 * Reads ahead the slots of the index and the entries of the first `count` samples, each entry up to its word at `last`, and writes the
 * probable address of the entry into the slot of the sample.
 */
export function touchEntries(count: i32, last: usize): void {
  for (let index = 0; index < count; index += 1) {
    setPlace(index, <u32>firstPlace(load<i32>(slotAt(index), SLOT_HASH)));
  }
  readAll(count, LAST_PROBABLE_BYTES, LAST_PROBABLE_BYTES);
  for (let index = 0; index < count; index += 1) {
    const slot = slotAt(index);
    const address = probableAddress(load<i32>(slot, SLOT_HASH));
    store<u32>(slot, address, SLOT_ADDRESS);
    // Without an address, the start of the memory is read.
    setPlace(index, address << 2);
  }
  readAll(count, SECOND_LINE, last);
}

/** Reads ahead the slots of the index of up to `countMax` flows from one on, in the order in which they started: removing them reads these. */
export function touchOldest(address: u32, countMax: i32): void {
  let count = 0;
  for (let next = address; count < countMax && next !== 0; count += 1) {
    const entry = (<usize>next) << 2;
    setPlace(count, <u32>firstPlace(hashOf(entry)));
    next = after(next, entryWordCount(templateOf(entry)));
  }
  readAll(count, LAST_PROBABLE_BYTES, LAST_PROBABLE_BYTES);
}

function setPlace(index: i32, place: u32): void {
  store<u32>(PLACES_AT + ((<usize>index) << 2), place);
}

/** Reads three words at each of `count` places: the first one, and those at two distances from it. */
function readAll(count: i32, second: usize, third: usize): void {
  for (let index = count; (index & 7) !== 0; index += 1) {
    setPlace(index, 0);
  }
  let sum: u32 = 0;
  for (let index = 0; index < count; index += 8) {
    const at = PLACES_AT + ((<usize>index) << 2);
    sum += sumAt(at, second, third) + sumAt(at + 4, second, third);
    sum += sumAt(at + 8, second, third) + sumAt(at + 12, second, third);
    sum += sumAt(at + 16, second, third) + sumAt(at + 20, second, third);
    sum += sumAt(at + 24, second, third) + sumAt(at + 28, second, third);
  }
  store<u32>(SUM_AT, sum);
}

function sumAt(at: usize, second: usize, third: usize): u32 {
  const place = <usize>load<u32>(at);
  return load<u32>(place) + load<u32>(place + second) + load<u32>(place + third);
}
