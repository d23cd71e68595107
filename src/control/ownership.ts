// Who exports for an IPFIX row: vswitchd, as long as the row has targets, or we. This file decides which rows to adopt,
// to annotate and to hand back, and what each of them is to look like; it is pure. database-session.ts writes the
// changes. docs/configuration.md tells operators the same story.

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
import { sharedDomainProblems } from '../config/shared-domains.ts';

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
  const wanted = wantedRows(configuration, policy);
  for (const used of configuration.ipfixRows) {
    const { row } = used;
    if (isToBeAdopted(used, wanted)) {
      const externalIds = new Map(row.externalIds).set(heldTargetsKey, formatHeldTargets(row.targets));
      externalIds.set(stateKey, 'adopted');
      changes.push({
        kind: 'adopt',
        row,
        targets: [],
        externalIds: withProblems(externalIds, row, problems),
      });
    } else if (isToBeReleased(used, wanted)) {
      changes.push(releaseOf(row));
    } else {
      changes.push({ kind: 'annotate', row, targets: row.targets, externalIds: annotated(row, problems) });
    }
  }
  return changes.filter(isChange);
}

/** The configuration with the problems that depend on who exports for which row. */
export function withOwnershipProblems(configuration: Configuration, policy: AdoptPolicy): Configuration {
  const { ipfixRows, problems } = configuration;
  const wanted = wantedRows(configuration, policy);
  const left = ipfixRows.filter((used) => isWantedBy(policy, used) || used.row.heldTargets !== undefined);
  return {
    ...configuration,
    problems: [
      ...problems,
      ...left.flatMap(({ inputSamplingDisabled }) => inputSamplingDisabled ?? []),
      ...sharedDomainProblems(ipfixRows, (used) => wanted.has(used) || isOurs(used.row)),
    ],
  };
}

/** What has to be written so that vswitchd exports again for every row that was adopted; native rows stay silent. */
export function planRelease(rows: Iterable<IpfixRow>): readonly RowChange[] {
  return [...rows].map(releaseOf).filter(isChange);
}

function isAdopted(row: IpfixRow): boolean {
  return row.heldTargets !== undefined && row.externalIds.get(stateKey) === 'adopted';
}

/**
 * The rows that are ours by the policy. All rows of a bridge are ours or none: with one that vswitchd exports for, it would
 * go on looking at every `sample` action. A row that is marked stays with vswitchd as long as another row of a bridge of
 * its is neither marked nor native, and every row of a bridge does whose row disables input sampling.
 */
function wantedRows(configuration: Configuration, policy: AdoptPolicy): ReadonlySet<UsedIpfixRow> {
  const candidates = configuration.ipfixRows.filter((used) => used.bridges.length > 0);
  const wanted = new Set(
    candidates.filter((used) => isWantedBy(policy, used) && used.inputSamplingDisabled === undefined),
  );
  for (let before = -1; before !== wanted.size; ) {
    before = wanted.size;
    // A row without a target that anybody could send to is nobody's, and keeps no other row from being ours.
    const foreign = candidates.filter(
      (used) => !wanted.has(used) && !isNative(used.row) && used.hasUsableTarget,
    );
    const foreignBridges = new Set(foreign.flatMap((used) => used.bridges));
    for (const used of wanted) {
      if (used.bridges.some((bridge) => foreignBridges.has(bridge))) {
        wanted.delete(used);
      }
    }
  }
  return wanted;
}

function isWantedBy(policy: AdoptPolicy, { row }: UsedIpfixRow): boolean {
  return policy === 'all' || (policy === 'marked' && row.externalIds.get(adoptMarkKey) === 'adopt');
}

function isNative(row: IpfixRow): boolean {
  return row.heldTargets !== undefined && row.targets.length === 0 && !isAdopted(row);
}

/** A row with targets that vswitchd would export for. One without a usable target is of no use to us. */
function isToBeAdopted(used: UsedIpfixRow, wanted: ReadonlySet<UsedIpfixRow>): boolean {
  const { row } = used;
  if (row.targets.length === 0 || !wanted.has(used)) {
    return false;
  }
  // New targets in a row with held ones are adopted in any case: for else the held ones, which the user no longer means,
  // would come back as soon as the new ones are taken away.
  return isAdopted(row) || row.heldTargets !== undefined || used.hasUsableTarget;
}

function isToBeReleased(used: UsedIpfixRow, wanted: ReadonlySet<UsedIpfixRow>): boolean {
  return isAdopted(used.row) && !wanted.has(used);
}

/** The keys of a row that changes no hands. */
function annotated(row: IpfixRow, problems: readonly Problem[]): ReadonlyMap<string, string> {
  const externalIds = new Map(row.externalIds);
  if (isOurs(row)) {
    return withProblems(externalIds, row, problems);
  }
  if (row.heldTargets === undefined && externalIds.delete(stateKey)) {
    // It was ours until its user took the held targets away.
    externalIds.delete(problemKey);
  }
  return externalIds;
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
