// The metrics in Prometheus's text format. One registry of prom-client has metrics that collect their series from the status at
// each scrape, so that a removed exporter or collector leaves no series.

import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import { COLLECTOR_METRICS } from './collector-metrics.ts';
import { DAEMON_METRICS } from './daemon-metrics.ts';
import { EXPORTER_METRICS } from './exporter-metrics.ts';
import { INTERFACE_METRICS } from './interface-metrics.ts';
import type { Metric, MetricValue } from './metric.ts';
import type { Report } from './report.ts';

/** All metrics, in the order of the text. */
export const METRICS: readonly Metric[] = [
  ...DAEMON_METRICS,
  ...INTERFACE_METRICS,
  ...EXPORTER_METRICS,
  ...COLLECTOR_METRICS,
];

/** Series after which the event loop processes packets, unless a single metric has more: a few milliseconds of work. */
const SLICE_SERIES = 256;

/** The metrics of a running daemon. */
export class Metrics {
  /** The media type of the text. */
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #report: Pick<Report, 'status' | 'interfaces'>;
  readonly #registry = new Registry();
  /** The status and the interfaces of the current scrape. */
  #state: Parameters<Metric['read']> | undefined;
  /** Series that were collected since the event loop last processed packets. */
  #seriesCount = 0;
  #scrape: Promise<string> | undefined;

  constructor(report: Pick<Report, 'status' | 'interfaces'>) {
    this.#report = report;
    for (const metric of METRICS) {
      this.#register(metric);
    }
  }

  /** Returns the current text. Concurrent scrapes share one text. */
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

  /** Makes the text in slices, between which the event loop runs. */
  async #make(): Promise<string> {
    this.#state = [this.#report.status(), this.#report.interfaces()];
    const texts: string[] = [];
    try {
      for (const { name } of METRICS) {
        texts.push(`${await this.#registry.getSingleMetricAsString(name)}\n`);
        if (this.#seriesCount >= SLICE_SERIES) {
          this.#seriesCount = 0;
          await new Promise(setImmediate);
        }
      }
    } finally {
      this.#state = undefined;
      this.#registry.resetMetrics();
    }
    return texts.join('');
  }

  #register(metric: Metric): void {
    const options = {
      name: metric.name,
      help: metric.help,
      labelNames: [...metric.labels],
      registers: [this.#registry],
    };
    if (metric.type === 'counter') {
      const collect = () => this.#collect(metric, (labels, value) => counter.inc(labels, value));
      const counter = new Counter({ ...options, collect });
    } else {
      const collect = () => this.#collect(metric, (labels, value) => gauge.set(labels, value));
      const gauge = new Gauge({ ...options, collect });
    }
  }

  /** Adds a metric's series for the registry; outside of scrapes there are none. */
  #collect(metric: Metric, add: (labels: MetricValue['labels'], value: number) => void): void {
    const values = this.#state === undefined ? [] : metric.read(...this.#state);
    this.#seriesCount += values.length;
    for (const { labels, value } of values) {
      add(labels, value);
    }
  }
}
