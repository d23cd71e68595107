// The desired hook and meters of a bridge, and the meters to add, change or remove for them. Everything here is pure.

import type { BridgeConnection, ObservedSwitch } from './bridge-connection.ts';
import { type HookOptions, isOurHook, isSameHookOptions } from './hook.ts';
import { isUnmanagedMeter, planMeter, planMeterRemoval, type SwitchStep } from './meter.ts';

/** The desired hook and meters of a bridge. */
export interface HookDesired {
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** See `BridgeDesired.keepsHookMeter`. */
  readonly keepsHookMeter: boolean;
  /** Whether the actions after `sample` actions need their meter. */
  readonly hasSampleMeter: boolean;
  /** Whether that meter stays if it exists, because flows may have such actions that are still to be removed. */
  readonly keepsSampleMeter: boolean;
  /** Rate of each meter, in packet-ins a second. */
  readonly maxSampleRate: number;
}

export const NO_HOOK: HookDesired = {
  hook: undefined,
  keepsHookMeter: false,
  hasSampleMeter: false,
  keepsSampleMeter: false,
  maxSampleRate: 0,
};

/** Whether nothing is desired. */
export function isNothingDesired(desired: HookDesired): boolean {
  return desired.hook === undefined && !desired.hasSampleMeter;
}

/** Whether both are equal. */
export function isSameHook(a: HookDesired, b: HookDesired): boolean {
  return (
    a.hasSampleMeter === b.hasSampleMeter &&
    a.keepsSampleMeter === b.keepsSampleMeter &&
    a.maxSampleRate === b.maxSampleRate &&
    a.keepsHookMeter === b.keepsHookMeter &&
    isSameHookOptions(a.hook, b.hook)
  );
}

/** Whether both differ at most in the probability of samples, so that the bridge stays sampled while one replaces the other. */
export function isSampledAlike(a: HookDesired, b: HookDesired): boolean {
  return isSameHook(atAnyProbability(a), atAnyProbability(b));
}

function atAnyProbability({ hook, ...rest }: HookDesired): HookDesired {
  const sample = hook?.sample && { ...hook.sample, probability: 0, observationPointId: 0 };
  return { ...rest, hook: hook && { ...hook, sample } };
}

/** Whether the hook's packets pass its meter. */
export function needsHookMeter({ hook }: Pick<HookDesired, 'hook'>): boolean {
  return hook !== undefined && hook.sample === undefined;
}

/** Whether the hook's meter is installed with the hook: it is needed or kept. */
export function hasHookMeter(desired: HookDesired): boolean {
  return needsHookMeter(desired) || (desired.hook !== undefined && desired.keepsHookMeter);
}

/** Returns the steps for meters that are missing or have another rate. */
export function planMeters(
  { meters }: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): readonly SwitchStep[] {
  const { hasSampleMeter, maxSampleRate } = desired;
  // A meter of another client refuses the hook only if the hook needs it.
  const isOfAnother = observed.hookMeter !== undefined && isUnmanagedMeter(observed.hookMeter);
  const isPlanned = hasHookMeter(desired) && !isOfAnother;
  return [
    ...(isPlanned ? planMeter(meters.hook, observed.hookMeter, maxSampleRate) : []),
    ...(hasSampleMeter ? planMeter(meters.sample, observed.sampleMeter, maxSampleRate) : []),
  ];
}

/** Returns the steps that remove meters that are not used any more. */
export function planMeterRemovals(
  { meters }: BridgeConnection,
  observed: ObservedSwitch,
  desired: HookDesired,
): readonly SwitchStep[] {
  const isInUse = hasHookMeter(desired) || (observed.hook !== undefined && !isOurHook(observed.hook));
  return [
    ...(isInUse ? [] : planMeterRemoval(meters.hook, observed.hookMeter)),
    ...(desired.hasSampleMeter || desired.keepsSampleMeter
      ? []
      : planMeterRemoval(meters.sample, observed.sampleMeter)),
  ];
}

/** Returns what limits the samples of a hook, for the log. */
export function describeBound({ meters }: BridgeConnection, { hook }: HookDesired): string {
  if (hook?.sample !== undefined) {
    const { probability, collectorSetId } = hook.sample;
    return `sampled by the datapath, probability ${probability}/65535, collector set ${collectorSetId}`;
  }
  return meters.hook === undefined ? 'no meter' : `meter ${meters.hook}`;
}
