// Memory that grows: blocks of equal size behind the fixed part. A block that is free again is used again; the memory itself
// never shrinks.

import { BLOCK_BYTES, BLOCKS_AT } from '../flow/engine-memory';

const PAGE_BITS: u64 = 16;
const PAGES_MAX: u64 = 65_536;

/** What may be read behind the last entry of a block, when entries are read ahead. */
const READ_AHEAD_BYTES: u64 = 256;

/** Where the first block lies that has never been used. */
let end: u64 = BLOCKS_AT;
/** How many blocks are free again. */
let freeCount: u32 = 0;
/** The last block that became free; each has the address of the next one in its first word. */
let free: usize = 0;

/** Returns the bytes of the blocks in use. */
export function usedBytes(): f64 {
  return <f64>(end - BLOCKS_AT) - <f64>freeCount * BLOCK_BYTES;
}

/** Returns a block, whose content is arbitrary; 0 when there is no memory. */
export function allocateBlock(): usize {
  const block = free;
  if (block === 0) {
    return allocateBlocks(1);
  }
  free = load<u32>(block);
  freeCount -= 1;
  return block;
}

/** Returns blocks side by side that have never been used, so that they are zeros; 0 when there is no memory. */
export function allocateBlocks(count: u32): usize {
  const at = end;
  const next = at + <u64>count * BLOCK_BYTES;
  const needed = next + READ_AHEAD_BYTES;
  if (needed > (<u64>memory.size()) << PAGE_BITS && !growTo(needed)) {
    return 0;
  }
  end = next;
  return <usize>at;
}

/** Makes blocks free. */
export function freeBlocks(at: usize, count: u32): void {
  for (let index: u32 = 0; index < count; index += 1) {
    const block = at + index * BLOCK_BYTES;
    store<u32>(block, <u32>free);
    free = block;
    freeCount += 1;
  }
}

/** Doubles the memory, or grows it to the next `bytes` where there is no more: each growth has a cost of its own in V8. */
function growTo(bytes: u64): bool {
  const pages = <u64>memory.size();
  const needed = (bytes + 0xffff) >> PAGE_BITS;
  if (needed > PAGES_MAX) {
    return false;
  }
  const doubled = min(max(pages * 2, needed), PAGES_MAX);
  return memory.grow(<i32>(doubled - pages)) >= 0 || memory.grow(<i32>(needed - pages)) >= 0;
}
