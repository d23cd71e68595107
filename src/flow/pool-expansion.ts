// How many packets of the pool a packet that arrived stands for. The meter in the datapath says exactly how many there
// were; what it dropped, and what OVS's queue lost, between two looks at the meter is made up for by the packets that
// arrive until the next look: each of them stands for itself and its part of the missing ones. So the sum of what packets
// stand for follows the pool with the delay of one look.

/** What is missing is made up for as long as it is so many observations old at most; then it is given up. */
export const DEBT_OBSERVATIONS_MAX = 10;
/** The least that a packet stands for, when those before it stood for too many. */
const EXPANSION_MIN = 0.5;

/** The account of what was missing; plain data. */
export interface PoolExpansionStatus {
  /** What a packet that arrives now stands for in packets of the pool: 1 when nothing is missing. */
  readonly expansion: number;
  /** Packets that did not arrive, and that the weights of others have not made up for yet; below 0 when too many were. */
  readonly packetsOwed: number;
  /** Packets that were given up, because too few others came to stand for them. */
  readonly packetsGivenUp: number;
}

/** What came between two looks at the meter. */
interface Interval {
  readonly offered: number;
  readonly missing: number;
  /** Packets offered for each that arrived; 1 when none arrived, which says nothing. */
  readonly ratio: number;
}

/** See the head of the file. All counts are of packets. */
export class PoolExpansion {
  /** In a cell, because the packet path reads it, and a double in a field would be an object. */
  readonly cell = new Float64Array([1]);
  #owed = 0;
  #givenUp = 0;
  /** The last ones, oldest first. */
  readonly #intervals: Interval[] = [];

  /**
   * An interval has ended, in which `arrived` packets came, each of which stood for what `cell` said, and `missing` did
   * not.
   */
  observe(arrived: number, missing: number): void {
    this.#owed += missing - (this.cell[0]! - 1) * arrived;
    const offered = arrived + missing;
    this.#intervals.push({ offered, missing, ratio: arrived === 0 ? 1 : offered / arrived });
    if (this.#intervals.length > DEBT_OBSERVATIONS_MAX) this.#intervals.shift();
    this.#forgive();
    // Of how many will come, the number that has come is the best guess; a wrong one is corrected the next time. Nobody
    // has to stand for more than anybody of the last intervals would have had to, lest a quiet time pays for a loud one.
    const worst = this.#intervals.reduce((ratio, interval) => Math.max(ratio, interval.ratio), 1);
    const expansion = arrived === 0 ? 1 : 1 + this.#owed / arrived;
    this.cell[0] = Math.min(Math.max(expansion, EXPANSION_MIN), worst);
  }

  status(): PoolExpansionStatus {
    return { expansion: this.cell[0]!, packetsOwed: this.#owed, packetsGivenUp: this.#givenUp };
  }

  /** What was missing long ago would be laid on packets that have nothing to do with it; the same with what was too much. */
  #forgive(): void {
    const missing = this.#intervals.reduce((sum, interval) => sum + interval.missing, 0);
    const offered = this.#intervals.reduce((sum, interval) => sum + interval.offered, 0);
    const kept = Math.min(Math.max(this.#owed, -offered), missing);
    this.#givenUp += Math.abs(this.#owed - kept);
    this.#owed = kept;
  }
}
