// The traffic since the last slot of the history ended: packets and octets that samples represent, in all by exporter, and by the
// directions of conversations. All exporters of the daemon share one. Adding a sample allocates nothing but, now and then, the
// memory of a table that grows.

import type { FlowKey } from '../packet/flow-key.ts';
import { KeyTable } from './key-table.ts';
import { readTrafficKey, TRAFFIC_KEY_WORDS } from './traffic-key.ts';

/** Directions of conversations of one slot; later ones are only in the totals. */
export const SLOT_DIRECTIONS_MAX = 8192;

/** A sample as the table reads it. */
export interface TrafficSample extends FlowKey {
  readonly weight: number;
  readonly octets: number;
}

/** Cells of the totals of an exporter. */
const TOTAL_CELLS = 2;

export class TrafficTable {
  readonly #table: KeyTable;
  readonly #key = new Int32Array(TRAFFIC_KEY_WORDS);
  readonly #packets = new Float64Array(SLOT_DIRECTIONS_MAX);
  readonly #octets = new Float64Array(SLOT_DIRECTIONS_MAX);
  #totals = new Float64Array(16 * TOTAL_CELLS);
  /** Numbers of exporters: in use, of those that have ended in this slot, and vacant. */
  #numberEnd = 0;
  readonly #ended: number[] = [];
  readonly #vacant: number[] = [];
  #omitted = 0;

  constructor(hashSeed: number) {
    this.#table = new KeyTable({ wordCount: TRAFFIC_KEY_WORDS, rowsMax: SLOT_DIRECTIONS_MAX, hashSeed });
  }

  /** Returns the number of a new exporter. */
  register(): number {
    const number = this.#vacant.pop() ?? this.#numberEnd;
    this.#numberEnd = Math.max(this.#numberEnd, number + 1);
    if (this.#totals.length < this.#numberEnd * TOTAL_CELLS) {
      const grown = new Float64Array(this.#totals.length * 2);
      grown.set(this.#totals);
      this.#totals = grown;
    }
    return number;
  }

  /** Ends an exporter; its number is used again after this slot. */
  release(number: number): void {
    this.#ended.push(number);
  }

  /** Adds a sample of an exporter. */
  add(number: number, sample: TrafficSample): void {
    const { weight, octets } = sample;
    this.#totals[number * TOTAL_CELLS]! += weight;
    this.#totals[number * TOTAL_CELLS + 1]! += octets;
    readTrafficKey(sample, number, this.#key);
    const row = this.#table.rowOf(this.#key, 0);
    if (row < 0) {
      this.#omitted += 1;
      return;
    }
    this.#packets[row]! += weight;
    this.#octets[row]! += octets;
  }

  /** Directions of the slot, by row. */
  get count(): number {
    return this.#table.rowEnd;
  }

  /** The keys of all rows, `TRAFFIC_KEY_WORDS` words each. */
  get keys(): Int32Array {
    return this.#table.words;
  }

  packetsOf(row: number): number {
    return this.#packets[row]!;
  }

  octetsOf(row: number): number {
    return this.#octets[row]!;
  }

  totalPacketsOf(number: number): number {
    return this.#totals[number * TOTAL_CELLS]!;
  }

  totalOctetsOf(number: number): number {
    return this.#totals[number * TOTAL_CELLS + 1]!;
  }

  /** Samples since the start whose direction was beyond the limit of its slot. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Begins the next slot. */
  clear(): void {
    const count = this.#table.rowEnd;
    this.#packets.fill(0, 0, count);
    this.#octets.fill(0, 0, count);
    this.#totals.fill(0);
    this.#table.clear();
    this.#vacant.push(...this.#ended.splice(0));
  }
}
