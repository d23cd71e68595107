// Decides which packets of a bridge become samples, says what one sample stands for, and keeps the account of
// the packets that never got here. The pool is what the meter in the datapath counted: all packets that were
// offered. While all of them arrive, one in N is kept and stands for N; when some are missing, more are kept, and when
// even all are too few, each stands for more than N.

import { PoolExpansion } from './pool-expansion.ts';
import { RandomSource } from './random.ts';

/** Cumulative counters of a meter and of its drop band, as OpenFlow's meter statistics have them. */
export interface PoolCounters {
  readonly packets: bigint;
  readonly octets: bigint;
  readonly dropped: bigint;
}

/** What the data plane asks for each packet. */
export interface Sampler {
  /** Whether this packet becomes a sample. To be called once for each packet that arrives. */
  keep(): boolean;
  /** How many packets of the pool a kept one stands for. */
  weight(): number;
}

/** What a sampler is made with. */
export interface PacketSamplerOptions {
  /** N of 1-in-N, from 1 to 2^32 - 1. */
  readonly interval: number;
  /** Seed of the random choice, 32 bits. */
  readonly seed: number;
}

/** The account of a sampler. Pool, received and lost are from the first observation of the pool on. */
export interface PacketSamplerStatus {
  readonly interval: number;
  readonly poolPackets: number;
  readonly poolOctets: number;
  readonly droppedByMeter: number;
  /** Packets that `keep` was asked about, and those of them that were kept, from the sampler's creation on. */
  readonly received: number;
  readonly selected: number;
  /** Packets that passed the meter and never arrived, at the last observation; never below 0. */
  readonly lost: number;
  /** Share of the pool that the meter dropped between the last two observations; 0 when nothing was offered. */
  readonly shareDropped: number;
  /**
   * Packets of the pool that one stands for which arrives after the last observation: 1, or more until missing ones are
   * made up for (less for too many).
   */
  readonly expansion: number;
  /** Packets of the pool that a sample of these stands for: N, or `expansion` when that is more. */
  readonly sampleWeight: number;
  /** Packets that were missing and are not made up for yet, and those that could not be in time. */
  readonly packetsOwed: number;
  readonly packetsGivenUp: number;
}

const RANDOM_RANGE = 2 ** 32;

/** Keeps one packet of the pool in N, at random and independently of each other: see the head of the file. */
export class PacketSampler implements Sampler {
  readonly #random: RandomSource;
  #interval = 1;
  /** A draw (signed) below the threshold keeps; one equal to it keeps if a second draw is below `#fraction`. */
  #threshold = 0;
  #fraction = 0;
  readonly #expansion = new PoolExpansion();
  /**
   * Received, selected, what a sample stands for and the carried fraction of that: in cells, because a double in a field
   * would be an object.
   */
  readonly #counts = new Float64Array(4);
  #keepsAll = true;
  #previous: PoolCounters | undefined;
  #receivedAtFirst = 0;
  #receivedAtLast = 0;
  #poolPackets = 0n;
  #poolOctets = 0n;
  #dropped = 0n;
  #shareDropped = 0;
  /** Of the packets that passed the meter and had not arrived at the last observation; some were on their way. */
  #lostAtLast = 0;
  #missing = 0;

  constructor(options: PacketSamplerOptions) {
    this.#random = new RandomSource(options.seed);
    this.setInterval(options.interval);
  }

