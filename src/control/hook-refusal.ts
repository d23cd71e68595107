// What keeps the hook and its meters out of a bridge: a bridge without meters, and meters or a flow of another client where
// ours would be. Nothing of another client is replaced or removed.

import type { Condition } from '../config/condition.ts';
import type { MeterConfig } from '../node-openflow/index.ts';
import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { isOurHook } from './hook.ts';
import type { HookDesired } from './hook-desired.ts';
import { isForeignMeter } from './meter.ts';

/** What to do on a bridge without meters: install nothing, or have every packet sent. */
export type UnmeteredPolicy = 'refuse' | 'allow';

/** A reason that an operator can remove. */
export class HookRefused extends Error {
  readonly condition: Condition;

  constructor(condition: Condition) {
    super(condition.message);
    this.name = 'HookRefused';
    this.condition = condition;
  }
}

/** Throws `HookRefused` when the bridge cannot have what is desired. */
export function checkRefusal(
  { bridge, unmetered }: { readonly bridge: string; readonly unmetered: UnmeteredPolicy },
  connection: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): void {
  const about = { severity: 'error', where: `Bridge ${bridge}` } as const;
  const isDesired = desired.hook !== undefined || desired.hasSampleMeter;
  if (isDesired && connection.meters.hook === undefined && unmetered === 'refuse') {
    throw new HookRefused({
      ...about,
      code: 'no-meters',
      message: `There are no OpenFlow meters over ${connection.protocol}, so nothing would bound the packets sent to us.`,
      action:
        `Allow OpenFlow 1.3 or later with "ovs-vsctl set bridge ${bridge} protocols=OpenFlow10,OpenFlow13,OpenFlow14,` +
        'OpenFlow15", or run with --unmetered=allow.',
    });
  }
  const foreign = foreignMeter(observed, desired);
  if (foreign !== undefined) {
    throw new HookRefused({
      ...about,
      code: 'meter-in-use',
      message: `The meter ${foreign.meterId} belongs to another client, and we need that id.`,
      action: `Move the meter to another id; "ovs-ofctl -O OpenFlow13 dump-meters ${bridge}" shows it.`,
    });
  }
  if (desired.hook !== undefined && observed.hook !== undefined && !isOurHook(observed.hook)) {
    throw new HookRefused({
      ...about,
      code: 'hook-slot-in-use',
      message:
        `A flow of another client, with cookie 0x${observed.hook.cookie.toString(16)}, has the table, priority and ` +
        'match of our hook, and it is not replaced.',
      action: 'Give that flow another priority than 65535, or the daemon another --mark.',
    });
  }
}

function foreignMeter(observed: ObservedSwitch, desired: HookDesired): MeterConfig | undefined {
  const used = [
    desired.hook === undefined ? undefined : observed.hookMeter,
    desired.hasSampleMeter ? observed.sampleMeter : undefined,
  ];
  return used.find((meter) => meter !== undefined && isForeignMeter(meter));
}
