// The metrics of exporters: the packets that they sample from, their caches and records.

import { listExporters, redirectedOf } from './exporter-list.ts';
import {
  byName,
  EXPORTER_LABELS,
  exporterLabels,
  flag,
  type Metric,
  missingSamples,
  perExporter,
  perMeter,
} from './metric.ts';

const MICROS = 1_000_000;

/** One value for each meter or exporter. */
export const EXPORTER_METRICS: readonly Metric[] = [
  perMeter(
    'ovs_ipfix_observed_packets_total',
    'counter',
    'packets',
    'Packets that the meter has counted (the sample pool)',
    ({ observedPackets }) => observedPackets,
  ),
  perMeter(
    'ovs_ipfix_observed_bytes_total',
    'counter',
    'bytes',
    'Octets of the frames in the sample pool',
    ({ observedOctets }) => observedOctets,
  ),
  perMeter(
    'ovs_ipfix_packet_ins_total',
    'counter',
    'packets',
    'Packet-ins that were received',
    ({ received }) => received,
  ),
  perMeter(
    'ovs_ipfix_packet_ins_dropped_total',
    'counter',
    'packets',
    'Packets that the meter dropped',
    ({ droppedByMeter }) => droppedByMeter,
  ),
  perMeter(
    // A gauge: packets that counted as lost are subtracted again when they arrive late.
    'ovs_ipfix_packet_ins_lost',
    'gauge',
    'packets',
    'Packets that passed the meter and did not arrive; less when one of them arrives late',
    ({ lost }) => lost,
  ),
  perMeter(
    'ovs_ipfix_packet_ins_surplus_total',
    'counter',
    'packets',
    'Packet-ins in addition to the packets that passed the meter: segments, on the kernel datapath',
    ({ surplusPackets }) => surplusPackets,
  ),
  perMeter(
    'ovs_ipfix_compensation_factor',
    'gauge',
    'ratio',
    'Packets of the sample pool that a packet-in represents; 1 when none is lost',
    ({ compensationFactor }) => compensationFactor,
  ),
  perMeter(
    'ovs_ipfix_octet_compensation_factor',
    'gauge',
    'ratio',
    'Octets of the sample pool that each octet of a packet-in represents; 1 when none is lost',
    ({ octetCompensationFactor }) => octetCompensationFactor,
  ),
  perMeter(
    'ovs_ipfix_pending_loss_packets',
    'gauge',
    'packets',
    'Lost packets that later samples still have to compensate; below 0 when they compensated too many',
    ({ pendingLossPackets }) => pendingLossPackets,
  ),
  perMeter(
    'ovs_ipfix_written_off_packets_total',
    'counter',
    'packets',
    'Lost packets that were not compensated in time; the exported counts are off by as many',
    ({ writtenOffPackets }) => writtenOffPackets,
  ),
  perMeter(
    'ovs_ipfix_pending_loss_bytes',
    'gauge',
    'bytes',
    'Octets of lost packets that later samples still have to compensate; below 0 when they compensated too many',
    ({ pendingLossOctets }) => pendingLossOctets,
  ),
  perMeter(
    'ovs_ipfix_written_off_bytes_total',
    'counter',
    'bytes',
    'Octets of lost packets that were not compensated in time; the exported counts are off by as many',
    ({ writtenOffOctets }) => writtenOffOctets,
  ),
  perMeter(
    'ovs_ipfix_ledger_restarts_total',
    'counter',
    'restarts',
    'Events that ended the account of the meter: a new meter, another rate, a lost connection',
    ({ restarts }) => Object.values(restarts).reduce((sum, count) => sum + count, 0),
  ),

  perExporter(
    'ovs_ipfix_sampling_interval',
    'gauge',
    'packets',
    'N of 1-in-N; absent for collector sets, whose sample actions have probabilities',
    ({ interval }) => interval,
  ),
  perExporter(
    'ovs_ipfix_sample_weight',
    'gauge',
    'packets',
    'Packets that a sample represents; absent for collector sets',
    ({ sampleWeight }) => sampleWeight,
  ),
  perExporter(
    'ovs_ipfix_samples_total',
    'counter',
    'samples',
    'Samples that were counted in flows or became records',
    ({ exporter }) => exporter.samples,
  ),
  {
    name: 'ovs_ipfix_samples_malformed_total',
    type: 'counter',
    unit: 'samples',
    labels: [...EXPORTER_LABELS, 'header'],
    help: 'Samples with a truncated or malformed header; they are counted in flows',
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
  perExporter(
    'ovs_ipfix_samples_ignored_total',
    'counter',
    'samples',
    'Samples that arrived while the exporter did not run',
    ({ exporter }) => exporter.samplesIgnored,
  ),
  perExporter(
    'ovs_ipfix_redirected',
    'gauge',
    '1 or 0',
    '1 while the row of a collector set is redirected, so that the datapath samples; absent for whole bridges',
    (item) => (item.collectorSetId === undefined ? undefined : flag(redirectedOf(item) !== undefined)),
  ),
  perExporter(
    'ovs_ipfix_redirected_records_total',
    'counter',
    'records',
    'Records of a redirected collector set, as received from ovs-vswitchd',
    (item) => redirectedOf(item)?.received,
  ),
  perExporter(
    'ovs_ipfix_redirected_samples_lost_total',
    'counter',
    'samples',
    'Samples of a redirected collector set that were missing when a later one arrived from ovs-vswitchd',
    (item) => {
      const redirected = redirectedOf(item);
      return redirected && missingSamples(redirected);
    },
  ),
  perExporter(
    'ovs_ipfix_redirected_refused_total',
    'counter',
    'datagrams',
    'Datagrams of other senders at the socket of a redirected collector set',
    (item) => redirectedOf(item)?.receiver.refused,
  ),
  perExporter(
    'ovs_ipfix_cache_flows',
    'gauge',
    'flows',
    'Flows in the cache',
    ({ exporter }) => exporter.cache.flows,
  ),
  perExporter(
    'ovs_ipfix_cache_flows_limit',
    'gauge',
    'flows',
    'Largest number of flows in the cache; 0 without a cache',
    ({ exporter }) => exporter.cache.flowsMax,
  ),
  perExporter(
    'ovs_ipfix_cache_active_timeout_seconds',
    'gauge',
    'seconds',
    'Active timeout; 0 without a cache',
    ({ exporter }) => exporter.cache.activeTimeoutMicros / MICROS,
  ),
  perExporter(
    'ovs_ipfix_cache_memory_bytes',
    'gauge',
    'bytes',
    'Memory of the cache with its index',
    ({ exporter }) => exporter.cache.memoryBytes,
  ),
  perExporter(
    'ovs_ipfix_cache_inserts_total',
    'counter',
    'samples',
    'Samples that created a flow',
    ({ exporter }) => exporter.cache.inserted,
  ),
  perExporter(
    'ovs_ipfix_cache_hits_total',
    'counter',
    'samples',
    'Samples that were added to a flow',
    ({ exporter }) => exporter.cache.aggregated,
  ),
  perExporter(
    'ovs_ipfix_cache_refused_total',
    'counter',
    'samples',
    'Samples of new flows that were refused for lack of memory; they are in no record',
    ({ exporter }) => exporter.cache.refused,
  ),
  perExporter(
    'ovs_ipfix_cache_memory_evictions_total',
    'counter',
    'flows',
    'Flows that were evicted at the memory limit of the caches; part of the records with lack_of_resources',
    ({ exporter }) => exporter.cache.expiredByFlowBytes,
  ),
  {
    name: 'ovs_ipfix_records_total',
    type: 'counter',
    unit: 'records',
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
    'messages',
    'Messages with records, each counted once for all collectors',
    ({ exporter }) => exporter.messages,
  ),
  perExporter(
    'ovs_ipfix_removed_collectors_records_lost_total',
    'counter',
    'records',
    'Records that were not sent to collectors that have been removed since',
    ({ exporter }) => exporter.removedCollectors.recordsLost,
  ),
  perExporter(
    'ovs_ipfix_collector_changes_total',
    'counter',
    'changes',
    'Times that a collector had failed or was used again, where one of several is chosen',
    ({ exporter }) => exporter.delivery?.changes,
  ),
  perExporter(
    'ovs_ipfix_message_max_bytes',
    'gauge',
    'bytes',
    'The longest message now: as configured, or less where the path to a collector is narrower',
    ({ exporter }) => exporter.messageBytesMax,
  ),
];
