// The collector sets of users (Flow_Sample_Collector_Set), by bridge.

import type { Condition } from './condition.ts';
import type { DatabaseRow } from './ipfix-row.ts';
import { bridgeNameOf, referenceOf } from './reference.ts';

/** A row of Flow_Sample_Collector_Set with a bridge and an IPFIX row. */
export interface CollectorSet {
  readonly id: number;
  readonly ipfixRow: string;
  /** The row as the replica has it. */
  readonly databaseRow: DatabaseRow;
}

/**
 * Returns the collector sets of each bridge, by the bridge's uuid. A set without a bridge, or with neither an IPFIX row nor a
 * local group, is a condition; one with a local group only is for the kernel's psample (OVS 3.4 and later) and not for IPFIX.
 */
export function readCollectorSets(
  rows: readonly DatabaseRow[],
  bridgeRows: readonly DatabaseRow[],
  conditions: Condition[],
): ReadonlyMap<string, readonly CollectorSet[]> {
  const names = new Map(bridgeRows.map((row) => [row.uuid, bridgeNameOf(row)]));
  const sets = new Map<string, CollectorSet[]>();
  for (const row of rows) {
    const bridge = referenceOf(row.columns['bridge']) ?? '';
    const ipfixRow = referenceOf(row.columns['ipfix']);
    const name = names.get(bridge);
    if (name === undefined) {
      conditions.push(withoutBridge(row, bridge));
    } else if (ipfixRow !== undefined) {
      const ofBridge = sets.get(bridge) ?? [];
      ofBridge.push({ id: idOf(row), ipfixRow, databaseRow: row });
      sets.set(bridge, ofBridge);
    } else if (row.columns['local_group_id'] === undefined) {
      conditions.push(withoutIpfixRow(row, name));
    }
  }
  return sets;
}

function idOf(row: DatabaseRow): number {
  return Number(row.columns['id']);
}

function describe(row: DatabaseRow, bridge: string): string {
  return `Flow_Sample_Collector_Set ${idOf(row)} of bridge ${bridge} (row ${row.uuid})`;
}

function withoutBridge(row: DatabaseRow, bridge: string): Condition {
  return {
    code: 'dangling-reference',
    severity: 'warning',
    where: `${describe(row, bridge)}, column bridge`,
    message: 'Its bridge no longer exists, so no packet is sampled for it.',
    action: `Remove the row with "ovs-vsctl destroy Flow_Sample_Collector_Set ${row.uuid}".`,
  };
}

function withoutIpfixRow(row: DatabaseRow, bridge: string): Condition {
  return {
    code: 'no-ipfix-row',
    severity: 'error',
    where: `${describe(row, bridge)}, column ipfix`,
    message: 'It has no IPFIX row, so nothing is exported for its "sample" actions.',
    action: `Set one, as in "ovs-vsctl set Flow_Sample_Collector_Set ${row.uuid} ipfix=UUID".`,
  };
}
