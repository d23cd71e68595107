// When the work of a bridge that its datapath samples is due: ten times a second while samples come, so that a burst is noticed at
// once, and otherwise once a second, which is a rest.

import type { Clock, Timer } from '../runtime/clock.ts';
import { phaseOf } from '../runtime/phase.ts';
import { BURST_MS } from './probability-control.ts';

/** Milliseconds between two readings of the hook's counters. */
const READING_MS = 1000;
/** Datagrams in a rest that end it. */
export const REST_DATAGRAMS_MAX = 16;

export class SamplingTick {
  readonly #clock: Clock;
  readonly #onTick: () => void;
  #timer: Timer | undefined;
  #tickedMs = 0;
  /** Milliseconds of ticks since the last reading. */
  #unreadMs = 0;
  #isReadingDue = false;
  #isResting = false;
  /** Datagrams since the timer was set. */
  #datagrams = 0;

  constructor(clock: Clock, onTick: () => void) {
    this.#clock = clock;
    this.#onTick = onTick;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Starts with a rest, unless it runs; the first reading comes earlier than the next ones, by a time that the name decides. */
  start(name: string): void {
    if (this.#timer === undefined) {
      this.#tickedMs = this.#nowMs();
      this.#unreadMs = phaseOf(name, READING_MS / 2);
      this.#arm(true);
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Begins a period, at a tick; returns the milliseconds of the last one. `mayRest`: nothing but a burst asks for an early tick. */
  next(mayRest: boolean): number {
    const elapsedMs = this.#nowMs() - this.#tickedMs;
    this.#tickedMs += elapsedMs;
    this.#unreadMs += elapsedMs;
    if (this.#unreadMs >= READING_MS) {
      this.#unreadMs = 0;
      this.#isReadingDue = true;
    }
    this.#arm(mayRest && this.#datagrams < REST_DATAGRAMS_MAX);
    return elapsedMs;
  }

  /** Returns, at a tick, whether counters are to be read. */
  takeReading(): boolean {
    const isDue = this.#isReadingDue;
    this.#isReadingDue = false;
    return isDue;
  }

  /** Ends a rest. */
  hurry(): void {
    if (this.#isResting && this.#timer !== undefined) {
      this.#arm(false);
    }
  }

  /** Notes a datagram with samples; many end a rest. */
  noteDatagram(): void {
    this.#datagrams += 1;
    if (this.#isResting && this.#datagrams >= REST_DATAGRAMS_MAX && this.#timer !== undefined) {
      this.#onTick();
    }
  }

  #arm(isResting: boolean): void {
    this.#timer?.cancel();
    this.#isResting = isResting;
    this.#datagrams = 0;
    const pauseMs = isResting ? Math.max(BURST_MS, READING_MS - this.#unreadMs) : BURST_MS;
    this.#timer = this.#clock.setTimer(this.#onTick, pauseMs);
  }

  #nowMs(): number {
    return this.#clock.monotonicMicros() / 1000;
  }
}
