// Restarts ovs-vswitchd with its flows: the steps of restart() in OVS's ovs-lib, as run by "systemctl reload
// openvswitch-switch" and "ovs-ctl restart", with the real ovs-save, which saves flows and groups of a bridge, but no meters.
// And reads whether a meter limits the daemon's actions afterwards.

import { chmod, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ovs } from './ovs.ts';
import { installedSchemaPath } from './ovs-schema.ts';

/** Steps of a test during the restart. */
export interface RestoreHooks {
  /** Runs while vswitchd is down: the flows are in the saved script only. */
  readonly whileDown?: () => Promise<void>;
  /** Runs while vswitchd has flow-restore-wait set, and no flow yet. */
  readonly beforeRestore?: () => Promise<void>;
  /** Runs after the flows were restored, with flow-restore-wait still set: vswitchd handles no packet before it is removed. */
  readonly afterRestore?: () => Promise<void>;
}

/** Saves the flows of a bridge, restarts vswitchd, and restores them. */
export async function restartWithSavedFlows(
  ovs: Ovs,
  bridge: string,
  hooks: RestoreHooks = {},
): Promise<void> {
  const ovsSave = join(dirname(installedSchemaPath()), 'scripts', 'ovs-save');
  const script = join(ovs.rundir, 'restore-flows');
  await writeFile(script, await ovs.run(ovsSave, 'save-flows', bridge));
  await chmod(script, 0o755);
  await ovs.killVswitchd('SIGTERM');
  await hooks.whileDown?.();
  await ovs.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:flow-restore-wait=true');
  await ovs.startVswitchd();
  await hooks.beforeRestore?.();
  await ovs.run('sh', script);
  await hooks.afterRestore?.();
  await ovs.vsctl('--if-exists', 'remove', 'Open_vSwitch', '.', 'other_config', 'flow-restore-wait=true');
}

/** How a packet's packet-ins to the daemon leave the datapath. */
export interface Metering {
  readonly metered: number;
  readonly unmetered: number;
}

/** Returns what the datapath would do with a packet, given as a flow of ofproto/trace. */
export async function meteringOf(ovs: Ovs, bridge: string, flow: string): Promise<Metering> {
  const text = await ovs.appctl('ofproto/trace', bridge, flow);
  const actions = /^Datapath actions: (.*)$/mu.exec(text)?.[1];
  if (actions === undefined) {
    throw new Error(`No datapath actions in: ${text}`);
  }
  const all = [...actions.matchAll(/(meter\(\d+\),)?userspace\([^)]*controller\([^)]*controller_id=18768/gu)];
  const metered = all.filter(([, meter]) => meter !== undefined).length;
  return { metered, unmetered: all.length - metered };
}
