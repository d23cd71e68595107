// The desired hook and meters of a bridge, and the meters to add, change or remove for them. Everything here is pure.

import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { type HookOptions, isOurHook } from './hook.ts';
import { planMeter, planMeterRemoval, type SwitchStep } from './meter.ts';

/** The desired hook and meters of a bridge. */
export interface HookDesired {
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** Whether the actions after `sample` actions need their meter. */
  readonly hasSampleMeter: boolean;
  /** Rate of each meter, in packet-ins a second. */
  readonly maxSampleRate: number;
}

export const NO_HOOK: HookDesired = { hook: undefined, hasSampleMeter: false, maxSampleRate: 0 };

/** Whether nothing is desired. */
export function isNothingDesired(desired: HookDesired): boolean {
  return desired.hook === undefined && !desired.hasSampleMeter;
}

/** Whether both are equal. */
export function isSameHook(a: HookDesired, b: HookDesired): boolean {
  return (
    a.hasSampleMeter === b.hasSampleMeter &&
    a.maxSampleRate === b.maxSampleRate &&
    a.hook?.observationDomainId === b.hook?.observationDomainId &&
    a.hook?.observationPointId === b.hook?.observationPointId
  );
}

/** Returns the steps for meters that are missing or have another rate. */
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

/** Returns the steps that remove meters that are not used any more. */
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
