// The metrics of collectors: what was sent to them, what was lost, and whether they work.

import { byName, COLLECTOR_LABELS, collectors, flag, type Metric, perCollector } from './metric.ts';

/** One value for each collector of each exporter. */
export const COLLECTOR_METRICS: readonly Metric[] = [
  perCollector(
    'ovs_ipfix_collector_open',
    'gauge',
    '1 or 0',
    '1 when messages are sent to the collector, and no error reports that they do not arrive',
    ({ state }) => flag(state === 'open'),
  ),
  perCollector(
    'ovs_ipfix_collector_in_use',
    'gauge',
    '1 or 0',
    '1 when the collector gets records, 0 when others that work get them',
    ({ isInUse }) => flag(isInUse),
  ),
  perCollector(
    'ovs_ipfix_collector_messages_total',
    'counter',
    'messages',
    'Messages that were sent',
    ({ messagesSent }) => messagesSent,
  ),
  perCollector(
    'ovs_ipfix_collector_records_total',
    'counter',
    'records',
    'Records that were sent',
    ({ recordsSent }) => recordsSent,
  ),
  perCollector(
    'ovs_ipfix_collector_bytes_total',
    'counter',
    'bytes',
    'Octets of the messages that were sent',
    ({ octetsSent }) => octetsSent,
  ),
  perCollector(
    'ovs_ipfix_collector_messages_lost_total',
    'counter',
    'messages',
    'Messages that were not sent',
    ({ messagesLost }) => messagesLost,
  ),
  {
    name: 'ovs_ipfix_collector_records_lost_total',
    type: 'counter',
    unit: 'records',
    labels: [...COLLECTOR_LABELS, 'cause'],
    help: 'Records that were not sent, by cause',
    read: (document) =>
      collectors(document).flatMap(({ labels, item: { recordsLostBy } }) => {
        const causes = {
          queue_full: recordsLostBy.queueFull,
          not_connected: recordsLostBy.notConnected,
          send_error: recordsLostBy.sendError,
          stop: recordsLostBy.stop,
        };
        return byName(causes).map(([cause, value]) => ({ labels: { ...labels, cause }, value }));
      }),
  },
  perCollector(
    'ovs_ipfix_collector_delivery_unknown_records_total',
    'counter',
    'records',
    'Records that were sent, and may not have arrived because a connection broke, or the collector failed',
    ({ recordsDeliveryUnknown }) => recordsDeliveryUnknown,
  ),
  perCollector(
    'ovs_ipfix_collector_template_messages_total',
    'counter',
    'messages',
    'Messages with templates',
    ({ templateMessages }) => templateMessages,
  ),
  perCollector(
    'ovs_ipfix_collector_options_records_total',
    'counter',
    'records',
    'Options records that were sent',
    ({ optionsRecordsSent }) => optionsRecordsSent,
  ),
  perCollector(
    'ovs_ipfix_collector_backlog_messages',
    'gauge',
    'messages',
    'Messages in the send queue',
    ({ backlogCount }) => backlogCount,
  ),
  perCollector(
    'ovs_ipfix_collector_backlog_bytes',
    'gauge',
    'bytes',
    'Memory of the messages in the send queue',
    ({ backlogBytes }) => backlogBytes,
  ),
  perCollector(
    'ovs_ipfix_collector_path_mtu_bytes',
    'gauge',
    'bytes',
    'MTU of the path to the collector, where it is known',
    ({ pathMtu }) => pathMtu,
  ),
  perCollector(
    'ovs_ipfix_collector_connections_total',
    'counter',
    'sockets',
    'Sockets that were opened',
    ({ connectionCount }) => connectionCount,
  ),
  perCollector(
    'ovs_ipfix_collector_files_total',
    'counter',
    'files',
    'Files that were completed, where the target is a file',
    ({ files }) => files?.written,
  ),
  perCollector(
    'ovs_ipfix_collector_files_removed_total',
    'counter',
    'files',
    'Files of the target that were removed to make room for the next',
    ({ files }) => files?.removed,
  ),
  {
    name: 'ovs_ipfix_collector_errors_total',
    type: 'counter',
    unit: 'errors',
    labels: [...COLLECTOR_LABELS, 'error'],
    help: 'System errors by code, and BACKLOG for a full send queue',
    read: (document) =>
      collectors(document).flatMap(({ labels, item }) =>
        byName(item.errors).map(([error, value]) => ({ labels: { ...labels, error }, value })),
      ),
  },
];
