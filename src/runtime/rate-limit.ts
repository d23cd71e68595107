// A token bucket for repeated log lines, like OVS's VLOG_RATE_LIMIT: a burst passes at once, then a few lines a minute,
// and dropped lines are counted. Pure: the caller passes the time.

/** Rate and burst of a bucket. */
export interface RateLimitOptions {
  /** Tokens (lines) that the bucket gains in a minute. */
  readonly perMinute: number;
  /** Tokens that the bucket holds; at least 1. */
  readonly burst: number;
}

/** OVS's usual limit, VLOG_RATE_LIMIT_INIT(1, 5). */
export const RATE_LIMIT_DEFAULTS: RateLimitOptions = { perMinute: 1, burst: 5 };

/** The lines dropped since the last one that passed. */
export interface DroppedLines {
  readonly count: number;
  readonly firstAgeSeconds: number;
  readonly lastAgeSeconds: number;
}

const MICROS_PER_MINUTE = 60_000_000;

/** A token bucket; initially full. */
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

  /** Takes one token. Returns undefined when there is none (drop the line), else the lines dropped before this one. */
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
