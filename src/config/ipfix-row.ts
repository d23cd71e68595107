// One row of the table IPFIX, validated column by column: an invalid value is a condition and is replaced by the default; the
// other columns apply. ovs-vswitchd.conf.db(5) describes the columns; docs/configuration.md those that ovs-ipfix adds.

import * as z from 'zod/mini';
import english from 'zod/v4/locales/en.js';
import { FAILBACK_SECONDS_DEFAULT } from '../export/collector-choice.ts';
import { CACHE_ACTIVE_TIMEOUT_MAX } from '../export/exporter-options.ts';
import { MESSAGE_BYTES_MIN } from '../export/path-mtu.ts';
import { RECORD_FORMATS, type RecordFormat } from '../ipfix/record-layout.ts';
import type { Condition } from './condition.ts';
import {
  FAILBACK_KEY,
  HELD_ACTIVE_TIMEOUT_KEY,
  HELD_MAX_FLOWS_KEY,
  HELD_TARGETS_KEY,
  MESSAGE_BYTES_KEY,
  OPTIONS_KEY,
  parseHeldTargets,
  RECORD_FORMAT_KEY,
  REDIRECTED_TO_KEY,
  STATE_KEY,
  TEMPLATE_INTERVAL_KEY,
} from './row-keys.ts';
import { type RowOption, readRowOptions } from './row-options.ts';
import { areOnlyForDaemon, daemonTargets } from './target-forms.ts';

/** A row as the replica of the database has it: columns decoded by the schema, absent where the schema lacks them. */
export interface DatabaseRow {
  readonly uuid: string;
  readonly columns: Readonly<Record<string, unknown>>;
}

/** The columns by which ovs-vswitchd caches the samples of a collector set; undefined: unset. */
export interface CacheColumns {
  readonly activeTimeout: number | undefined;
  readonly maxFlows: number | undefined;
}

/** The columns of an IPFIX row that the daemon reads. */
export interface IpfixRow {
  readonly uuid: string;
  /**
   * The column `targets`, but for `redirectedTo`: ovs-vswitchd exports for the row if it has one, unless all are only for the
   * daemon.
   */
  readonly targets: readonly string[];
  /** The daemon's socket, where it is the only target in the column of a redirected row. */
  readonly redirectedTo: string | undefined;
  /** The targets in `external_ids:ovs-ipfix-targets`; undefined without that key. */
  readonly heldTargets: readonly string[] | undefined;
  /** N of 1-in-N sampling. */
  readonly sampling: number;
  readonly observationDomainId: number;
  readonly observationPointId: number;
  /** Seconds; 0 turns caching off. Of a redirected row it is the held one, unless the column is set again. */
  readonly cacheActiveTimeout: number;
  /** Flows; 0 turns caching off. As `cacheActiveTimeout` in a redirected row. */
  readonly cacheMaxFlows: number;
  /** What the columns of the cache have; undefined if the database lacks them. */
  readonly cacheColumns: CacheColumns | undefined;
  /** Seconds between repetitions of the templates over UDP. */
  readonly templateInterval: number;
  /** The longest message in bytes; undefined for the default. */
  readonly messageBytesMax: number | undefined;
  /** Seconds that a collector which has failed must have worked before it is used again. */
  readonly failbackSeconds: number;
  /** `stats_interval` in seconds; undefined when it is unset, or the schema lacks it (before OVS 3.2). */
  readonly statsInterval: number | undefined;
  /** The format of the row's records; undefined for the default. */
  readonly recordFormat: RecordFormat | undefined;
  /** What records have, or are accompanied by, beyond their format. */
  readonly options: ReadonlySet<RowOption>;
  readonly externalIds: ReadonlyMap<string, string>;
  readonly otherConfig: ReadonlyMap<string, string>;
}

// Without a language the small edition of zod says only "Invalid input".
z.config(english());

const UINT32_MAX = 0xffff_ffff;

/** Schema of a whole number of a column. */
function wholeNumber(min: number, max: number) {
  return z.int().check(z.minimum(min), z.maximum(max));
}

const uint32 = wholeNumber(0, UINT32_MAX);

/** `sampling` of a bridge's row when the column is unset, as in ovs-vswitchd. */
const SAMPLING_DEFAULT = 400;
/** Seconds between templates when `template_interval` is unset or unknown to the database, as in ovs-vswitchd. */
const TEMPLATE_INTERVAL_DEFAULT = 600;
/** The largest `template_interval` and `stats_interval` that the schema of Open vSwitch allows, in seconds. */
const INTERVAL_MAX = 3600;
const TEMPLATE_INTERVAL: NumberKey = {
  key: TEMPLATE_INTERVAL_KEY,
  min: 1,
  max: INTERVAL_MAX,
  unit: 'seconds',
  example: '60',
};
/** As `--message-bytes-max`. */
const MESSAGE_BYTES: NumberKey = {
  key: MESSAGE_BYTES_KEY,
  min: MESSAGE_BYTES_MIN,
  max: 65_535,
  unit: 'bytes',
  example: '1200',
};
/** The largest `ovs-ipfix-failback-seconds`: a day. */
const FAILBACK_SECONDS_MAX = 86_400;
const FAILBACK: NumberKey = {
  key: FAILBACK_KEY,
  min: 0,
  max: FAILBACK_SECONDS_MAX,
  unit: 'seconds',
  example: String(FAILBACK_SECONDS_DEFAULT),
};

