// The rows of one table in one snapshot: an immutable map of which a changed copy is cheap. Copying a plain Map for every
// change would take some 9 ms at 50,000 rows. Used by ReplicaContent.

/** A map from UUID to row, stored as an original map and the rows that differ from it. */
export class RowMap<Row> implements ReadonlyMap<string, Row> {
  readonly size: number;
  /** Shared with other maps. */
  readonly #original: ReadonlyMap<string, Row>;
  /** New and changed rows; undefined for deleted ones. */
  readonly #changed: ReadonlyMap<string, Row | undefined>;

  private constructor(
    original: ReadonlyMap<string, Row>,
    changed: ReadonlyMap<string, Row | undefined>,
    size: number,
  ) {
    this.#original = original;
    this.#changed = changed;
    this.size = size;
  }

  /** Makes a map of `rows`, which must not be modified afterwards. */
  static of<Row>(rows: ReadonlyMap<string, Row>): RowMap<Row> {
    return new RowMap(rows, new Map(), rows.size);
  }

  /** Returns a map with the given rows changed; undefined deletes a row. */
  with(changes: ReadonlyMap<string, Row | undefined>): RowMap<Row> {
    let { size } = this;
    for (const [uuid, row] of changes) {
      size += Number(row !== undefined) - Number(this.has(uuid));
    }
    const changed = new Map([...this.#changed, ...changes]);
    const copy = new RowMap(this.#original, changed, size);
    // A change copies `changed`, and sometimes all rows; about the square root of their number is cheapest.
    return changed.size ** 2 > 2 * this.#original.size + 256 ? RowMap.of(copy.#merged()) : copy;
  }

  /** Returns the rows as a plain map. */
  #merged(): ReadonlyMap<string, Row> {
    const rows = new Map(this.#original);
    for (const [uuid, row] of this.#changed) {
      if (row === undefined) {
        rows.delete(uuid);
      } else {
        rows.set(uuid, row);
      }
    }
    return rows;
  }

  get(uuid: string): Row | undefined {
    return this.#changed.has(uuid) ? this.#changed.get(uuid) : this.#original.get(uuid);
  }

  has(uuid: string): boolean {
    return this.get(uuid) !== undefined;
  }

  entries(): MapIterator<[string, Row]> {
    return this.#changed.size === 0 ? this.#original.entries() : this.#entriesWithChanges();
  }

  *#entriesWithChanges(): MapIterator<[string, Row]> {
    for (const [uuid, original] of this.#original) {
      const row = this.#changed.has(uuid) ? this.#changed.get(uuid) : original;
      if (row !== undefined) {
        yield [uuid, row];
      }
    }
    for (const [uuid, row] of this.#changed) {
      if (row !== undefined && !this.#original.has(uuid)) {
        yield [uuid, row];
      }
    }
  }

  *keys(): MapIterator<string> {
    for (const [uuid] of this.entries()) {
      yield uuid;
    }
  }

  values(): MapIterator<Row> {
    return this.#changed.size === 0 ? this.#original.values() : this.#valuesWithChanges();
  }

  *#valuesWithChanges(): MapIterator<Row> {
    for (const [, row] of this.entries()) {
      yield row;
    }
  }

  [Symbol.iterator](): MapIterator<[string, Row]> {
    return this.entries();
  }

  forEach(callback: (row: Row, uuid: string, map: ReadonlyMap<string, Row>) => void): void {
    for (const [uuid, row] of this.entries()) {
      callback(row, uuid, this);
    }
  }
}
