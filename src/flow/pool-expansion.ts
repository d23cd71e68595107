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
  /**
   * What packets that arrive after the last look at the meter stand for in packets of the pool, until nothing is owed any
   * more: 1 when nothing was missing.
   */
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
  /**
   * What a packet that arrives now stands for, and packets owed: in cells, because the packet path uses them, and a double
   * in a field would be an object.
   */
  readonly cell = new Float64Array([1, 0]);
  #expansionAtLook = 1;
  #givenUp = 0;
  /** The last ones, oldest first. */
  readonly #intervals: Interval[] = [];

  /**
   * A packet has arrived; the cell says what it stands for. Nobody pays when the debt is paid, however many more come than
   * were expected. Returns whether the cell has changed.
   */
  arrives(): boolean {
    const extra = this.cell[0]! - 1;
    if (extra === 0) {
      return false;
    }
    const owed = this.cell[1]!;
    if (Math.abs(extra) <= Math.abs(owed)) {
      this.cell[1] = owed - extra;
      return false;
    }
    this.cell[0] = 1 + owed;
    this.cell[1] = 0;
    return true;
  }

  /** An interval has ended, in which `arrived` packets came, and `missing` did not. */
  observe(arrived: number, missing: number): void {
    const offered = arrived + missing;
    this.#intervals.push({ offered, missing, ratio: arrived === 0 ? 1 : offered / arrived });
    if (this.#intervals.length > DEBT_OBSERVATIONS_MAX) {
      this.#intervals.shift();
    }
    const owed = this.#forgive(this.cell[1]! + missing);
    // Of how many will come, the number that has come is the best guess; when fewer come, the rest is asked of those after
    // them. Nobody has to stand for more than anybody of the last intervals would have had to, lest a quiet time pays for a
    // loud one.
    const worst = this.#intervals.reduce((ratio, interval) => Math.max(ratio, interval.ratio), 1);
    const expansion = arrived === 0 ? 1 : 1 + owed / arrived;
    this.#expansionAtLook = Math.min(Math.max(expansion, EXPANSION_MIN), worst);
    this.cell[0] = this.#expansionAtLook;
    this.cell[1] = owed;
  }

  status(): PoolExpansionStatus {
    return {
      expansion: this.#expansionAtLook,
      packetsOwed: this.cell[1]!,
      packetsGivenUp: this.#givenUp,
    };
  }

  /** What was missing long ago would be laid on packets that have nothing to do with it; the same with what was too much. */
  #forgive(owed: number): number {
    const missing = this.#intervals.reduce((sum, interval) => sum + interval.missing, 0);
    const offered = this.#intervals.reduce((sum, interval) => sum + interval.offered, 0);
    const kept = Math.min(Math.max(owed, -offered), missing);
    this.#givenUp += Math.abs(owed - kept);
    return kept;
  }
}
