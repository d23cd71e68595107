// Named counters of events, in the manner of OVS's coverage counters. A part owns a plain object of numbers and
// increments its fields; the registry only remembers who has which object, so that one place can show them all.

/** A group of counters; the owner writes its fields, everybody else only reads them. */
export type Counters<Name extends string = string> = Record<Name, number>;

/** Makes a group with each counter at zero. */
export function createCounters<const Name extends string>(names: readonly Name[]): Counters<Name> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Counters<Name>;
}

/** All groups of a process, for the status of the daemon and `coverage/show`. */
export class CounterRegistry {
  readonly #groups = new Map<string, Readonly<Counters>>();

  /** Shows `counters` below `group` from now on; a group of the same name is replaced. */
  add(group: string, counters: Readonly<Counters>): void {
    this.#groups.set(group, counters);
  }

  remove(group: string): void {
    this.#groups.delete(group);
  }

  /** The present values, as `group_counter`, in the order of registration. */
  snapshot(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const [group, counters] of this.#groups) {
      for (const [name, value] of Object.entries(counters)) all[`${group}_${name}`] = value;
    }
    return all;
  }
}
