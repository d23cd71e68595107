// Numbered packets at a steady rate: the number is the UDP source port. Each is injected by a request to ovs-vswitchd, so that it is
// known between which two moments the switch has accepted it, and that nothing waits in a buffer while the switch is away.

import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/runtime/clock.ts';
import { askUnixctl } from '../../src/unixctl/client.ts';
import { UnixctlError } from '../../src/unixctl/errors.ts';
import { udpFrame } from '../support/frames.ts';
import type { Injection } from './account.ts';

/** Packets a second, and milliseconds between two requests. */
export const PACKET_RATE = 250;
const REQUEST_INTERVAL_MS = 16;
/** Packets of one request at most, after a pause of this process or of the switch. */
const REQUEST_PACKETS_MAX = 8;
/** Longer than any freeze of the switch. */
const REQUEST_TIMEOUT_MS = 8000;
/** The last number that fits into a port. */
export const NUMBER_MAX = 65_535;

export class Traffic {
  /** What the switch has accepted. */
  readonly injections: Injection[] = [];
  /** Sent with a request that ended with the switch: it may have accepted them. */
  readonly uncertain: Injection[] = [];
  readonly #socketPath: () => string;
  readonly #port: string;
  #rate = PACKET_RATE;
  #next = 1;
  #isStopped = false;
  #running: Promise<void> | undefined;

  /** `socketPath` returns the control socket of the ovs-vswitchd that runs now. */
  constructor(socketPath: () => string, port: string) {
    this.#socketPath = socketPath;
    this.#port = port;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Sets the packets a second from now on. */
  setRate(rate: number): void {
    this.#rate = rate;
  }

  /** Returns when the first packet after `sinceMs` was accepted; undefined while there is none. */
  acceptedSince(sinceMs: number): number | undefined {
    return this.injections.find(({ beforeMs }) => beforeMs >= sinceMs)?.beforeMs;
  }

  /** Packets of this time waited in the port until its end: ovs-vswitchd has read them then, at the latest. */
  delayed(fromMs: number, toMs: number): void {
    for (const [at, injection] of this.injections.entries()) {
      if (injection.beforeMs >= fromMs && injection.beforeMs <= toMs) {
        this.injections[at] = { ...injection, afterMs: Math.max(injection.afterMs, toMs) };
      }
    }
  }

  async #run(): Promise<void> {
    let due = 0;
    let lastMs = performance.now();
    while (!this.#isStopped) {
      const nowMs = performance.now();
      due = Math.min(due + ((nowMs - lastMs) * this.#rate) / 1000, REQUEST_PACKETS_MAX);
      lastMs = nowMs;
      const count = Math.floor(due);
      due -= count;
      if (count > 0) {
        await this.#inject(count);
      }
      await delay(REQUEST_INTERVAL_MS);
    }
  }

  async #inject(count: number): Promise<void> {
    if (this.#next + count > NUMBER_MAX) {
      // Only a soak is as long, which has no account.
      this.#next = 1;
      this.injections.length = 0;
    }
    const numbers = Array.from({ length: count }, (_, index) => this.#next + index);
    const frames = numbers.map((number) => udpFrame({ sourcePort: number }).toString('hex'));
    const beforeMs = performance.now();
    const timed = () => numbers.map((number) => ({ number, beforeMs, afterMs: performance.now() }));
    try {
      await askUnixctl(this.#socketPath(), 'netdev-dummy/receive', [this.#port, ...frames], {
        clock: systemClock,
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      this.injections.push(...timed());
    } catch (error) {
      if (!(error instanceof UnixctlError)) {
        throw error;
      }
      // Without a switch or a port nothing is accepted, and the numbers are free.
      if (error.code === 'UNIXCTL_UNREACHABLE' || error.code === 'UNIXCTL_REFUSED') {
        return;
      }
      this.uncertain.push(...timed());
    }
    this.#next += count;
  }
}
