// The sums over all bridges, exporters and collectors that `coverage/show` and `memory/show` print.

import type { Counters } from './coverage.ts';
import { listExporters } from './exporter-list.ts';
import type { StatusDocument } from './status-document.ts';

/** Returns the counts of events. */
export function eventCounters(status: Pick<StatusDocument, 'bridges' | 'database'>): Counters {
  const listed = listExporters(status);
  const { bridges, database } = status;
  const sum = <Item>(items: readonly Item[], count: (item: Item) => number) =>
    items.reduce((total, item) => total + count(item), 0);
  const meters = bridges.flatMap(({ sampling, sampleActionMeter }) => [
    sampleActionMeter,
    ...(sampling === undefined ? [] : [sampling.sampler]),
  ]);
  const collectors = listed.flatMap(({ exporter }) => exporter.collectors);
  return {
    packet_in_received: sum(meters, ({ received }) => received),
    packet_in_dropped_by_meter: sum(meters, ({ droppedByMeter }) => droppedByMeter),
    packet_in_lost: sum(meters, ({ lost }) => lost),
    packet_in_unmanaged: sum(bridges, ({ unmanagedPacketIns }) => unmanagedPacketIns),
    sample_kept: sum(listed, ({ exporter }) => exporter.samples),
    sample_malformed: sum(
      listed,
      ({ exporter: { malformed } }) =>
        malformed.ethernet + malformed.ipHeader + malformed.ipv6Extension + malformed.transport,
    ),
    flow_inserted: sum(listed, ({ exporter }) => exporter.cache.inserted),
    flow_aggregated: sum(listed, ({ exporter }) => exporter.cache.aggregated),
    flow_refused: sum(listed, ({ exporter }) => exporter.cache.refused),
    record_active_timeout: sum(listed, ({ exporter }) => exporter.records.activeTimeout),
    record_lack_of_resources: sum(listed, ({ exporter }) => exporter.records.lackOfResources),
    record_forced_end: sum(listed, ({ exporter }) => exporter.records.forcedEnd),
    message_sent: sum(collectors, ({ messagesSent }) => messagesSent),
    message_lost: sum(collectors, ({ messagesLost }) => messagesLost),
    octets_sent: sum(collectors, ({ octetsSent }) => octetsSent),
    template_message_sent: sum(collectors, ({ templateMessages }) => templateMessages),
    hook_repaired: sum(bridges, ({ session }) => session.hookRepairs),
    flow_rewritten: sum(bridges, ({ session }) => session.translation.rewrites),
    database_session: database.upCount,
  };
}

/** Returns the counts of what uses memory, and bytes where they are known. */
export function memoryCounts(document: StatusDocument): Counters {
  const listed = listExporters(document);
  const collectors = listed.flatMap(({ exporter }) => exporter.collectors);
  const { program, bridges } = document;
  return {
    bridges: bridges.length,
    exporters: listed.length,
    collectors: collectors.length,
    flows: listed.reduce((total, { exporter }) => total + exporter.cache.flows, 0),
    'cache-bytes': listed.reduce((total, { exporter }) => total + exporter.cache.memoryBytes, 0),
    'messages-waiting': collectors.reduce((total, { backlogCount }) => total + backlogCount, 0),
    'heap-bytes': program.heapBytes,
    'resident-bytes': program.residentBytes,
  };
}
