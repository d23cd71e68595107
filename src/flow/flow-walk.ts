// Walks over the flows of a cache while it keeps working: oldest first, in slices, so that a million flows do not delay the
// packets. Flows may leave and start between two slices; the walk visits each flow that exists from its start until it is reached.

import { type EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { ENTRY_TEMPLATE, entryWordCount } from './flow-entry.ts';
import { EntryView, type FlowRecord } from './flow-record.ts';

/** One walk; `FlowCache.walk` starts it. */
export class FlowWalk {
  readonly #store: EntryStore;
  readonly #view = new EntryView();
  /** Flows that are still to be visited, or have left meanwhile. */
  #remaining: number;
  /** The next entry, and how many entries have been removed once it is the oldest (modulo 2^32). */
  #address: number;
  #removedBefore: number;

  constructor(store: EntryStore, flowCount: number) {
    this.#store = store;
    this.#remaining = flowCount;
    this.#address = store.head;
    this.#removedBefore = store.removedCount;
  }

  /** Visits up to `countMax` flows; each view is valid during its call only. Returns false when there are no more. */
  next(visit: (record: FlowRecord) => void, countMax: number): boolean {
    this.#skipRemoved();
    for (let count = 0; count < countMax && this.#remaining > 0 && this.#address !== 0; count += 1) {
      const segment = segmentOf(this.#address);
      const at = wordOf(this.#address);
      const words = this.#store.segments[segment]!;
      this.#view.move(words, this.#store.segmentBytes[segment]!, at);
      visit(this.#view);
      this.#address = this.#store.after(this.#address, entryWordCount(words[at + ENTRY_TEMPLATE]!));
      this.#removedBefore = (this.#removedBefore + 1) | 0;
      this.#remaining -= 1;
    }
    return this.#remaining > 0 && this.#address !== 0;
  }

  /** Entries leave from the old end only: when the next entry has left, the oldest one takes its turn. */
  #skipRemoved(): void {
    const skipped = (this.#store.removedCount - this.#removedBefore) | 0;
    if (skipped <= 0) {
      return;
    }
    this.#remaining = Math.max(this.#remaining - skipped, 0);
    this.#address = this.#store.head;
    this.#removedBefore = this.#store.removedCount;
  }
}
