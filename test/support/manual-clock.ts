// A clock that a test owns: time moves only when the test says so, and timers fire in the order of their times.

import type { Clock, Timer } from '../../src/runtime/clock.ts';

interface PendingTimer {
  readonly dueMicros: number;
  readonly serial: number;
  readonly callback: () => void;
}

/** See the head of the file. */
export class ManualClock implements Clock {
  #monotonicMicros: number;
  #wallMicros: number;
  #serial = 0;
  #pending: PendingTimer[] = [];

  /** Wall time begins at 2024-01-01T00:00:00Z unless said otherwise; monotonic time at 1,000 s. */
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

  /** How many timers wait. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Moves time on; each timer that becomes due fires with the clock at its own time. */
  advance(micros: number): void {
    const endMicros = this.#monotonicMicros + micros;
    for (let next = this.#next(endMicros); next !== undefined; next = this.#next(endMicros)) {
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#move(Math.max(this.#monotonicMicros, next.dueMicros));
      next.callback();
    }
    this.#move(endMicros);
  }

  /** `advance` in milliseconds, letting promises that the timers settle run between any two milliseconds that matter. */
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

  /** Somebody sets the clock: wall time jumps, monotonic time does not. */
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

/** Fulfilled when the promises that are ready have run, and what they have made ready. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
