// The index of flows: from the hash of a flow to the address of its entry. See flow/flow-index.ts, whose tables it has; they only
// grow, because the memory does not shrink either. A slot is two words, a hash and an address; address 0 marks an empty slot.

import { BLOCK_BYTES, SMALL_TABLES_AT } from '../flow/engine-memory';
import { allocateBlocks, freeBlocks } from './memory';

const SLOT_BITS: u32 = 3;
const SLOTS_FIRST: u32 = 1024;
/** Tables up to this size lie side by side in the fixed part of the memory. */
const SLOTS_SMALL_MAX: u32 = 16_384;
/** Slots of an outgrown table that each insertion or removal moves. */
const MOVED_PER_STEP: u32 = 32;
/** In the outgrown table: the slot was moved or removed, but searches continue behind it. */
const MOVED: u32 = 0xffff_ffff;

/** The distance of the last slot that `probableAddress` reads from the first one, where the table does not end between them. */
export const LAST_PROBABLE_BYTES: usize = 24;

let table: usize = SMALL_TABLES_AT;
let mask: u32 = SLOTS_FIRST - 1;
let count: u32 = 0;
/** The outgrown table, whose slots below `oldNext` are moved; 0 without one. */
let old: usize = 0;
let oldMask: u32 = 0;
let oldNext: u32 = 0;

/** Returns how many flows the index has. */
export function flowCount(): u32 {
  return count;
}

/** Returns the bytes of the table while it is a small one; larger ones are blocks of the memory. */
export function smallTableBytes(): u32 {
  return mask < SLOTS_SMALL_MAX ? (mask + 1) << SLOT_BITS : 0;
}

/** Returns where the search for a hash begins in the table; `nextPlace` continues it. */
export function firstPlace(hash: i32): usize {
  return table + ((<u32>hash & mask) << SLOT_BITS);
}

/** Returns the place behind one. */
export function nextPlace(place: usize): usize {
  return table + ((place + (1 << SLOT_BITS) - table) & (((<usize>mask + 1) << SLOT_BITS) - 1));
}

/** Returns the address with that hash in the first four slots of a search, without a branch; 0 when it is in none of them. */
export function probableAddress(hash: i32): u32 {
  const first = firstPlace(hash);
  const second = nextPlace(first);
  const third = nextPlace(second);
  const fourth = nextPlace(third);
  let address = addressIf(fourth, hash, 0);
  address = addressIf(third, hash, address);
  address = addressIf(second, hash, address);
  return addressIf(first, hash, address);
}

/** Returns the address in a slot with that hash, and otherwise the other one. */
function addressIf(place: usize, hash: i32, other: u32): u32 {
  return select<u32>(load<u32>(place, 4), other, load<i32>(place) === hash);
}

/** Returns where the search for a hash begins in the outgrown table; 0 without one. */
export function firstOldPlace(hash: i32): usize {
  return old === 0 ? 0 : old + ((<u32>hash & oldMask) << SLOT_BITS);
}

/** Returns the place behind one of the outgrown table. */
export function nextOldPlace(place: usize): usize {
  return old + ((place + (1 << SLOT_BITS) - old) & (((<usize>oldMask + 1) << SLOT_BITS) - 1));
}

/** Returns whether a word in a slot is an address. */
export function isAddress(word: u32): bool {
  return word !== 0 && word !== MOVED;
}

/** Returns whether no flow can be inserted any more, because there was no memory for a larger table. */
export function isFull(): bool {
  return count >= mask;
}

/** Adds an address that is not in the index yet; the index must not be full. */
export function insert(hash: i32, address: u32): void {
  step();
  put(hash, address);
  count += 1;
  // With five eighths of the slots in use, a search reads two to five of them, which lie side by side. Small tables, which are in the
  // processor's cache, have at most a quarter in use: most searches read one, so that the processor foresees where they end.
  const eighths: u64 = mask < SLOTS_SMALL_MAX ? 2 : 5;
  if (old === 0 && <u64>count * 8 > (<u64>mask + 1) * eighths) {
    grow();
  }
}

/** Removes an address that was inserted with this hash. */
export function remove(hash: i32, address: u32): void {
  step();
  if (!removeFromTable(hash, address)) {
    removeFromOld(hash, address);
  }
  count -= 1;
}

function put(hash: i32, address: u32): void {
  let place = firstPlace(hash);
  while (load<u32>(place, 4) !== 0) {
    place = nextPlace(place);
  }
  store<i32>(place, hash);
  store<u32>(place, address, 4);
}

function removeFromTable(hash: i32, address: u32): bool {
  let hole = firstPlace(hash);
  while (load<u32>(hole, 4) !== address) {
    if (load<u32>(hole, 4) === 0) {
      return false;
    }
    hole = nextPlace(hole);
  }
  // Backward shift: each later slot of the run that may lie in the hole moves there, and leaves a hole itself.
  for (let place = nextPlace(hole); load<u32>(place, 4) !== 0; place = nextPlace(place)) {
    const slot = <u32>((place - table) >> SLOT_BITS);
    const fromHome = (slot - load<u32>(place)) & mask;
    if (fromHome >= ((slot - <u32>((hole - table) >> SLOT_BITS)) & mask)) {
      store<u64>(hole, load<u64>(place));
      hole = place;
    }
  }
  store<u32>(hole, 0, 4);
  return true;
}

function removeFromOld(hash: i32, address: u32): void {
  let place = firstOldPlace(hash);
  while (load<u32>(place, 4) !== address) {
    place = nextOldPlace(place);
  }
  store<u32>(place, MOVED, 4);
}

/** Begins a table of twice the slots. Without memory the table stays, and is filled further. */
function grow(): void {
  const slots = (mask + 1) * 2;
  const next =
    slots <= SLOTS_SMALL_MAX
      ? <usize>(SMALL_TABLES_AT + ((slots - SLOTS_FIRST) << SLOT_BITS))
      : <usize>allocateBlocks((slots << SLOT_BITS) / <u32>BLOCK_BYTES);
  if (next === 0) {
    return;
  }
  old = table;
  oldMask = mask;
  oldNext = 0;
  table = next;
  mask = slots - 1;
}

/** Moves the next slots of the outgrown table, if there is one; that ends well before the new table is full. */
function step(): void {
  if (old === 0) {
    return;
  }
  const end = min(oldNext + MOVED_PER_STEP, oldMask + 1);
  for (; oldNext < end; oldNext += 1) {
    const place = old + (oldNext << SLOT_BITS);
    const address = load<u32>(place, 4);
    if (isAddress(address)) {
      put(load<i32>(place), address);
      store<u32>(place, MOVED, 4);
    }
  }
  if (oldNext > oldMask) {
    if (oldMask >= SLOTS_SMALL_MAX) {
      freeBlocks(old, ((oldMask + 1) << SLOT_BITS) / <u32>BLOCK_BYTES);
    }
    old = 0;
  }
}
