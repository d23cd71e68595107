// Keeps packets of the sample pool (sFlow: all packets that could have been sampled) at random, each with the same probability
// and independently of the others, and gives each kept packet its weight. The probability is a fraction: 1/N for the hook,
// P/65535 for a `sample` action.
//
// While packets of the pool are lost, each packet that arrives represents more than one (loss-compensation.ts): then more
// than the fraction are kept, and once all are kept, the weight grows. A weight that is not a whole number is rounded up or down at
// random, and the rest is carried to the next sample: the sum of the weights is right within one packet, and packets that take
// turns, such as requests and replies, have the same weight on average. Octets have a factor of their own, because lost packets may be
// larger or smaller than those that arrive; their fraction is carried as well.

import { RandomSource } from '../flow/random.ts';

/** Counts since the sampler was created. */
export interface SamplerStatus {
  /** Packets that `keep` was called for. */
  readonly received: number;
  /** Packets that were kept. */
  readonly selected: number;
}

/** The probability of a `sample` action that samples every packet. */
export const PROBABILITY_ALL = 65_535;

const RANDOM_RANGE = 2 ** 32;

// Cells of a sampler: a double in a field would be an object.
const RECEIVED = 0;
const SELECTED = 1;
/** The fractions of a weight and of octets that are carried to the next sample. */
const CARRY = 2;
const OCTET_CARRY = 3;
/** 2^32 times the probability, and 2^32 divided by its denominator. */
const LIMIT = 4;
const LIMIT_OF_ONE = 5;
/** Packets that one packet of the pool represents. */
const SCALE = 6;
const CELL_COUNT = 7;

export class Sampler {
  readonly #random: RandomSource;
  readonly #factor: Float64Array;
  readonly #octetFactor: Float64Array;
  readonly #cells = new Float64Array(CELL_COUNT);
  #numerator = 1;
  #denominator = 1;

  /**
   * `seed` has 32 bits; `factor` and `octetFactor` are the cells of the compensation factors of the meter that the packets pass.
   * Keeps all packets until `setProbability` is called.
   */
  constructor(
    seed: number,
    factor: Float64Array = new Float64Array([1]),
    octetFactor: Float64Array = factor,
  ) {
    this.#random = new RandomSource(seed);
    this.#factor = factor;
    this.#octetFactor = octetFactor;
    this.#cells[LIMIT] = RANDOM_RANGE;
    this.#cells[LIMIT_OF_ONE] = RANDOM_RANGE;
    this.#cells[SCALE] = 1;
  }

  /** Sets the packets that one packet of the pool represents, for a pool that was sampled before: 65535/P, at least 1. */
  setScale(scale: number): void {
    this.#cells[SCALE] = scale;
  }

  /**
   * Sets the packets that the next record represents, which counts `count` packets, floor(65535/P) for each of its samples; 0 for
   * an unknown P: then they are `count`. Takes whole numbers only, because a fraction that is passed would be an object.
   */
  setRecordScale(count: number, probability: number): void {
    const cells = this.#cells;
    // Two stores: a number that may be whole or not would be an object.
    if (probability === 0) {
      cells[SCALE] = count;
    } else {
      cells[SCALE] = (count / Math.floor(PROBABILITY_ALL / probability)) * (PROBABILITY_ALL / probability);
    }
  }

  /** Changes the probability for the next packets: whole numbers, 1 <= numerator <= denominator < 2^32. */
  setProbability(numerator: number, denominator: number): void {
    if (numerator === this.#numerator && denominator === this.#denominator) {
      return;
    }
    if (!isCount(numerator) || !isCount(denominator) || numerator > denominator) {
      throw new RangeError(
        `sampling probability ${numerator}/${denominator} is not a fraction from 1/(2^32-1) to 1`,
      );
    }
    const cells = this.#cells;
    if (denominator !== this.#denominator) {
      this.#denominator = denominator;
      cells[LIMIT_OF_ONE] = RANDOM_RANGE / denominator;
    }
    this.#numerator = numerator;
    cells[LIMIT] = numerator * cells[LIMIT_OF_ONE]!;
  }

  /** Returns whether a packet becomes a sample. To be called once for each packet that arrives. */
  keep(): boolean {
    const cells = this.#cells;
    cells[RECEIVED]! += 1;
    // A draw below the limit keeps. The limit is rarely whole: where the draw is its whole part, a second draw is compared
    // with its fraction, because rounding would show with a small probability.
    const limit = this.#factor[0]! * cells[LIMIT]!;
    if (limit < RANDOM_RANGE) {
      const draw = this.#random.next() >>> 0;
      if (draw + 1 > limit && (draw >= limit || this.#random.next() >>> 0 >= (limit - draw) * RANDOM_RANGE)) {
        return false;
      }
    }
    cells[SELECTED]! += 1;
    return true;
  }

  /** Returns the weight of the packet just kept: whole packets of the pool that it represents. */
  weight(): number {
    const cells = this.#cells;
    const share = Math.max(this.#denominator / this.#numerator, this.#factor[0]!) * cells[SCALE]!;
    if (share === Math.floor(share)) {
      return share;
    }
    const exact = share + cells[CARRY]!;
    const isUp = (this.#random.next() >>> 0) / RANDOM_RANGE < exact - Math.floor(exact);
    // A sample represents itself at least.
    const whole = Math.max(1, Math.floor(exact) + (isUp ? 1 : 0));
    cells[CARRY] = exact - whole;
    return whole;
  }

  /** Returns the whole octets that the packet just kept represents; its frame has `frameLength`. */
  octets(frameLength: number): number {
    const cells = this.#cells;
    const factor = this.#factor[0]!;
    const octetFactor = this.#octetFactor[0]!;
    const packets = Math.max(this.#denominator / this.#numerator, factor) * cells[SCALE]!;
    // Factors are seldom whole, and a quotient of equal ones would not be 1.
    const share = octetFactor === factor ? packets : (packets * octetFactor) / factor;
    const exact = share * frameLength + cells[OCTET_CARRY]!;
    const whole = Math.floor(exact);
    cells[OCTET_CARRY] = exact - whole;
    return whole;
  }

  status(): SamplerStatus {
    return { received: this.#cells[RECEIVED]!, selected: this.#cells[SELECTED]! };
  }
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value < RANDOM_RANGE;
}
