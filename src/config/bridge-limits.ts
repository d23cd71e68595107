// The limits of what one daemon exports. All rows of a bridge are exported or none, so at a limit whole bridges are left to
// ovs-vswitchd: those that come last by name, so that it is the same ones after a restart.

import type { CollectorSet } from './collector-sets.ts';
import type { Condition } from './condition.ts';
import type { DatabaseRow } from './ipfix-row.ts';
import { bridgeNameOf, referenceOf } from './reference.ts';

/** Bridges with an IPFIX row or a collector set that the daemon exports for. */
export const BRIDGES_MAX = 1024;
/** Collector sets of all bridges that the daemon exports for. */
export const COLLECTOR_SETS_MAX = 10_000;

/** Bridges that conditions name; the others are counted. */
const NAMED_MAX = 8;

/** Returns the names of the bridges beyond the limits, and adds a condition for each limit that is reached. */
export function bridgesBeyondLimits(
  bridgeRows: readonly DatabaseRow[],
  sets: ReadonlyMap<string, readonly CollectorSet[]>,
  conditions: Condition[],
): ReadonlySet<string> {
  const counts = bridgeRows.flatMap((row) => {
    const setCount = sets.get(row.uuid)?.length ?? 0;
    const isUsed = setCount > 0 || referenceOf(row.columns['ipfix']) !== undefined;
    return isUsed ? [{ name: bridgeNameOf(row), setCount }] : [];
  });
  const total = counts.reduce((sum, { setCount }) => sum + setCount, 0);
  if (counts.length <= BRIDGES_MAX && total <= COLLECTOR_SETS_MAX) {
    return new Set();
  }
  const manyBridges: string[] = [];
  const manySets: string[] = [];
  let bridgeCount = 0;
  let setSum = 0;
  for (const { name, setCount } of counts.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (bridgeCount === BRIDGES_MAX) {
      manyBridges.push(name);
    } else if (setSum + setCount > COLLECTOR_SETS_MAX) {
      manySets.push(name);
    } else {
      bridgeCount += 1;
      setSum += setCount;
    }
  }
  conditions.push(
    ...leftBridges('too-many-bridges', manyBridges, `${BRIDGES_MAX} bridges`),
    ...leftBridges('too-many-collector-sets', manySets, `${COLLECTOR_SETS_MAX} collector sets`),
  );
  return new Set([...manyBridges, ...manySets]);
}

function leftBridges(
  code: 'too-many-bridges' | 'too-many-collector-sets',
  names: readonly string[],
  limit: string,
): readonly Condition[] {
  if (names.length === 0) {
    return [];
  }
  const more = names.length - NAMED_MAX;
  const named = `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return [
    {
      code,
      severity: 'warning',
      where: `${names.length === 1 ? 'Bridge' : 'Bridges'} ${named}`,
      message: `The daemon exports for ${limit} at most; the rows of these bridges are left to ovs-vswitchd.`,
      action: 'Clear the column "ipfix" of bridges and destroy collector sets that are not needed.',
    },
  ];
}
