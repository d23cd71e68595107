// Compensates for the part of the sample pool that does not arrive: what the meter drops, and what the queues of OVS lose. The
// meter says exactly how much there was. What was lost until a reading of the meter is distributed over what arrives until
// the next one: each packet represents itself and its part of the lost ones. So the sum of what packets represent follows the
// pool with the delay of one reading. One object compensates packets or octets; amounts are of either.

/** Readings of the meter after which a loss that is not compensated is written off. */
export const PENDING_LOSS_OBSERVATIONS_MAX = 10;
/** The least that a packet represents, when those before it represented too many. */
const FACTOR_MIN = 0.5;

/** A loss and what became of it. */
export interface LossCompensationStatus {
  /** The factor of what arrives after the last reading, until no loss is pending: 1 when nothing was lost. */
  readonly factor: number;
  /** What was lost and is not compensated yet; below 0 when too much was compensated. */
  readonly pending: number;
  /** What was lost and will not be compensated, because too little arrived in time; never decreases. */
  readonly writtenOff: number;
}

/** What happened between two readings of the meter. */
export interface ObservedInterval {
  /** What arrived. */
  readonly arrived: number;
  /** What the meter counted, and at least what arrived and what the meter dropped. */
  readonly observed: number;
  /** What is known to be lost since the last reading; below 0 when what was counted as lost has arrived. */
  readonly lost: number;
}

export class LossCompensation {
  /**
   * Cell 0 is the compensation factor of the packet that has just arrived, cell 1 the pending loss: the packet path uses them,
   * and a double in a field would be an object.
   */
  readonly cells = new Float64Array([1, 0]);
  #factorAtReading = 1;
  #pendingAtReading = 0;
  #writtenOff = 0;
  /** What arrived in the last interval in which anything did. */
  #lastArrived = 0;
  /** The last intervals, oldest first. */
  readonly #intervals: ObservedInterval[] = [];
  /** What is pending of the loss of each of them. All have one sign: a loss and a surplus of compensation cancel out. */
  #losses: number[] = [];

  /**
   * Notes a packet of this amount that has arrived: 1 packet, or its octets. Cell 0 is its factor afterwards. Once no loss is
   * pending, the factor is 1, however much more arrives than was expected.
   */
  arrive(amount: number): void {
    const { cells } = this;
    const extra = (cells[0]! - 1) * amount;
    if (extra === 0) {
      return;
    }
    const pending = cells[1]!;
    if (Math.abs(extra) <= Math.abs(pending)) {
      cells[1] = pending - extra;
      return;
    }
    cells[0] = 1 + pending / amount;
    cells[1] = 0;
  }

  /** Ends an interval. */
  observe(interval: ObservedInterval): void {
    this.#settle(this.#pendingAtReading - this.cells[1]!);
    this.#add(interval.lost);
    this.#intervals.push(interval);
    if (this.#intervals.length > PENDING_LOSS_OBSERVATIONS_MAX) {
      this.#intervals.shift();
      this.#writtenOff += Math.abs(this.#losses.shift() ?? 0);
    }
    if (interval.arrived > 0) {
      this.#lastArrived = interval.arrived;
    }
    this.#pendingAtReading = this.#losses.reduce((sum, loss) => sum + loss, 0);
    this.#factorAtReading = this.#factor();
    this.cells[0] = this.#factorAtReading;
    this.cells[1] = this.#pendingAtReading;
  }

  /** Amounts are in another unit from now on: what was 1 is `ratio` of it. What is written off already stays. */
  convert(ratio: number): void {
    this.cells[1]! *= ratio;
    this.#pendingAtReading *= ratio;
    this.#lastArrived *= ratio;
    this.#losses = this.#losses.map((loss) => loss * ratio);
    for (const [index, { arrived, observed, lost }] of this.#intervals.entries()) {
      this.#intervals[index] = { arrived: arrived * ratio, observed: observed * ratio, lost: lost * ratio };
    }
  }

  status(): LossCompensationStatus {
    return { factor: this.#factorAtReading, pending: this.cells[1]!, writtenOff: this.#writtenOff };
  }

  /**
   * Returns the factor of what arrives next. The best estimate of how much that will be is what arrived last; when less does,
   * the rest stays pending. The factor is never above what had to be represented in the last intervals: in one of them, or in
   * all together, as a burst may arrive in one interval and its loss be counted in the next. So little traffic after a
   * burst does not represent all of it.
   */
  #factor(): number {
    if (this.#lastArrived === 0) {
      return 1;
    }
    const ratios = this.#intervals.map(({ observed, arrived }) => (arrived === 0 ? 1 : observed / arrived));
    const observed = this.#intervals.reduce((sum, interval) => sum + interval.observed, 0);
    const arrived = this.#intervals.reduce((sum, interval) => sum + interval.arrived, 0);
    const worst = Math.max(1, arrived === 0 ? 1 : observed / arrived, ...ratios);
    return Math.min(Math.max(1 + this.#pendingAtReading / this.#lastArrived, FACTOR_MIN), worst);
  }

  /** Takes what packets have represented of the pending loss off it, the oldest first. */
  #settle(compensated: number): void {
    let left = compensated;
    this.#losses = this.#losses.map((loss) => {
      const part = Math.abs(loss) <= Math.abs(left) ? loss : left;
      left -= part;
      return loss - part;
    });
  }

  /** Adds the loss of an interval. What has the other sign is taken off pending losses first, the newest of them first. */
  #add(lost: number): void {
    let left = lost;
    for (let index = this.#losses.length - 1; index >= 0; index -= 1) {
      const loss = this.#losses[index]!;
      if (loss * left < 0) {
        const part = Math.abs(loss) <= Math.abs(left) ? loss : -left;
        this.#losses[index] = loss - part;
        left += part;
      }
    }
    this.#losses.push(left);
  }
}
