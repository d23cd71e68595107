// Chooses how the samples of a collector set get to the daemon: by rewritten flows in packet-ins, or by its row, which is redirected.
// Pure; docs/sampling.md has the rules.

import type { SamplerPolicy } from '../config/bridge-keys.ts';

/** What the choice for a set depends on. */
export interface SetFacts {
  readonly policy: SamplerPolicy;
  readonly hasKernelDatapath: boolean;
  /** Undefined while the bridge is not connected. */
  readonly hasMeters: boolean | undefined;
  /** Whether the set alone uses its row. */
  readonly ownsRow: boolean;
}

/**
 * Whether the row of a set is redirected, so that its flows stay as they are. Undefined: that is decided when the bridge is
 * connected. A row that serves another set or a whole bridge as well cannot be redirected: ovs-vswitchd would send all of it.
 */
export function isToBeRedirected(facts: SetFacts): boolean | undefined {
  const { policy, hasKernelDatapath, hasMeters, ownsRow } = facts;
  if (policy === 'packet-in' || !ownsRow) {
    return false;
  }
  if (policy === 'datapath' || hasKernelDatapath) {
    return true;
  }
  return hasMeters === undefined ? undefined : !hasMeters;
}
