// The streams of an exporter, one for each of its collectors: a message goes to all of them, and a change of the collectors
// keeps the sessions of those that stay.

import type { CollectorTarget, OpenSession } from './collector-session.ts';
import { type CollectorStatus, CollectorStream, type StreamOptions } from './collector-stream.ts';
import { targetKey } from './exporter-options.ts';
import type { OpenMessage } from './open-message.ts';

export class CollectorStreams {
  readonly #openSession: OpenSession;
  #streams = new Map<string, CollectorStream>();
  /** Removed collectors that still send what waits. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(openSession: OpenSession) {
    this.#openSession = openSession;
  }

  /** Messages that wait at the collector with the longest backlog. */
  get backlogCount(): number {
    let count = 0;
    for (const stream of this.#streams.values()) {
      count = Math.max(count, stream.backlogCount);
    }
    return count;
  }

  /** Opens new collectors, passes the options to those that stay, and stops the others. */
  setTargets(targets: readonly CollectorTarget[], options: StreamOptions): void {
    const streams = new Map<string, CollectorStream>();
    for (const target of targets) {
      const key = targetKey(target);
      const known = this.#streams.get(key);
      known?.setOptions(options);
      streams.set(key, known ?? streams.get(key) ?? new CollectorStream(target, this.#openSession, options));
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

  status(): readonly CollectorStatus[] {
    return Array.from(this.#streams.values(), (stream) => stream.status());
  }

  /** Waits until all collectors, removed ones included, have sent what waits, and closes them. */
  async stop(): Promise<void> {
    await Promise.all([...Array.from(this.#streams.values(), (stream) => stream.stop()), ...this.#leaving]);
  }

  #stopStream(stream: CollectorStream): void {
    const left = stream.stop().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}
