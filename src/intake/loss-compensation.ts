// Compensates for packets of the sample pool that do not arrive: those that the meter drops, and those that the queue of OVS
// loses. The meter says exactly how many packets there were. What was lost between two observations of the meter is
// distributed over the packets that arrive until the next one: each represents itself and its part of the lost ones. So the
// sum of what packets represent follows the pool with the delay of one observation.

/** Observations of the meter after which a lost packet that is not compensated is written off. */
export const PENDING_LOSS_OBSERVATIONS_MAX = 10;
/** The least that a packet represents, when those before it represented too many. */
const FACTOR_MIN = 0.5;

/** Lost packets and what became of them. */
export interface LossCompensationStatus {
  /**
   * Packets of the pool that each packet represents which arrives after the last observation, until no loss is pending: 1
   * when nothing was lost.
   */
  readonly compensationFactor: number;
  /** Lost packets that are not compensated yet; below 0 when too many were. */
  readonly pendingLossPackets: number;
  /** Lost packets that will not be compensated, because too few others arrived in time. */
  readonly writtenOffPackets: number;
}

/** What happened between two observations of the meter. */
interface Interval {
  readonly observed: number;
  readonly lost: number;
  /** Packets observed for each one that arrived; 1 when none arrived. */
  readonly ratio: number;
}

/** All counts are of packets. */
export class LossCompensation {
  /**
   * Cell 0 is the compensation factor of a packet that arrives now, cell 1 the pending loss: the packet path uses them, and a
   * double in a field would be an object.
   */
  readonly cells = new Float64Array([1, 0]);
  #factorAtObservation = 1;
  #writtenOff = 0;
  /** The last intervals, oldest first. */
  readonly #intervals: Interval[] = [];

  /**
   * Notes a packet that has arrived; cell 0 says what it represents. Once no loss is pending, the factor is 1, however many
   * more packets arrive than were expected.
   */
  arrive(): void {
    const { cells } = this;
    const extra = cells[0]! - 1;
    if (extra === 0) {
      return;
    }
    const pending = cells[1]!;
    if (Math.abs(extra) <= Math.abs(pending)) {
      cells[1] = pending - extra;
      return;
    }
    cells[0] = 1 + pending;
    cells[1] = 0;
  }

  /** Ends an interval in which `arrived` packets arrived and `lost` did not. */
  observe(arrived: number, lost: number): void {
    const observed = arrived + lost;
    this.#intervals.push({ observed, lost, ratio: arrived === 0 ? 1 : observed / arrived });
    if (this.#intervals.length > PENDING_LOSS_OBSERVATIONS_MAX) {
      this.#intervals.shift();
    }
    const pending = this.#writeOff(this.cells[1]! + lost);
    // The best estimate of how many packets will arrive is how many have arrived; when fewer do, the rest stays pending. No
    // packet represents more than a packet of the last intervals had to, so that little traffic after a burst
    // does not represent all of it.
    const worst = this.#intervals.reduce((ratio, interval) => Math.max(ratio, interval.ratio), 1);
    const factor = arrived === 0 ? 1 : 1 + pending / arrived;
    this.#factorAtObservation = Math.min(Math.max(factor, FACTOR_MIN), worst);
    this.cells[0] = this.#factorAtObservation;
    this.cells[1] = pending;
  }

  status(): LossCompensationStatus {
    return {
      compensationFactor: this.#factorAtObservation,
      pendingLossPackets: this.cells[1]!,
      writtenOffPackets: this.#writtenOff,
    };
  }

  /** Returns the pending loss without what is too old: packets that arrive now have nothing to do with it. */
  #writeOff(pending: number): number {
    const lost = this.#intervals.reduce((sum, interval) => sum + interval.lost, 0);
    const observed = this.#intervals.reduce((sum, interval) => sum + interval.observed, 0);
    const kept = Math.min(Math.max(pending, -observed), lost);
    this.#writtenOff += Math.abs(pending - kept);
    return kept;
  }
}
