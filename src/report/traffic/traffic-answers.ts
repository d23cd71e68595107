// Answers to requests for traffic, kept until the history has another slot: browsers with the same view cost one look-up. One that
// took long is kept longer, so that no view takes more than a hundredth of the time.

import type { Clock } from '../../runtime/clock.ts';
import type { History } from './history.ts';
import type { TrafficDocument } from './traffic-document.ts';
import { type TrafficRequest, TrafficView } from './traffic-view.ts';

/** Different requests that are answered between two slots of the history; more are refused until the next one. */
export const TRAFFIC_VIEWS_MAX = 16;

/** Times the duration of a look-up after which it is repeated. */
const PAUSE_FACTOR = 100;

/** An answer, the end of its newest slot, and until when it is kept in any case, on the monotonic clock. */
interface KeptAnswer {
  readonly document: TrafficDocument;
  readonly newestMicros: number | undefined;
  readonly untilMicros: number;
}

export class TrafficAnswers {
  readonly #history: History;
  readonly #view: TrafficView;
  readonly #clock: Pick<Clock, 'monotonicMicros'>;
  /** By request. */
  readonly #kept = new Map<string, KeptAnswer>();
  #madeCount = 0;
  #endMicros = -1;
  #refused = 0;

  constructor(history: History, hashSeed: number, clock: Pick<Clock, 'monotonicMicros'>) {
    this.#clock = clock;
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
    const newestMicros = this.#history.slots(windowSeconds).at(-1)?.traffic.endMicros;
    const key = JSON.stringify([windowSeconds, by, count, filter.words]);
    const known = this.#kept.get(key);
    const beginMicros = this.#clock.monotonicMicros();
    if (known !== undefined && (known.newestMicros === newestMicros || beginMicros < known.untilMicros)) {
      return known.document;
    }
    if (this.#madeCount >= TRAFFIC_VIEWS_MAX) {
      this.#refused += 1;
      return undefined;
    }
    this.#madeCount += 1;
    const document = this.#view.find(request);
    const tookMicros = this.#clock.monotonicMicros() - beginMicros;
    const untilMicros = beginMicros + PAUSE_FACTOR * tookMicros;
    this.#kept.delete(key);
    this.#kept.set(key, { document, newestMicros, untilMicros });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > TRAFFIC_VIEWS_MAX && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    return document;
  }
}
