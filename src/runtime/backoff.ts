// The delay between attempts: none at first, then a minimum that doubles with each failure up to a maximum.

export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #delayMs = 0;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** The delay before the next attempt, in milliseconds; 0 before the first failure. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Notes a failure; returns the delay before the next attempt, in milliseconds. */
  grow(): number {
    this.#delayMs = Math.min(this.#maxMs, Math.max(this.#minMs, this.#delayMs * 2));
    return this.#delayMs;
  }

  /** Starts over after a success: the next failure gets the minimum. */
  reset(): void {
    this.#delayMs = 0;
  }
}
