// The directions of conversations that slots of the history refer to, each stored once for all slots.

import { KeyTable } from '../../flow/key-table.ts';
import { TRAFFIC_KEY_WORDS } from '../../flow/traffic-key.ts';

/** Different directions that the slots of the history may have together; others are only in the totals. */
export const DIRECTIONS_MAX = 32_768;

export class DirectionStore {
  readonly #table: KeyTable;
  /** Slots that refer to the row. */
  #uses = new Uint32Array(256);
  #omitted = 0;

  constructor(hashSeed: number, rowsMax = DIRECTIONS_MAX) {
    this.#table = new KeyTable({ wordCount: TRAFFIC_KEY_WORDS, rowsMax, hashSeed });
  }

  /** Directions in the store. */
  get count(): number {
    return this.#table.count;
  }

  /** Every row is below this number. */
  get rowEnd(): number {
    return this.#table.rowEnd;
  }

  /** The words of all rows, `TRAFFIC_KEY_WORDS` each; another array once the store has grown. */
  get words(): Int32Array {
    return this.#table.words;
  }

  /** Directions for which the store was full, each counted for each slot. */
  get omitted(): number {
    return this.#omitted;
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes + this.#uses.byteLength;
  }

  /** Returns the row of a key, which a slot refers to from now on; -1 when the store is full. */
  use(key: Int32Array): number {
    const row = this.#table.rowOf(key, 0);
    if (row < 0) {
      this.#omitted += 1;
      return -1;
    }
    if (row >= this.#uses.length) {
      const grown = new Uint32Array(this.#uses.length * 2);
      grown.set(this.#uses);
      this.#uses = grown;
    }
    this.#uses[row]! += 1;
    return row;
  }

  /** Notes that one more slot refers to a row that is in use. */
  useAgain(row: number): void {
    this.#uses[row]! += 1;
  }

  /** Ends the reference of one slot. */
  release(row: number): void {
    this.#uses[row]! -= 1;
    if (this.#uses[row] === 0) {
      this.#table.remove(row);
    }
  }
}
