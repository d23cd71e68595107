// A simulated switch for the ledger of a meter: flows offer packets in steps of a millisecond, a meter passes some of them, what
// has passed is lost at random or arrives after some milliseconds, and the meter is read once a second, like
// control/hook-reconciler.ts does. It knows the truth: what the meter counted, and when.

import { RandomSource } from '../../src/flow/random.ts';
import { type LedgerEvent, MeterLedger } from '../../src/intake/meter-ledger.ts';
import { Sampler } from '../../src/intake/sampler.ts';

/** A flow: packets per millisecond, which need not be whole, as a function of time. */
export interface SimulatedFlow {
  readonly name: string;
  readonly frameLength: number;
  readonly packetsAt: (millisecond: number) => number;
}

export interface SimulationOptions {
  readonly seed: number;
  /** N of 1-in-N. */
  readonly interval: number;
  readonly flows: readonly SimulatedFlow[];
  /** Packets a second that the meter passes. */
  readonly meterRate: number;
  /** Share of the packets that pass the meter and are lost after it, 0 to 1. */
  readonly lossShare?: number;
  /** Most milliseconds between meter and arrival. */
  readonly delayMax?: number;
}

interface Counts {
  packets: number;
  octets: number;
}

interface Transfer {
  readonly due: number;
  readonly flow: SimulatedFlow;
  /** Whether the meter was read while it was in transit, in an account that goes on. */
  isCovered: boolean;
}

const METER_BURST = 100;
const READING_MS = 1000;
/** Milliseconds from an event until the meter is read for the first time. */
const FIRST_READING_MS = 4;

const zero = (): Counts => ({ packets: 0, octets: 0 });

function add(counts: Counts, packets: number, octets: number): void {
  counts.packets += packets;
  counts.octets += octets;
}

