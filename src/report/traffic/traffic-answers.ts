// Answers to requests for traffic, kept until the history has another slot: browsers with the same view cost one look-up.

import type { History } from './history.ts';
import type { TrafficDocument } from './traffic-document.ts';
import { type TrafficRequest, TrafficView } from './traffic-view.ts';

/** Different requests that are answered between two slots of the history; more are refused until the next one. */
export const TRAFFIC_VIEWS_MAX = 16;

export class TrafficAnswers {
  readonly #history: History;
  readonly #view: TrafficView;
  /** By request; the end of the newest slot is part of it. */
  #kept = new Map<string, TrafficDocument>();
  #madeCount = 0;
  #endMicros = -1;
  #refused = 0;

  constructor(history: History, hashSeed: number) {
    this.#history = history;
    this.#view = new TrafficView(history, hashSeed);
  }

  /** Requests that were refused at the limit. */
  get refused(): number {
    return this.#refused;
  }

  /** Returns the traffic; undefined at the limit. */
  find(request: TrafficRequest): TrafficDocument | undefined {
    const { endMicros } = this.#history;
    if (endMicros !== this.#endMicros) {
      this.#endMicros = endMicros;
      this.#madeCount = 0;
    }
    const { windowSeconds, by, count, filter } = request;
    const newest = this.#history.slots(windowSeconds).at(-1)?.traffic.endMicros;
    const key = JSON.stringify([newest, windowSeconds, by, count, filter.words]);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      return known;
    }
    if (this.#madeCount >= TRAFFIC_VIEWS_MAX) {
      this.#refused += 1;
      return undefined;
    }
    this.#madeCount += 1;
    const made = this.#view.find(request);
    this.#kept.set(key, made);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > TRAFFIC_VIEWS_MAX && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    return made;
  }
}