const stringMap = z.map(z.string(), z.string());

const columns = {
  targets: z._default(z.array(z.string()), []),
  sampling: z._default(wholeNumber(1, UINT32_MAX), SAMPLING_DEFAULT),
  obs_domain_id: z._default(uint32, 0),
  obs_point_id: z._default(uint32, 0),
  cache_active_timeout: z._default(wholeNumber(0, CACHE_ACTIVE_TIMEOUT_MAX), 0),
  cache_max_flows: z._default(uint32, 0),
  template_interval: z.optional(wholeNumber(1, INTERVAL_MAX)),
  stats_interval: z.optional(wholeNumber(1, INTERVAL_MAX)),
  external_ids: z._default(stringMap, new Map()),
  other_config: z._default(stringMap, new Map()),
} as const;

type ColumnName = keyof typeof columns;

/** The value of each column that is unset or not valid. */
const DEFAULTS = Object.fromEntries(
  Object.entries(columns).map(([name, schema]) => [name, schema.parse(undefined)]),
) as { readonly [Name in ColumnName]: z.output<(typeof columns)[Name]> };

/** The columns of table IPFIX that `readIpfixRow` reads and the replica watches. */
export const IPFIX_COLUMN_NAMES: readonly string[] = Object.keys(columns);

/** Validates a row and adds a condition for each invalid column. `where` names the row in conditions: "IPFIX row 1b2c… of bridge br0". */
export function readIpfixRow(row: DatabaseRow, where: string, conditions: Condition[]): IpfixRow {
  const column = <Name extends ColumnName>(name: Name): z.output<(typeof columns)[Name]> => {
    const value = row.columns[name];
    if (value === undefined) {
      return DEFAULTS[name];
    }
    const result = columns[name].safeParse(value);
    if (result.success) {
      return result.data as z.output<(typeof columns)[Name]>;
    }
    conditions.push(badColumn(row, where, name, result.error));
    return DEFAULTS[name];
  };
  const externalIds = column('external_ids');
  const held = externalIds.get(HELD_TARGETS_KEY);
  const targets = column('targets');
  const redirectedTo = readRedirectedTo(targets, externalIds);
  const activeTimeout = optionalNumber(row.columns['cache_active_timeout']);
  const maxFlows = optionalNumber(row.columns['cache_max_flows']);
  const heldCache = readHeldCache(externalIds);
  return {
    uuid: row.uuid,
    targets: redirectedTo === undefined ? targets : [],
    redirectedTo,
    heldTargets: held === undefined ? undefined : parseHeldTargets(held),
    sampling: column('sampling'),
    observationDomainId: column('obs_domain_id'),
    observationPointId: column('obs_point_id'),
    cacheActiveTimeout:
      (activeTimeout === undefined ? heldCache.activeTimeout : undefined) ?? column('cache_active_timeout'),
    cacheMaxFlows: (maxFlows === undefined ? heldCache.maxFlows : undefined) ?? column('cache_max_flows'),
    cacheColumns:
      'cache_active_timeout' in row.columns && 'cache_max_flows' in row.columns
        ? { activeTimeout, maxFlows }
        : undefined,
    templateInterval:
      column('template_interval') ??
      readNumberKey(TEMPLATE_INTERVAL, row.uuid, externalIds, where, conditions) ??
      TEMPLATE_INTERVAL_DEFAULT,
    messageBytesMax: readNumberKey(MESSAGE_BYTES, row.uuid, externalIds, where, conditions),
    failbackSeconds:
      readNumberKey(FAILBACK, row.uuid, externalIds, where, conditions) ?? FAILBACK_SECONDS_DEFAULT,
    statsInterval: column('stats_interval'),
    recordFormat: readRecordFormat(row.uuid, externalIds.get(RECORD_FORMAT_KEY), where, conditions),
    options: readRowOptions(row.uuid, externalIds.get(OPTIONS_KEY), where, conditions),
    externalIds,
    otherConfig: column('other_config'),
  };
}

/** Returns the held columns of the cache; none unless the row is redirected. */
export function readHeldCache(externalIds: ReadonlyMap<string, string>): CacheColumns {
  const isHeld = isRedirectedState(externalIds.get(STATE_KEY));
  const read = (key: string) => {
    const text = isHeld ? externalIds.get(key) : undefined;
    return text !== undefined && /^\d{1,10}$/u.test(text) && Number(text) <= UINT32_MAX
      ? Number(text)
      : undefined;
  };
  return { activeTimeout: read(HELD_ACTIVE_TIMEOUT_KEY), maxFlows: read(HELD_MAX_FLOWS_KEY) };
}

