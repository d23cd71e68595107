// Names with small numbers for the arrays of the history: bridges and collectors. A name that no slot has any more gives way to a
// new one at the limit; if there is none, the name has the number 0, which all of these share.

/** The number of all names beyond the limit. */
export const OTHER = 0;

interface Named {
  readonly name: string;
  /** The last slot that had it, on the monotonic clock. */
  usedMicros: number;
}

export class NameList {
  readonly #list: Named[];
  readonly #numbers = new Map<string, number>();
  readonly #max: number;
  readonly #keptMicros: number;

  /** @param max numbers, 0 included @param keptMicros how long slots are kept */
  constructor(other: string, max: number, keptMicros: number) {
    this.#list = [{ name: other, usedMicros: Number.POSITIVE_INFINITY }];
    this.#max = max;
    this.#keptMicros = keptMicros;
  }

  /** Numbers in use are below this one. */
  get length(): number {
    return this.#list.length;
  }

  nameOf(number: number): string {
    return this.#list[number]?.name ?? '';
  }

  /** Returns the number of a name, or `OTHER` if it has none of its own. */
  find(name: string): number {
    return this.#numbers.get(name) ?? OTHER;
  }

  /** Returns the number of a name that the slot at this time has. */
  numberOf(name: string, nowMicros: number): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) {
      this.#list[known]!.usedMicros = nowMicros;
      return known;
    }
    const number =
      this.#list.length < this.#max
        ? this.#list.length
        : this.#list.findIndex(({ usedMicros }) => usedMicros < nowMicros - this.#keptMicros);
    if (number < 0) {
      return OTHER;
    }
    const before = this.#list[number];
    if (before !== undefined) {
      this.#numbers.delete(before.name);
    }
    this.#list[number] = { name, usedMicros: nowMicros };
    this.#numbers.set(name, number);
    return number;
  }
}
