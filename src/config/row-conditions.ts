// Conditions of an IPFIX row beyond invalid values: cache columns that turn caching off, settings that ovs-vswitchd supports
// and ovs-ipfix does not, and unknown keys. docs/configuration.md has the table of all columns and keys.

import type { RecordFormat } from '../ipfix/record-layout.ts';
import type { Condition } from './condition.ts';
import type { DatabaseRow, IpfixRow } from './ipfix-row.ts';
import { KNOWN_IPFIX_KEYS } from './row-keys.ts';
import { tunnelConditions } from './row-options.ts';
import { invertedKeyConditions, outputSamplingConditions } from './sampling-keys.ts';

/** A row, and the facts that its conditions depend on. */
export interface ConditionContext {
  readonly row: IpfixRow;
  /** The same row as the database has it. */
  readonly databaseRow: DatabaseRow;
  /** Names the row in conditions. */
  readonly where: string;
  /** See `ConfigurationTables`. */
  readonly ovsVersion: string | undefined;
  /** The format of records of rows that do not choose one. */
  readonly recordFormat: RecordFormat;
  /** Whether the daemon exports for the row; unsupported settings of other rows are not reported. */
  readonly isOurs: boolean;
  /** Whether a bridge refers to the row in its `ipfix` column. */
  readonly isForWholeBridge: boolean;
}

/** Returns the conditions of a row, apart from invalid values. */
export function rowConditions(context: ConditionContext): readonly Condition[] {
  const { row, where, isOurs, isForWholeBridge } = context;
  return [
    ...cacheConditions(context),
    ...(isForWholeBridge ? invertedKeyConditions(context) : []),
    ...(isOurs && isForWholeBridge ? outputSamplingConditions(context) : []),
    ...(isOurs ? unsupportedSettings(context) : []),
    ...(isOurs
      ? tunnelConditions(row.uuid, row.options, row.recordFormat ?? context.recordFormat, where)
      : []),
    ...unknownKeyConditions(row.externalIds, KNOWN_IPFIX_KEYS, {
      where,
      ipfixRow: row.uuid,
      remove: `remove IPFIX ${row.uuid}`,
    }),
  ];
}

/** Returns a condition for each key with the prefix `ovs-ipfix` that has no meaning. */
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
        message: `external_ids:${key} is not a known key and has no effect.`,
        action: `Known keys are ${[...known].join(', ')}. Remove it with "ovs-vsctl ${remove} external_ids ${key}".`,
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

/** Settings that add elements or records to the export of ovs-vswitchd, and that ovs-ipfix does not support. */
function unsupportedSettings({ row, where }: ConditionContext): readonly Condition[] {
  const tunnel = row.otherConfig.get('enable-tunnel-sampling');
  const virtualId = row.otherConfig.get('virtual_obs_id');
  const settings = [
    {
      // ovs-vswitchd reads any value but "false" as true.
      isSet: tunnel !== undefined && tunnel.toLowerCase() !== 'false' && !row.options.has('tunnel'),
      name: 'other_config:enable-tunnel-sampling',
      consequence:
        'records have elements of tunnel headers (tunnelType to tunnelDestinationTransportPort) only with the option tunnel',
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
