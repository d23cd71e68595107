// Maps the hash of a flow to the address of its entry: open addressing with linear probing. A slot holds the whole hash and
// the address, so that a probe reads an entry only when it is very likely the right one, and slots are moved without reading
// entries. The index does not know what an entry is.

/** Slots of a new table: a thousand collector sets have a thousand, most of them with few flows. */
const SLOT_COUNT_BEGIN = 1 << 4;
/** A table of fewer slots is not worth shrinking. */
const SLOT_COUNT_MIN = 1 << 10;
/** Slots of an outgrown table that each insertion or removal moves; both tables exist until all are moved. */
const MOVED_PER_STEP = 32;
/** In the outgrown table: the slot was moved or removed, but probes continue behind it. */
const MOVED = -1;
const EMPTY = 0;

/**
 * Pairs of words: a hash, and its address or `EMPTY`. A table that is too small or too large is replaced by one of twice or
 * half the slots; its slots are moved a few at a time, so that no operation blocks the event loop. Meanwhile insertions go to
 * the new table, and searches read both.
 */
export class FlowIndex {
  #table = new Int32Array(SLOT_COUNT_BEGIN * 2);
  #mask = SLOT_COUNT_BEGIN - 1;
  #count = 0;
  /** The outgrown table, whose slots below `#oldNext` are moved. Undefined most of the time. */
  #old: Int32Array | undefined;
  #oldNext = 0;

  /** Addresses in the index. */
  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#table.byteLength + (this.#old === undefined ? 0 : this.#old.byteLength);
  }

  /** The table to search; `old` is a second one, if there is one. */
  get table(): Int32Array {
    return this.#table;
  }

  get old(): Int32Array | undefined {
    return this.#old;
  }

  /** Adds an address that is not in the index yet. */
  insert(hash: number, address: number): void {
    this.#step();
    this.#place(hash, address);
    this.#count += 1;
    // With five eighths of the slots in use, a search reads two to five of them, which lie side by side.
    if (this.#old === undefined && this.#count * 8 > (this.#mask + 1) * 5) {
      this.#resize((this.#mask + 1) * 2);
    }
  }

  /** Removes an address that was inserted with this hash; throws if it is not there, which is a bug of the cache. */
  remove(hash: number, address: number): void {
    this.#step();
    if (!this.#removeFromTable(hash, address) && !this.#removeFromOld(hash, address)) {
      throw new Error(`flow index: address ${address} with hash ${hash} is stored but not indexed`);
    }
    this.#count -= 1;
    const slotCount = this.#mask + 1;
    if (this.#old === undefined && slotCount > SLOT_COUNT_MIN && this.#count * 8 < slotCount) {
      this.#resize(slotCount / 2);
    }
  }

  #place(hash: number, address: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let slot = hash & mask;
    while (table[slot * 2 + 1] !== EMPTY) {
      slot = (slot + 1) & mask;
    }
    table[slot * 2] = hash;
    table[slot * 2 + 1] = address;
  }

  #removeFromTable(hash: number, address: number): boolean {
    const table = this.#table;
    const mask = this.#mask;
    let hole = hash & mask;
    while (table[hole * 2 + 1] !== address) {
      if (table[hole * 2 + 1] === EMPTY) {
        return false;
      }
      hole = (hole + 1) & mask;
    }
    // Backward shift: each later slot of the run that may lie in the hole moves there, and leaves a hole itself.
    for (let slot = (hole + 1) & mask; table[slot * 2 + 1] !== EMPTY; slot = (slot + 1) & mask) {
      const distanceFromHome = (slot - table[slot * 2]!) & mask;
      if (distanceFromHome >= ((slot - hole) & mask)) {
        table[hole * 2] = table[slot * 2]!;
        table[hole * 2 + 1] = table[slot * 2 + 1]!;
        hole = slot;
      }
    }
    table[hole * 2 + 1] = EMPTY;
    return true;
  }

  #removeFromOld(hash: number, address: number): boolean {
    const old = this.#old;
    if (old === undefined) {
      return false;
    }
    const mask = old.length / 2 - 1;
    let slot = hash & mask;
    while (old[slot * 2 + 1] !== address) {
      if (old[slot * 2 + 1] === EMPTY) {
        return false;
      }
      slot = (slot + 1) & mask;
    }
    old[slot * 2 + 1] = MOVED;
    return true;
  }

  #resize(slotCount: number): void {
    this.#old = this.#table;
    this.#oldNext = 0;
    this.#table = new Int32Array(slotCount * 2);
    this.#mask = slotCount - 1;
  }

  /** Moves the next few slots of the outgrown table, if there is one; that ends well before the new table is full. */
  #step(): void {
    const old = this.#old;
    if (old === undefined) {
      return;
    }
    const end = Math.min(this.#oldNext + MOVED_PER_STEP, old.length / 2);
    for (let slot = this.#oldNext; slot < end; slot += 1) {
      const address = old[slot * 2 + 1]!;
      if (address !== EMPTY && address !== MOVED) {
        this.#place(old[slot * 2]!, address);
        old[slot * 2 + 1] = MOVED;
      }
    }
    this.#oldNext = end;
    if (end === old.length / 2) {
      this.#old = undefined;
    }
  }
}
