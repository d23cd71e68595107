// Translates the buckets of a bridge's groups. Groups are few and change rarely, so all of them are read each time. Only
// OpenFlow 1.5 shows the selection method and the bucket ids of a group, so a group that was read in another version is never
// rewritten; group-session.ts chooses the connection.

import {
  type GroupDescription,
  type MessageOf,
  type OpenFlowConnection,
  OpenFlowEncodeError,
  OpenFlowRequestError,
} from '../node-openflow/index.ts';
import {
  concernsSampling,
  sampledSets,
  type TranslationOptions,
  translateActions,
  unresolvedIds,
} from './translation.ts';

/** With this, every companion action in a group is stale. */
export const NOTHING_MANAGED: TranslationOptions = { collectorSets: new Set(), meterId: undefined };

/** The result of reading and rewriting the groups. */
export interface GroupTranslation {
  /** Number of groups with the daemon's action after a `sample` of the set, by collector set id. */
  readonly groupsBySet: ReadonlyMap<number, number>;
  readonly rewrites: number;
  /** Why groups could not be rewritten, by group id. */
  readonly refusals: ReadonlyMap<number, string>;
  /** Ids of `sample` actions from fields that packet-ins lack, by group id; see `unresolvedIds`. */
  readonly unresolved: ReadonlyMap<number, readonly string[]>;
}

/** Returns the ids of the groups that need rewriting, as far as this connection's version shows. */
export async function staleGroups(
  connection: OpenFlowConnection,
  options: TranslationOptions,
): Promise<readonly number[]> {
  const groups = await describeGroups(connection);
  return groups.filter((group) => rewriting(group, options) !== undefined).map(({ groupId }) => groupId);
}

/** Rewrites the groups that need it, one by one, and reads them again. */
export async function translateGroups(
  connection: OpenFlowConnection,
  options: TranslationOptions,
): Promise<GroupTranslation> {
  const mods = (await describeGroups(connection)).flatMap((group) => rewriting(group, options) ?? []);
  const refusals = await send(connection, mods);
  const groups = (await describeGroups(connection)).filter(({ groupId }) => !refusals.has(groupId));
  const unresolved = unresolvedGroups(groups, options);
  return { groupsBySet: countBySet(groups, options), rewrites: mods.length, refusals, unresolved };
}

/** Reports the groups that would need rewriting, without rewriting them: the bridge does not allow OpenFlow 1.5. */
export async function refuseGroups(
  connection: OpenFlowConnection,
  stale: readonly number[],
  options: TranslationOptions,
): Promise<GroupTranslation> {
  const message = 'only OpenFlow 1.5 shows all of a group, and the bridge does not allow it';
  const refusals = new Map(stale.map((groupId) => [groupId, message]));
  const groups = (await describeGroups(connection)).filter(({ groupId }) => !refusals.has(groupId));
  const unresolved = unresolvedGroups(groups, options);
  return { groupsBySet: countBySet(groups, options), rewrites: 0, refusals, unresolved };
}

async function send(
  connection: OpenFlowConnection,
  mods: readonly MessageOf<'group_mod'>[],
): Promise<ReadonlyMap<number, string>> {
  const refusals = new Map<number, string>();
  for (const mod of mods) {
    try {
      const [refusal] = await connection.transact([mod]);
      if (refusal !== undefined) {
        refusals.set(mod.groupId, refusal.message);
      }
    } catch (error) {
      // For example, a group whose buckets with the added actions exceed the size of a message.
      if (!(error instanceof OpenFlowEncodeError)) {
        throw error;
      }
      refusals.set(mod.groupId, error.message);
    }
  }
  return refusals;
}

/** Reads all groups. OVS refuses the request in OpenFlow 1.0, which has no groups. */
async function describeGroups(connection: OpenFlowConnection): Promise<readonly GroupDescription[]> {
  try {
    return (await connection.request({ type: 'group_desc_request' })).entries;
  } catch (error) {
    if (error instanceof OpenFlowRequestError) {
      return [];
    }
    throw error;
  }
}

function rewriting(group: GroupDescription, options: TranslationOptions): MessageOf<'group_mod'> | undefined {
  if (!group.buckets.some((bucket) => concernsSampling(bucket.actions))) {
    return undefined;
  }
  const buckets = group.buckets.map((bucket) => {
    const actions = translateActions(bucket.actions, options);
    return actions === bucket.actions ? bucket : { ...bucket, actions };
  });
  return buckets.every((bucket, index) => bucket === group.buckets[index])
    ? undefined
    : // oxlint-disable-next-line unicorn/no-null -- the codec's value for a command that is not about one bucket
      { type: 'group_mod', command: 'modify', ...group, buckets, commandBucketId: null };
}

function unresolvedGroups(
  groups: readonly GroupDescription[],
  options: TranslationOptions,
): ReadonlyMap<number, readonly string[]> {
  const unresolved = new Map<number, readonly string[]>();
  for (const { groupId, buckets } of groups) {
    const ids = buckets.flatMap((bucket) => unresolvedIds(bucket.actions, options));
    if (ids.length > 0) {
      unresolved.set(groupId, ids);
    }
  }
  return unresolved;
}

function countBySet(
  groups: readonly GroupDescription[],
  options: TranslationOptions,
): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const group of groups) {
    const sets = new Set(group.buckets.flatMap((bucket) => sampledSets(bucket.actions)));
    for (const set of sets) {
      if (options.collectorSets.has(set)) {
        counts.set(set, (counts.get(set) ?? 0) + 1);
      }
    }
  }
  return counts;
}
