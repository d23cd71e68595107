// From the rows of the database to what the daemon is to do: a pure function, run anew on every change. The result says
// which bridges are sampled and how, which IPFIX rows they use, and what is wrong with any of it.

import type { CollectorTarget } from '../export/collector-session.ts';
import type { ExporterOptions } from '../export/exporter.ts';
import { type DatabaseRow, type IpfixRow, readIpfixRow } from './ipfix-row.ts';
import type { Problem } from './problem.ts';
import { knownBridgeKeys, knownIpfixKeys, maxRateKey, stateKey } from './row-keys.ts';
import { parseTarget } from './target.ts';

/** The rows that matter, table by table, as the replica has them. */
export interface ConfigurationTables {
  readonly bridges: Iterable<DatabaseRow>;
  readonly ipfix: ReadonlyMap<string, DatabaseRow>;
  readonly collectorSets: Iterable<DatabaseRow>;
}

/** How one bridge is sampled as a whole (`Bridge.ipfix`). */
export interface BridgeSampling {
  readonly ipfixRow: string;
  /** N: one packet in so many is a sample, and each sample stands for N packets. */
  readonly interval: number;
  readonly observationDomainId: number;
  readonly observationPointId: number;
  readonly exporter: ExporterOptions;
}

export interface BridgeConfig {
  readonly name: string;
  /** Packet-ins a second that the meter lets pass at most: `external_ids:ovs-ipfix-max-rate`. */
  readonly maxSampleRate: number;
  /** Undefined when the bridge has no row, or one that is not ours or has no usable target. */
  readonly sampling: BridgeSampling | undefined;
}

/** An IPFIX row that some bridge or collector set uses. */
export interface UsedIpfixRow {
  readonly row: IpfixRow;
  /** Names of the bridges whose `ipfix` column refers to the row. */
  readonly bridges: readonly string[];
  readonly isUsedByCollectorSet: boolean;
  /** Whether one of the targets that count can be sent to. */
  readonly hasUsableTarget: boolean;
}

export interface Configuration {
  readonly bridges: ReadonlyMap<string, BridgeConfig>;
  readonly ipfixRows: readonly UsedIpfixRow[];
  readonly problems: readonly Problem[];
}

/** The most packet-ins a second from one bridge unless its row says otherwise; see docs/sampling.md for the reason. */
export const defaultMaxSampleRate = 5000;

/** The largest rate that an operator may ask for, in packet-ins a second. */
export const maxSampleRateLimit = 1_000_000;

/** Reads a whole snapshot. `messageBytesMax` is the daemon's largest IPFIX message, in bytes of UDP payload. */
export function readConfiguration(tables: ConfigurationTables, messageBytesMax: number): Configuration {
  const problems: Problem[] = [];
  const bridgeRows = [...tables.bridges];
  const users = usersOfIpfixRows(bridgeRows, tables.collectorSets);
  const rows = new Map<string, UsedIpfixRow & { readonly targets: readonly CollectorTarget[] }>();
  for (const [uuid, user] of users) {
    const databaseRow = tables.ipfix.get(uuid);
    if (databaseRow === undefined) {
      problems.push(danglingReference(uuid, user.bridges));
      continue;
    }
    const where = `IPFIX row ${uuid} (${user.described})`;
    const row = readIpfixRow(databaseRow, where, problems);
    const targets = readTargets(row, where, problems);
    noteRowProblems(row, databaseRow, where, problems);
    if (user.isUsedByCollectorSet) {
      problems.push(flowSamplingNotDone(row, where));
    }
    rows.set(uuid, { row, ...user, hasUsableTarget: targets.length > 0, targets });
  }
  const bridges = new Map<string, BridgeConfig>();
  for (const bridgeRow of bridgeRows) {
    const name = String(bridgeRow.columns['name']);
    const used = rows.get(referenceOf(bridgeRow.columns['ipfix']) ?? '');
    bridges.set(name, {
      name,
      maxSampleRate: readMaxSampleRate(bridgeRow, name, problems),
      sampling:
        used && isOurs(used.row) ? bridgeSampling(used.row, used.targets, messageBytesMax) : undefined,
    });
  }
  return { bridges, ipfixRows: [...rows.values()], problems };
}

