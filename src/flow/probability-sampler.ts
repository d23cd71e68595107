// The sampler of `sample` actions: each packet comes with the probability that its action has, P of 65,535, and a kept
// one stands for 65,535 / P packets. That is rarely a whole number, so the fraction is carried to the next one: the sum of
// the weights is right within one packet, where the original floors each (P = 16,384 would count 3 for 4). All actions of
// a bridge share a meter; what it drops is made up for as with bridges: more are kept, or each stands for more.

import { RandomSource } from './random.ts';

/** A `sample` action of this probability takes each packet. */
const PROBABILITY_MAX = 65_535;

/** The account of a sampler; counts are from its creation on. */
export interface ProbabilitySamplerStatus {
  /** Packets that `keep` was asked about. */
  readonly received: number;
  /** Packets that were kept. */
  readonly selected: number;
}

const RANDOM_RANGE = 2 ** 32;

export class ProbabilitySampler {
  readonly #random: RandomSource;
  /** Received, selected, and the carried fraction: in cells, because a double in a field would be an object. */
  readonly #cells = new Float64Array(3);

  /** How many packets that the actions took one which arrives stands for. */
  readonly #expansion: Float64Array;

  /** `seed` is 32 bits; `expansion` is the cell of the pool that the sampler's packets belong to. */
  constructor(seed: number, expansion: Float64Array = new Float64Array([1])) {
    this.#expansion = expansion;
    this.#random = new RandomSource(seed);
  }

  /** Whether a packet of an action of that probability, 1 to 65,535, becomes a sample. To be called once for each. */
  keep(probability: number): boolean {
    this.#cells[0]! += 1;
    const expanded = probability * this.#expansion[0]!;
    if (
      expanded < PROBABILITY_MAX &&
      (this.#random.next() >>> 0) * PROBABILITY_MAX >= expanded * RANDOM_RANGE
    ) {
      return false;
    }
    this.#cells[1]! += 1;
    return true;
  }

  /** How many packets the one just kept stands for, as a whole number; what is left over is carried on. */
  weight(probability: number): number {
    const exact = Math.max(PROBABILITY_MAX / probability, this.#expansion[0]!) + this.#cells[2]!;
    const whole = Math.floor(exact);
    this.#cells[2] = exact - whole;
    return whole;
  }

  status(): ProbabilitySamplerStatus {
    return { received: this.#cells[0]!, selected: this.#cells[1]! };
  }
}
