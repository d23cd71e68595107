// The conditions that prevent the hook and its meters: a bridge without meters, and a meter or a flow of another client with the
// id or in the slot of the daemon's. Nothing of another client is replaced or removed. The doctor reports the same conditions.

import type { Condition } from '../config/condition.ts';
import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { isOurHook } from './hook.ts';
import { type HookDesired, needsHookMeter } from './hook-desired.ts';
import { isUnmanagedMeter } from './meter.ts';

/** What to do on a bridge without meters: install nothing, or send every packet. */
export type UnmeteredPolicy = 'refuse' | 'allow';

/** A condition that an operator can correct. */
export class HookRefused extends Error {
  readonly condition: Condition;

  constructor(condition: Condition) {
    super(condition.message);
    this.name = 'HookRefused';
    this.condition = condition;
  }
}

/** A bridge, and what the daemon needs on it. */
export interface HookNeeds {
  readonly bridge: string;
  /** The negotiated OpenFlow version: "OpenFlow 1.4". */
  readonly protocol: string;
  readonly hasMeters: boolean;
  readonly needsHook: boolean;
  /** Whether the hook sends packet-ins, which its meter limits. */
  readonly needsHookMeter: boolean;
  /** Whether the actions after `sample` actions need their meter. */
  readonly needsSampleMeter: boolean;
}

/** Throws `HookRefused` if a condition prevents the desired state. */
export function checkRefusal(
  { bridge, unmetered }: { readonly bridge: string; readonly unmetered: UnmeteredPolicy },
  connection: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): void {
  const needs = {
    bridge,
    protocol: connection.protocol,
    hasMeters: connection.meters.hook !== undefined,
    needsHook: desired.hook !== undefined,
    needsHookMeter: needsHookMeter(desired),
    needsSampleMeter: desired.hasSampleMeter,
  };
  const [condition] = hookConditions(needs, observed, unmetered);
  if (condition !== undefined) {
    throw new HookRefused(condition);
  }
}

/** Returns the conditions that prevent what the daemon needs; none if it can be installed. */
export function hookConditions(
  needs: HookNeeds,
  observed: ObservedSwitch,
  unmetered: UnmeteredPolicy,
): readonly Condition[] {
  const { bridge, needsHook, needsHookMeter: isHookMetered, needsSampleMeter } = needs;
  const about = { severity: 'error', where: `Bridge ${bridge}` } as const;
  const conditions: Condition[] = [];
  if ((isHookMetered || needsSampleMeter) && !needs.hasMeters && unmetered === 'refuse') {
    conditions.push({
      ...about,
      code: 'no-meters',
      message: `It has no OpenFlow meters over ${needs.protocol}, so nothing would limit the packets sent to the daemon.`,
      action:
        `Allow OpenFlow 1.3 or later with "ovs-vsctl set Bridge ${bridge} protocols=OpenFlow10,OpenFlow13,OpenFlow14,` +
        'OpenFlow15", or run with --unmetered=allow.',
    });
  }
  for (const meter of [isHookMetered && observed.hookMeter, needsSampleMeter && observed.sampleMeter]) {
    if (meter !== false && meter !== undefined && isUnmanagedMeter(meter)) {
      conditions.push({
        ...about,
        code: 'meter-in-use',
        message: `The meter ${meter.meterId} belongs to another client, and the daemon needs that id.`,
        action: `Move the meter to another id; "ovs-ofctl -O OpenFlow13 dump-meters ${bridge}" shows it.`,
      });
    }
  }
  if (needsHook && observed.hook !== undefined && !isOurHook(observed.hook)) {
    conditions.push({
      ...about,
      code: 'hook-slot-in-use',
      message:
        `A flow of another client, with cookie 0x${observed.hook.cookie.toString(16)}, has the table, priority and ` +
        'match of the hook, and it is not replaced.',
      action: 'Give that flow another priority than 65535, or the daemon another --mark.',
    });
  }
  return conditions;
}