  keep(): boolean {
    this.#counts[0]! += 1;
    if (this.#expansion.arrives()) {
      this.#setProbability();
    }
    if (!this.#keepsAll) {
      const draw = this.#random.next();
      if (
        draw > this.#threshold ||
        (draw === this.#threshold && this.#random.next() >>> 0 >= this.#fraction)
      ) {
        return false;
      }
    }
    this.#counts[1]! += 1;
    return true;
  }

  /** What is left over of a fraction is carried to the next sample. */
  weight(): number {
    const exact = this.#counts[2]! + this.#counts[3]!;
    const whole = Math.floor(exact);
    this.#counts[3] = exact - whole;
    return whole;
  }

  /** How many packets of the pool one that arrives stands for, in a cell: for samplers that share this pool. */
  get expansionCell(): Float64Array {
    return this.#expansion.cell;
  }

  /** Changes N. Samples kept so far stand for what they stood for. */
  setInterval(interval: number): void {
    if (!Number.isInteger(interval) || interval < 1 || interval >= RANDOM_RANGE) {
      throw new RangeError(
        `a sampling interval is a whole number from 1 to ${RANDOM_RANGE - 1}, not ${interval}`,
      );
    }
    this.#interval = interval;
    this.#setProbability();
  }

  /**
   * Takes in the meter's counters as they are now. The first observation is only where the account begins; give
   * zeros right after the meter has been made, and it begins there. A counter that has gone back means that the
   * meter was made anew: the account goes on from the new meter's zero (what the old one counted since the last
   * observation is not known).
   */
  observePool(pool: PoolCounters): void {
    const received = this.#counts[0]!;
    const before = this.#previous;
    const arrived = received - this.#receivedAtLast;
    this.#previous = { packets: pool.packets, octets: pool.octets, dropped: pool.dropped };
    this.#receivedAtLast = received;
    if (before === undefined) {
      this.#receivedAtFirst = received;
      return;
    }
    const isNewMeter =
      pool.packets < before.packets || pool.octets < before.octets || pool.dropped < before.dropped;
    const base = isNewMeter ? NOTHING_COUNTED : before;
    const packets = pool.packets - base.packets;
    const dropped = pool.dropped - base.dropped;
    this.#poolPackets += packets;
    this.#poolOctets += pool.octets - base.octets;
    this.#dropped += dropped;
    this.#shareDropped = packets === 0n ? 0 : Number(dropped) / Number(packets);
    this.#expand(arrived);
  }

  /** A packet that has not arrived at two observations is lost; at one, it may be on its way. */
  #expand(arrived: number): void {
    const lost = this.#lost();
    const missing = Number(this.#dropped) + Math.min(lost, this.#lostAtLast);
    this.#expansion.observe(arrived, missing - this.#missing);
    this.#lostAtLast = lost;
    this.#missing = missing;
    this.#setProbability();
  }

  /** Packets that passed the meter and had not arrived when it was last read; never below 0. */
  #lost(): number {
    // Packets that are on their way when the meter is read arrive later, and may for a moment outnumber the lost ones.
    const arrived = this.#receivedAtLast - this.#receivedAtFirst;
    return Math.max(0, Number(this.#poolPackets - this.#dropped) - arrived);
  }

  #setProbability(): void {
    const expansion = this.#expansion.cell[0]!;
    this.#keepsAll = expansion >= this.#interval;
    this.#counts[2] = Math.max(this.#interval, expansion);
    // 2^32 / N is rarely whole. Its fraction decides in the one case in 2^32 that the whole part leaves open,
    // because for a large N the rounding would be felt.
    const exact = (RANDOM_RANGE * expansion) / this.#interval;
    const whole = Math.floor(exact);
    this.#threshold = whole - RANDOM_RANGE / 2;
    this.#fraction = Math.round((exact - whole) * RANDOM_RANGE);
  }

  /**
   * To be called when the meter was made anew, in case its counters have passed their old values when next
   * observed.
   */
  poolRestarted(): void {
    if (this.#previous !== undefined) {
      this.#previous = NOTHING_COUNTED;
    }
  }

  status(): PacketSamplerStatus {
    const { expansion, packetsOwed, packetsGivenUp } = this.#expansion.status();
    return {
      interval: this.#interval,
      poolPackets: Number(this.#poolPackets),
      poolOctets: Number(this.#poolOctets),
      droppedByMeter: Number(this.#dropped),
      received: this.#counts[0]!,
      selected: this.#counts[1]!,
      lost: this.#lost(),
      shareDropped: this.#shareDropped,
      expansion,
      sampleWeight: Math.max(this.#interval, expansion),
      packetsOwed,
      packetsGivenUp,
    };
  }
}

const NOTHING_COUNTED: PoolCounters = { packets: 0n, octets: 0n, dropped: 0n };
