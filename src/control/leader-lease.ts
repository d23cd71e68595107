// How long the holder of the lock may act without another proof that it still holds it. Pure but for the clock.

import type { Clock } from '../runtime/clock.ts';

/** Milliseconds of a lease, from the request that proves it, or from the last turn of the event loop while no standby is known. */
export const LEASE_MS = 1200;
/** Milliseconds after the last sign of a standby in which the holder expects that one may take over. */
export const STANDBY_MEMORY_MS = 30_000;

export class LeaderLease {
  readonly #clock: Clock;
  #endMicros = Number.NEGATIVE_INFINITY;
  #standbySeenMicros = Number.NEGATIVE_INFINITY;

  /** @param clock that of the packet path, which asks for each packet */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the holder may act. */
  get isValid(): boolean {
    return this.#clock.monotonicMicros() < this.#endMicros;
  }

  /** Whether a standby may take over. */
  get hasStandby(): boolean {
    return this.#clock.monotonicMicros() < this.#standbySeenMicros + STANDBY_MEMORY_MS * 1000;
  }

  /** A standby has given a sign. */
  seeStandby(): void {
    this.#standbySeenMicros = this.#clock.monotonicMicros();
  }

  /** The database has answered a request that was sent at this time, and the lock is held. */
  prove(sentMicros: number): void {
    this.#endMicros = Math.max(this.#endMicros, sentMicros + LEASE_MS * 1000);
  }

  /**
   * Ends a turn of the event loop, some times within a lease. Returns whether a request has to prove the lease: a standby is
   * known, or the process was paused, in which one may have taken over.
   */
  tick(): boolean {
    if (this.isValid && !this.hasStandby) {
      this.prove(this.#clock.monotonicMicros());
      return false;
    }
    return true;
  }

  /** The lock is not held any more. */
  end(): void {
    this.#endMicros = Number.NEGATIVE_INFINITY;
  }
}
