// The daemon's own rows: an `IPFIX` row and a `Flow_Sample_Collector_Set` for each bridge that the datapath samples, by which
// ovs-vswitchd sends the samples to the daemon. They do not configure anything: nothing is exported for them, and they are
// never adopted. control/own-rows.ts creates and destroys them.

import type { DatabaseRow } from './ipfix-row.ts';
import { OWNER_KEY } from './row-keys.ts';

/** Returns the run of the daemon that a row belongs to; undefined if it is not a row of the daemon. */
export function ownerOf({ columns }: DatabaseRow): string | undefined {
  const externalIds = columns['external_ids'];
  const owner: unknown = externalIds instanceof Map ? externalIds.get(OWNER_KEY) : undefined;
  return typeof owner === 'string' ? owner : undefined;
}
