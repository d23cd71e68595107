// One table for each question that an operator asks of the exporters: which there are, what their caches hold, whom they
// send to, and how packets become samples. Each is made from the same document as `status`.

import { type ListedExporter, listExporters } from './exporter-list.ts';
import { problemLines } from './problem-lines.ts';
import type { StatusDocument } from './status-document.ts';
import { bytesText, numberText, type TableColumn, textTable } from './text-table.ts';

/** A table, and the part of the document that it shows. */
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
    const refused = cache.refused === 0 ? '' : `, ${cache.refused} samples refused`;
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
  const heads = columns('EXPORTER', 'COLLECTOR', 'STATE', '>MESSAGES', '>RECORDS', '>LOST', 'ERRORS');
  return table(document, heads, ({ label, exporter }) =>
    exporter.collectors.map((collector) => [
      label,
      collector.target,
      collector.state,
      String(collector.messagesSent),
      String(collector.recordsSent),
      String(collector.recordsLost),
      errorsText(collector.errors),
    ]),
  );
}

/** How packets become samples: the pool, what reached us, and what a sample stands for. */
export function samplingTable(document: StatusDocument): Table {
  const heads = columns(
    'EXPORTER',
    '>1 IN',
    '>POOL',
    '>RECEIVED',
    '>DROPPED',
    '>LOST',
    '>KEPT',
    '>WEIGHT',
    'MADE UP',
  );
  return table(document, heads, ({ label, pool, sampling: { sampler }, sampleWeight, collectorSetId }) => [
    [
      label,
      collectorSetId === undefined ? String(pool.interval) : 'flow',
      String(pool.poolPackets),
      String(sampler.received),
      String(pool.droppedByMeter),
      String(pool.lost),
      String(sampler.selected),
      sampleWeight === undefined ? 'flow' : numberText(sampleWeight),
      `x ${pool.expansion.toFixed(2)}, ${Math.round(pool.packetsGivenUp)} given up`,
    ],
  ]);
}

/** What is wrong, with remedies. */
export function problemsTable({ problems }: StatusDocument): Table {
  const lines = problems.flatMap((problem) => problemLines(problem));
  return { text: lines.length === 0 ? 'no problems' : lines.join('\n'), json: problems };
}

/** Counts by code, such as `ECONNREFUSED 3`. */
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

/** Column heads; one that begins with `>` stands at the right. */
export function columns(...heads: readonly string[]): readonly TableColumn[] {
  return heads.map((head) =>
    head.startsWith('>') ? { head: head.slice(1), align: 'right' } : { head, align: 'left' },
  );
}
