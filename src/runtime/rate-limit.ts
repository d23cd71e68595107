// A token bucket for repeated log lines, with the meaning of OVS's VLOG_RATE_LIMIT: a burst at once, then a few a
// minute, and a count of what was left out. Pure: the caller says what time it is.

/** How many lines may pass. */
export interface RateLimitOptions {
  /** Lines that the bucket gains in a minute. */
  readonly perMinute: number;
  /** Lines that pass at once when there was none for long; not less than 1. */
  readonly burst: number;
}

/** OVS's own usual limit, VLOG_RATE_LIMIT_INIT(1, 5). */
export const RATE_LIMIT_DEFAULTS: RateLimitOptions = { perMinute: 1, burst: 5 };

/** What was left out since the last line that passed. */
export interface DroppedLines {
  readonly count: number;
  readonly firstAgeSeconds: number;
  readonly lastAgeSeconds: number;
}

const MICROS_PER_MINUTE = 60_000_000;

/** One bucket. It is full at first. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  #lines: number;
  #filledMicros: number;
  #droppedCount = 0;
  #firstDropMicros = 0;
  #lastDropMicros = 0;

  constructor(options: RateLimitOptions, nowMicros: number) {
    this.#options = options;
    this.#lines = options.burst;
    this.#filledMicros = nowMicros;
  }

  /** Takes a line out of the bucket: undefined when it must not be shown, else what was left out before it. */
  take(nowMicros: number): DroppedLines | undefined {
    const gained = ((nowMicros - this.#filledMicros) * this.#options.perMinute) / MICROS_PER_MINUTE;
    this.#lines = Math.min(this.#options.burst, this.#lines + gained);
    this.#filledMicros = nowMicros;
    if (this.#lines < 1) {
      if (this.#droppedCount === 0) {
        this.#firstDropMicros = nowMicros;
      }
      this.#droppedCount += 1;
      this.#lastDropMicros = nowMicros;
      return undefined;
    }
    this.#lines -= 1;
    const dropped = {
      count: this.#droppedCount,
      firstAgeSeconds: Math.floor((nowMicros - this.#firstDropMicros) / 1e6),
      lastAgeSeconds: Math.floor((nowMicros - this.#lastDropMicros) / 1e6),
    };
    this.#droppedCount = 0;
    return dropped;
  }
}
