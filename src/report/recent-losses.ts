// What was lost in the last minutes, by collector and by meter: the counters of status grow for ever after one loss, and what an
// operator should do depends on whether it goes on. The counters are read every ten seconds.

import type { ControlStatus } from '../control/control-parts.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import { listExporters } from './exporter-list.ts';

/** Minutes that a loss is recent. */
export const RECENT_MINUTES = 5;
const INTERVAL_SECONDS = 10;
const READINGS_MAX = (RECENT_MINUTES * 60) / INTERVAL_SECONDS;

/** Records that could not be sent to a collector. */
export interface RecentCollectorLoss {
  /** The exporter: see `ListedExporter.label`. */
  readonly exporter: string;
  readonly target: string;
  readonly records: number;
}

/** Packets of a meter; only those written off are missing in records. */
export interface RecentMeterLoss {
  readonly bridge: string;
  /** The meter of the hook, or of all `sample` actions of the bridge. */
  readonly meter: 'hook' | 'sample actions';
  readonly droppedByMeter: number;
  /** Lost on the way from the meter to the daemon. */
  readonly lost: number;
  readonly writtenOff: number;
}

/** The losses of the last minutes, without those that are 0. */
export interface RecentLossesStatus {
  /** Seconds that they cover, at most `RECENT_MINUTES`. */
  readonly seconds: number;
  readonly collectors: readonly RecentCollectorLoss[];
  readonly meters: readonly RecentMeterLoss[];
}

type Source = Pick<ControlStatus, 'bridges'>;

interface Reading {
  readonly timeMicros: number;
  /** Totals by the key of what they are of. */
  readonly collectors: ReadonlyMap<string, RecentCollectorLoss>;
  readonly meters: ReadonlyMap<string, RecentMeterLoss>;
}

export class RecentLosses {
  readonly #clock: Clock;
  readonly #read: () => Source;
  /** Oldest first. */
  readonly #readings: Reading[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, read: () => Source) {
    this.#clock = clock;
    this.#read = read;
  }

  start(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.start();
      this.#readings.push(this.#reading(this.#read()));
      if (this.#readings.length > READINGS_MAX) {
        this.#readings.shift();
      }
    }, INTERVAL_SECONDS * 1000);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Returns the losses since the oldest reading, or since the start of what began later. */
  status(now: Source): RecentLossesStatus {
    const { timeMicros, collectors, meters } = this.#reading(now);
    const [oldest] = this.#readings;
    const grown = (before: number | undefined, total: number) =>
      before === undefined || before > total ? total : total - before;
    return {
      seconds: oldest === undefined ? 0 : Math.round((timeMicros - oldest.timeMicros) / 1_000_000),
      collectors: [...collectors]
        .map(([key, total]) => ({
          ...total,
          records: grown(oldest?.collectors.get(key)?.records, total.records),
        }))
        .filter(({ records }) => records > 0),
      meters: [...meters]
        .map(([key, total]) => {
          const before = oldest?.meters.get(key);
          return {
            ...total,
            droppedByMeter: grown(before?.droppedByMeter, total.droppedByMeter),
            lost: grown(before?.lost, total.lost),
            writtenOff: grown(before?.writtenOff, total.writtenOff),
          };
        })
        .filter(({ droppedByMeter, lost, writtenOff }) => droppedByMeter + lost + writtenOff > 0),
    };
  }

  #reading(source: Source): Reading {
    const collectors = new Map<string, RecentCollectorLoss>();
    for (const { label, exporter } of listExporters(source)) {
      for (const { target, recordsLost } of exporter.collectors) {
        collectors.set(`${label}\n${target}`, { exporter: label, target, records: recordsLost });
      }
    }
    const meters = new Map<string, RecentMeterLoss>();
    for (const { bridge, sampling, sampleActionMeter } of source.bridges) {
      for (const [meter, status] of [
        ['hook', sampling?.sampler],
        ['sample actions', sampleActionMeter],
      ] as const) {
        if (status !== undefined) {
          const { droppedByMeter, lost, writtenOffPackets: writtenOff } = status;
          meters.set(`${bridge}\n${meter}`, { bridge, meter, droppedByMeter, lost, writtenOff });
        }
      }
    }
    return { timeMicros: this.#clock.monotonicMicros(), collectors, meters };
  }
}
