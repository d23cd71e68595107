// The ownership of IPFIX rows: ovs-vswitchd exports for a row with targets, the daemon for an adopted one. Decides which rows to
// adopt, to annotate and to release, and the content of each; it is pure. database-session.ts writes the changes;
// docs/takeover.md describes the rules for operators.

import { type Condition, describeCondition } from '../config/condition.ts';
import type { Configuration } from '../config/configuration.ts';
import { type IpfixRow, isAdopted, isOnlyForDaemon, isOurs, isRedirected } from '../config/ipfix-row.ts';
import { ADOPT_MARK_KEY, PROBLEM_KEY, STATE_KEY } from '../config/row-keys.ts';
import type { RunSettings } from '../config/settings.ts';
import { sharedDomainConditions } from '../config/shared-domains.ts';
import { areOnlyForDaemon, daemonTargets, unreadableTargets } from '../config/target-forms.ts';
import type { UsedIpfixRow } from '../config/used-row.ts';
import {
  adoptionOf,
  isChange,
  isNative,
  type RowChange,
  redirectionOf,
  releaseOf,
  targetsColumnOf,
} from './row-change.ts';
import type { Samplability } from './sampling-watch.ts';

/** Which rows the daemon adopts: all, those marked `external_ids:ovs-ipfix=adopt`, or native rows only. */
export type AdoptPolicy = RunSettings['adopt'];

/** How the samples of a collector set get to the daemon, where the datapath takes them. */
export interface Redirection {
  /** The daemon's socket; undefined while it cannot be used yet. */
  readonly target: string | undefined;
  /** Whether what is sent to the socket does not arrive. */
  readonly hasFailed: boolean;
}

/** What adoption depends on besides the rows. */
export interface AdoptionRules {
  readonly policy: AdoptPolicy;
  /** Whether packets of a bridge reach the daemon, by the bridge's name. */
  readonly samplability: (bridge: string) => Samplability;
  /** Which rows, by UUID, are to be redirected; the others are adopted. Default: none. */
  readonly redirections?: ReadonlyMap<string, Redirection>;
}

/** Returns the changes that adopt, redirect and release rows by the rules, and annotate rows with their conditions. */
export function planOwnership(
  configuration: Configuration,
  rules: AdoptionRules,
  conditions: readonly Condition[],
): readonly RowChange[] {
  const wanted = wantedRows(configuration, rules);
  const texts = textsByRow(conditions);
  const changes: RowChange[] = [];
  for (const used of configuration.ipfixRows) {
    const change = changeOf(used, wanted, rules, texts);
    if (change !== undefined && isChange(change)) {
      changes.push(change);
    }
  }
  return changes;
}

function changeOf(
  used: UsedIpfixRow,
  wanted: ReadonlySet<UsedIpfixRow>,
  rules: AdoptionRules,
  texts: ReadonlyMap<string, readonly string[]>,
): RowChange | undefined {
  const redirection = rules.redirections?.get(used.row.uuid);
  const isReady = used.bridges.every((bridge) => rules.samplability(bridge) === 'sampled');
  const change =
    redirection === undefined
      ? adoptionChange(used, wanted, isReady)
      : redirectionChange(used, wanted, isReady, redirection);
  if (change === undefined) {
    return isAnnotated(used.row, texts) ? undefined : annotationOf(used.row, texts);
  }
  return change.kind === 'release'
    ? change
    : { ...change, externalIds: withConditions(new Map(change.externalIds), used.row, texts) };
}

/** Whether a row whose owner stays has no conditions, and no key that says otherwise: so it is with nearly all rows. */
function isAnnotated(row: IpfixRow, texts: ReadonlyMap<string, unknown>): boolean {
  return !texts.has(row.uuid) && !row.externalIds.has(PROBLEM_KEY) && !hasEndedByUser(row);
}

/** Whether it was adopted until its user removed the held targets, or set only targets that ovs-vswitchd cannot use. */
function hasEndedByUser(row: IpfixRow): boolean {
  return (
    (row.heldTargets === undefined && row.externalIds.has(STATE_KEY)) ||
    (isAdopted(row) && !isRedirected(row) && areOnlyForDaemon(row.targets))
  );
}

