// IPFIX rows as an operator writes them with ovs-vsctl, and waiting until the daemon has taken a change in: ovs-vsctl
// waits for ovs-vswitchd, and the daemon hears of the change at its own pace.

import type { BridgeSamplingStatus, SampledBridgeStatus } from '../../src/control/sampled-bridge.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import type { Daemon } from './daemon.ts';
import type { Ovs } from './ovs.ts';
import { waitFor } from './wait.ts';

/** Columns of an IPFIX row beside the targets, in ovs-vsctl's words. */
export type RowColumns = Readonly<Record<string, string | number>>;

/** Creates a row for a bridge and gives back its UUID. */
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

/** The argument that sets `targets`. */
export function targetsArgument(targets: readonly string[]): string {
  return targets.length === 0 ? 'targets=[]' : `targets=${targets.map((target) => `"${target}"`).join(',')}`;
}

function columnArguments(columns: RowColumns): string[] {
  return Object.entries(columns).map(([column, value]) => `${column}=${value}`);
}

/** What the daemon says of itself by `status json`. */
export async function daemonStatus(daemon: Daemon): Promise<StatusDocument> {
  return JSON.parse(await daemon.appctl('status', 'json')) as StatusDocument;
}

/** A bridge that is sampled as a whole. */
export type WholeBridgeStatus = SampledBridgeStatus & BridgeSamplingStatus;

/** The status of one bridge; undefined when nothing is exported for it. */
export async function bridgeStatus(daemon: Daemon, bridge: string): Promise<WholeBridgeStatus | undefined> {
  const { bridges } = await daemonStatus(daemon);
  const status = bridges.find((each) => each.bridge === bridge);
  return status?.sampling && { ...status, ...status.sampling };
}

/** Waits until a bridge's status fulfils a condition, and gives it back. */
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

/** Waits until the bridge is hooked and its row taken over. */
export async function waitForHook(daemon: Daemon, bridge: string, timeoutMs = 5000): Promise<void> {
  await waitForBridge(
    daemon,
    bridge,
    'hook in place',
    (status) => status.session.hook === 'installed',
    timeoutMs,
  );
  await waitFor(async () => (await daemonStatus(daemon)).rows.state === 'idle', {
    what: 'rows are taken over',
  });
}

/** Waits until nothing is exported for a bridge any more. */
export async function waitForNoBridge(daemon: Daemon, bridge: string): Promise<void> {
  await waitFor(async () => (await bridgeStatus(daemon, bridge)) === undefined, {
    what: `nothing is exported for ${bridge}`,
  });
}

/** A collector set of a bridge, with an IPFIX row of its own. */
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
