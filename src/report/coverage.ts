// Rates of events: averages over five seconds, a minute and an hour, as `coverage/show` prints them in every daemon of OVS. The
// counters are read every five seconds.

import type { Clock, Timer } from '../runtime/clock.ts';

/** Counters by name, since the start of the daemon or of their exporter. */
export type Counters = Readonly<Record<string, number>>;

const PERIOD_SECONDS = 5;
const MINUTE_PERIODS = 60 / PERIOD_SECONDS;
const HOUR_PERIODS = 3600 / PERIOD_SECONDS;

/** Counts of one period, by name. */
type Period = ReadonlyMap<string, number>;

/** One line of the answer. */
export interface CoverageRow {
  readonly name: string;
  /** Events a second in the last 5 s, minute and hour, or in the time since the start if that is shorter. */
  readonly perSecond: readonly [fiveSeconds: number, minute: number, hour: number];
  readonly total: number;
}

/** Reads the counters from `start` to `stop`. */
export class Coverage {
  readonly #clock: Clock;
  readonly #read: () => Counters;
  /** The last hour, oldest first. */
  readonly #periods: Period[] = [];
  #last: Counters = {};
  readonly #totals = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, read: () => Counters) {
    this.#clock = clock;
    this.#read = read;
  }

  start(): void {
    this.#last = this.#read();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Returns the counters above 0, by name; `neverHit` is the number of the others. */
  rows(): { readonly rows: readonly CoverageRow[]; readonly neverHit: number } {
    const present = this.#read();
    const names = [...new Set([...Object.keys(present), ...this.#totals.keys()])].sort();
    const rows = names.map((name): CoverageRow => {
      const total = (this.#totals.get(name) ?? 0) + growth(this.#last[name] ?? 0, present[name] ?? 0);
      return {
        name,
        perSecond: [this.#rate(name, 1), this.#rate(name, MINUTE_PERIODS), this.#rate(name, HOUR_PERIODS)],
        total,
      };
    });
    const hit = rows.filter(({ total }) => total > 0);
    return { rows: hit, neverHit: rows.length - hit.length };
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#arm();
      this.#endPeriod();
    }, PERIOD_SECONDS * 1000);
  }

  #endPeriod(): void {
    const present = this.#read();
    const period = new Map<string, number>();
    for (const [name, count] of Object.entries(present)) {
      const grown = growth(this.#last[name] ?? 0, count);
      period.set(name, grown);
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + grown);
    }
    this.#last = present;
    this.#periods.push(period);
    if (this.#periods.length > HOUR_PERIODS) {
      this.#periods.shift();
    }
  }

  #rate(name: string, periodCount: number): number {
    const periods = this.#periods.slice(-periodCount);
    const sum = periods.reduce((total, period) => total + (period.get(name) ?? 0), 0);
    return periods.length === 0 ? 0 : sum / (periods.length * PERIOD_SECONDS);
  }
}

/** A counter falls when an exporter is removed with its part of the sum; the growth is then 0. */
function growth(before: number, now: number): number {
  return Math.max(now - before, 0);
}
