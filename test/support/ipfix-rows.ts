// Writes IPFIX rows by ovs-vsctl, as an operator does, and waits until the daemon has applied a change: ovs-vsctl waits for
// ovs-vswitchd only.

import type { BridgeSamplingStatus, SampledBridgeStatus } from '../../src/control/sampled-bridge-status.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import type { Daemon } from './daemon.ts';
import type { Ovs } from './ovs.ts';
import { waitFor } from './wait.ts';

/** Columns of an IPFIX row besides the targets, as values of ovs-vsctl. */
export type RowColumns = Readonly<Record<string, string | number>>;

/** Creates a row for a bridge and returns its UUID. */
export async function createIpfixRow(
  ovs: Ovs,
  bridge: string,
  targets: readonly string[],
  columns: RowColumns = {},
): Promise<string> {
  const set = ['--', 'set', 'Bridge', bridge, 'ipfix=@i'];
  const create = ['--', '--id=@i', 'create', 'IPFIX', targetsArgument(targets), ...columnArguments(columns)];
  return (await ovs.vsctl(...set, ...create)).trim();
}

/** Changes columns of a row. */
export async function setIpfixRow(ovs: Ovs, row: string, columns: RowColumns): Promise<void> {
  await ovs.vsctl('set', 'IPFIX', row, ...columnArguments(columns));
}

/** Returns the argument that sets `targets`. */
export function targetsArgument(targets: readonly string[]): string {
  return targets.length === 0 ? 'targets=[]' : `targets=${targets.map((target) => `"${target}"`).join(',')}`;
}

function columnArguments(columns: RowColumns): string[] {
  return Object.entries(columns).map(([column, value]) => `${column}=${value}`);
}

/** Returns the document of `status json`. */
export async function daemonStatus(daemon: Daemon): Promise<StatusDocument> {
  return JSON.parse(await daemon.appctl('status', 'json')) as StatusDocument;
}

/** The status of a bridge that is sampled as a whole. */
export type WholeBridgeStatus = SampledBridgeStatus & BridgeSamplingStatus;

/** Returns the status of one bridge; undefined if it is not exported. */
export async function bridgeStatus(daemon: Daemon, bridge: string): Promise<WholeBridgeStatus | undefined> {
  const { bridges } = await daemonStatus(daemon);
  const status = bridges.find((each) => each.bridge === bridge);
  return status?.sampling && { ...status, ...status.sampling };
}

/** Waits until a bridge's status satisfies a condition, and returns it. */
export async function waitForBridge(
  daemon: Daemon,
  bridge: string,
  what: string,
  condition: (status: WholeBridgeStatus) => boolean,
  timeoutMs = 5000,
): Promise<WholeBridgeStatus> {
  return waitFor(
    async () => {
      const status = await bridgeStatus(daemon, bridge);
      return status !== undefined && condition(status) && status;
    },
    { what: `${bridge}: ${what}`, timeoutMs },
  );
}

/** Waits until the bridge is hooked and its row is adopted. */
export async function waitForHook(daemon: Daemon, bridge: string, timeoutMs = 5000): Promise<void> {
  await waitForBridge(
    daemon,
    bridge,
    'the hook is installed',
    (status) => status.session.hook === 'installed',
    timeoutMs,
  );
  await waitFor(async () => (await daemonStatus(daemon)).rows.state === 'idle', {
    what: 'rows are taken over',
  });
}

/** Waits until the daemon has its own rows for the bridge. */
export async function waitForOwnRows(daemon: Daemon, bridge: string): Promise<void> {
  await waitForBridge(daemon, bridge, 'own rows', ({ ownRows }) => ownRows?.collectorSetRow !== undefined);
}

/** Waits until a bridge is not exported any more. */
export async function waitForNoBridge(daemon: Daemon, bridge: string): Promise<void> {
  await waitFor(async () => (await bridgeStatus(daemon, bridge)) === undefined, {
    what: `nothing is exported for ${bridge}`,
  });
}

/** Creates a collector set of a bridge with its own IPFIX row. */
export async function createCollectorSet(
  ovs: Ovs,
  bridge: string,
  id: number,
  target: string,
  ...columns: readonly string[]
): Promise<void> {
  const create = ['--id=@i', 'create', 'IPFIX', `targets="${target}"`, ...columns];
  const set = ['create', 'Flow_Sample_Collector_Set', `id=${id}`, 'bridge=@b', 'ipfix=@i'];
  await ovs.vsctl('--id=@b', 'get', 'Bridge', bridge, '--', ...create, '--', ...set);
}

/** Creates a collector set of a bridge that refers to an existing IPFIX row, or to none. */
export async function addCollectorSet(ovs: Ovs, bridge: string, id: number, row?: string): Promise<void> {
  const columns = [`id=${id}`, 'bridge=@b', ...(row === undefined ? [] : [`ipfix=${row}`])];
  const set = ['create', 'Flow_Sample_Collector_Set', ...columns];
  await ovs.vsctl('--id=@b', 'get', 'Bridge', bridge, '--', ...set);
}
