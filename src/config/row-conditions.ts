// What is wrong with an IPFIX row beyond its single values: cache columns that turn caching off, settings that ovs-vswitchd
// honours and we do not, and keys that nothing reads. docs/configuration.md has the table of all columns and keys.

import type { Condition } from './condition.ts';
import type { DatabaseRow, IpfixRow } from './ipfix-row.ts';
import { KNOWN_IPFIX_KEYS } from './row-keys.ts';
import { invertedKeyConditions, outputSamplingConditions } from './sampling-keys.ts';

/** A row and what its conditions depend on. */
export interface ConditionContext {
  readonly row: IpfixRow;
  /** The same row as the database has it. */
  readonly databaseRow: DatabaseRow;
  /** Names the row in conditions. */
  readonly where: string;
  /** See `ConfigurationTables`. */
  readonly ovsVersion: string | undefined;
  /** Whether we export for the row: what ovs-vswitchd does with its settings is not our condition. */
  readonly isOurs: boolean;
  /** Whether a bridge as a whole is sampled by it, and not only collector sets. */
  readonly isForWholeBridge: boolean;
}

export function rowConditions(context: ConditionContext): readonly Condition[] {
  const { row, where, isOurs, isForWholeBridge } = context;
  return [
    ...cacheConditions(context),
    ...(isForWholeBridge ? invertedKeyConditions(context) : []),
    ...(isOurs && isForWholeBridge ? outputSamplingConditions(context) : []),
    ...(isOurs ? unsupportedSettings(context) : []),
    ...unknownKeyConditions(row.externalIds, KNOWN_IPFIX_KEYS, {
      where,
      ipfixRow: row.uuid,
      remove: `remove IPFIX ${row.uuid}`,
    }),
  ];
}

/** Keys with our prefix that nothing reads. */
export function unknownKeyConditions(
  externalIds: ReadonlyMap<unknown, unknown>,
  known: ReadonlySet<string>,
  about: { readonly where: string; readonly ipfixRow?: string; readonly remove: string },
): readonly Condition[] {
  const { remove, ...place } = about;
  const conditions: Condition[] = [];
  for (const key of externalIds.keys()) {
    if (typeof key === 'string' && key.startsWith('ovs-ipfix') && !known.has(key)) {
      conditions.push({
        ...place,
        code: 'unknown-key',
        severity: 'warning',
        message: `external_ids:${key} is not a key that ovs-ipfix knows, so it has no effect.`,
        action: `Known are ${[...known].join(', ')}. Take it away with "ovs-vsctl ${remove} external_ids ${key}".`,
      });
    }
  }
  return conditions;
}

function cacheConditions({ row, databaseRow, where }: ConditionContext): readonly Condition[] {
  const about = { where, ipfixRow: row.uuid, severity: 'warning' } as const;
  const hasCacheColumns =
    'cache_active_timeout' in databaseRow.columns && 'cache_max_flows' in databaseRow.columns;
  if (!hasCacheColumns) {
    return [
      {
        ...about,
        code: 'no-cache-columns',
        message:
          'The database lacks the columns cache_active_timeout and cache_max_flows, so caching is off.',
        action: 'Add them with "ovs-ipfix migrate" (docs/migration.md).',
      },
    ];
  }
  if ((row.cacheActiveTimeout === 0) === (row.cacheMaxFlows === 0)) {
    return [];
  }
  const [set, unset] =
    row.cacheMaxFlows === 0
      ? ['cache_active_timeout', 'cache_max_flows']
      : ['cache_max_flows', 'cache_active_timeout'];
  return [
    {
      ...about,
      code: 'caching-disabled',
      message: `${set} is set and ${unset} is not, which turns caching off: each sample becomes a record of its own.`,
      action: `Set both, as in "ovs-vsctl set IPFIX ${row.uuid} cache_active_timeout=60 cache_max_flows=100000".`,
    },
  ];
}

/** Settings that add elements or records to what ovs-vswitchd exports, and nothing to what we export. */
function unsupportedSettings({ row, where }: ConditionContext): readonly Condition[] {
  const tunnel = row.otherConfig.get('enable-tunnel-sampling');
  const virtualId = row.otherConfig.get('virtual_obs_id');
  const settings = [
    {
      // ovs-vswitchd takes any value but "false" for true.
      isSet: tunnel !== undefined && tunnel.toLowerCase() !== 'false',
      name: 'other_config:enable-tunnel-sampling',
      consequence:
        'records have no elements of tunnel headers (tunnelType to tunnelDestinationTransportPort)',
      removal: `set IPFIX ${row.uuid} other_config:enable-tunnel-sampling=false`,
    },
    {
      isSet: virtualId !== undefined && virtualId !== '',
      name: 'other_config:virtual_obs_id',
      consequence: 'records have no element virtualObsID',
      removal: `remove IPFIX ${row.uuid} other_config virtual_obs_id`,
    },
    {
      isSet: row.statsInterval !== undefined,
      name: 'stats_interval',
      consequence:
        'no statistics records of the exporting process are sent; "ovs-ipfix status" has the counters',
      removal: `clear IPFIX ${row.uuid} stats_interval`,
    },
  ];
  return settings
    .filter(({ isSet }) => isSet)
    .map(({ name, consequence, removal }) => ({
      code: 'setting-not-supported',
      severity: 'warning',
      where: `${where}, ${name}`,
      ipfixRow: row.uuid,
      message: `ovs-ipfix does not support it: ${consequence}.`,
      action: `Remove it with "ovs-vsctl ${removal}", or leave the row to ovs-vswitchd: run with --adopt=marked.`,
    }));
}
