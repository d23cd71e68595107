// Rates of the last five minutes, for the charts. They are kept in the browser, so that the daemon needs no memory for them.

import { listExporters } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';

/** Number of kept updates: five minutes. */
export const HISTORY_MAX = 300;

/** The series of the charts. */
const SERIES = ['samples', 'records', 'octets', 'fill', 'lost'] as const;
export type Series = (typeof SERIES)[number];

type Totals = Readonly<Record<Series, number>>;

/** Rates a second by time; the fill of the fullest cache in percent. */
export class History {
  /** Seconds since 1970. */
  readonly times: number[] = [];
  readonly values: Readonly<Record<Series, (number | null)[]>> = {
    samples: [],
    records: [],
    octets: [],
    fill: [],
    lost: [],
  };
  #last: { readonly seconds: number; readonly startTime: string; readonly totals: Totals } | undefined;

  /** The time of the newest update, in seconds since 1970; 0 before the first. */
  get endSeconds(): number {
    return this.#last?.seconds ?? 0;
  }

  add(document: StatusDocument): void {
    const seconds = Date.parse(document.time) / 1000;
    const totals = totalsOf(document);
    const last = this.#last;
    this.#last = { seconds, startTime: document.program.startTime, totals };
    if (last === undefined || seconds <= last.seconds) {
      return;
    }
    // Counters start at zero with a new daemon or exporter.
    const isSame = last.startTime === document.program.startTime;
    this.times.push(seconds);
    for (const name of SERIES) {
      const rate = (totals[name] - last.totals[name]) / (seconds - last.seconds);
      this.values[name].push(name === 'fill' ? totals.fill : isSame && rate >= 0 ? rate : null);
    }
    if (this.times.length > HISTORY_MAX) {
      this.times.shift();
      for (const name of SERIES) {
        this.values[name].shift();
      }
    }
  }
}

function totalsOf(document: StatusDocument): Totals {
  const listed = listExporters(document);
  const totals = { samples: 0, records: 0, octets: 0, fill: 0, lost: 0 };
  for (const { exporter } of listed) {
    totals.samples += exporter.samples;
    totals.records +=
      exporter.records.activeTimeout + exporter.records.lackOfResources + exporter.records.forcedEnd;
    if (exporter.cache.flowsMax > 0) {
      totals.fill = Math.max(totals.fill, (100 * exporter.cache.flows) / exporter.cache.flowsMax);
    }
    for (const collector of exporter.collectors) {
      totals.octets += collector.octetsSent;
      totals.lost += collector.recordsLost;
    }
  }
  for (const { sampling, sampleActionMeter } of document.bridges) {
    totals.lost += sampleActionMeter.droppedByMeter + sampleActionMeter.lost;
    if (sampling !== undefined) {
      totals.lost += sampling.sampler.droppedByMeter + sampling.sampler.lost;
    }
  }
  return totals;
}