/** Whether a value of `ovs-ipfix-state` is that of a redirected row. */
function isRedirectedState(state: string | undefined): boolean {
  return state === 'redirected' || state === 'redirected-native';
}

/**
 * Whether the daemon exports for a row: its targets are only for the daemon, or the row holds targets for it and ovs-vswitchd has
 * none, or has new ones in an adopted row until it is adopted again.
 */
export function isOurs(row: IpfixRow): boolean {
  return (
    areOnlyForDaemon(row.targets) ||
    (row.heldTargets !== undefined &&
      (row.targets.length === 0 || row.externalIds.get(STATE_KEY) === 'adopted' || isRedirected(row)))
  );
}

/** Whether ovs-vswitchd cannot export for the row as it is: it has no targets for it, and others that the daemon exports to. */
export function isOnlyForDaemon({ targets, heldTargets }: IpfixRow): boolean {
  return areOnlyForDaemon(targets) || (heldTargets !== undefined && targets.length === 0);
}

/** Whether its user wrote the targets for the daemon only: into the key instead of the column. */
export function isNative(row: IpfixRow): boolean {
  return row.targets.length === 0 && row.heldTargets !== undefined && !isAdopted(row);
}

/** Whether the row is handed back to ovs-vswitchd when the daemon stops. */
export function isAdopted(row: IpfixRow): boolean {
  const state = row.externalIds.get(STATE_KEY);
  return row.heldTargets !== undefined && (state === 'adopted' || state === 'redirected');
}

/**
 * Returns the targets of the row as the daemon exports to them. Those in the column replace the held ones of an adopted row. In
 * any other row they replace those that ovs-vswitchd could use as well: it is how an adopted row was handed back.
 */
export function effectiveTargets(row: IpfixRow): readonly string[] {
  const { targets, heldTargets = [] } = row;
  if (targets.length === 0 || heldTargets.length === 0) {
    return targets.length === 0 ? heldTargets : targets;
  }
  if (isAdopted(row)) {
    return targets;
  }
  return [
    ...new Set([...targets, ...(areOnlyForDaemon(targets) ? heldTargets : daemonTargets(heldTargets))]),
  ];
}

/** Whether the targets of a row are, or are becoming, a socket of the daemon. */
export function isRedirected(row: IpfixRow): boolean {
  return isRedirectedState(row.externalIds.get(STATE_KEY));
}

function readRedirectedTo(
  targets: readonly string[],
  externalIds: ReadonlyMap<string, string>,
): string | undefined {
  const own = externalIds.get(REDIRECTED_TO_KEY);
  const isOwn = isRedirectedState(externalIds.get(STATE_KEY)) && targets.length === 1 && targets[0] === own;
  return isOwn ? own : undefined;
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function readRecordFormat(
  uuid: string,
  text: string | undefined,
  where: string,
  conditions: Condition[],
): RecordFormat | undefined {
  const format = RECORD_FORMATS.find((each) => each === text);
  if (text !== undefined && format === undefined) {
    const fault = `${JSON.stringify(text)} is not one of ${RECORD_FORMATS.join(' and ')}`;
    conditions.push(badKey(uuid, where, RECORD_FORMAT_KEY, fault, 'extended'));
  }
  return format;
}

/** A key whose value is a whole number. */
interface NumberKey {
  readonly key: string;
  readonly min: number;
  readonly max: number;
  /** "seconds". */
  readonly unit: string;
  /** A valid value. */
  readonly example: string;
}

/** Returns the number of a key; undefined without a valid one. */
function readNumberKey(
  { key, min, max, unit, example }: NumberKey,
  uuid: string,
  externalIds: ReadonlyMap<string, string>,
  where: string,
  conditions: Condition[],
): number | undefined {
  const text = externalIds.get(key);
  const number = text !== undefined && /^\d{1,9}$/u.test(text) ? Number(text) : -1;
  if (number >= min && number <= max) {
    return number;
  }
  if (text !== undefined) {
    const fault = `${JSON.stringify(text)} is not a number of ${unit} from ${min} to ${max}`;
    conditions.push(badKey(uuid, where, key, fault, example));
  }
  return undefined;
}

/** Returns the condition of a key with an invalid value; `example` is a valid one. */
function badKey(uuid: string, where: string, key: string, fault: string, example: string): Condition {
  return {
    code: 'bad-value',
    severity: 'warning',
    where: `${where}, external_ids:${key}`,
    ipfixRow: uuid,
    message: `${fault}; the default is used.`,
    action: `Set it with "ovs-vsctl set IPFIX ${uuid} external_ids:${key}=${example}".`,
  };
}

function badColumn(row: DatabaseRow, where: string, name: ColumnName, error: z.core.$ZodError): Condition {
  const detail = error.issues.map((issue) => issue.message).join('; ');
  return {
    code: 'bad-value',
    severity: 'warning',
    where: `${where}, column ${name}`,
    ipfixRow: row.uuid,
    message: `The value ${JSON.stringify(row.columns[name])} is not valid (${detail}); the default is used.`,
    action: `Set it with "ovs-vsctl set IPFIX ${row.uuid} ${name}=VALUE".`,
  };
}