/** Returns the change of a row whose packets come in packet-ins; undefined if its owner does not change. */
function adoptionChange(
  used: UsedIpfixRow,
  wanted: ReadonlySet<UsedIpfixRow>,
  isReady: boolean,
): RowChange | undefined {
  const { row } = used;
  if (isRedirected(row) && isNative(row)) {
    return releaseOf(row);
  }
  const isToBeConverted = isRedirected(row) && row.heldTargets !== undefined && wanted.has(used);
  const isToBeChanged = isToBeAdopted(used, wanted) || isToBeConverted;
  if (isToBeChanged && (isReady || (isAdopted(row) && !isRedirected(row)))) {
    return adoptionOf(row);
  }
  return isToBeReleased(used, wanted) ? releaseOf(row) : undefined;
}

/** Returns the change of a row whose samples the datapath takes; undefined if its owner does not change. */
function redirectionChange(
  used: UsedIpfixRow,
  wanted: ReadonlySet<UsedIpfixRow>,
  isReady: boolean,
  { target, hasFailed }: Redirection,
): RowChange | undefined {
  const { row } = used;
  const isManaged = isAdopted(row) || isRedirected(row);
  if (row.heldTargets === undefined && row.targets.length === 0) {
    return undefined;
  }
  if (hasFailed || !(wanted.has(used) || isNative(row))) {
    return isManaged ? releaseOf(row) : undefined;
  }
  return target !== undefined && (isReady || isManaged) ? redirectionOf(row, target) : undefined;
}

/**
 * Returns the rows for which bridges should be programmed, by UUID: adopted rows, and those to be adopted, so that everything is
 * installed before ovs-vswitchd stops exporting. A bridge is not programmed for a row that cannot be adopted because another
 * bridge of the row cannot be sampled.
 */
export function desiredRows(
  configuration: Configuration,
  rules: AdoptionRules,
): (bridge: string, row: string) => boolean {
  const wanted = wantedIfSampled(configuration, rules.policy);
  const impossible = impossibleBridges(configuration, rules);
  return (bridge, row) => {
    const used = configuration.rowsByUuid.get(row);
    return (
      used !== undefined &&
      (isOurs(used.row) ||
        (wanted.has(used) && used.bridges.every((other) => other === bridge || !impossible.has(other))))
    );
  };
}

/** Returns the names of the bridges that cannot be sampled now. */
function impossibleBridges({ bridges }: Configuration, { samplability }: AdoptionRules): ReadonlySet<string> {
  const impossible = new Set<string>();
  for (const bridge of bridges.keys()) {
    if (samplability(bridge) === 'impossible') {
      impossible.add(bridge);
    }
  }
  return impossible;
}

/** Returns the conditions of rows that stay with ovs-vswitchd, or were released, because one of their bridges cannot be sampled. */
export function notAdopted(configuration: Configuration, rules: AdoptionRules): readonly Condition[] {
  const impossible = impossibleBridges(configuration, rules);
  if (impossible.size === 0) {
    return [];
  }
  return [...wantedIfSampled(configuration, rules.policy)].flatMap((used) => {
    const bridge = used.bridges.find((name) => impossible.has(name));
    return bridge === undefined || isOurs(used.row) || !used.hasUsableTarget
      ? []
      : [
          {
            code: 'row-not-adopted',
            severity: 'warning',
            where: `IPFIX row ${used.row.uuid}`,
            message: `ovs-vswitchd exports for it, because bridge ${bridge} cannot be sampled.${notExportedTo(used.row)}`,
            action: `See what else is reported of bridge ${bridge}; the row is adopted as soon as the bridge is sampled.`,
          } as const,
        ];
  });
}

/** Returns the configuration with the conditions that depend on the ownership of rows. */
export function withOwnershipConditions(configuration: Configuration, policy: AdoptPolicy): Configuration {
  const { ipfixRows, conditions } = configuration;
  const wanted = wantedIfSampled(configuration, policy);
  const left = ipfixRows.filter((used) => isForDaemon(policy, used));
  return {
    ...configuration,
    conditions: [
      ...conditions,
      ...left.flatMap((used) => leftCondition(used) ?? []),
      ...ipfixRows
        .filter((used) => used.bridges.length > 0 && !wanted.has(used) && !isOurs(used.row))
        .flatMap(({ row }) => needsDaemon(row)),
      ...sharedDomainConditions(ipfixRows, (used) => wanted.has(used) || isOurs(used.row)),
    ],
  };
}

