// What a metric is, and the kinds that there are: one value for the daemon, or one for each bridge, meter, exporter or
// collector.

import type { CollectorStatus } from '../export/collector-stream.ts';
import { type ListedExporter, listExporters } from './exporter-list.ts';
import type { StatusDocument } from './status-document.ts';

/** One value with the labels that it has beside its metric's name. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** What the value counts or measures, for people; `1 or 0` for a yes or no. */
  readonly unit: string;
  readonly labels: readonly string[];
  /** A sentence without a full stop. */
  readonly help: string;
  readonly read: (document: StatusDocument) => readonly MetricValue[];
}

const BRIDGE_LABELS: readonly string[] = ['bridge'];
export const EXPORTER_LABELS: readonly string[] = ['bridge', 'exporter'];
export const COLLECTOR_LABELS: readonly string[] = ['bridge', 'exporter', 'collector'];

export function flag(isSo: boolean): number {
  return isSo ? 1 : 0;
}

export function byName(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts);
}

/** `bridge`, or `set-ID` for a collector set. */
export function exporterLabels({ bridge, collectorSetId }: ListedExporter) {
  return { bridge, exporter: collectorSetId === undefined ? 'bridge' : `set-${collectorSetId}` };
}

export function one(
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (document: StatusDocument) => number,
  labels: readonly string[] = [],
  labelsOf: (document: StatusDocument) => MetricValue['labels'] = () => ({}),
): Metric {
  return {
    name,
    type,
    unit,
    help,
    labels,
    read: (document) => [{ labels: labelsOf(document), value: value(document) }],
  };
}

type Bridge = StatusDocument['bridges'][number];

export function perBridge(
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (bridge: Bridge) => number | undefined,
): Metric {
  return {
    name,
    type,
    unit,
    help,
    labels: BRIDGE_LABELS,
    read: ({ bridges }) => bridges.flatMap((bridge) => present({ bridge: bridge.bridge }, value(bridge))),
  };
}

/** Of the hook's meter (`exporter` is `bridge`), and of that of the sample actions of all sets (`sets`). */
export function perPool(
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (pool: Bridge['samplePool']) => number,
): Metric {
  return {
    name,
    type,
    unit,
    help,
    labels: EXPORTER_LABELS,
    read: ({ bridges }) =>
      bridges.flatMap(({ bridge, sampling, flowSampling, samplePool }) => [
        ...(sampling === undefined ? [] : present({ bridge, exporter: 'bridge' }, value(sampling.sampler))),
        ...(flowSampling.length === 0 ? [] : present({ bridge, exporter: 'sets' }, value(samplePool))),
      ]),
  };
}

export function perExporter(
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (listed: ListedExporter) => number | undefined,
): Metric {
  return {
    name,
    type,
    unit,
    help,
    labels: EXPORTER_LABELS,
    read: (document) =>
      listExporters(document).flatMap((listed) => present(exporterLabels(listed), value(listed))),
  };
}

export function perCollector(
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (collector: CollectorStatus) => number,
): Metric {
  return {
    name,
    type,
    unit,
    help,
    labels: COLLECTOR_LABELS,
    read: (document) =>
      collectors(document).flatMap(({ labels, collector }) => present(labels, value(collector))),
  };
}

export function collectors(document: StatusDocument) {
  return listExporters(document).flatMap((listed) =>
    listed.exporter.collectors.map((collector) => ({
      labels: { ...exporterLabels(listed), collector: collector.target },
      collector,
    })),
  );
}

function present(labels: MetricValue['labels'], value: number | undefined): readonly MetricValue[] {
  return value === undefined ? [] : [{ labels, value }];
}
