// A look at the flows of a cache while it goes on working: oldest first, in slices, so that a million of them do not hold
// up the packets. Flows may leave and begin between two slices; those that were there at the beginning and still are when
// their turn comes are shown.

import { type EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { ENTRY_KEY, ENTRY_TEMPLATE, keyWordCount } from './flow-entry.ts';
import { EntryView, type FlowRecord } from './flow-record.ts';

/** One walk; `FlowCache.walk` begins it. */
export class FlowWalk {
  readonly #store: EntryStore;
  readonly #view = new EntryView();
  /** Flows that are still to be shown, or have left meanwhile. */
  #remaining: number;
  /** The next entry, and how many have been removed once it is the oldest (modulo 2^32). */
  #address: number;
  #removedBefore: number;

  constructor(store: EntryStore, flowCount: number) {
    this.#store = store;
    this.#remaining = flowCount;
    this.#address = store.head;
    this.#removedBefore = store.removedCount;
  }

  /** Shows up to `countMax` flows; each view is good during its call only. False when there are no more. */
  next(visit: (record: FlowRecord) => void, countMax: number): boolean {
    this.#skipRemoved();
    for (let count = 0; count < countMax && this.#remaining > 0 && this.#address !== 0; count += 1) {
      const segment = segmentOf(this.#address);
      const at = wordOf(this.#address);
      const words = this.#store.segments[segment]!;
      this.#view.move(words, this.#store.segmentBytes[segment]!, at);
      visit(this.#view);
      this.#address = this.#store.after(this.#address, ENTRY_KEY + keyWordCount(words[at + ENTRY_TEMPLATE]!));
      this.#removedBefore = (this.#removedBefore + 1) | 0;
      this.#remaining -= 1;
    }
    return this.#remaining > 0 && this.#address !== 0;
  }

  /** Entries leave from the old end only: when ours has left, the oldest one that is there comes next. */
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
