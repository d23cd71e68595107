// The ledger of a meter: compares what the meter in the datapath has counted, the sample pool (an sFlow term), with what arrived
// here, and compensates for what was lost: packets and octets each by a factor of their own.
//
// The ledger follows the readings of one meter. Whatever makes its counters start anew or packets stay out is an event that
// the control plane reports, and `restart` ends the account: what the meter counted from the last reading before the event to
// the first one after it is not known. It is never concluded from counters. At each reading, exactly:
//
//   observedPackets = received - unobservedPackets + droppedByMeter + lost + inTransit - surplusPackets

import { LossCompensation } from './loss-compensation.ts';
import { Transit } from './transit.ts';

/** Cumulative counters of a meter and of its drop band, from OpenFlow's meter statistics. */
export interface MeterCounters {
  readonly packets: bigint;
  readonly octets: bigint;
  readonly dropped: bigint;
  readonly droppedOctets: bigint;
}

/**
 * Why a ledger restarts: the daemon added the meter or changed its rate, another client changed it, the connection to the bridge
 * was lost, or the counters decreased without such an event.
 */
export type LedgerEvent =
  | 'meterAdded'
  | 'rateChanged'
  | 'meterModified'
  | 'connectionLost'
  | 'countersDecreased';

/** Counts of a meter, of the intervals between its readings. */
export interface MeterLedgerStatus {
  /** Packets and octets that the meter has counted: the sample pool. */
  readonly observedPackets: number;
  readonly observedOctets: number;
  /** Packets of these that the meter dropped. */
  readonly droppedByMeter: number;
  /** Packets that arrived, and their octets, since the ledger was created. */
  readonly received: number;
  readonly receivedOctets: number;
  /** Packets of these that arrived when no reading of the meter covers them: around restarts. */
  readonly unobservedPackets: number;
  /** Packets that passed the meter and did not arrive. Decreases when one of them arrives late. */
  readonly lost: number;
  /** Packets that had passed the meter at the last reading, and had neither arrived nor were known to be lost. */
  readonly inTransit: number;
  /** Packets that arrived in addition to those that passed the meter: segments, on the kernel datapath. */
  readonly surplusPackets: number;
  /** Share of the pool that the meter dropped between the last two readings, 0 to 1; 0 when the meter counted nothing. */
  readonly shareDropped: number;
  /** Packets of the pool that each packet represents which arrives after the last reading, until no loss is pending. */
  readonly compensationFactor: number;
  /** The same for octets. */
  readonly octetCompensationFactor: number;
  /** Lost packets and octets that are not compensated yet; below 0 when too many were. */
  readonly pendingLossPackets: number;
  readonly pendingLossOctets: number;
  /** Lost packets and octets that will not be compensated, because too few others arrived in time. */
  readonly writtenOffPackets: number;
  readonly writtenOffOctets: number;
  /** Accounts that an event has ended. */
  readonly restarts: Readonly<Record<LedgerEvent, number>>;
}

/** The counters of the meter, and what had arrived when they were read. */
interface Reading {
  readonly counters: MeterCounters;
  readonly arrivedPackets: number;
  readonly arrivedOctets: number;
}

/** Packets that OVS queues for one bridge between meter and connection: more are never in transit (ofproto-dpif.c). */
export const TRANSIT_PACKETS_MAX = 1024;
/** The same number of frames of Ethernet's usual size, in octets. */
const TRANSIT_OCTETS_MAX = TRANSIT_PACKETS_MAX * 1514;
/** Last readings in which a surplus is looked for; at how many of them there must be one, and the least share of what arrived. */
const SURPLUS_READINGS = 10;
const SURPLUS_READINGS_MIN = 3;
const SURPLUS_SHARE_MIN = 0.01;

/** Cells of what has arrived. */
const PACKETS = 0;
const OCTETS = 1;

