// The tables of `ovs-appctl`: exporters, caches, collectors, sampling and conditions. Each is made from the status document.

import type { CollectorStatus } from '../export/collector-stream.ts';
import type { LossCompensationStatus } from '../intake/loss-compensation.ts';
import type { MeterLedgerStatus } from '../intake/meter-ledger.ts';
import { counted } from '../runtime/counted.ts';
import { conditionLines, omittedLines } from './condition-lines.ts';
import { type ListedExporter, listExporters, redirectedOf } from './exporter-list.ts';
import type { StatusDocument } from './status-document.ts';
import { bytesText, countText, numberText, type TableColumn, textTable } from './text-table.ts';

type Compensation = Pick<LossCompensationStatus, 'factor' | 'writtenOff'>;

/** A table, and the part of the document that it is made from. */
export interface Table {
  readonly text: string;
  readonly json: unknown;
}

/** The exporters and their counts. */
export function exportersTable(document: StatusDocument): Table {
  return table(
    document,
    columns('EXPORTER', '>SAMPLES', '>FLOWS', '>RECORDS', '>MESSAGES', 'COLLECTORS'),
    (listed) => {
      const { samples, cache, records, messages, collectors } = listed.exporter;
      const openCount = collectors.filter(({ state }) => state === 'open').length;
      return [
        [
          listed.label,
          String(samples),
          String(cache.flows),
          String(records.activeTimeout + records.lackOfResources + records.forcedEnd),
          String(messages),
          `${openCount} of ${collectors.length} open`,
        ],
      ];
    },
  );
}

/** The flow caches. */
export function cachesTable(document: StatusDocument): Table {
  const heads = columns(
    'CACHE',
    '>FLOWS',
    '>LIMIT',
    '>TIMEOUT',
    '>MEMORY',
    '>NEW',
    '>JOINED',
    'RECORDS BY REASON',
  );
  return table(document, heads, ({ label, exporter: { cache, options, records } }) => {
    const isOff = options.activeTimeoutSeconds === 0 || options.flowsMax === 0;
    const refused = cache.refused === 0 ? '' : `, ${counted(cache.refused, 'sample')} refused`;
    return [
      [
        label,
        String(cache.flows),
        isOff ? 'off' : String(options.flowsMax),
        isOff ? 'off' : `${options.activeTimeoutSeconds} s`,
        bytesText(cache.memoryBytes),
        String(cache.inserted),
        String(cache.aggregated),
        `${records.activeTimeout} active timeout, ${records.lackOfResources} lack of resources, ` +
          `${records.forcedEnd} forced end${refused}`,
      ],
    ];
  });
}

/** The collectors of each exporter. */
export function collectorsTable(document: StatusDocument): Table {
  const heads = columns(
    'EXPORTER',
    'COLLECTOR',
    'STATE',
    '>MESSAGES',
    '>RECORDS',
    '>LOST',
    '>UNKNOWN',
    '>WAITING',
    'ERRORS',
  );
  return table(document, heads, ({ label, exporter }) =>
    exporter.collectors.map((collector) => [
      label,
      collector.target,
      collectorState(collector),
      String(collector.messagesSent),
      String(collector.recordsSent),
      String(collector.recordsLost),
      String(collector.recordsDeliveryUnknown),
      String(collector.backlogCount),
      errorsText(collector.errors),
    ]),
  );
}

/** Formats the state of a collector, and that it gets no records where one of several is chosen. */
export function collectorState({ state, isInUse }: CollectorStatus): string {
  return isInUse ? state : `${state}, not used`;
}

/** How packets become samples: the sample pool, what arrived, the weight of a sample, and the compensation factor. */
export function samplingTable(document: StatusDocument): Table {
  const heads = columns(
    'EXPORTER',
    '>1 IN',
    '>OBSERVED',
    '>RECEIVED',
    '>DROPPED',
    '>LOST',
    '>KEPT',
    '>WEIGHT',
    'FACTOR',
  );
  return table(document, heads, (listed) => {
    const { label, meter, interval, sampling, sampleWeight } = listed;
    const redirected = redirectedOf(listed);
    const { received, selected } = sampling.sampler;
    const [observed, lost] =
      redirected === undefined
        ? [meter.observedPackets, meter.lost]
        : [received + redirected.samplesLost, redirected.samplesLost];
    return [
      [
        label,
        interval === undefined ? 'flow' : String(interval),
        countText(observed),
        countText(received),
        countText(redirected === undefined ? meter.droppedByMeter : 0),
        countText(lost),
        countText(selected),
        sampleWeight === undefined ? 'flow' : numberText(sampleWeight),
        factorText(redirected?.packetCompensation ?? compensationOf(meter)),
      ],
    ];
  });
}

/** Formats the compensation factor; packets that were written off follow, which folds the row. */
function factorText({ factor, writtenOff }: Compensation): string {
  const packets = Math.round(writtenOff);
  return packets === 0
    ? factor.toFixed(2)
    : `${factor.toFixed(2)}, ${counted(packets, 'packet')} written off`;
}

function compensationOf({ compensationFactor, writtenOffPackets }: MeterLedgerStatus): Compensation {
  return { factor: compensationFactor, writtenOff: writtenOffPackets };
}

/** The conditions, with their actions. */
export function conditionsTable({ conditions, conditionsOmitted }: StatusDocument): Table {
  const listed = conditions.flatMap((condition) => conditionLines(condition));
  const lines = [...listed, ...omittedLines(conditionsOmitted)];
  return { text: lines.length === 0 ? 'no conditions' : lines.join('\n'), json: conditions };
}

/** Formats counts by code, such as `ECONNREFUSED 3`. */
export function errorsText(errors: Readonly<Record<string, number>>): string {
  return Object.entries(errors)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
}

function table(
  document: StatusDocument,
  heads: readonly TableColumn[],
  rowsOf: (listed: ListedExporter) => readonly (readonly string[])[],
): Table {
  const listed = listExporters(document);
  const rows = listed.flatMap(rowsOf);
  return {
    text: rows.length === 0 ? 'nothing is exported' : textTable(heads, rows).join('\n'),
    json: listed,
  };
}

/** Makes column heads; those that begin with `>` are aligned right. */
export function columns(...heads: readonly string[]): readonly TableColumn[] {
  return heads.map((head) =>
    head.startsWith('>') ? { head: head.slice(1), align: 'right' } : { head, align: 'left' },
  );
}
