// The metrics as Prometheus reads them: made anew for each scrape, so that an exporter or a collector that has gone leaves
// no series behind.

import { Counter, Gauge, Registry } from 'prom-client';
import { DAEMON_METRICS } from './daemon-metrics.ts';
import { EXPORTER_METRICS } from './exporter-metrics.ts';
import type { Metric } from './metric.ts';
import type { StatusDocument } from './status-document.ts';

/** The media type of the text. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** All metrics, in the order of the text. */
export const METRICS: readonly Metric[] = [...DAEMON_METRICS, ...EXPORTER_METRICS];

/** The text for one scrape. */
export async function metricsText(document: StatusDocument): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, labels, read } of METRICS) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (type === 'counter') {
      const counter = new Counter(options);
      for (const each of read(document)) counter.inc(each.labels, each.value);
    } else {
      const gauge = new Gauge(options);
      for (const each of read(document)) gauge.set(each.labels, each.value);
    }
  }
  return registry.metrics();
}
