// The entries of flows, first in, first out: see flow/entry-store.ts, whose order, limits and segments it has. An address is a
// word of the memory. The first words of a segment, a block of the memory, are the address of the segment behind it and that of
// the end of its last entry.

import { SEGMENT_FIRST_WORD, SEGMENT_WORDS } from '../flow/entry-layout';
import { allocateBlock, freeBlocks } from './memory';

const SEGMENT_WORD_COUNT: u32 = SEGMENT_WORDS;
const SEGMENT_MASK: u32 = SEGMENT_WORDS - 1;

let segmentCountMax: u32 = 0;
let segmentCount: u32 = 0;
let headAddress: u32 = 0;
let tailSegment: u32 = 0;
/** Where the next entry begins, from the start of the tail segment. */
let tailWord: u32 = SEGMENT_FIRST_WORD;
let liveWords: u64 = 0;
let removed: i32 = 0;

/** Sets how many segments the store may have. */
export function setSegmentCountMax(count: u32): void {
  segmentCountMax = count;
}

/** Returns the address of the oldest entry; 0 without one. */
export function head(): u32 {
  return liveWords === 0 ? 0 : headAddress;
}

/** Returns the bytes of all entries. */
export function liveBytes(): u64 {
  return liveWords << 2;
}

/** Returns how many entries have been removed, modulo 2^32. */
export function removedCount(): i32 {
  return removed;
}

/** Returns the address of the entry behind one of `wordCount` words; 0 when that is the newest. */
export function after(address: u32, wordCount: u32): u32 {
  const segment = address & ~SEGMENT_MASK;
  const next = address + wordCount;
  if (segment === tailSegment) {
    return next === tailSegment + tailWord ? 0 : next;
  }
  return next === endOf(segment) ? nextOf(segment) + SEGMENT_FIRST_WORD : next;
}

/** Reserves an entry of `wordCount` words behind the newest one; returns its address, or 0 when the store is full. */
export function append(wordCount: u32): u32 {
  if ((tailSegment === 0 || tailWord + wordCount > SEGMENT_WORD_COUNT) && !extend()) {
    return 0;
  }
  const address = tailSegment + tailWord;
  if (liveWords === 0) {
    headAddress = address;
  }
  tailWord += wordCount;
  liveWords += wordCount;
  return address;
}

/** Removes the oldest entry. */
export function removeHead(wordCount: u32): void {
  const segment = headAddress & ~SEGMENT_MASK;
  headAddress += wordCount;
  liveWords -= wordCount;
  removed += 1;
  if (segment === tailSegment) {
    if (liveWords === 0) {
      tailWord = SEGMENT_FIRST_WORD;
      headAddress = segment + SEGMENT_FIRST_WORD;
    }
  } else if (headAddress === endOf(segment)) {
    headAddress = nextOf(segment) + SEGMENT_FIRST_WORD;
    segmentCount -= 1;
    freeBlocks((<usize>segment) << 2, 1);
  }
}

function extend(): bool {
  if (segmentCount === segmentCountMax) {
    return false;
  }
  const segment = <u32>(allocateBlock() >>> 2);
  if (segment === 0) {
    return false;
  }
  if (tailSegment !== 0) {
    store<u32>((<usize>tailSegment) << 2, segment);
    store<u32>((<usize>tailSegment) << 2, tailSegment + tailWord, 4);
  }
  segmentCount += 1;
  tailSegment = segment;
  tailWord = SEGMENT_FIRST_WORD;
  return true;
}

function nextOf(segment: u32): u32 {
  return load<u32>((<usize>segment) << 2);
}

function endOf(segment: u32): u32 {
  return load<u32>((<usize>segment) << 2, 4);
}
