// Decides which packets of a bridge become samples, says what one sample stands for, and keeps the account of
// the packets that never got here. The pool is what the meter in the datapath counted: all packets that were
// offered. For now a sample stands for N packets whatever the meter dropped; making up for those in the weights
// belongs here too.

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
}

const RANDOM_RANGE = 2 ** 32;

/** Keeps one packet in N, at random and independently of each other. */
export class PacketSampler implements Sampler {
  readonly #random: RandomSource;
  #interval = 1;
  /** A draw (signed) below the threshold keeps; one equal to it keeps if a second draw is below `#fraction`. */
  #threshold = 0;
  #fraction = 0;
  /** Received and selected, in cells because a number past 2^31 in a field would be an object. */
  readonly #counts = new Float64Array(2);
  #previous: PoolCounters | null = null;
  #receivedAtFirst = 0;
  #receivedAtLast = 0;
  #poolPackets = 0n;
  #poolOctets = 0n;
  #dropped = 0n;
  #shareDropped = 0;

  constructor(options: PacketSamplerOptions) {
    this.#random = new RandomSource(options.seed);
    this.setInterval(options.interval);
  }

  keep(): boolean {
    this.#counts[0]!++;
    if (this.#interval !== 1) {
      const draw = this.#random.next();
      if (
        draw > this.#threshold ||
        (draw === this.#threshold && this.#random.next() >>> 0 >= this.#fraction)
      ) {
        return false;
      }
    }
    this.#counts[1]!++;
    return true;
  }

  weight(): number {
    return this.#interval;
  }

  /** Changes N. Samples kept so far stand for what they stood for. */
  setInterval(interval: number): void {
    if (!Number.isInteger(interval) || interval < 1 || interval >= RANDOM_RANGE) {
      throw new RangeError(
        `a sampling interval is a whole number from 1 to ${RANDOM_RANGE - 1}, not ${interval}`,
      );
    }
    this.#interval = interval;
    // 2^32 / N is rarely whole. Its fraction decides in the one case in 2^32 that the whole part leaves open,
    // because for a large N the rounding would be felt.
    const whole = Math.floor(RANDOM_RANGE / interval);
    this.#threshold = whole - RANDOM_RANGE / 2;
    this.#fraction = Math.round(((RANDOM_RANGE % interval) / interval) * RANDOM_RANGE);
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
    this.#previous = { packets: pool.packets, octets: pool.octets, dropped: pool.dropped };
    this.#receivedAtLast = received;
    if (before === null) {
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
  }

  /**
   * To be called when the meter was made anew, in case its counters have passed their old values when next
   * observed.
   */
  poolRestarted(): void {
    if (this.#previous !== null) {
      this.#previous = NOTHING_COUNTED;
    }
  }

  status(): PacketSamplerStatus {
    const arrived = this.#receivedAtLast - this.#receivedAtFirst;
    return {
      interval: this.#interval,
      poolPackets: Number(this.#poolPackets),
      poolOctets: Number(this.#poolOctets),
      droppedByMeter: Number(this.#dropped),
      received: this.#counts[0]!,
      selected: this.#counts[1]!,
      // Packets that are on their way when the meter is read arrive later, and may for a moment outnumber the
      // lost ones.
      lost: Math.max(0, Number(this.#poolPackets - this.#dropped) - arrived),
      shareDropped: this.#shareDropped,
    };
  }
}

const NOTHING_COUNTED: PoolCounters = { packets: 0n, octets: 0n, dropped: 0n };
