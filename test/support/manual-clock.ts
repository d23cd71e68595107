// A clock that a test controls: time advances only when the test advances it, and timers fire in the order of their times.

import type { Clock, Timer } from '../../src/runtime/clock.ts';

interface PendingTimer {
  readonly dueMicros: number;
  readonly serial: number;
  readonly callback: () => void;
}

/** The clock. */
export class ManualClock implements Clock {
  #monotonicMicros: number;
  #wallMicros: number;
  #serial = 0;
  #pending: PendingTimer[] = [];

  /** By default wall time starts at 2024-01-01T00:00:00Z and monotonic time at 1,000 s. */
  constructor(wallMicros = 1_704_067_200_000_000, monotonicMicros = 1_000_000_000) {
    this.#wallMicros = wallMicros;
    this.#monotonicMicros = monotonicMicros;
  }

  monotonicMicros(): number {
    return this.#monotonicMicros;
  }

  wallMicros(): number {
    return this.#wallMicros;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const delayMicros = Math.max(0, Math.ceil(delayMs)) * 1000;
    this.#serial += 1;
    const timer = { dueMicros: this.#monotonicMicros + delayMicros, serial: this.#serial, callback };
    this.#pending.push(timer);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== timer);
      },
    };
  }

  /** Number of pending timers. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Advances time; each timer that becomes due fires with the clock at its time. */
  advance(micros: number): void {
    const endMicros = this.#monotonicMicros + micros;
    for (let next = this.#next(endMicros); next !== undefined; next = this.#next(endMicros)) {
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#move(Math.max(this.#monotonicMicros, next.dueMicros));
      next.callback();
    }
    this.#move(endMicros);
  }

  /** Advances time in milliseconds, and runs promises that timers settle between the times of timers. */
  async advanceMs(ms: number): Promise<void> {
    const endMicros = this.#monotonicMicros + ms * 1000;
    await settled();
    for (let next = this.#next(endMicros); next !== undefined; next = this.#next(endMicros)) {
      this.advance(Math.max(0, next.dueMicros - this.#monotonicMicros));
      await settled();
    }
    this.#move(endMicros);
    await settled();
  }

  /** Steps the wall clock; monotonic time does not change. */
  stepWall(micros: number): void {
    this.#wallMicros += micros;
  }

  #next(endMicros: number): PendingTimer | undefined {
    return this.#pending
      .filter((timer) => timer.dueMicros <= endMicros)
      .sort((a, b) => a.dueMicros - b.dueMicros || a.serial - b.serial)[0];
  }

  #move(toMicros: number): void {
    this.#wallMicros += toMicros - this.#monotonicMicros;
    this.#monotonicMicros = toMicros;
  }
}

/** Resolves when all promises that are settled have run, and those settled by them. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
