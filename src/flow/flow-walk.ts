// Walks over the flows of a cache while it keeps working: oldest first, in slices, so that a million flows do not delay the
// packets. Flows may leave and start between two slices; the walk visits each flow that exists from its start until it is reached.

import { EntryView, type FlowRecord } from './flow-record.ts';

/** The entries of a cache, oldest first. */
export interface EntryChain {
  /** Address of the oldest entry; 0 without one. */
  readonly head: number;
  /** Entries that have been removed, modulo 2^32 and signed. */
  readonly removedCount: number;
  /** Moves the view to the entry at `address`; returns the address of the one behind it, 0 when it is the newest. */
  read(address: number, view: EntryView): number;
}

/** One walk; `FlowEngine.walk` starts it. */
export class FlowWalk {
  readonly #chain: EntryChain;
  readonly #view = new EntryView();
  /** Flows that are still to be visited, or have left meanwhile. */
  #remaining: number;
  /** The next entry, and how many entries have been removed once it is the oldest (modulo 2^32). */
  #address: number;
  #removedBefore: number;

  constructor(chain: EntryChain, flowCount: number) {
    this.#chain = chain;
    this.#remaining = flowCount;
    this.#address = chain.head;
    this.#removedBefore = chain.removedCount;
  }

  /** Visits up to `countMax` flows; each view is valid during its call only. Returns false when there are no more. */
  next(visit: (record: FlowRecord) => void, countMax: number): boolean {
    this.#skipRemoved();
    for (let count = 0; count < countMax && this.#remaining > 0 && this.#address !== 0; count += 1) {
      const next = this.#chain.read(this.#address, this.#view);
      visit(this.#view);
      this.#address = next;
      this.#removedBefore = (this.#removedBefore + 1) | 0;
      this.#remaining -= 1;
    }
    return this.#remaining > 0 && this.#address !== 0;
  }

  /** Entries leave from the old end only: when the next entry has left, the oldest one takes its turn. */
  #skipRemoved(): void {
    const skipped = (this.#chain.removedCount - this.#removedBefore) | 0;
    if (skipped <= 0) {
      return;
    }
    this.#remaining = Math.max(this.#remaining - skipped, 0);
    this.#address = this.#chain.head;
    this.#removedBefore = this.#chain.removedCount;
  }
}