export class MeterLedger {
  readonly #packets = new LossCompensation();
  readonly #octets = new LossCompensation();
  readonly #packetTransit = new Transit(TRANSIT_PACKETS_MAX);
  readonly #octetTransit = new Transit(TRANSIT_OCTETS_MAX);
  /** Packets and octets that arrived, in cells because a double in a field would be an object. */
  readonly #received = new Float64Array(2);
  /** The last reading; undefined from a restart to the next one. */
  #previous: Reading | undefined;
  /** Packets that arrived between two readings of one meter. */
  #covered = 0;
  #unobserved = 0;
  #observedPackets = 0;
  #observedOctets = 0;
  #dropped = 0;
  #shareDropped = 0;
  /** Losses that a restart has ended, for the next interval. */
  #closedPackets = 0;
  #closedOctets = 0;
  /** Packets that arrived, and the surplus of them, in the last intervals, oldest first. */
  readonly #surpluses: { readonly arrived: number; readonly surplus: number }[] = [];
  readonly #restarts: Record<LedgerEvent, number> = {
    meterAdded: 0,
    rateChanged: 0,
    meterModified: 0,
    connectionLost: 0,
    countersDecreased: 0,
  };

  /** The cells of the compensation factors, for the samplers of the packets that pass the meter. */
  get factorCell(): Float64Array {
    return this.#packets.cells;
  }

  get octetFactorCell(): Float64Array {
    return this.#octets.cells;
  }

  /** Notes a packet of `frameLength` octets that has arrived; runs for each packet. */
  arrive(frameLength: number): void {
    const received = this.#received;
    received[PACKETS]! += 1;
    received[OCTETS]! += frameLength;
    this.#packets.arrive(1);
    this.#octets.arrive(frameLength);
  }

  /**
   * Ends the account of the current meter at an event. The next reading starts a new one, and nothing is known of what the meter
   * counts until then. What has not arrived by the last reading is lost.
   */
  restart(event: LedgerEvent): void {
    if (this.#previous === undefined) {
      return;
    }
    this.#restarts[event] += 1;
    this.#previous = undefined;
    const mayArrive = event !== 'connectionLost';
    this.#closedPackets += this.#packetTransit.restart(mayArrive);
    this.#closedOctets += this.#octetTransit.restart(mayArrive);
  }

  /**
   * Adds what the meter has counted since the last reading; the first one after a restart only sets the start. Call it with what
   * had arrived when the switch read the counters: before any packet-in that the switch sent after them.
   */
  observe(counters: MeterCounters): void {
    if (this.#previous !== undefined && hasDecreased(this.#previous.counters, counters)) {
      this.restart('countersDecreased');
    }
    const before = this.#previous;
    const arrivedPackets = this.#received[PACKETS]!;
    const arrivedOctets = this.#received[OCTETS]!;
    const reading = { counters: { ...counters }, arrivedPackets, arrivedOctets };
    this.#previous = reading;
    if (before === undefined) {
      this.#unobserved = arrivedPackets - this.#covered;
      this.#begin();
    } else {
      this.#account(before, reading);
    }
  }

  /** Whether more packets have lately arrived than passed the meter, as with segmentation offload on the kernel datapath. */
  get hasSurplus(): boolean {
    const arrived = this.#surpluses.reduce((sum, interval) => sum + interval.arrived, 0);
    const surplus = this.#surpluses.reduce((sum, interval) => sum + interval.surplus, 0);
    const readings = this.#surpluses.filter((interval) => interval.surplus > 0).length;
    return readings >= SURPLUS_READINGS_MIN && surplus >= SURPLUS_SHARE_MIN * arrived;
  }

  status(): MeterLedgerStatus {
    const packets = this.#packets.status();
    const octets = this.#octets.status();
    const received = this.#received[PACKETS]!;
    return {
      observedPackets: this.#observedPackets,
      observedOctets: this.#observedOctets,
      droppedByMeter: this.#dropped,
      received,
      receivedOctets: this.#received[OCTETS]!,
      unobservedPackets: this.#previous === undefined ? received - this.#covered : this.#unobserved,
      lost: this.#packetTransit.lost,
      inTransit: this.#packetTransit.inTransit,
      surplusPackets: this.#packetTransit.surplus,
      shareDropped: this.#shareDropped,
      compensationFactor: packets.factor,
      octetCompensationFactor: octets.factor,
      pendingLossPackets: packets.pending,
      pendingLossOctets: octets.pending,
      writtenOffPackets: packets.writtenOff,
      writtenOffOctets: octets.writtenOff,
      restarts: { ...this.#restarts },
    };
  }

  /** Starts the account of a meter, with what the account of the last one has left. */
  #begin(): void {
    this.#shareDropped = 0;
    this.#packets.observe({ arrived: 0, observed: 0, lost: this.#closedPackets });
    this.#octets.observe({ arrived: 0, observed: 0, lost: this.#closedOctets });
    this.#closedPackets = 0;
    this.#closedOctets = 0;
  }

  #account(before: Reading, after: Reading): void {
    const packets = Number(after.counters.packets - before.counters.packets);
    const octets = Number(after.counters.octets - before.counters.octets);
    const dropped = Number(after.counters.dropped - before.counters.dropped);
    const droppedOctets = Number(after.counters.droppedOctets - before.counters.droppedOctets);
    const arrived = after.arrivedPackets - before.arrivedPackets;
    const arrivedOctets = after.arrivedOctets - before.arrivedOctets;
    this.#covered += arrived;
    this.#observedPackets += packets;
    this.#observedOctets += octets;
    this.#dropped += dropped;
    this.#shareDropped = packets === 0 ? 0 : dropped / packets;
    const surplus = this.#packetTransit.surplus;
    this.#packets.observe({
      arrived,
      observed: Math.max(packets, arrived + dropped),
      lost: dropped + this.#packetTransit.observe(packets - dropped, arrived),
    });
    this.#octets.observe({
      arrived: arrivedOctets,
      observed: Math.max(octets, arrivedOctets + droppedOctets),
      lost: droppedOctets + this.#octetTransit.observe(octets - droppedOctets, arrivedOctets),
    });
    this.#surpluses.push({ arrived, surplus: this.#packetTransit.surplus - surplus });
    if (this.#surpluses.length > SURPLUS_READINGS) {
      this.#surpluses.shift();
    }
  }
}

function hasDecreased(before: MeterCounters, after: MeterCounters): boolean {
  return (
    after.packets < before.packets ||
    after.octets < before.octets ||
    after.dropped < before.dropped ||
    after.droppedOctets < before.droppedOctets
  );
}