/** Returns the condition of a row that is left to ovs-vswitchd and has targets that it cannot use. */
function needsDaemon(row: IpfixRow): readonly Condition[] {
  const notExported = notExportedTo(row);
  return notExported === ''
    ? []
    : [
        {
          code: 'target-needs-daemon',
          severity: 'warning',
          where: `IPFIX row ${row.uuid}, column targets`,
          message: `The row is left to ovs-vswitchd.${notExported}`,
          action:
            'Let ovs-ipfix adopt the row (docs/takeover.md), or name collectors that ovs-vswitchd can use: IP[:PORT].',
        },
      ];
}

/** Returns a sentence about the targets that get nothing while ovs-vswitchd exports for the row; empty without one. */
function notExportedTo(row: IpfixRow): string {
  const texts = [...unreadableTargets(row.targets), ...daemonTargets(row.heldTargets ?? [])];
  return texts.length === 0 ? '' : ` It cannot use ${texts.join(' ')}, so nothing is sent there.`;
}

/** Returns the changes that release every adopted row to ovs-vswitchd; native rows are not exported any more. */
export function planRelease(rows: Iterable<IpfixRow>): readonly RowChange[] {
  return [...rows].map(releaseOf).filter(isChange);
}

/** What `wantedIfSampled` has returned for the rows of a configuration. */
const wantedOf = new WeakMap<readonly UsedIpfixRow[], Map<AdoptPolicy, ReadonlySet<UsedIpfixRow>>>();

/** Returns the rows that should be adopted if all their bridges are sampled. */
function wantedIfSampled(configuration: Configuration, policy: AdoptPolicy): ReadonlySet<UsedIpfixRow> {
  const known = wantedOf.get(configuration.ipfixRows) ?? new Map<AdoptPolicy, ReadonlySet<UsedIpfixRow>>();
  const wanted = known.get(policy) ?? rowsToAdopt(configuration, policy, new Set());
  wantedOf.set(configuration.ipfixRows, known.set(policy, wanted));
  return wanted;
}

/** Returns the rows that should be adopted now: see `rowsToAdopt`. */
function wantedRows(configuration: Configuration, rules: AdoptionRules): ReadonlySet<UsedIpfixRow> {
  const impossible = impossibleBridges(configuration, rules);
  return impossible.size === 0
    ? wantedIfSampled(configuration, rules.policy)
    : rowsToAdopt(configuration, rules.policy, impossible);
}

/**
 * Returns the rows that should be adopted. All rows of a bridge are adopted or none, because ovs-vswitchd processes every
 * `sample` action of a bridge as long as it exports for one of its rows. A marked row stays with ovs-vswitchd as long as another
 * row of one of its bridges is neither marked nor native; so does every row whose bridge is `impossible` to sample or beyond the
 * limits, or whose bridge has a row that disables input sampling or has too many targets.
 */
function rowsToAdopt(
  configuration: Configuration,
  policy: AdoptPolicy,
  impossible: ReadonlySet<string>,
): ReadonlySet<UsedIpfixRow> {
  const candidates = configuration.ipfixRows.filter((used) => used.bridges.length > 0);
  const { bridgesBeyondLimits: beyond } = configuration;
  const wanted = new Set(
    candidates
      .filter((used) => isWantedBy(policy, used) && leftCondition(used) === undefined)
      .filter((used) => used.bridges.every((bridge) => !beyond.has(bridge) && !impossible.has(bridge))),
  );
  // A row without a usable target is not exported at all, and does not prevent the adoption of other rows.
  const isUnmanaged = (used: UsedIpfixRow) => !isNative(used.row) && used.hasUsableTarget;
  const unmanaged = candidates.filter((used) => !wanted.has(used) && isUnmanaged(used));
  if (unmanaged.length > 0) {
    withoutBridgesOf(unmanaged, wanted, isUnmanaged);
  }
  return wanted;
}

