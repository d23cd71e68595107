// Who exports for an IPFIX row: vswitchd, as long as the row has targets, or we. This file decides which rows to adopt,
// to annotate and to hand back, and what each of them is to look like; it is pure. database-session.ts writes the
// changes. docs/ownership.md tells operators the same story.

import { type Configuration, isOurs, type UsedIpfixRow } from '../config/configuration.ts';
import type { IpfixRow } from '../config/ipfix-row.ts';
import { describeProblem, type Problem } from '../config/problem.ts';
import {
  adoptMarkKey,
  formatHeldTargets,
  heldTargetsKey,
  ownIpfixKeys,
  problemKey,
  stateKey,
} from '../config/row-keys.ts';

/** Which rows the daemon takes over: all, those marked `external_ids:ovs-ipfix=adopt`, or native rows only. */
export const adoptPolicies = ['all', 'marked', 'none'] as const;
export type AdoptPolicy = (typeof adoptPolicies)[number];

/** A row as it was seen, and the two columns as they are to be. */
export interface RowChange {
  readonly kind: 'adopt' | 'annotate' | 'release';
  readonly row: IpfixRow;
  readonly targets: readonly string[];
  readonly externalIds: ReadonlyMap<string, string>;
}

/** What has to be written so that rows are ours as the policy wants, and carry their problems. */
export function planOwnership(
  configuration: Configuration,
  policy: AdoptPolicy,
  problems: readonly Problem[],
): readonly RowChange[] {
  const changes: RowChange[] = [];
  for (const used of configuration.ipfixRows) {
    const { row } = used;
    if (isToBeAdopted(used, policy)) {
      const externalIds = new Map(row.externalIds).set(heldTargetsKey, formatHeldTargets(row.targets));
      externalIds.set(stateKey, 'adopted');
      changes.push({
        kind: 'adopt',
        row,
        targets: [],
        externalIds: withProblems(externalIds, row, problems),
      });
    } else if (isToBeReleased(used, policy)) {
      changes.push(releaseOf(row));
    } else {
      const externalIds = isOurs(row)
        ? withProblems(new Map(row.externalIds), row, problems)
        : row.externalIds;
      changes.push({ kind: 'annotate', row, targets: row.targets, externalIds });
    }
  }
  return changes.filter(isChange);
}

/** What has to be written so that vswitchd exports again for every row that was adopted; native rows stay silent. */
export function planRelease(rows: Iterable<IpfixRow>): readonly RowChange[] {
  return [...rows].map(releaseOf).filter(isChange);
}

function isAdopted(row: IpfixRow): boolean {
  return row.heldTargets !== undefined && row.externalIds.get(stateKey) === 'adopted';
}

function isWanted(used: UsedIpfixRow, policy: AdoptPolicy): boolean {
  const marked = used.row.externalIds.get(adoptMarkKey) === 'adopt';
  return used.bridges.length > 0 && (policy === 'all' || (policy === 'marked' && marked));
}

/**
 * A row with targets that vswitchd would export for. One that a collector set uses stays with vswitchd, for its `sample`
 * actions are not ours yet; one without a usable target is of no use to us.
 */
function isToBeAdopted(used: UsedIpfixRow, policy: AdoptPolicy): boolean {
  const { row } = used;
  if (row.targets.length === 0 || used.isUsedByCollectorSet || !isWanted(used, policy)) {
    return false;
  }
  // New targets in a row with held ones are adopted in any case: for else the held ones, which the user no longer means,
  // would come back as soon as the new ones are taken away.
  return isAdopted(row) || row.heldTargets !== undefined || used.hasUsableTarget;
}

function isToBeReleased(used: UsedIpfixRow, policy: AdoptPolicy): boolean {
  return isAdopted(used.row) && (used.isUsedByCollectorSet || !isWanted(used, policy));
}

function releaseOf(row: IpfixRow): RowChange {
  const externalIds = new Map(row.externalIds);
  const adopted = isAdopted(row);
  for (const key of ownIpfixKeys) {
    if (adopted || key !== heldTargetsKey) {
      externalIds.delete(key);
    }
  }
  const targets = adopted && row.targets.length === 0 ? (row.heldTargets ?? []) : row.targets;
  return { kind: 'release', row, targets, externalIds };
}

function withProblems(
  externalIds: Map<string, string>,
  row: IpfixRow,
  problems: readonly Problem[],
): ReadonlyMap<string, string> {
  const own = problems.filter((problem) => problem.ipfixRow === row.uuid).map(describeProblem);
  if (own.length > 0) {
    externalIds.set(problemKey, own.join('\n'));
  } else {
    externalIds.delete(problemKey);
  }
  return externalIds;
}

function isChange(change: RowChange): boolean {
  const { row } = change;
  const sameTargets =
    row.targets.length === change.targets.length &&
    row.targets.every((target, index) => target === change.targets[index]);
  const sameKeys =
    row.externalIds.size === change.externalIds.size &&
    [...row.externalIds].every(([key, value]) => change.externalIds.get(key) === value);
  return !(sameTargets && sameKeys);
}
