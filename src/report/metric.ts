// The definition of a metric, and its kinds: one value for the daemon, or one for each bridge, meter, exporter or collector.

import type { SamplingGapsStatus } from '../control/gap-record.ts';
import type { BridgeInterfaces } from '../control/sampled-bridge-parts.ts';
import type { CollectorStatus } from '../export/collector-stream.ts';
import type { ExporterAccountStatus } from '../intake/exporter-account.ts';
import { type ListedExporter, listExporters } from './exporter-list.ts';
import type { StatusDocument } from './status-document.ts';

/** One value with its labels. */
export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  /** The unit in words; `1 or 0` for a yes or no. */
  readonly unit: string;
  readonly labels: readonly string[];
  /** A sentence without a full stop. */
  readonly help: string;
  readonly read: (
    document: StatusDocument,
    interfaces: readonly BridgeInterfaces[],
  ) => readonly MetricValue[];
}

const BRIDGE_LABELS: readonly string[] = ['bridge'];
export const EXPORTER_LABELS: readonly string[] = ['bridge', 'exporter'];
export const COLLECTOR_LABELS: readonly string[] = ['bridge', 'exporter', 'collector'];

/** Samples that were missing when a later one arrived: unlike those that are lost, they do not become fewer when one arrives late. */
export function missingSamples(account: Pick<ExporterAccountStatus, 'samplesLost' | 'samplesLate'>): number {
  return account.samplesLost + account.samplesLate;
}

export function flag(isSo: boolean): number {
  return isSo ? 1 : 0;
}

export function byName(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts);
}

/** `bridge`, or `set-ID` for a collector set. */
export function exporterLabels({
  bridge,
  collectorSetId,
}: Pick<ListedExporter, 'bridge' | 'collectorSetId'>) {
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

/** An item with a value of its own, and the labels that identify it. */
interface Labelled<Item> {
  readonly labels: MetricValue['labels'];
  readonly item: Item;
}

/** Makes metrics with a value for each item; an item without a value is left out. */
type MetricMaker<Item> = (
  name: string,
  type: Metric['type'],
  unit: string,
  help: string,
  value: (item: Item) => number | undefined,
) => Metric;

function perItem<Item>(
  labels: readonly string[],
  itemsOf: (document: StatusDocument) => readonly Labelled<Item>[],
): MetricMaker<Item> {
  return (name, type, unit, help, valueOf) => ({
    name,
    type,
    unit,
    help,
    labels,
    read: (document) =>
      itemsOf(document).flatMap(({ labels: own, item }) => {
        const value = valueOf(item);
        return value === undefined ? [] : [{ labels: own, value }];
      }),
  });
}

export const perBridge = perItem<Bridge>(BRIDGE_LABELS, ({ bridges }) =>
  bridges.map((item) => ({ labels: { bridge: item.bridge }, item })),
);

/** Of the hook's meter (`exporter` is `bridge`), and of the meter of the sample actions of all sets (`sets`). */
export const perMeter = perItem<Bridge['sampleActionMeter']>(EXPORTER_LABELS, ({ bridges }) =>
  bridges.flatMap(({ bridge, sampling, flowSampling, sampleActionMeter }) => [
    ...(sampling === undefined ? [] : [{ labels: { bridge, exporter: 'bridge' }, item: sampling.sampler }]),
    ...(flowSampling.length === 0 ? [] : [{ labels: { bridge, exporter: 'sets' }, item: sampleActionMeter }]),
  ]),
);

/** Of bridges as a whole (`exporter` is `bridge`), and of their collector sets. */
export const perGaps = perItem<SamplingGapsStatus>(EXPORTER_LABELS, ({ bridges }) =>
  bridges.flatMap(({ bridge, gaps, flowSampling }) => [
    { labels: { bridge, exporter: 'bridge' }, item: gaps },
    ...flowSampling.flatMap((set) =>
      set.gaps === undefined ? [] : [{ labels: exporterLabels({ bridge, ...set }), item: set.gaps }],
    ),
  ]),
);

export const perExporter = perItem<ListedExporter>(EXPORTER_LABELS, (document) =>
  listExporters(document).map((item) => ({ labels: exporterLabels(item), item })),
);

export const perCollector = perItem<CollectorStatus>(COLLECTOR_LABELS, collectors);

/** Returns the collectors of all exporters. */
export function collectors(document: StatusDocument): readonly Labelled<CollectorStatus>[] {
  return listExporters(document).flatMap((listed) =>
    listed.exporter.collectors.map((collector) => ({
      labels: { ...exporterLabels(listed), collector: collector.target },
      item: collector,
    })),
  );
}
