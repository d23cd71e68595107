// The desired state of a bridge, as plain values.

import type { HookOptions } from './hook.ts';
import { isSameSets } from './translation.ts';

/** The desired state of a bridge. */
export interface BridgeDesired {
  /** Rate of each of the daemon's meters, in packet-ins a second. */
  readonly maxSampleRate: number;
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** The collector sets whose `sample` actions should reach the daemon. */
  readonly collectorSets: ReadonlySet<number>;
}

/** The desired state of a bridge that the daemon does not use. */
export const NOTHING_DESIRED: BridgeDesired = { maxSampleRate: 0, hook: undefined, collectorSets: new Set() };

/** Whether nothing is desired. */
export function isNothing(desired: BridgeDesired): boolean {
  return desired.hook === undefined && desired.collectorSets.size === 0;
}

/** Whether both are equal. */
export function isSameDesired(a: BridgeDesired, b: BridgeDesired): boolean {
  return (
    a.maxSampleRate === b.maxSampleRate &&
    a.hook?.observationDomainId === b.hook?.observationDomainId &&
    a.hook?.observationPointId === b.hook?.observationPointId &&
    isSameSets(a.collectorSets, b.collectorSets)
  );
}
