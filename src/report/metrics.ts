// The metrics as Prometheus reads them: made anew for each scrape, so that an exporter or a collector that has gone leaves
// no series behind.

import { Counter, Gauge, Registry } from 'prom-client';
import { DAEMON_METRICS } from './daemon-metrics.ts';
import { EXPORTER_METRICS } from './exporter-metrics.ts';
import type { Metric, MetricValue } from './metric.ts';
import type { Report } from './report.ts';
import type { StatusDocument } from './status-document.ts';

/** All metrics, in the order of the text. */
export const METRICS: readonly Metric[] = [...DAEMON_METRICS, ...EXPORTER_METRICS];

/** Series after which packets have their turn, unless a single metric has more: a millisecond or a few. */
const SLICE_SERIES = 256;

/** The metrics of a running daemon. */
export class Metrics {
  /** The media type of the text. */
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #report: Pick<Report, 'status'>;
  #scrape: Promise<string> | undefined;

  constructor(report: Pick<Report, 'status'>) {
    this.#report = report;
  }

  /** The text of now. Who asks while one is being made gets the same, so that many who ask cost no more than one. */
  text(): Promise<string> {
    if (this.#scrape === undefined) {
      this.#scrape = this.#make();
      const ended = () => {
        this.#scrape = undefined;
      };
      this.#scrape.then(ended, ended);
    }
    return this.#scrape;
  }

  async #make(): Promise<string> {
    return metricsText(this.#report.status());
  }
}

/** The text for a state. It is made in slices, between which the event loop goes on. */
export async function metricsText(document: StatusDocument): Promise<string> {
  const texts: string[] = [];
  let seriesCount = 0;
  for (const metric of METRICS) {
    const values = metric.read(document);
    texts.push(await textOf(metric, values));
    seriesCount += values.length;
    if (seriesCount >= SLICE_SERIES) {
      seriesCount = 0;
      await new Promise(setImmediate);
    }
  }
  return texts.join('');
}

async function textOf({ name, type, help, labels }: Metric, values: readonly MetricValue[]): Promise<string> {
  const registry = new Registry();
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === 'counter') {
    const counter = new Counter(options);
    for (const each of values) counter.inc(each.labels, each.value);
  } else {
    const gauge = new Gauge(options);
    for (const each of values) gauge.set(each.labels, each.value);
  }
  return registry.metrics();
}