/**
 * Whether we export for a row: its targets are held for us, and vswitchd does not have them, or has new ones only until
 * the row, adopted before, is adopted again.
 */
export function isOurs(row: IpfixRow): boolean {
  return (
    row.heldTargets !== undefined && (row.targets.length === 0 || row.externalIds.get(stateKey) === 'adopted')
  );
}

function bridgeSampling(
  row: IpfixRow,
  targets: readonly CollectorTarget[],
  messageBytesMax: number,
): BridgeSampling | undefined {
  if (targets.length === 0) {
    return undefined;
  }
  return {
    ipfixRow: row.uuid,
    interval: row.sampling,
    observationDomainId: row.observationDomainId,
    observationPointId: row.observationPointId,
    exporter: {
      targets,
      activeTimeoutSeconds: row.cacheActiveTimeout,
      flowsMax: row.cacheMaxFlows,
      templateIntervalSeconds: row.templateInterval,
      messageBytesMax,
    },
  };
}

interface IpfixRowUser {
  readonly bridges: string[];
  isUsedByCollectorSet: boolean;
  /** For problems: "bridge br0", "collector set 7". */
  described: string;
}

function usersOfIpfixRows(
  bridgeRows: readonly DatabaseRow[],
  collectorSets: Iterable<DatabaseRow>,
): ReadonlyMap<string, IpfixRowUser> {
  const users = new Map<string, IpfixRowUser>();
  const add = (uuid: string | undefined, described: string, change: (user: IpfixRowUser) => void) => {
    if (uuid !== undefined) {
      const user = users.get(uuid) ?? { bridges: [], isUsedByCollectorSet: false, described: '' };
      user.described += `${user.described === '' ? '' : ', '}${described}`;
      change(user);
      users.set(uuid, user);
    }
  };
  for (const row of bridgeRows) {
    const name = String(row.columns['name']);
    add(referenceOf(row.columns['ipfix']), `bridge ${name}`, (user) => user.bridges.push(name));
  }
  for (const row of collectorSets) {
    add(referenceOf(row.columns['ipfix']), `collector set ${String(row.columns['id'])}`, (user) => {
      user.isUsedByCollectorSet = true;
    });
  }
  return users;
}

/** The uuid in a column that refers to a row, or undefined when the column is empty or absent. */
function referenceOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'uuid' in value ? String(value.uuid) : undefined;
}

/**
 * The targets that count. Those that a user writes into an adopted row count before they have been moved to our key, so
 * that what the same change makes due goes to the new collectors already.
 */
function targetTexts(row: IpfixRow): readonly string[] {
  return isOurs(row) && row.targets.length > 0 ? row.targets : (row.heldTargets ?? row.targets);
}

/** The usable targets of a row, each once. */
function readTargets(row: IpfixRow, where: string, problems: Problem[]): readonly CollectorTarget[] {
  const targets = new Map<string, CollectorTarget>();
  const texts = targetTexts(row);
  for (const text of texts) {
    const result = parseTarget(text);
    if ('target' in result) {
      targets.set(result.target.text, result.target);
    } else {
      problems.push({
        code: 'bad-target',
        severity: 'warning',
        where: `${where}, column targets`,
        ipfixRow: row.uuid,
        message: `The target ${result.fault}`,
        remedy: `Set good ones with "ovs-vsctl set IPFIX ${row.uuid} targets=..."; the others are used meanwhile.`,
      });
    }
  }
  if (targets.size === 0) {
    problems.push({
      code: 'no-usable-target',
      severity: 'error',
      where: `${where}, column targets`,
      ipfixRow: row.uuid,
      message: 'There is no collector to send to, so nothing is exported for the row.',
      remedy: `Name one with "ovs-vsctl set IPFIX ${row.uuid} targets=\\"192.0.2.1:4739\\"".`,
    });
  }
  return [...targets.values()];
}

