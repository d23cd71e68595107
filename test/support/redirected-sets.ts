// The set-up of the tests of redirected collector sets, and what they read: the rows that the daemon writes, and whether it has
// redirected them.

import { beforeEach } from 'node:test';
import type { FlowSamplingStatus } from '../../src/control/sampled-bridge-status.ts';
import type { Daemon, DaemonOptions } from './daemon.ts';
import type { FlowRecordSink } from './flow-records.ts';
import type { Ovs } from './ovs.ts';
import { type SampledFlows, sampledBridgeOf } from './sampled-flows.ts';
import { waitFor } from './wait.ts';
import { withSampledFlows } from './with-sampled-flows.ts';

/** The columns of a row that the daemon writes. */
const COLUMNS = ['targets', 'external_ids', 'cache_active_timeout', 'cache_max_flows'];
/** Milliseconds in which rows are redirected, also on a busy machine. */
const REDIRECTION_MS_MAX = 20_000;

/** Columns of a row with a cache. */
export const CACHED = ['cache_active_timeout=60', 'cache_max_flows=1000'];
const PROTOCOLS = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
/** Milliseconds in which a daemon is ready, also on a busy machine. */
const READY_MS_MAX = 20_000;

/** What a test has before it begins. */
export interface RedirectedSetsRunning {
  readonly ovs: Ovs;
  readonly sink: FlowRecordSink;
  readonly other: FlowRecordSink;
  /** br0, whose sampler is the datapath. */
  readonly bed: SampledFlows;
}

/** Starts Open vSwitch before the tests, and makes br0 for each; `run` starts a daemon, which ends after the test. */
export function withRedirectedSets(started: (running: RedirectedSetsRunning) => void) {
  let running: Omit<RedirectedSetsRunning, 'bed'>;
  const { makeFlows, startDaemon } = withSampledFlows(({ ovs, sinks: [sink, other] }) => {
    running = { ovs, sink, other };
  });
  beforeEach(async () => {
    const bed = await makeFlows(PROTOCOLS);
    await running.ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=datapath');
    started({ ...running, bed });
  });
  const run = (options: DaemonOptions = {}) => startDaemon({ readyTimeoutMs: READY_MS_MAX, ...options });
  return { run };
}

/** Returns these columns of the rows of users, each as a JSON text. */
export async function setRows(ovs: Ovs): Promise<readonly string[]> {
  const select = { op: 'select', table: 'IPFIX', where: [], columns: COLUMNS };
  const [{ rows: found } = { rows: [] }] = (await ovs.transact(select)) as { rows: readonly object[] }[];
  const texts = found.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))));
  return texts.filter((row) => !row.includes('ovs-ipfix-owner')).sort();
}

/** Waits until the rows of `count` sets of br0, all that it has, are redirected to the daemon. */
export async function waitForRedirection(daemon: Daemon, count = 1): Promise<readonly FlowSamplingStatus[]> {
  return waitFor(
    async () => {
      const { flowSampling, session } = await sampledBridgeOf(daemon);
      const redirected = flowSampling.filter(({ datapath }) => datapath?.port !== undefined);
      const isDone = redirected.length === count && session.translation.state === 'following';
      return isDone && (await daemon.appctl('ready')) !== '' && flowSampling;
    },
    { what: `${count} rows are redirected`, timeoutMs: REDIRECTION_MS_MAX },
  );
}
