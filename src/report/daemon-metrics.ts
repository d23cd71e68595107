// The metrics of the daemon and of the bridges. Names and units follow Prometheus's conventions; docs/metrics.md lists all
// metrics.

import { PROBABILITY_ALL } from '../intake/sampler.ts';
import { flag, type Metric, type MetricValue, missingSamples, one, perBridge, perGaps } from './metric.ts';
import type { StatusDocument } from './status-document.ts';

/** Each state is a series, so that a rule can select one by name. */
const LOCK_STATES: readonly StatusDocument['database']['lock'][] = ['none', 'waiting', 'held', 'lost'];

/** One value each, or one for each bridge. */
export const DAEMON_METRICS: readonly Metric[] = [
  one(
    'ovs_ipfix_build_info',
    'gauge',
    '1 or 0',
    'Always 1; the label is the version of the program',
    () => 1,
    ['version'],
    (document) => ({
      version: document.program.version,
    }),
  ),
  one(
    'ovs_ipfix_ready',
    'gauge',
    '1 or 0',
    '1 when everything that is configured is exported, else 0',
    ({ missing }) => flag(missing.length === 0),
  ),
  one(
    'ovs_ipfix_database_connected',
    'gauge',
    '1 or 0',
    '1 when the copy of the database is in sync over a live connection',
    ({ database }) => flag(database.isSynced),
  ),
  {
    name: 'ovs_ipfix_database_lock_state',
    type: 'gauge',
    unit: '1 or 0',
    labels: ['state'],
    help: 'The lock of the active daemon: 1 for its state (held: this daemon is the active one), 0 for the others',
    read: ({ database }) =>
      LOCK_STATES.map((state) => ({ labels: { state }, value: flag(database.lock === state) })),
  },
  one(
    'ovs_ipfix_database_sessions_total',
    'counter',
    'sessions',
    'Sessions with the database',
    ({ database }) => database.upCount,
  ),
  one(
    'ovs_ipfix_samples_not_active_total',
    'counter',
    'samples',
    'Samples dropped because another daemon was the active one, which has processed them or has them in a gap',
    ({ database }) => database.samples.notActive,
  ),
  one(
    'ovs_ipfix_samples_dropped_total',
    'counter',
    'samples',
    'Samples lost because too many waited for the proof that this daemon is the active one',
    ({ database }) => database.samples.dropped,
  ),
  one(
    'ovs_ipfix_log_lines_lost_total',
    'counter',
    'lines',
    'Lines of the log that could not be written',
    ({ program }) => program.logLinesLost,
  ),
  one(
    'ovs_ipfix_system_errors_total',
    'counter',
    'errors',
    'Errors of the operating system, such as no free file descriptor, that no other metric counts',
    ({ program }) => program.systemErrors.count,
  ),
  {
    name: 'ovs_ipfix_conditions',
    type: 'gauge',
    unit: 'conditions',
    labels: ['severity', 'code'],
    help: 'Conditions that an operator can correct and status lists, by code',
    read: readConditions,
  },
  one(
    'ovs_ipfix_conditions_omitted',
    'gauge',
    'conditions',
    'Conditions beyond those that status lists',
    ({ conditionsOmitted }) => conditionsOmitted,
  ),

  perBridge(
    'ovs_ipfix_bridge_connected',
    'gauge',
    '1 or 0',
    '1 when the OpenFlow connection is up',
    ({ session }) => flag(session.connection.state === 'up' || session.connection.state === 'probing'),
  ),
  perBridge(
    'ovs_ipfix_bridge_sessions_total',
    'counter',
    'sessions',
    'OpenFlow sessions with the bridge',
    ({ session }) => session.connection.upCount,
  ),
  perBridge(
    'ovs_ipfix_hook_installed',
    'gauge',
    '1 or 0',
    '1 when the hook and its meters are installed on the bridge',
    ({ session }) => flag(session.hook === 'installed'),
  ),
  perBridge(
    'ovs_ipfix_hook_repairs_total',
    'counter',
    'repairs',
    'Times that the hook or a meter was missing or modified, and was reinstalled',
    ({ session }) => session.hookRepairs,
  ),
  perGaps(
    'ovs_ipfix_unsampled_seconds_total',
    'counter',
    'seconds',
    'Time in which packets of the bridge or the set did not reach the daemon, which should have exported them',
    ({ seconds }) => seconds,
  ),
  perGaps(
    'ovs_ipfix_unsampled_gaps_total',
    'counter',
    'gaps',
    'Gaps in which packets of the bridge or the set did not reach the daemon; the log has each',
    ({ count }) => count,
  ),
  perBridge(
    'ovs_ipfix_flow_rewrites_total',
    'counter',
    'rewrites',
    'Flows whose sample actions were rewritten',
    ({ session }) => session.translation.rewrites + session.translation.groupRewrites,
  ),
  perBridge(
    'ovs_ipfix_flows_refused',
    'gauge',
    'flows',
    'Flows with sample actions that the switch refused to have rewritten; they are not sampled',
    ({ session }) => session.translation.refused,
  ),
  perBridge(
    'ovs_ipfix_flows_ignored_total',
    'counter',
    'flows',
    'Times that a flow with sample actions was ignored, because there are too many',
    ({ session }) => session.translation.ignored,
  ),
  perBridge(
    'ovs_ipfix_flow_changes_restored_total',
    'counter',
    'modifications',
    'Modifications of flows by other clients that a rewriting replaced, and that were written back',
    ({ session }) => session.translation.restored,
  ),
  perBridge(
    'ovs_ipfix_flow_changes_lost_total',
    'counter',
    'modifications',
    'Modifications of flows by other clients that a rewriting replaced, and that are lost',
    ({ session }) => session.translation.lost,
  ),
  perBridge(
    'ovs_ipfix_packet_in_rate_limit',
    'gauge',
    'packets/s',
    'Rate of each meter; absent without meters',
    ({ session }) => session.meterRate,
  ),
  perBridge(
    'ovs_ipfix_unmanaged_packet_ins_total',
    'counter',
    'packets',
    'Packet-ins that belong to no row that is exported now',
    ({ unmanagedPacketIns }) => unmanagedPacketIns,
  ),
  perBridge(
    'ovs_ipfix_datapath_sampling',
    'gauge',
    '1 or 0',
    '1 when the datapath samples the packets of the bridge; absent where ovs-ipfix-sampler is packet-in',
    ({ samplerChoice }) => samplerChoice && flag(samplerChoice.sampler === 'datapath'),
  ),
  perBridge(
    'ovs_ipfix_datapath_path_good',
    'gauge',
    '1 or 0',
    '1 when samples of the datapath reach the daemon',
    ({ samplerChoice }) => samplerChoice && flag(samplerChoice.path === 'good'),
  ),
  perBridge(
    'ovs_ipfix_datapath_probability',
    'gauge',
    'ratio',
    'Share of the packets that the datapath samples, or would',
    ({ samplerChoice }) => samplerChoice && samplerChoice.probability / PROBABILITY_ALL,
  ),
  perBridge(
    'ovs_ipfix_datapath_sampler_changes_total',
    'counter',
    'changes',
    'Changes between the two samplers',
    ({ samplerChoice }) => samplerChoice?.changes,
  ),
  perBridge(
    'ovs_ipfix_datapath_records_total',
    'counter',
    'records',
    'Records of packets that the datapath has sampled, as received from ovs-vswitchd',
    ({ sampling }) => sampling?.datapath?.received,
  ),
  perBridge(
    'ovs_ipfix_datapath_samples_total',
    'counter',
    'samples',
    'Records of the datapath that were kept as samples',
    ({ sampling }) => sampling?.datapath?.selected,
  ),
  perBridge(
    'ovs_ipfix_datapath_samples_lost_total',
    'counter',
    'samples',
    'Samples of the datapath that were missing when a later one arrived from ovs-vswitchd',
    ({ sampling }) => sampling?.datapath && missingSamples(sampling.datapath),
  ),
  perBridge(
    'ovs_ipfix_datapath_samples_late_total',
    'counter',
    'samples',
    'Samples of the datapath that arrived behind later ones, and so are not lost',
    ({ sampling }) => sampling?.datapath?.samplesLate,
  ),
  perBridge(
    'ovs_ipfix_datapath_tail_samples',
    'gauge',
    'samples',
    'Samples that ovs-vswitchd has sent after the newest one to arrive, more than a second ago',
    ({ sampling }) => sampling?.datapath?.tail.samples,
  ),
  perBridge(
    'ovs_ipfix_datapath_refused_total',
    'counter',
    'datagrams',
    'Datagrams of other senders at the socket for samples',
    ({ ownRows }) => ownRows?.receiver.refused,
  ),
  {
    name: 'ovs_ipfix_datapath_upcalls_lost_total',
    type: 'counter',
    unit: 'packets',
    labels: ['datapath'],
    help: 'Flow misses and samples that the datapath could not hand to ovs-vswitchd: an upper bound of the samples lost there',
    read: ({ upcalls }) => upcalls.map(({ datapath, lost }) => ({ labels: { datapath }, value: lost })),
  },
  perBridge(
    'ovs_ipfix_interfaces',
    'gauge',
    'interfaces',
    'Interfaces of the bridge with an OpenFlow port',
    ({ interfaces }) => interfaces.count,
  ),
  perBridge(
    'ovs_ipfix_unknown_interface_samples_total',
    'counter',
    'samples',
    'Samples of the format extended from an OpenFlow port that no interface in the database has',
    ({ interfaces }) => interfaces.unknownLookups,
  ),

  one(
    'ovs_ipfix_event_loop_busy_seconds_total',
    'counter',
    'seconds',
    'Time in which the event loop did not wait for input; packets wait when its rate comes near 1',
    ({ program }) => program.eventLoopBusySeconds,
  ),
  one(
    'ovs_ipfix_heap_bytes',
    'gauge',
    'bytes',
    'Memory of JavaScript objects, without the caches',
    ({ program }) => program.heapBytes,
  ),
  one(
    'process_cpu_seconds_total',
    'counter',
    'seconds',
    'Processor time of the daemon in user and system mode',
    ({ program }) => program.cpuSeconds,
  ),
  one(
    'process_resident_memory_bytes',
    'gauge',
    'bytes',
    'Resident memory of the daemon',
    ({ program }) => program.residentBytes,
  ),
  one(
    'process_start_time_seconds',
    'gauge',
    'seconds',
    'When the daemon was started, seconds since 1970',
    ({ program }) => Date.parse(program.startTime) / 1000,
  ),
];

function readConditions({ conditions }: StatusDocument): readonly MetricValue[] {
  const counts = new Map<string, { severity: string; code: string; count: number }>();
  for (const { severity, code } of conditions) {
    const known = counts.get(`${severity} ${code}`);
    counts.set(`${severity} ${code}`, { severity, code, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].map(({ severity, code, count }) => ({
    labels: { severity, code },
    value: count,
  }));
}
