// What tests of redirected collector sets read: the rows that the daemon writes, and whether it has redirected them.

import type { FlowSamplingStatus } from '../../src/control/sampled-bridge-status.ts';
import type { Daemon } from './daemon.ts';
import type { Ovs } from './ovs.ts';
import { sampledBridgeOf } from './sampled-flows.ts';
import { waitFor } from './wait.ts';

/** The columns of a row that the daemon writes. */
const COLUMNS = ['targets', 'external_ids', 'cache_active_timeout', 'cache_max_flows'];
/** Milliseconds in which rows are redirected, also on a busy machine. */
const REDIRECTION_MS_MAX = 20_000;

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
