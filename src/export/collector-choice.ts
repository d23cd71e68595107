// Which collectors get records, where not all of them get each one: the first that works (failover), or each flow one of them by the
// hash of its key (balance). A collector that has failed is used again when it has worked for the hold time, or at once when no other
// works. Pure: the state of the sessions and the time are passed in.

import type { SessionHealth } from './collector-session.ts';

/** all: each collector gets each record; failover: the first that works gets them; balance: each flow goes to one. */
export const DELIVERY_MODES = ['all', 'failover', 'balance'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];

/** How records are given to the collectors of an exporter. */
export interface DeliveryOptions {
  readonly mode: DeliveryMode;
  /** Seconds that a collector must have worked before it is used again. */
  readonly failbackSeconds: number;
}

/** Seconds of `failbackSeconds` by default. */
export const FAILBACK_SECONDS_DEFAULT = 60;

const NEVER = Number.POSITIVE_INFINITY;

export class CollectorChoice {
  readonly #count: number;
  readonly #holdMicros: number;
  /** 1 for a collector that is used as soon as its turn comes. */
  readonly #usable: Uint8Array;
  /** Since when a collector that has failed works again, in microseconds; `NEVER` while it does not. */
  readonly #worksSince: Float64Array;
  #usableCount: number;
  #changes = 0;

  /** @param count collectors, the preferred one first; all are usable in the beginning */
  constructor(count: number, failbackSeconds: number) {
    this.#count = count;
    this.#holdMicros = failbackSeconds * 1_000_000;
    this.#usable = new Uint8Array(count).fill(1);
    this.#worksSince = new Float64Array(count).fill(NEVER);
    this.#usableCount = count;
  }

  /** How often a collector had failed or was used again. */
  get changes(): number {
    return this.#changes;
  }

  /** The first collector that is usable; without one, the first. */
  get active(): number {
    return Math.max(0, this.#usable.indexOf(1));
  }

  isUsable(index: number): boolean {
    return this.#usable[index] === 1;
  }

  /** Notes the state of a collector; returns whether it is used from now on, or not any more. */
  update(index: number, health: SessionHealth, nowMicros: number): boolean {
    if (health === 'failed') {
      this.#worksSince[index] = NEVER;
      return this.#setUsable(index, 0);
    }
    if (health === 'unknown' || this.#usable[index] === 1) {
      return false;
    }
    if (this.#worksSince[index] === NEVER) {
      this.#worksSince[index] = nowMicros;
    }
    const isHeld = nowMicros - this.#worksSince[index]! < this.#holdMicros;
    return isHeld && this.#usableCount > 0 ? false : this.#setUsable(index, 1);
  }

  /** Returns the collector of a flow. The flows of one that is not usable are spread over the others. */
  ofFlow(hash: number): number {
    const index = (hash >>> 0) % this.#count;
    if (this.#usable[index] === 1 || this.#usableCount === 0) {
      return index;
    }
    let left = (Math.imul(hash, 0x9e3779b1) >>> 8) % this.#usableCount;
    for (let other = 0; other < this.#count; other += 1) {
      if (this.#usable[other] === 1) {
        if (left === 0) {
          return other;
        }
        left -= 1;
      }
    }
    return index;
  }

  /** Returns the collector for a message whose flows are those of `index`: the next one that is usable. */
  ofMessage(index: number): number {
    for (let step = 0; step < this.#count; step += 1) {
      const next = (index + step) % this.#count;
      if (this.#usable[next] === 1) {
        return next;
      }
    }
    return index;
  }

  #setUsable(index: number, to: 0 | 1): boolean {
    if (this.#usable[index] === to) {
      return false;
    }
    this.#usable[index] = to;
    this.#usableCount += to === 1 ? 1 : -1;
    this.#changes += 1;
    return true;
  }
}
