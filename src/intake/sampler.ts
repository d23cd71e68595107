// Keeps packets of the sample pool (RFC 5476) at random, each with the same probability and independently of the others, and
// gives each kept packet its weight. The probability is a fraction: 1/N for the hook, P/65535 for a `sample` action.
//
// While packets of the pool are lost, each packet that arrives represents more than one (loss-compensation.ts): then more
// than the fraction are kept, and once all are kept, the weight grows. A weight is rarely a whole number; its fraction is
// carried to the next sample, so that the sum of the weights is right within one packet.

import { RandomSource } from '../flow/random.ts';

/** Counts since the sampler was created. */
export interface SamplerStatus {
  /** Packets that `keep` was called for. */
  readonly received: number;
  /** Packets that were kept. */
  readonly selected: number;
}

const RANDOM_RANGE = 2 ** 32;

// Cells of a sampler. They are plain numbers, which the build puts where they are used.
const RECEIVED = 0;
const SELECTED = 1;
/** Packets of the pool that a kept packet represents, and the fraction that is carried to the next. */
const WEIGHT = 2;
const CARRY = 3;
/** A draw (signed) below the threshold keeps; one equal to it keeps if a second draw is below the fraction. */
const THRESHOLD = 4;
const FRACTION = 5;
/** The compensation factor that the cells above were computed for. */
const FACTOR = 6;
const CELL_COUNT = 7;

export class Sampler {
  readonly #random: RandomSource;
  readonly #factor: Float64Array;
  /** A double in a field would be an object. */
  readonly #cells = new Float64Array(CELL_COUNT);
  #numerator = 1;
  #denominator = 1;
  #keepsAll = true;

  /**
   * `seed` has 32 bits; `factor` is the cell of the compensation factor of the meter that the packets pass. Keeps all packets
   * until `setProbability` is called.
   */
  constructor(seed: number, factor: Float64Array = new Float64Array([1])) {
    this.#random = new RandomSource(seed);
    this.#factor = factor;
    this.#prepare();
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
    this.#numerator = numerator;
    this.#denominator = denominator;
    this.#prepare();
  }

  /** Returns whether a packet becomes a sample. To be called once for each packet that arrives. */
  keep(): boolean {
    const cells = this.#cells;
    cells[RECEIVED]! += 1;
    if (this.#factor[0] !== cells[FACTOR]) {
      this.#prepare();
    }
    if (!this.#keepsAll) {
      const draw = this.#random.next();
      const threshold = cells[THRESHOLD]!;
      if (draw > threshold || (draw === threshold && this.#random.next() >>> 0 >= cells[FRACTION]!)) {
        return false;
      }
    }
    cells[SELECTED]! += 1;
    return true;
  }

  /** Returns the weight of the packet just kept: whole packets of the pool that it represents. */
  weight(): number {
    const exact = this.#cells[WEIGHT]! + this.#cells[CARRY]!;
    const whole = Math.floor(exact);
    this.#cells[CARRY] = exact - whole;
    return whole;
  }

  status(): SamplerStatus {
    return { received: this.#cells[RECEIVED]!, selected: this.#cells[SELECTED]! };
  }

  #prepare(): void {
    const factor = this.#factor[0]!;
    const numerator = this.#numerator * factor;
    this.#keepsAll = numerator >= this.#denominator;
    // 2^32 times the probability is rarely whole. Its fraction decides in the one case in 2^32 that the whole part leaves
    // open: with a small probability, rounding would show.
    const exact = (RANDOM_RANGE * numerator) / this.#denominator;
    const whole = Math.floor(exact);
    const cells = this.#cells;
    cells[FACTOR] = factor;
    cells[WEIGHT] = Math.max(this.#denominator / this.#numerator, factor);
    cells[THRESHOLD] = whole - RANDOM_RANGE / 2;
    cells[FRACTION] = Math.round((exact - whole) * RANDOM_RANGE);
  }
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value < RANDOM_RANGE;
}
