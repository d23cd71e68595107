// The metrics of exporters: the packets that they sample from, their caches, records and collectors.

import { listExporters } from './exporter-list.ts';
import {
  byName,
  COLLECTOR_LABELS,
  collectors,
  EXPORTER_LABELS,
  exporterLabels,
  flag,
  type Metric,
  perCollector,
  perExporter,
  perPool,
} from './metric.ts';

const MICROS = 1_000_000;

/** One value for each meter, exporter or collector. */
export const EXPORTER_METRICS: readonly Metric[] = [
  perPool(
    'ovs_ipfix_pool_packets_total',
    'counter',
    'Packets that the meter was offered (the sample pool)',
    ({ poolPackets }) => poolPackets,
  ),
  perPool(
    'ovs_ipfix_pool_bytes_total',
    'counter',
    'Octets of the frames in the sample pool',
    ({ poolOctets }) => poolOctets,
  ),
  perPool(
    'ovs_ipfix_packet_ins_total',
    'counter',
    'Packet-ins that were received',
    ({ received }) => received,
  ),
  perPool(
    'ovs_ipfix_packet_ins_dropped_total',
    'counter',
    'Packets that the meter dropped',
    ({ droppedByMeter }) => droppedByMeter,
  ),
  perPool(
    'ovs_ipfix_packet_ins_lost_total',
    'counter',
    'Packets that passed the meter and never came',
    ({ lost }) => lost,
  ),
  perPool(
    'ovs_ipfix_pool_expansion_ratio',
    'gauge',
    'Packets of the pool that one which arrives stands for; 1 when none is missing',
    ({ expansion }) => expansion,
  ),
  perPool(
    'ovs_ipfix_packets_given_up_total',
    'counter',
    'Missing packets that could not be made up for',
    ({ packetsGivenUp }) => packetsGivenUp,
  ),

  perExporter(
    'ovs_ipfix_sampling_interval',
    'gauge',
    'N of 1-in-N; absent for collector sets, whose sample actions have probabilities',
    (listed) => (listed.collectorSetId === undefined ? listed.pool.interval : undefined),
  ),
  perExporter(
    'ovs_ipfix_sample_weight',
    'gauge',
    'Packets that a kept sample stands for; absent for collector sets',
    ({ sampleWeight }) => sampleWeight,
  ),
  perExporter(
    'ovs_ipfix_samples_total',
    'counter',
    'Samples that were counted in flows or became records',
    ({ exporter }) => exporter.samples,
  ),
  {
    name: 'ovs_ipfix_samples_malformed_total',
    type: 'counter',
    labels: [...EXPORTER_LABELS, 'header'],
    help: 'Samples with a header that was cut or impossible; counted in flows all the same',
    read: (document) =>
      listExporters(document).flatMap((listed) => {
        const { ethernet, ipHeader, ipv6Extension, transport } = listed.exporter.malformed;
        return byName({ ethernet, ip: ipHeader, ipv6_extension: ipv6Extension, transport }).map(
          ([header, value]) => ({
            labels: { ...exporterLabels(listed), header },
            value,
          }),
        );
      }),
  },
  perExporter('ovs_ipfix_cache_flows', 'gauge', 'Flows in the cache', ({ exporter }) => exporter.cache.flows),
  perExporter(
    'ovs_ipfix_cache_flows_limit',
    'gauge',
    'Flows that the cache holds at most; 0 without a cache',
    ({ exporter }) => exporter.cache.flowsMax,
  ),
  perExporter(
    'ovs_ipfix_cache_active_timeout_seconds',
    'gauge',
    'Active timeout; 0 without a cache',
    ({ exporter }) => exporter.cache.activeTimeoutMicros / MICROS,
  ),
  perExporter(
    'ovs_ipfix_cache_memory_bytes',
    'gauge',
    'Memory of the cache with its index',
    ({ exporter }) => exporter.cache.memoryBytes,
  ),
  perExporter(
    'ovs_ipfix_cache_inserts_total',
    'counter',
    'Samples that began a flow',
    ({ exporter }) => exporter.cache.inserted,
  ),
  perExporter(
    'ovs_ipfix_cache_hits_total',
    'counter',
    'Samples that joined a flow',
    ({ exporter }) => exporter.cache.aggregated,
  ),
  perExporter(
    'ovs_ipfix_cache_refused_total',
    'counter',
    'Samples of new flows for which there was no memory',
    ({ exporter }) => exporter.cache.refused,
  ),
  {
    name: 'ovs_ipfix_records_total',
    type: 'counter',
    labels: [...EXPORTER_LABELS, 'reason'],
    help: 'Flow records by flowEndReason',
    read: (document) =>
      listExporters(document).flatMap((listed) => {
        const { activeTimeout, lackOfResources, forcedEnd } = listed.exporter.records;
        const reasons = {
          active_timeout: activeTimeout,
          lack_of_resources: lackOfResources,
          forced_end: forcedEnd,
        };
        return byName(reasons).map(([reason, value]) => ({
          labels: { ...exporterLabels(listed), reason },
          value,
        }));
      }),
  },
  perExporter(
    'ovs_ipfix_messages_total',
    'counter',
    'Messages with records, each counted once for all collectors',
    ({ exporter }) => exporter.messages,
  ),

  perCollector(
    'ovs_ipfix_collector_open',
    'gauge',
    '1 when messages can be sent to the collector',
    ({ state }) => flag(state === 'open'),
  ),
  perCollector(
    'ovs_ipfix_collector_messages_total',
    'counter',
    'Messages that were handed to the network',
    ({ messagesSent }) => messagesSent,
  ),
  perCollector(
    'ovs_ipfix_collector_records_total',
    'counter',
    'Records in these messages',
    ({ recordsSent }) => recordsSent,
  ),
  perCollector(
    'ovs_ipfix_collector_bytes_total',
    'counter',
    'Octets of these messages',
    ({ octetsSent }) => octetsSent,
  ),
  perCollector(
    'ovs_ipfix_collector_messages_lost_total',
    'counter',
    'Messages that were not sent',
    ({ messagesLost }) => messagesLost,
  ),
  perCollector(
    'ovs_ipfix_collector_records_lost_total',
    'counter',
    'Records in these messages',
    ({ recordsLost }) => recordsLost,
  ),
  perCollector(
    'ovs_ipfix_collector_template_messages_total',
    'counter',
    'Messages with templates',
    ({ templateMessages }) => templateMessages,
  ),
  perCollector(
    'ovs_ipfix_collector_backlog_messages',
    'gauge',
    'Messages that wait for the network',
    ({ backlogCount }) => backlogCount,
  ),
  perCollector(
    'ovs_ipfix_collector_connections_total',
    'counter',
    'Sockets that were made',
    ({ connectionCount }) => connectionCount,
  ),
  {
    name: 'ovs_ipfix_collector_errors_total',
    type: 'counter',
    labels: [...COLLECTOR_LABELS, 'error'],
    help: 'Errors of the system by its code, and BACKLOG for a full backlog',
    read: (document) =>
      collectors(document).flatMap(({ labels, collector }) =>
        byName(collector.errors).map(([error, value]) => ({ labels: { ...labels, error }, value })),
      ),
  },
];
