// Keeps what was read of a row for as long as the row is the same. Rows of the replica are immutable, and one that changes is
// replaced, so that a row is read again only when it has changed, or something else that it was read with.

import type { DatabaseRow } from './ipfix-row.ts';

interface Entry<Value> {
  readonly inputs: readonly unknown[];
  readonly value: Value;
}

export class RowCache<Value> {
  readonly #entries = new WeakMap<DatabaseRow, Entry<Value>>();
  #reads = 0;

  /** How often a row was read. */
  get reads(): number {
    return this.#reads;
  }

  /** Returns what `read` has returned for the row and the same inputs, which are compared by identity. */
  get(row: DatabaseRow, inputs: readonly unknown[], read: () => Value): Value {
    const known = this.#entries.get(row);
    if (known !== undefined && isSameItems(known.inputs, inputs)) {
      return known.value;
    }
    this.#reads += 1;
    const value = read();
    this.#entries.set(row, { inputs, value });
    return value;
  }
}

/** Whether two lists have the same items, in the same order. */
function isSameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) {
    return false;
  }
  for (let index = 0; index < a.length; index += 1) {
    if (a[index] !== b[index]) {
      return false;
    }
  }
  return true;
}
