// Chooses the probability P with which the datapath samples the packets of a bridge: as many samples as the row asks for, within
// `ovs-ipfix-max-rate`. P rises slowly and falls at once, and changes seldom, because each change of the hook makes ovs-vswitchd
// revalidate its datapath flows. Pure but for the time, which its caller passes.

import { PROBABILITY_ALL } from '../intake/sampler.ts';

/** Probability at the start, 1 packet in 100, unless the row asks for less. */
const PROBABILITY_START = 655;
/** Milliseconds between two changes, except for an immediate fall. */
const CHANGE_INTERVAL_MS = 5000;
/** Least factor between two probabilities, except for the one that the row asks for. */
const CHANGE_FACTOR = 1.4;
/** Milliseconds in which samples are counted for an immediate fall. */
export const BURST_MS = 100;
/** Samples of `BURST_MS` that cause a fall, as a multiple of the share that the rate allows for that time. */
const BURST_FACTOR = 2;
/** Milliseconds after a fall in which samples of the earlier probability arrive. */
const SETTLE_MS = 2 * BURST_MS;

/** What P depends on besides the traffic. */
export interface ProbabilityLimits {
  /** N of 1-in-N. */
  readonly interval: number;
  /** `ovs-ipfix-max-rate`, in samples a second. */
  readonly maxSampleRate: number;
}

export class ProbabilityControl {
  #limits: ProbabilityLimits;
  #probability: number;
  #changedMs: number;
  #fellMs = Number.NEGATIVE_INFINITY;
  /** Packets a second of the bridge, as last measured; undefined before the first measurement. */
  #packetRate: number | undefined;
  #changes = 0;

  constructor(limits: ProbabilityLimits, nowMs: number) {
    this.#limits = limits;
    this.#probability = Math.min(PROBABILITY_START, wantedProbability(limits.interval));
    this.#changedMs = nowMs;
  }

  /** Packets of 65,535 that the datapath selects. */
  get probability(): number {
    return this.#probability;
  }

  /** Changes since the start. */
  get changes(): number {
    return this.#changes;
  }

  /** Sets the limits, which take effect by the next measurement; a P above what the row asks for falls at once. */
  setLimits(limits: ProbabilityLimits, nowMs: number): void {
    this.#limits = limits;
    const wanted = wantedProbability(limits.interval);
    if (this.#probability > wanted) {
      this.#change(wanted, nowMs);
    }
  }

  /** Whether the next measurements may raise P, as after a start or a fall. */
  get isRising(): boolean {
    const target = this.#target();
    const isEnough =
      target >= this.#probability * CHANGE_FACTOR || target === wantedProbability(this.#limits.interval);
    return target > this.#probability && isEnough;
  }

  /** Takes the packets a second that the hook has counted. Returns whether P has changed. */
  measure(packetRate: number, nowMs: number): boolean {
    this.#packetRate = packetRate;
    const elapsedMs = nowMs - this.#changedMs;
    if (elapsedMs < CHANGE_INTERVAL_MS) {
      return false;
    }
    // At most twice as much for each second since the last change.
    const risen = Math.floor(this.#probability * 2 ** (elapsedMs / 1000));
    const next = Math.min(this.#target(), risen);
    const isEnough =
      next >= this.#probability * CHANGE_FACTOR ||
      next <= this.#probability / CHANGE_FACTOR ||
      next === wantedProbability(this.#limits.interval);
    if (next === this.#probability || !isEnough) {
      return false;
    }
    this.#change(next, nowMs);
    return true;
  }

  /** Takes the samples that the last `elapsedMs` milliseconds have brought. Returns whether P has fallen. */
  countSamples(count: number, elapsedMs: number, nowMs: number): boolean {
    const allowed = (this.#limits.maxSampleRate * elapsedMs) / 1000;
    if (count <= allowed * BURST_FACTOR || nowMs - this.#fellMs < SETTLE_MS || this.#probability === 1) {
      return false;
    }
    this.#fellMs = nowMs;
    this.#change(Math.max(1, Math.floor((this.#probability * allowed) / count)), nowMs);
    return true;
  }

  /** Packets a second of the bridge; undefined before the first measurement. */
  get packetRate(): number | undefined {
    return this.#packetRate;
  }

  /** The probability that the row asks for, or the largest that keeps the rate of samples. */
  #target(): number {
    const { interval, maxSampleRate } = this.#limits;
    const packetRate = this.#packetRate ?? 0;
    const wanted = wantedProbability(interval);
    const bound = packetRate > 0 ? Math.floor((PROBABILITY_ALL * maxSampleRate) / packetRate) : wanted;
    return Math.max(1, Math.min(wanted, bound));
  }

  #change(probability: number, nowMs: number): void {
    this.#probability = probability;
    this.#changedMs = nowMs;
    this.#changes += 1;
  }
}

/** Returns the least probability that selects at least one packet in `interval`; the intake drops what is selected beyond that. */
function wantedProbability(interval: number): number {
  return Math.ceil(PROBABILITY_ALL / interval);
}