/**
 * Removes from `wanted` the rows that share a bridge with an unmanaged one, which makes them unmanaged as well. Each row and bridge
 * is visited once.
 */
function withoutBridgesOf(
  unmanaged: UsedIpfixRow[],
  wanted: Set<UsedIpfixRow>,
  isUnmanaged: (used: UsedIpfixRow) => boolean,
): void {
  const byBridge = new Map<string, UsedIpfixRow[]>();
  for (const used of wanted) {
    for (const bridge of used.bridges) {
      const ofBridge = byBridge.get(bridge);
      if (ofBridge === undefined) {
        byBridge.set(bridge, [used]);
      } else {
        ofBridge.push(used);
      }
    }
  }
  for (let used = unmanaged.pop(); used !== undefined; used = unmanaged.pop()) {
    for (const bridge of used.bridges) {
      for (const other of byBridge.get(bridge) ?? []) {
        if (wanted.delete(other) && isUnmanaged(other)) {
          unmanaged.push(other);
        }
      }
      byBridge.delete(bridge);
    }
  }
}

/** Returns why a row stays with ovs-vswitchd whatever the policy is; undefined if nothing in it prevents its adoption. */
function leftCondition({ inputSamplingDisabled, tooManyTargets }: UsedIpfixRow): Condition | undefined {
  return inputSamplingDisabled ?? tooManyTargets;
}

/** Whether the daemon should export for a row: the policy or the row itself asks for it. */
export function isForDaemon(policy: AdoptPolicy, used: UsedIpfixRow): boolean {
  return isWantedBy(policy, used) || used.row.heldTargets !== undefined || isOnlyForDaemon(used.row);
}

function isWantedBy(policy: AdoptPolicy, { row }: UsedIpfixRow): boolean {
  return policy === 'all' || (policy === 'marked' && row.externalIds.get(ADOPT_MARK_KEY) === 'adopt');
}

/** Whether ovs-vswitchd exports for the row and it is to be adopted. A row without a usable target is not adopted. */
function isToBeAdopted(used: UsedIpfixRow, wanted: ReadonlySet<UsedIpfixRow>): boolean {
  const { row } = used;
  if (row.targets.length === 0 || isOnlyForDaemon(row) || !wanted.has(used)) {
    return false;
  }
  // New targets of a row with held ones are adopted in any case; otherwise the held ones, which the user has replaced, would be
  // used again when the new ones are removed.
  return isAdopted(row) || row.heldTargets !== undefined || used.hasUsableTarget;
}

function isToBeReleased(used: UsedIpfixRow, wanted: ReadonlySet<UsedIpfixRow>): boolean {
  return isAdopted(used.row) && !wanted.has(used);
}

/** Returns the change of a row whose owner stays. */
function annotationOf(row: IpfixRow, texts: ReadonlyMap<string, readonly string[]>): RowChange {
  if (hasEndedByUser(row)) {
    return { ...releaseOf(row), kind: 'annotate' };
  }
  const externalIds = new Map(row.externalIds);
  // What was written when the daemon exported for the row may not be so any more.
  const ofRow = isOurs(row) ? texts : new Map<string, readonly string[]>();
  return {
    kind: 'annotate',
    row,
    targets: targetsColumnOf(row),
    externalIds: withConditions(externalIds, row, ofRow),
  };
}

function withConditions(
  externalIds: Map<string, string>,
  row: IpfixRow,
  texts: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, string> {
  const own = texts.get(row.uuid);
  if (own !== undefined) {
    externalIds.set(PROBLEM_KEY, own.join('\n'));
  } else {
    externalIds.delete(PROBLEM_KEY);
  }
  return externalIds;
}

/** Returns the conditions of rows as texts, by the row's UUID. */
function textsByRow(conditions: readonly Condition[]): ReadonlyMap<string, readonly string[]> {
  const texts = new Map<string, string[]>();
  for (const condition of conditions) {
    if (condition.ipfixRow !== undefined) {
      const ofRow = texts.get(condition.ipfixRow) ?? [];
      ofRow.push(describeCondition(condition));
      texts.set(condition.ipfixRow, ofRow);
    }
  }
  return texts;
}
