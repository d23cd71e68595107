// The metrics of the daemon and of the bridges. Names and units follow Prometheus's conventions; docs/metrics.md has all
// of them for operators.

import { flag, type Metric, type MetricValue, one, perBridge } from './metric.ts';
import type { StatusDocument } from './status-document.ts';

/** One value each, or one for each bridge. */
export const DAEMON_METRICS: readonly Metric[] = [
  one(
    'ovs_ipfix_build_info',
    'gauge',
    'Always 1; the label has the version of the program',
    () => 1,
    ['version'],
    (document) => ({
      version: document.program.version,
    }),
  ),
  one('ovs_ipfix_ready', 'gauge', '1 when everything that is configured is exported, else 0', ({ missing }) =>
    flag(missing.length === 0),
  ),
  one(
    'ovs_ipfix_database_connected',
    'gauge',
    '1 when the copy of the database is that of a live connection',
    ({ database }) => flag(database.isSynced),
  ),
  one('ovs_ipfix_database_lock_held', 'gauge', '1 when this daemon is the active one', ({ database }) =>
    flag(database.lock === 'held'),
  ),
  one(
    'ovs_ipfix_database_sessions_total',
    'counter',
    'Sessions with the database',
    ({ database }) => database.upCount,
  ),
  one(
    'ovs_ipfix_log_lines_lost_total',
    'counter',
    'Lines of the log that could not be written',
    ({ program }) => program.logLinesLost,
  ),
  {
    name: 'ovs_ipfix_problems',
    type: 'gauge',
    labels: ['severity', 'code'],
    help: 'Problems that an operator can mend, by code',
    read: readProblems,
  },

  perBridge('ovs_ipfix_bridge_connected', 'gauge', '1 when the OpenFlow connection is up', ({ session }) =>
    flag(session.connection.state === 'up' || session.connection.state === 'probing'),
  ),
  perBridge(
    'ovs_ipfix_hook_in_place',
    'gauge',
    '1 when all that the daemon has on the bridge is in place',
    ({ session }) => flag(session.hook === 'in place'),
  ),
  perBridge(
    'ovs_ipfix_hook_repairs_total',
    'counter',
    'Times that somebody else changed the hook or a meter, and it was put back',
    ({ session }) => session.hookRepairs,
  ),
  perBridge(
    'ovs_ipfix_flow_rewrites_total',
    'counter',
    'Flows and groups whose sample actions were rewritten',
    ({ session }) => session.translation.rewrites + session.groupRewrites,
  ),
  perBridge(
    'ovs_ipfix_packet_in_rate_limit',
    'gauge',
    'Packet-ins a second that each meter lets pass; absent without meters',
    ({ session }) => session.meterRate,
  ),
  perBridge(
    'ovs_ipfix_foreign_packet_ins_total',
    'counter',
    'Packet-ins of nothing that is exported now',
    ({ foreignPacketIns }) => foreignPacketIns,
  ),

  one(
    'process_cpu_seconds_total',
    'counter',
    'Processor time of the daemon in user and system mode',
    ({ program }) => program.cpuSeconds,
  ),
  one(
    'process_resident_memory_bytes',
    'gauge',
    'Resident memory of the daemon',
    ({ program }) => program.residentBytes,
  ),
  one(
    'process_start_time_seconds',
    'gauge',
    'When the daemon was started, seconds since 1970',
    ({ program }) => Date.parse(program.startTime) / 1000,
  ),
];

function readProblems({ problems }: StatusDocument): readonly MetricValue[] {
  const counts = new Map<string, { severity: string; code: string; count: number }>();
  for (const { severity, code } of problems) {
    const known = counts.get(`${severity} ${code}`);
    counts.set(`${severity} ${code}`, { severity, code, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].map(({ severity, code, count }) => ({
    labels: { severity, code },
    value: count,
  }));
}
