// The streams of an exporter, one for each of its collectors: a message goes to all of them, and a change of the collectors
// keeps the sessions of those that stay.

import type { CollectorTarget, OpenSession } from './collector-session.ts';
import { type CollectorStatus, CollectorStream } from './collector-stream.ts';
import { targetKey } from './exporter-options.ts';
import type { OpenMessage } from './open-message.ts';
import type { PacedCollectors } from './pacer.ts';
import type { SendBudget } from './send-budget.ts';
import type { StreamOptions } from './stream-options.ts';

/** A collector with its target. */
export interface CollectorOfTarget {
  readonly target: CollectorTarget;
  readonly status: CollectorStatus;
}

export class CollectorStreams implements PacedCollectors {
  readonly #openSession: OpenSession;
  readonly #budget: SendBudget | undefined;
  #streams = new Map<string, CollectorStream>();
  /** Removed collectors that still send what waits. */
  readonly #leaving = new Set<Promise<number>>();

  /**
   * @param budget how fast messages are sent over UDP; undefined: without a limit
   * @param onMessageBytes called when `messageBytesMax` may have changed
   */
  constructor(openSession: OpenSession, budget: SendBudget | undefined, onMessageBytes: () => void) {
    this.#openSession = (target, listener) =>
      openSession(target, { ...listener, messageBytesChanged: onMessageBytes });
    this.#budget = budget;
  }

  /** The longest message that fits the paths to all collectors, in bytes; Infinity if none is known. */
  get messageBytesMax(): number {
    let bytes = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams.values()) {
      bytes = Math.min(bytes, stream.messageBytesMax ?? bytes);
    }
    return bytes;
  }

  /** Messages that wait at the collector with the longest backlog. */
  get backlogCount(): number {
    let count = 0;
    for (const stream of this.#streams.values()) {
      count = Math.max(count, stream.backlogCount);
    }
    return count;
  }

  /**
   * The same for the pacer: outside of a stop, a queue in memory takes what a collector over TCP does not read, so that it does not
   * delay the others.
   */
  get pacedBacklogCount(): number {
    const isOrdinary = this.#budget !== undefined && this.leftMs === Number.POSITIVE_INFINITY;
    let count = 0;
    for (const stream of this.#streams.values()) {
      count = isOrdinary && stream.isReliable ? count : Math.max(count, stream.backlogCount);
    }
    return count;
  }

  /** Milliseconds until the send budget of all collectors allows the next slice of records; 0: now. */
  waitMs(): number {
    let ms = 0;
    for (const stream of this.#streams.values()) {
      ms = Math.max(ms, stream.waitMs());
    }
    return ms;
  }

  /** Notes for how many microseconds the oldest flow has been due: later flows are sent faster. */
  setLateness(micros: number): void {
    for (const stream of this.#streams.values()) {
      stream.setLateness(micros);
    }
  }

  /** Counts a slice of records that waited for the send budget. */
  countDelay(): void {
    this.#budget?.countDelay();
  }

  /** Milliseconds that are left at a stop; Infinity before one. */
  get leftMs(): number {
    return this.#budget?.leftMs ?? Number.POSITIVE_INFINITY;
  }

  /** Notes that the records of so many flows will follow. */
  expect(flowCount: number): void {
    for (const stream of this.#streams.values()) {
      stream.expect(flowCount);
    }
  }

  /** Opens new collectors, passes the options to those that stay, and stops the others. */
  setTargets(targets: readonly CollectorTarget[], options: StreamOptions): void {
    const streams = new Map<string, CollectorStream>();
    for (const target of targets) {
      const key = targetKey(target);
      const known = this.#streams.get(key);
      known?.setOptions(options);
      const stream = known ?? streams.get(key);
      streams.set(key, stream ?? new CollectorStream(target, this.#openSession, options, this.#budget));
    }
    const before = this.#streams;
    this.#streams = streams;
    for (const [key, stream] of before) {
      if (!streams.has(key)) {
        this.#stopStream(stream);
      }
    }
    for (const [key, stream] of streams) {
      if (!before.has(key)) {
        stream.start();
      }
    }
  }

  /** Passes the options to all collectors. */
  setOptions(options: StreamOptions): void {
    for (const stream of this.#streams.values()) {
      stream.setOptions(options);
    }
  }

  deliver(message: OpenMessage): void {
    for (const stream of this.#streams.values()) {
      stream.deliver(message);
    }
  }

  collectors(): readonly CollectorOfTarget[] {
    return Array.from(this.#streams.values(), (stream) => ({
      target: stream.target,
      status: stream.status(),
    }));
  }

  /**
   * Waits until all collectors, removed ones included, have sent what waits, and closes them; resolves to the records that
   * could not be sent in time.
   */
  async stop(): Promise<number> {
    const { leftMs } = this;
    const stopping = Array.from(this.#streams.values(), (stream) => stream.stop(leftMs));
    const lost = await Promise.all([...stopping, ...this.#leaving]);
    return lost.reduce((sum, count) => sum + count, 0);
  }

  #stopStream(stream: CollectorStream): void {
    const left = stream.stop(this.leftMs).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}
