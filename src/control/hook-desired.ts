// What a bridge should have of ours apart from actions in users' flows, and which meters have to be added, changed or removed
// for that. Everything here is pure.

import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { type HookOptions, isOurHook } from './hook.ts';
import { planMeter, planMeterRemoval, type SwitchStep } from './meter.ts';

/** What a bridge should have of ours, apart from actions in users' flows. */
export interface HookDesired {
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** Whether our actions behind `sample` actions need their meter. */
  readonly hasSampleMeter: boolean;
  /** Packet-ins a second that each meter lets pass at most. */
  readonly maxSampleRate: number;
}

export const NO_HOOK: HookDesired = { hook: undefined, hasSampleMeter: false, maxSampleRate: 0 };

/** Whether nothing is desired. */
export function isNoHook(desired: HookDesired): boolean {
  return desired.hook === undefined && !desired.hasSampleMeter;
}

/** Whether both ask for the same. */
export function isSameHook(a: HookDesired, b: HookDesired): boolean {
  return (
    a.hasSampleMeter === b.hasSampleMeter &&
    a.maxSampleRate === b.maxSampleRate &&
    a.hook?.observationDomainId === b.hook?.observationDomainId &&
    a.hook?.observationPointId === b.hook?.observationPointId
  );
}

/** The meters that are missing or have another rate. */
export function planMeters(
  { meters }: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): readonly SwitchStep[] {
  const { hook, hasSampleMeter, maxSampleRate } = desired;
  return [
    ...(hook === undefined ? [] : planMeter(meters.hook, observed.hookMeter, maxSampleRate)),
    ...(hasSampleMeter ? planMeter(meters.sample, observed.sampleMeter, maxSampleRate) : []),
  ];
}

/** The meters that are not used any more. */
export function planMeterRemovals(
  { meters }: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): readonly SwitchStep[] {
  const isHookInUse =
    desired.hook !== undefined || (observed.hook !== undefined && !isOurHook(observed.hook));
  return [
    ...(isHookInUse ? [] : planMeterRemoval(meters.hook, observed.hookMeter)),
    ...(desired.hasSampleMeter ? [] : planMeterRemoval(meters.sample, observed.sampleMeter)),
  ];
}
