// The arithmetic of random sampling: what a sample represents, and how far sums of samples may be from the truth. A packet is
// selected with probability p = 1/w, independently of others, and counts w packets of its size: the sum over packets of the sizes
// L has the variance (w - 1) times the sum of L squared.

import assert from 'node:assert/strict';

/** Standard errors that a sum may be off: once in 500 million sums. */
const STANDARD_ERRORS_MAX = 6;

/** Packets of a flow, or of several, and their octets. */
export class Truth {
  packets = 0;
  octets = 0;
  octetsSquared = 0;

  /** Adds packets of one size. */
  add(count: number, length: number): void {
    this.packets += count;
    this.octets += count * length;
    this.octetsSquared += count * length * length;
  }

  plus(other: Truth): Truth {
    const sum = new Truth();
    sum.packets = this.packets + other.packets;
    sum.octets = this.octets + other.octets;
    sum.octetsSquared = this.octetsSquared + other.octetsSquared;
    return sum;
  }
}

/** Sums of records. */
export interface Estimate {
  readonly packets: number;
  readonly octets: number;
}

/** Returns the packets that a sample represents which was selected with the probability P of 65,535. */
export function weightOf(probability: number): number {
  return 65_535 / probability;
}

/** Returns the standard error of as many packets of one size, as a share of them. */
export function relativeError(packets: number, weight: number): number {
  return Math.sqrt((weight - 1) / packets);
}

/** Returns by how many standard errors the estimates are off. */
export function deviations(estimate: Estimate, truth: Truth, weight: number): Estimate {
  const off = (difference: number, squares: number) =>
    difference === 0 ? 0 : difference / Math.sqrt((weight - 1) * squares);
  return {
    packets: off(estimate.packets - truth.packets, truth.packets),
    octets: off(estimate.octets - truth.octets, truth.octetsSquared),
  };
}

/**
 * Fails unless the estimates are within six standard errors. `slack` is the number of packets, of at most `lengthMax` octets,
 * that were lost and compensated, or the fraction of a weight that is carried to the next sample.
 */
export function assertWithin(
  what: string,
  estimate: Estimate,
  truth: Truth,
  { weight, slack = 0, lengthMax }: { weight: number; slack?: number; lengthMax: number },
): void {
  const errors = {
    packets: Math.sqrt((weight - 1) * truth.packets),
    octets: Math.sqrt((weight - 1) * truth.octetsSquared),
  };
  const packetsOff = Math.abs(estimate.packets - truth.packets);
  const octetsOff = Math.abs(estimate.octets - truth.octets);
  const text = `${what}: ${estimate.packets} of ${truth.packets} packets, ${estimate.octets} of ${truth.octets} octets`;
  assert.ok(packetsOff <= STANDARD_ERRORS_MAX * errors.packets + slack, text);
  assert.ok(octetsOff <= STANDARD_ERRORS_MAX * errors.octets + slack * lengthMax, text);
}
