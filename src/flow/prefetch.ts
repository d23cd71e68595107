// Prefetches what the flow cache is about to read. In a large cache each look-up waits for main memory; the reads here do not
// depend on each other, so the processor does them at the same time, and the look-ups find the data in its cache. The values
// read are of no use: a sum is returned only so that the compiler keeps the reads.

import { isExtended } from '../ipfix/record-layout.ts';
import { ENTRY_HASH, ENTRY_TEMPLATE } from './entry-layout.ts';
import { type EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { entryWordCount } from './flow-entry.ts';
import type { Sample } from './sample-batch.ts';

/** A word of an entry in the second of the cache lines (64 bytes each) that it lies in. */
const SECOND_LINE_WORD = 16;

/**
 * Prefetches what adding the first `count` samples will read, whose hashes are set: the slots of the index (`table`), then the
 * entries.
 */
export function prefetchSamples(
  table: Int32Array,
  store: EntryStore,
  samples: readonly Sample[],
  count: number,
): number {
  const mask = table.length - 1;
  // A flow is nearly always in one of the first two slots of its run; without a search there are no branches to wait for
  // either.
  for (let index = 0; index < count; index += 1) {
    const sample = samples[index]!;
    const at = (sample.hash << 1) & mask;
    sample.address = table[at] === sample.hash ? table[at + 1]! : table[(at + 3) & mask]!;
  }
  const { segments } = store;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const { address, templateId } = samples[index]!;
    if (address > 0) {
      const words = segments[segmentOf(address)]!;
      const at = wordOf(address);
      sum ^= words[at]! ^ words[at + SECOND_LINE_WORD]!;
      if (isExtended(templateId)) {
        // Half of these entries end in a third line. The entry may be that of another, shorter flow, at the segment's end.
        sum ^= words[Math.min(at + entryWordCount(templateId), words.length) - 1]!;
      }
    }
  }
  return sum;
}

/** Prefetches the slots of the `count` oldest flows, which removing them will read. */
export function prefetchOldest(table: Int32Array, store: EntryStore, count: number): number {
  const mask = table.length - 1;
  let address = store.head;
  let sum = 0;
  for (let index = 0; index < count && address !== 0; index += 1) {
    const words = store.segments[segmentOf(address)]!;
    const at = wordOf(address);
    sum ^= table[(words[at + ENTRY_HASH]! << 1) & mask]!;
    address = store.after(address, entryWordCount(words[at + ENTRY_TEMPLATE]!));
  }
  return sum;
}
