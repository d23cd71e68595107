// The export of the daemon that was active before this one. Bridges and sets whose rows it had adopted are in a gap from its last
// sign of life on. For a row that is still adopted at the failover, the gap ends when this daemon samples (sampling-gaps.ts,
// set-gaps.ts). A row that was replaced or removed in between is not; its gap has ended then, and a standby has seen when.

import type { BridgeConfig, Configuration } from '../config/configuration.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { rowsOf } from './bridge-rows.ts';
import { type EndedGap, logGap, spanOf } from './gap-record.ts';

export interface PreviousExportOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** See `Leadership.takePreviousEnd`, `Leadership.holderAliveMicros` and `DatabaseSession.changedMicros`. */
  readonly database: {
    takePreviousEnd(): number | undefined;
    readonly holderAliveMicros: number;
    readonly changedMicros: number;
  };
}

export class PreviousExport {
  readonly #options: PreviousExportOptions;
  /** UUIDs of the adopted rows of each bridge, as a standby has seen them last. */
  #adopted: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** When a row of a bridge was last seen to be adopted no more (monotonic), by bridge. */
  readonly #replacedMicros = new Map<string, number>();
  #gaps: ReadonlyMap<string, EndedGap> = new Map();
  #endMicros: number | undefined;

  constructor(options: PreviousExportOptions) {
    this.#options = options;
  }

  /**
   * Since when no daemon may have exported for the bridges whose sampling begins now (monotonic); undefined: not for them.
   */
  get endMicros(): number | undefined {
    return this.#endMicros;
  }

  /** The gap of a bridge that ended before the failover. */
  gapOf(bridge: string): EndedGap | undefined {
    return this.#gaps.get(bridge);
  }

  /** Follows the rows; logs the gaps that had ended before this daemon became the active one. */
  follow(configuration: Configuration, isActive: boolean): void {
    const endMicros = isActive ? this.#options.database.takePreviousEnd() : undefined;
    if (!isActive || endMicros !== undefined) {
      this.#see(configuration);
    }
    if (!isActive) {
      this.bridgesBegun();
    } else if (endMicros !== undefined) {
      this.#endMicros = endMicros;
      this.#takeOver(endMicros);
    }
  }

  /** The sampling of all bridges that there were at the failover has begun. */
  bridgesBegun(): void {
    this.#endMicros = undefined;
    this.#gaps = new Map();
  }

  #see({ bridges }: Configuration): void {
    const { holderAliveMicros, changedMicros } = this.#options.database;
    for (const [bridge, micros] of this.#replacedMicros) {
      if (micros <= holderAliveMicros) {
        this.#replacedMicros.delete(bridge);
      }
    }
    const adopted = new Map(Array.from(bridges.values(), (config) => [config.name, adoptedRowsOf(config)]));
    for (const [bridge, rows] of this.#adopted) {
      const now = adopted.get(bridge);
      if ([...rows].some((row) => now?.has(row) !== true)) {
        // A sign of life may have arrived between the change and this turn.
        this.#replacedMicros.set(bridge, changedMicros);
      }
    }
    this.#adopted = adopted;
  }

  #takeOver(endMicros: number): void {
    const { clock, log } = this.#options;
    const replaced = [...this.#replacedMicros].filter(([, micros]) => micros > endMicros);
    this.#gaps = new Map(
      replaced.map(([bridge, micros]) => [
        bridge,
        { cause: 'replaced', ...spanOf(clock, endMicros, micros) },
      ]),
    );
    this.#adopted = new Map();
    this.#replacedMicros.clear();
    for (const [bridge, gap] of this.#gaps) {
      logGap(log.limited(`gap ${bridge}`), `bridge ${bridge}:`, gap);
    }
  }
}

function adoptedRowsOf(config: BridgeConfig): ReadonlySet<string> {
  return new Set(rowsOf(config).flatMap(({ ipfixRow, isOurs }) => (isOurs ? [ipfixRow] : [])));
}
