// The ledger of a meter: compares the packets of the sample pool (an sFlow term), which the meter in the datapath has counted, with
// those that arrived here, and compensates for the lost ones.

import { LossCompensation, type LossCompensationStatus } from './loss-compensation.ts';

/** Cumulative counters of a meter and of its drop band, from OpenFlow's meter statistics. */
export interface MeterCounters {
  readonly packets: bigint;
  readonly octets: bigint;
  readonly dropped: bigint;
}

/** Counts of a meter. All but `received` start at the first observation of the meter. */
export interface MeterLedgerStatus extends LossCompensationStatus {
  /** Packets and octets that the meter has counted: the sample pool. */
  readonly observedPackets: number;
  readonly observedOctets: number;
  /** Packets of these that the meter dropped. */
  readonly droppedByMeter: number;
  /** Packets that arrived, since the ledger was created. */
  readonly received: number;
  /** Packets that passed the meter and had not arrived at the last observation; never below 0. */
  readonly lost: number;
  /** Share of the pool that the meter dropped between the last two observations, 0 to 1; 0 when the meter counted nothing. */
  readonly shareDropped: number;
}

export class MeterLedger {
  readonly #compensation = new LossCompensation();
  /** Packets that arrived, in a cell because a double in a field would be an object. */
  readonly #received = new Float64Array(1);
  #previous: MeterCounters | undefined;
  #receivedAtFirst = 0;
  #receivedAtLast = 0;
  #observedPackets = 0n;
  #observedOctets = 0n;
  #dropped = 0n;
  #shareDropped = 0;
  /** Packets that had passed the meter and not arrived at the last observation; some of them arrived later. */
  #lostAtLast = 0;
  /** Packets that were handed to the compensation. */
  #compensated = 0;

  /** The cell of the compensation factor, for the samplers of the packets that pass the meter. */
  get factorCell(): Float64Array {
    return this.#compensation.cells;
  }

  /** Notes a packet that has arrived; runs for each packet. */
  arrive(): void {
    this.#received[0]! += 1;
    this.#compensation.arrive();
  }

  /**
   * Adds what the meter has counted since the last observation. The first observation only sets the start: observe zeros
   * right after the meter was added. A counter that has decreased belongs to a new meter, which started at zero; what the
   * old one counted since the last observation is not known.
   */
  observe(counters: MeterCounters): void {
    const received = this.#received[0]!;
    const before = this.#previous;
    const arrived = received - this.#receivedAtLast;
    this.#previous = { packets: counters.packets, octets: counters.octets, dropped: counters.dropped };
    this.#receivedAtLast = received;
    if (before === undefined) {
      this.#receivedAtFirst = received;
      return;
    }
    const isNewMeter =
      counters.packets < before.packets ||
      counters.octets < before.octets ||
      counters.dropped < before.dropped;
    const base = isNewMeter ? NOTHING_COUNTED : before;
    const packets = counters.packets - base.packets;
    const dropped = counters.dropped - base.dropped;
    this.#observedPackets += packets;
    this.#observedOctets += counters.octets - base.octets;
    this.#dropped += dropped;
    this.#shareDropped = packets === 0n ? 0 : Number(dropped) / Number(packets);
    this.#compensate(arrived);
  }

  status(): MeterLedgerStatus {
    return {
      observedPackets: Number(this.#observedPackets),
      observedOctets: Number(this.#observedOctets),
      droppedByMeter: Number(this.#dropped),
      received: this.#received[0]!,
      lost: this.#lost(),
      shareDropped: this.#shareDropped,
      ...this.#compensation.status(),
    };
  }

  /** A packet that is absent at two observations is lost; at one, it may still be in transit. */
  #compensate(arrived: number): void {
    const lost = this.#lost();
    const total = Number(this.#dropped) + Math.min(lost, this.#lostAtLast);
    this.#compensation.observe(arrived, total - this.#compensated);
    this.#lostAtLast = lost;
    this.#compensated = total;
  }

  #lost(): number {
    // Packets in transit when the meter is read arrive later, and may outnumber the lost ones for a moment.
    const arrived = this.#receivedAtLast - this.#receivedAtFirst;
    return Math.max(0, Number(this.#observedPackets - this.#dropped) - arrived);
  }
}

const NOTHING_COUNTED: MeterCounters = { packets: 0n, octets: 0n, dropped: 0n };
