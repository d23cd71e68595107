// A restart of ovs-vswitchd that keeps the flows: the steps of restart() in OVS's ovs-lib, as "systemctl reload
// openvswitch-switch" and "ovs-ctl restart" run them, with the real ovs-save. ovs-save saves flows and groups of a bridge, and
// no meters. And what the switch does with our actions afterwards: whether a meter bounds them.

import { chmod, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ovs } from './ovs.ts';
import { installedSchemaPath } from './ovs-schema.ts';

/** Steps of a test between those of the restart. */
export interface RestoreHooks {
  /** While vswitchd does not run: the flows are in the saved script only. */
  readonly whileDown?: () => Promise<void>;
  /** vswitchd runs with flow-restore-wait set, and has no flow yet. */
  readonly beforeRestore?: () => Promise<void>;
  /** The flows are back, and flow-restore-wait is still set: vswitchd handles no packet before it is removed. */
  readonly afterRestore?: () => Promise<void>;
}

/** Restarts vswitchd with the flows of a bridge saved before and restored after. */
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

/** How a packet's packet-ins to us leave the datapath. */
export interface Metering {
  readonly metered: number;
  readonly unmetered: number;
}

/** What the datapath would do with a packet: `flow` as ofproto/trace reads it. */
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
