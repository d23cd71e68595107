// The exporters of a bridge's collector sets before they are used: they are made some at a time, a few in each turn of the event
// loop, because a thousand together would hold up packets. A row is adopted after its exporter was made.

import type { FlowSampling } from '../config/configuration.ts';
import type { Exporter } from '../export/exporter.ts';
import { OnceATurn } from '../runtime/turns.ts';

/** Exporters that are made in a turn: some 2 ms of work. */
const EXPORTERS_PER_TURN = 32;

/** The dependencies of `PreparedExporters`. */
export interface PreparedExportersParts {
  /** Makes an exporter and starts it. */
  readonly make: (sampling: FlowSampling) => Exporter;
  /** Ends an exporter. */
  readonly retire: (exporter: Exporter) => void;
  /** Called in a later turn than `prepare`, when all exporters are made, if that took more than one. */
  readonly onPrepared: () => void;
}

export class PreparedExporters {
  readonly #parts: PreparedExportersParts;
  readonly #exporters = new Map<number, Exporter>();
  #waiting: readonly FlowSampling[] = [];
  readonly #turn = new OnceATurn(() => this.#nextTurn());

  constructor(parts: PreparedExportersParts) {
    this.#parts = parts;
  }

  /** Sets that have no exporter yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Makes the exporters of these sets, the first ones at once, and ends those of others. */
  prepare(sets: readonly FlowSampling[]): void {
    const ids = new Set(sets.map(({ collectorSetId }) => collectorSetId));
    for (const [id, exporter] of this.#exporters) {
      if (!ids.has(id)) {
        this.#exporters.delete(id);
        this.#parts.retire(exporter);
      }
    }
    const isBusy = this.#turn.isDue;
    this.#waiting = sets.filter(({ collectorSetId }) => !this.#exporters.has(collectorSetId));
    if (!isBusy) {
      this.#makeSome();
    }
  }

  /** Returns the exporter of a set, which is not kept here any more; undefined if it is not made yet. */
  take(collectorSetId: number): Exporter | undefined {
    const exporter = this.#exporters.get(collectorSetId);
    this.#exporters.delete(collectorSetId);
    return exporter;
  }

  /** Starts the exporters that were made before the bridge was started. */
  start(): void {
    for (const exporter of this.#exporters.values()) {
      exporter.start();
    }
  }

  #nextTurn(): void {
    const isBusy = this.#waiting.length > 0;
    this.#makeSome();
    if (isBusy && this.#waiting.length === 0) {
      this.#parts.onPrepared();
    }
  }

  #makeSome(): void {
    const some = this.#waiting.slice(0, EXPORTERS_PER_TURN);
    this.#waiting = this.#waiting.slice(EXPORTERS_PER_TURN);
    for (const sampling of some) {
      this.#exporters.set(sampling.collectorSetId, this.#parts.make(sampling));
    }
    if (this.#waiting.length > 0) {
      this.#turn.schedule();
    }
  }
}
