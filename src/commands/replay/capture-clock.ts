// The clock of a capture file: each packet sets it to its time, and it never goes back. An exporter on this clock expires flows
// as it would have done when the packets were captured, at any reading speed.

import type { Clock, Timer } from '../../runtime/clock.ts';

interface CaptureTimer extends Timer {
  readonly dueMicros: number;
  readonly callback: () => void;
}

/** See the head of the file. Both wall and monotonic time are the time of capture. */
export class CaptureClock implements Clock {
  /** In cells, because a computed double in a field would be an object: now, and when the next timer is due. */
  readonly #cells = new Float64Array([0, Number.POSITIVE_INFINITY]);
  /** In the order in which they are due. */
  #timers: CaptureTimer[] = [];

  monotonicMicros(): number {
    return this.#cells[0]!;
  }

  wallMicros(): number {
    return this.#cells[0]!;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: CaptureTimer = {
      dueMicros: Math.ceil(this.#cells[0]! + delayMs * 1000),
      callback,
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        this.#noteNext();
      },
    };
    const later = this.#timers.findIndex((other) => other.dueMicros > timer.dueMicros);
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer);
    this.#noteNext();
    return timer;
  }

  /** When the next timer is due, in microseconds; Infinity without one. */
  get nextMicros(): number {
    return this.#cells[1]!;
  }

  /** Moves on to `time[0]` and calls what is due until then, each at its time. An earlier time changes nothing: false. */
  advance(time: Float64Array): boolean {
    if (time[0]! < this.#cells[0]!) {
      return false;
    }
    while (time[0]! >= this.#cells[1]!) {
      this.#fireNext();
    }
    this.#cells[0] = time[0]!;
    return true;
  }

  #fireNext(): void {
    const timer = this.#timers.shift();
    this.#noteNext();
    if (timer === undefined) {
      return;
    }
    this.#cells[0] = Math.max(this.#cells[0]!, timer.dueMicros);
    timer.callback();
  }

  #noteNext(): void {
    this.#cells[1] = this.#timers[0]?.dueMicros ?? Number.POSITIVE_INFINITY;
  }
}
