// Reads what the flow cache is going to read. In a large cache each look-up waits for main memory; the reads here do not
// need each other's results, so the memory is asked for many things at once, and the look-ups then find them in the
// processor's own cache. What is read decides nothing: it is returned only so that it is read at all.

import { type EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { ENTRY_HASH, ENTRY_KEY, ENTRY_TEMPLATE, keyWordCount } from './flow-entry.ts';
import type { Sample } from './sample-batch.ts';

/** A word of an entry in the second of the cache lines that it lies in, of 64 bytes each. */
const SECOND_LINE_WORD = 16;

/**
 * Touches what adding the first `count` samples will need, whose hashes are there: the slots of the index (`table`), then
 * the entries.
 */
export function touchSamples(
  table: Int32Array,
  store: EntryStore,
  samples: readonly Sample[],
  count: number,
): number {
  const mask = table.length - 1;
  // A flow is nearly always in one of the first two slots of its run; without a search the reads do not wait for branches
  // either.
  for (let index = 0; index < count; index += 1) {
    const sample = samples[index]!;
    const at = (sample.hash << 1) & mask;
    sample.address = table[at] === sample.hash ? table[at + 1]! : table[(at + 3) & mask]!;
  }
  const { segments } = store;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const { address } = samples[index]!;
    if (address > 0) {
      const words = segments[segmentOf(address)]!;
      const at = wordOf(address);
      sum ^= words[at]! ^ words[at + SECOND_LINE_WORD]!;
    }
  }
  return sum;
}

/** Touches the slots of the `count` oldest flows, which removing them will need. */
export function touchOldest(table: Int32Array, store: EntryStore, count: number): number {
  const mask = table.length - 1;
  let address = store.head;
  let sum = 0;
  for (let index = 0; index < count && address !== 0; index += 1) {
    const words = store.segments[segmentOf(address)]!;
    const at = wordOf(address);
    sum ^= table[(words[at + ENTRY_HASH]! << 1) & mask]!;
    address = store.after(address, ENTRY_KEY + keyWordCount(words[at + ENTRY_TEMPLATE]!));
  }
  return sum;
}