function noteRowProblems(row: IpfixRow, databaseRow: DatabaseRow, where: string, problems: Problem[]): void {
  const about = { where, ipfixRow: row.uuid, severity: 'warning' } as const;
  const hasCacheColumns =
    'cache_active_timeout' in databaseRow.columns && 'cache_max_flows' in databaseRow.columns;
  if (!hasCacheColumns) {
    problems.push({
      ...about,
      code: 'no-cache-columns',
      message: 'The database lacks the columns cache_active_timeout and cache_max_flows, so caching is off.',
      remedy: 'Add them with "ovs-ipfix migrate" (docs/migration.md).',
    });
  } else if ((row.cacheActiveTimeout === 0) !== (row.cacheMaxFlows === 0)) {
    const [set, unset] =
      row.cacheMaxFlows === 0
        ? ['cache_active_timeout', 'cache_max_flows']
        : ['cache_max_flows', 'cache_active_timeout'];
    problems.push({
      ...about,
      code: 'caching-disabled',
      message: `${set} is set and ${unset} is not, which turns caching off: each sample becomes a record of its own.`,
      remedy: `Set both, as in "ovs-vsctl set IPFIX ${row.uuid} cache_active_timeout=60 cache_max_flows=100000".`,
    });
  }
  if (row.otherConfig.get('enable-output-sampling') === 'true') {
    problems.push({
      ...about,
      code: 'output-sampling-not-done',
      message:
        'other_config:enable-output-sampling is true, but packets are sampled only where they enter the bridge.',
      remedy: `Take the key away with "ovs-vsctl remove IPFIX ${row.uuid} other_config enable-output-sampling".`,
    });
  }
  noteUnknownKeys(
    row.externalIds,
    knownIpfixKeys,
    { ...about, remove: `remove IPFIX ${row.uuid}` },
    problems,
  );
}

function noteUnknownKeys(
  externalIds: ReadonlyMap<unknown, unknown>,
  known: ReadonlySet<string>,
  about: { readonly where: string; readonly ipfixRow?: string; readonly remove: string },
  problems: Problem[],
): void {
  const { remove, ...place } = about;
  for (const key of externalIds.keys()) {
    if (typeof key === 'string' && key.startsWith('ovs-ipfix') && !known.has(key)) {
      problems.push({
        ...place,
        code: 'unknown-key',
        severity: 'warning',
        message: `external_ids:${key} is not a key that ovs-ipfix knows, so it has no effect.`,
        remedy: `Known are ${[...known].join(', ')}. Take it away with "ovs-vsctl ${remove} external_ids ${key}".`,
      });
    }
  }
}

function readMaxSampleRate(row: DatabaseRow, bridge: string, problems: Problem[]): number {
  const externalIds = row.columns['external_ids'];
  if (!(externalIds instanceof Map)) {
    return defaultMaxSampleRate;
  }
  const where = `Bridge ${bridge}`;
  noteUnknownKeys(externalIds, knownBridgeKeys, { where, remove: `remove Bridge ${bridge}` }, problems);
  const text: unknown = externalIds.get(maxRateKey);
  if (text === undefined) {
    return defaultMaxSampleRate;
  }
  const rate = typeof text === 'string' && /^\d{1,7}$/u.test(text) ? Number(text) : 0;
  if (rate >= 1 && rate <= maxSampleRateLimit) {
    return rate;
  }
  problems.push({
    code: 'bad-value',
    severity: 'warning',
    where: `${where}, external_ids:${maxRateKey}`,
    message: `${JSON.stringify(text)} is not a whole number from 1 to ${maxSampleRateLimit}; ${defaultMaxSampleRate} counts instead.`,
    remedy: `Set it with "ovs-vsctl set Bridge ${bridge} external_ids:${maxRateKey}=${defaultMaxSampleRate}".`,
  });
  return defaultMaxSampleRate;
}

function danglingReference(uuid: string, bridges: readonly string[]): Problem {
  return {
    code: 'dangling-reference',
    severity: 'error',
    where: `Bridge ${bridges.join(', ')}, column ipfix`,
    message: `It refers to the IPFIX row ${uuid}, which the database does not show to us.`,
    remedy: 'See that the table IPFIX is readable, and that the schema has it.',
  };
}

function flowSamplingNotDone(row: IpfixRow, where: string): Problem {
  return {
    code: 'flow-sampling-not-done',
    severity: 'warning',
    where,
    ipfixRow: row.uuid,
    message:
      'A Flow_Sample_Collector_Set uses the row, and this version does not sample by "sample" actions.',
    remedy:
      'ovs-vswitchd keeps exporting for the row; give the bridge an IPFIX row of its own to have it exported here.',
  };
}
