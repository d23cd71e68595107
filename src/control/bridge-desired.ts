// The desired state of a bridge, as plain values.

import { type HookOptions, isSameHookOptions } from './hook.ts';
import { isSameSets } from './translation.ts';

/** The desired state of a bridge. */
export interface BridgeDesired {
  /** Rate of each of the daemon's meters, in packet-ins a second. */
  readonly maxSampleRate: number;
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** Whether the hook's meter stays while the datapath samples, because the bridge may return to packet-ins. */
  readonly keepsHookMeter: boolean;
  /** The collector sets whose `sample` actions should reach the daemon. */
  readonly collectorSets: ReadonlySet<number>;
  /** The collector sets whose flows are read for the probabilities of their actions, and not changed. */
  readonly followedSets: ReadonlySet<number>;
}

/** The desired state of a bridge that the daemon does not use. */
export const NOTHING_DESIRED: BridgeDesired = {
  maxSampleRate: 0,
  hook: undefined,
  keepsHookMeter: false,
  collectorSets: new Set(),
  followedSets: new Set(),
};

/** Whether nothing is desired in the switch. */
export function isNothing(desired: BridgeDesired): boolean {
  return desired.hook === undefined && desired.collectorSets.size === 0;
}

/** Whether both are equal. */
export function isSameDesired(a: BridgeDesired, b: BridgeDesired): boolean {
  return (
    a.maxSampleRate === b.maxSampleRate &&
    a.keepsHookMeter === b.keepsHookMeter &&
    isSameHookOptions(a.hook, b.hook) &&
    isSameSets(a.collectorSets, b.collectorSets) &&
    isSameSets(a.followedSets, b.followedSets)
  );
}
