// The metrics as Prometheus reads them. prom-client holds one registry, whose metrics collect their series from the state
// at each scrape, so that an exporter or a collector that has gone leaves no series behind.

import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
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
  readonly #registry = new Registry();
  /** The state of the present scrape. */
  #document: StatusDocument | undefined;
  /** Series that were collected since packets last had their turn. */
  #seriesCount = 0;
  #scrape: Promise<string> | undefined;

  constructor(report: Pick<Report, 'status'>) {
    this.#report = report;
    for (const metric of METRICS) {
      this.#register(metric);
    }
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

  /** Makes the text in slices, between which the event loop goes on. */
  async #make(): Promise<string> {
    this.#document = this.#report.status();
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
      this.#document = undefined;
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

  /** The registry asks for a metric's series: those that its state has now. Between scrapes there are none. */
  #collect(metric: Metric, add: (labels: MetricValue['labels'], value: number) => void): void {
    const values = this.#document === undefined ? [] : metric.read(this.#document);
    this.#seriesCount += values.length;
    for (const { labels, value } of values) {
      add(labels, value);
    }
  }
}
