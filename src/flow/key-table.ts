// Keys of a fixed number of words with a small number each, its row: open addressing with linear probing. Memory grows by
// doubling up to a limit; finding a key allocates nothing.

import { hashFlow, hashSecrets } from './flow-hash.ts';

/** Rows of a new table. */
const ROWS_FIRST = 256;

export interface KeyTableOptions {
  /** Words of a key. */
  readonly wordCount: number;
  /** The most rows: a power of 2 and at least 256. */
  readonly rowsMax: number;
  /** Secret 32 bits of the hash, against senders that choose keys which collide. */
  readonly hashSeed: number;
}

/** Rows by key. Owners have arrays beside it whose index is the row. */
export class KeyTable {
  readonly #wordCount: number;
  readonly #rowsMax: number;
  readonly #secrets: Int32Array;
  /** The words of row r are `words[r * wordCount, (r + 1) * wordCount)`. */
  #words: Int32Array;
  #hashes = new Int32Array(ROWS_FIRST);
  /** Row + 1 by slot; 0 where a slot is free. Twice as many slots as rows. */
  #slots = new Int32Array(ROWS_FIRST * 2);
  /** Removed rows, which are used again first. */
  readonly #vacant: number[] = [];
  /** Rows that have been used since the table was cleared. */
  #rowEnd = 0;

  constructor({ wordCount, rowsMax, hashSeed }: KeyTableOptions) {
    this.#wordCount = wordCount;
    this.#rowsMax = rowsMax;
    this.#secrets = hashSecrets(hashSeed);
    this.#words = new Int32Array(ROWS_FIRST * wordCount);
  }

  /** Rows in use. */
  get count(): number {
    return this.#rowEnd - this.#vacant.length;
  }

  /** Every row in use is below this number. */
  get rowEnd(): number {
    return this.#rowEnd;
  }

  /** The words of all rows; another array once the table has grown. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Memory in bytes. */
  get memoryBytes(): number {
    return this.#words.byteLength + this.#hashes.byteLength + this.#slots.byteLength;
  }

  /** Returns the row of the key that begins at `from` of `key`, a new one if it has none, or -1 when the table is full. */
  rowOf(key: Int32Array, from: number): number {
    const wordCount = this.#wordCount;
    let words = key;
    if (from !== 0) {
      words = key.subarray(from, from + wordCount);
    }
    const hash = hashFlow(this.#secrets, words, wordCount, 0, 0);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = hash & mask;
    for (; slots[at] !== 0; at = (at + 1) & mask) {
      const row = slots[at]! - 1;
      if (this.#hashes[row] === hash && this.#isKey(row, words)) {
        return row;
      }
    }
    return this.#add(words, hash, at);
  }

  /** Removes a row that is in use. */
  remove(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#hashes[row]! & mask;
    while (slots[hole] !== row + 1) {
      hole = (hole + 1) & mask;
    }
    // Entries behind the hole move into it, unless their own slot lies behind it.
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const own = this.#hashes[slots[at]! - 1]! & mask;
      if (((at - own) & mask) >= ((at - hole) & mask)) {
        slots[hole] = slots[at]!;
        hole = at;
      }
    }
    slots[hole] = 0;
    this.#vacant.push(row);
  }

  /** Removes all rows and keeps the memory. */
  clear(): void {
    this.#slots.fill(0);
    this.#vacant.length = 0;
    this.#rowEnd = 0;
  }

  #isKey(row: number, key: Int32Array): boolean {
    const from = row * this.#wordCount;
    for (let index = 0; index < this.#wordCount; index += 1) {
      if (this.#words[from + index] !== key[index]) {
        return false;
      }
    }
    return true;
  }

  #add(key: Int32Array, hash: number, freeSlot: number): number {
    let slot = freeSlot;
    let row = this.#vacant.pop() ?? -1;
    if (row < 0) {
      if (this.#rowEnd === this.#rowsMax) {
        return -1;
      }
      if (this.#rowEnd === this.#hashes.length) {
        this.#grow();
        slot = this.#freeSlotFor(hash);
      }
      row = this.#rowEnd;
      this.#rowEnd += 1;
    }
    const from = row * this.#wordCount;
    for (let index = 0; index < this.#wordCount; index += 1) {
      this.#words[from + index] = key[index]!;
    }
    this.#hashes[row] = hash;
    this.#slots[slot] = row + 1;
    return row;
  }

  #freeSlotFor(hash: number): number {
    const mask = this.#slots.length - 1;
    let at = hash & mask;
    while (this.#slots[at] !== 0) {
      at = (at + 1) & mask;
    }
    return at;
  }

  /** Doubles the memory. All rows are in use. */
  #grow(): void {
    const rows = this.#hashes.length;
    const words = new Int32Array(rows * 2 * this.#wordCount);
    words.set(this.#words);
    const hashes = new Int32Array(rows * 2);
    hashes.set(this.#hashes);
    this.#words = words;
    this.#hashes = hashes;
    this.#slots = new Int32Array(rows * 4);
    for (let row = 0; row < rows; row += 1) {
      this.#slots[this.#freeSlotFor(hashes[row]!)] = row + 1;
    }
  }
}