export class SimulatedMeter {
  readonly ledger = new MeterLedger();
  /** What all meters have counted, and what they counted between the readings before and after an event. */
  readonly observed = zero();
  readonly unknown = zero();
  /** What arrived, in all and between these readings. */
  readonly arrived = zero();
  readonly arrivedUnknown = zero();
  /** What was lost after the meter, of what it counted between two readings. */
  readonly lost = zero();
  /** What was in transit over the last reading before an event, or the first one after it: it is counted once, or twice. */
  readonly crossing = zero();
  /** Weights of all samples, and their squares. */
  readonly estimate = zero();
  readonly squares = zero();
  /** The octets that the weights of packets alone would give. */
  octetsByPackets = 0;
  now = 0;
  readonly #options: SimulationOptions;
  readonly #random: RandomSource;
  readonly #sampler: Sampler;
  readonly #credit = new Map<SimulatedFlow, number>();
  readonly #transfers: Transfer[] = [];
  #counters = { packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n };
  #rate: number;
  #tokens = METER_BURST;
  /** What was counted, arrived and was lost since the last reading. */
  #since = { observed: zero(), arrived: zero(), lost: zero() };
  #hasReading = false;
  #firstReadingAt: number | undefined = FIRST_READING_MS;
  /** Milliseconds until which the switch is down. */
  #downUntil = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#rate = options.meterRate;
    this.#random = new RandomSource(options.seed);
    this.#sampler = new Sampler(options.seed + 1, this.ledger.factorCell, this.ledger.octetFactorCell);
    this.#sampler.setProbability(1, options.interval);
  }

  /** Runs for some milliseconds. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (; this.now < end; this.now += 1) {
      this.#step();
    }
  }

  /** Ends the account by an event, at which the meter starts anew. A change of the rate reads the meter before. */
  event(event: LedgerEvent, rate = this.#rate): void {
    if (event === 'rateChanged') {
      this.#read();
    }
    this.ledger.restart(event);
    this.#hasReading = false;
    for (const transfer of this.#transfers) {
      add(this.crossing, transfer.isCovered ? 1 : 0, transfer.isCovered ? transfer.flow.frameLength : 0);
      transfer.isCovered = false;
    }
    if (event === 'connectionLost') {
      this.#transfers.length = 0;
    }
    this.#counters = { packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n };
    this.#rate = rate;
    this.#tokens = METER_BURST;
    this.#firstReadingAt = this.now + FIRST_READING_MS;
  }

  /** Restarts the switch, which forwards nothing for so many milliseconds. */
  restartSwitch(milliseconds: number): void {
    this.event('connectionLost');
    this.#downUntil = this.now + milliseconds;
    this.#firstReadingAt = this.#downUntil + FIRST_READING_MS;
  }

  #step(): void {
    this.#arrive();
    if (this.now >= this.#downUntil) {
      this.#tokens = Math.min(METER_BURST, this.#tokens + this.#rate / 1000);
      this.#offer();
    }
    if (this.now === this.#firstReadingAt || (this.#hasReading && this.now % READING_MS === 0)) {
      this.#read();
    }
  }

  #offer(): void {
    // Flows take turns, so that the meter prefers none in a millisecond.
    const offers = this.#options.flows.map((flow) => {
      const credit = (this.#credit.get(flow) ?? 0) + flow.packetsAt(this.now);
      this.#credit.set(flow, credit - Math.floor(credit));
      return { flow, count: Math.floor(credit) };
    });
    for (let turn = 0; offers.some(({ count }) => count > turn); turn += 1) {
      for (const { flow, count } of offers) {
        if (count > turn) {
          this.#offerPacket(flow);
        }
      }
    }
  }

  #offerPacket(flow: SimulatedFlow): void {
    const { frameLength } = flow;
    add(this.observed, 1, frameLength);
    add(this.#since.observed, 1, frameLength);
    this.#counters.packets += 1n;
    this.#counters.octets += BigInt(frameLength);
    if (this.#tokens < 1) {
      this.#counters.dropped += 1n;
      this.#counters.droppedOctets += BigInt(frameLength);
      return;
    }
    this.#tokens -= 1;
    const { lossShare = 0, delayMax = 0 } = this.#options;
    if (this.#share() < lossShare) {
      add(this.#since.lost, 1, frameLength);
      return;
    }
    const due = this.now + Math.round(this.#share() * delayMax);
    if (due === this.now) {
      this.#receive(flow);
    } else {
      this.#transfers.push({ due, flow, isCovered: false });
    }
  }

  #arrive(): void {
    const due = this.#transfers.filter((transfer) => transfer.due <= this.now);
    const later = this.#transfers.filter((transfer) => transfer.due > this.now);
    this.#transfers.splice(0, this.#transfers.length, ...later);
    for (const { flow } of due) {
      this.#receive(flow);
    }
  }

  #receive(flow: SimulatedFlow): void {
    const { frameLength } = flow;
    add(this.arrived, 1, frameLength);
    add(this.#since.arrived, 1, frameLength);
    this.ledger.arrive(frameLength);
    if (!this.#sampler.keep()) {
      return;
    }
    const weight = this.#sampler.weight();
    const octets = this.#sampler.octets(frameLength);
    add(this.estimate, weight, octets);
    add(this.squares, weight ** 2, octets ** 2);
    this.octetsByPackets += weight * frameLength;
  }

  #read(): void {
    const { observed, arrived, lost } = this.#since;
    const isFirst = !this.#hasReading;
    if (isFirst) {
      add(this.unknown, observed.packets, observed.octets);
      add(this.arrivedUnknown, arrived.packets, arrived.octets);
    } else {
      add(this.lost, lost.packets, lost.octets);
    }
    this.#since = { observed: zero(), arrived: zero(), lost: zero() };
    this.#hasReading = true;
    this.#firstReadingAt = undefined;
    for (const transfer of this.#transfers) {
      if (isFirst) {
        add(this.crossing, 1, transfer.flow.frameLength);
      }
      transfer.isCovered = !isFirst;
    }
    this.ledger.observe(this.#counters);
  }

  /** Returns a random number from 0 to below 1. */
  #share(): number {
    return (this.#random.next() >>> 0) / 2 ** 32;
  }
}
