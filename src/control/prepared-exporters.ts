// The exporters of a bridge's collector sets before they are used: they are made some at a time, a few in each turn of the event
// loop, because a thousand together would hold up packets. A row is adopted after its exporter was made.

import type { FlowSampling } from '../config/configuration.ts';
import type { Exporter } from '../export/exporter.ts';
import { TurnQueue } from '../runtime/turns.ts';

/** Exporters that are made in a turn: some 2 ms of work. */
const EXPORTERS_PER_TURN = 16;

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
  readonly #unmade: TurnQueue<FlowSampling>;

  constructor(parts: PreparedExportersParts) {
    this.#parts = parts;
    const make = (sampling: FlowSampling) => {
      this.#exporters.set(sampling.collectorSetId, parts.make(sampling));
    };
    this.#unmade = new TurnQueue(EXPORTERS_PER_TURN, make, parts.onPrepared);
  }

  /** Sets that have no exporter yet. */
  get waiting(): number {
    return this.#unmade.size;
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
    this.#unmade.replace(sets.filter(({ collectorSetId }) => !this.#exporters.has(collectorSetId)));
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
}
