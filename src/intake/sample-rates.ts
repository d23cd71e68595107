// The probabilities of the `sample` actions of one collector set, as its flows have them, by the ids of the records that they
// produce. A record of ovs-vswitchd counts floor(65535/P) packets for a sample, which is up to a half too few: P, found here, makes
// it exact. Looking up allocates nothing.

import { PROBABILITY_ALL } from './sampler.ts';

/** Probabilities, each once, and how many actions have each. */
interface Rates {
  readonly probabilities: number[];
  readonly counts: number[];
}

/** The rates of actions with two numbers as ids. */
interface Entry extends Rates {
  readonly domainId: number;
  readonly pointId: number;
}

const CAPACITY_MIN = 16;
const EMPTY = 0;

export class SampleRates {
  /** Indices of entries, plus 1; open addressing. */
  #slots = new Int32Array(CAPACITY_MIN);
  #entries: Entry[] = [];
  /** Of actions that take an id from a field, so that their records may have any. */
  #anyIds: Rates = { probabilities: [], counts: [] };

  /** Adds an action; an id is undefined where it comes from a field. `probability` is P of 65,535. */
  add(domainId: number | undefined, pointId: number | undefined, probability: number): void {
    const rates =
      domainId === undefined || pointId === undefined
        ? this.#anyIds
        : this.#entryOf(domainId | 0, pointId | 0);
    const index = rates.probabilities.indexOf(probability);
    if (index >= 0) {
      rates.counts[index]! += 1;
    } else if (probability > 0) {
      rates.probabilities.push(probability);
      rates.counts.push(1);
    }
  }

  /** Removes an action that was added. */
  remove(domainId: number | undefined, pointId: number | undefined, probability: number): void {
    const rates =
      domainId === undefined || pointId === undefined
        ? this.#anyIds
        : this.#entries[this.#find(domainId | 0, pointId | 0)];
    const index = rates?.probabilities.indexOf(probability) ?? -1;
    if (rates === undefined || index < 0) {
      return;
    }
    rates.counts[index]! -= 1;
    if (rates.counts[index] === 0) {
      rates.probabilities.splice(index, 1);
      rates.counts.splice(index, 1);
    }
  }

  clear(): void {
    this.#slots = new Int32Array(CAPACITY_MIN);
    this.#entries = [];
    this.#anyIds = { probabilities: [], counts: [] };
  }

  /**
   * Returns P of the action that has produced a record, with ids as signed words, and `count` packets by itself: floor(65535/P)
   * for each of its samples. 0: no action can have produced it, or actions of different P.
   */
  probability(domainId: number, pointId: number, count: number): number {
    const index = this.#find(domainId, pointId);
    const exact = index < 0 ? undefined : this.#entries[index]!.probabilities;
    const any = this.#anyIds.probabilities;
    const ofExact = exact === undefined ? 0 : matching(exact, count);
    const ofAny = matching(any, count);
    const found = ofExact === 0 || ofExact === ofAny ? ofAny : ofAny === 0 ? ofExact : SEVERAL;
    if (found === SEVERAL) {
      return 0;
    }
    return found !== 0 ? found : ofSeveralSamples(exact, any, count);
  }

  /** Returns the index of an entry, or -1. */
  #find(domainId: number, pointId: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(domainId, pointId) & mask; ; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) {
        return -1;
      }
      const entry = this.#entries[index]!;
      if (entry.domainId === domainId && entry.pointId === pointId) {
        return index;
      }
    }
  }

  #entryOf(domainId: number, pointId: number): Entry {
    const found = this.#find(domainId, pointId);
    if (found >= 0) {
      return this.#entries[found]!;
    }
    if ((this.#entries.length + 1) * 2 > this.#slots.length) {
      this.#rebuild();
    }
    const entry = { domainId, pointId, probabilities: [], counts: [] };
    this.#entries.push(entry);
    this.#put(entry, this.#entries.length);
    return entry;
  }

  /** Makes room; entries without actions are left out. */
  #rebuild(): void {
    this.#entries = this.#entries.filter(({ counts }) => counts.length > 0);
    let capacity = CAPACITY_MIN;
    while (capacity < this.#entries.length * 4) {
      capacity *= 2;
    }
    this.#slots = new Int32Array(capacity);
    for (const [index, entry] of this.#entries.entries()) {
      this.#put(entry, index + 1);
    }
  }

  #put({ domainId, pointId }: Entry, value: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash(domainId, pointId) & mask;
    while (this.#slots[slot] !== EMPTY) {
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = value;
  }
}

/** In place of a probability: there are several. */
const SEVERAL = -1;

/** Returns the probability of which a sample counts `count` packets; 0 for none. */
function matching(probabilities: readonly number[], count: number): number {
  let found = 0;
  for (let index = 0; index < probabilities.length; index += 1) {
    const probability = probabilities[index]!;
    if (Math.floor(PROBABILITY_ALL / probability) === count) {
      if (found !== 0) {
        return SEVERAL;
      }
      found = probability;
    }
  }
  return found;
}

/** Returns P of a record of several samples of one flow, which ovs-vswitchd had in its cache; 0 if that is not known. */
function ofSeveralSamples(
  exact: readonly number[] | undefined,
  any: readonly number[],
  count: number,
): number {
  const exactCount = exact === undefined ? 0 : exact.length;
  if (exactCount + any.length !== 1) {
    return 0;
  }
  const probability = exactCount === 1 ? exact![0]! : any[0]!;
  return count % Math.floor(PROBABILITY_ALL / probability) === 0 ? probability : 0;
}

function hash(domainId: number, pointId: number): number {
  let mixed = Math.imul(domainId, 0x9e37_79b1) ^ pointId;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
