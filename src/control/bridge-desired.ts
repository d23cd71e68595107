// What a bridge should have of ours; plain values that are compared.

import type { HookOptions } from './hook.ts';
import { isSameSets } from './translation.ts';

/** What a bridge should have of ours. */
export interface BridgeDesired {
  /** Packet-ins a second that each of our meters lets pass at most. */
  readonly maxSampleRate: number;
  /** Undefined: the bridge is not sampled as a whole. */
  readonly hook: HookOptions | undefined;
  /** The collector sets whose `sample` actions should reach the daemon. */
  readonly collectorSets: ReadonlySet<number>;
}

/** The desired state of a bridge that should have nothing of ours. */
export const NOTHING_DESIRED: BridgeDesired = { maxSampleRate: 0, hook: undefined, collectorSets: new Set() };

/** Whether nothing of ours is desired. */
export function isNothing(desired: BridgeDesired): boolean {
  return desired.hook === undefined && desired.collectorSets.size === 0;
}

/** Whether both ask for the same. */
export function isSameDesired(a: BridgeDesired, b: BridgeDesired): boolean {
  return (
    a.maxSampleRate === b.maxSampleRate &&
    a.hook?.observationDomainId === b.hook?.observationDomainId &&
    a.hook?.observationPointId === b.hook?.observationPointId &&
    isSameSets(a.collectorSets, b.collectorSets)
  );
}
