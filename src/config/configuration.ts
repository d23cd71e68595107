// Turns the rows of the database into the daemon's configuration: a pure function that runs on every change. The result has
// the bridges with their sampling, the IPFIX rows in use, and the conditions of both.

import type { ExporterOptions } from '../export/exporter-options.ts';
import { RECORD_FORMAT_DEFAULT, type RecordFormat } from '../ipfix/record-layout.ts';
import { hasKernelDatapath, readBridgeKeys, type SamplerPolicy } from './bridge-keys.ts';
import { bridgesBeyondLimits } from './bridge-limits.ts';
import { type CollectorSet, readCollectorSets } from './collector-sets.ts';
import { type Condition, shownCondition } from './condition.ts';
import { isFailOpen } from './fail-open.ts';
import { type DatabaseRow, type IpfixRow, isOurs } from './ipfix-row.ts';
import { ownerOf } from './own-rows.ts';
import { bridgeNameOf, referenceOf } from './reference.ts';
import { RowCache } from './row-cache.ts';
import { optionsRecords } from './row-options.ts';
import { describeUsers, type RowUser, usersOfIpfixRows } from './row-users.ts';
import { type TargetsPlace, targetsPlaceOf } from './targets-place.ts';
import { type ProcessOptions, type ReadRow, readUsedRow, type UsedIpfixRow } from './used-row.ts';

/** The rows of each table, as the replica has them. */
export interface ConfigurationTables {
  readonly bridges: Iterable<DatabaseRow>;
  readonly ipfix: ReadonlyMap<string, DatabaseRow>;
  readonly collectorSets: Iterable<DatabaseRow>;
  /** The bridges' controllers, by uuid. */
  readonly controllers: ReadonlyMap<string, DatabaseRow>;
  /** `Open_vSwitch.ovs_version`; ovs-ctl(8) writes it, a bare ovs-vswitchd does not. */
  readonly ovsVersion?: string | undefined;
}

/** How one bridge is sampled as a whole (`Bridge.ipfix`). */
export interface BridgeSampling {
  readonly ipfixRow: string;
  /** Whether the row is adopted or native; otherwise ovs-vswitchd exports for it until it is adopted. */
  readonly isOurs: boolean;
  /** N of 1-in-N sampling: each sample represents N packets. */
  readonly interval: number;
  readonly observationDomainId: number;
  readonly observationPointId: number;
  /** Whether the row chooses the format of its records; otherwise they have the format of `--record-format`. */
  readonly rowSetsFormat: boolean;
  /** Where the row has its targets. */
  readonly targetsPlace: TargetsPlace;
  readonly exporter: ExporterOptions;
}

/** How the `sample` actions of one collector set are exported (`Flow_Sample_Collector_Set`). */
export interface FlowSampling {
  readonly collectorSetId: number;
  readonly ipfixRow: string;
  /** See `BridgeSampling.isOurs`. */
  readonly isOurs: boolean;
  /** See `BridgeSampling.rowSetsFormat`. */
  readonly rowSetsFormat: boolean;
  readonly targetsPlace: TargetsPlace;
  readonly exporter: ExporterOptions;
  /** Whether the set alone uses the row, so that the row can be redirected. */
  readonly ownsRow: boolean;
  /** The row as it was read. */
  readonly row: IpfixRow;
}

export interface BridgeConfig {
  readonly name: string;
  /** Rate of each meter of the bridge, in packet-ins a second: `external_ids:ovs-ipfix-max-rate`. */
  readonly maxSampleRate: number;
  /** `external_ids:ovs-ipfix-sampler`. */
  readonly samplerPolicy: SamplerPolicy;
  /** See `hasKernelDatapath`. */
  readonly hasKernelDatapath: boolean;
  /**
   * Whether OVS forwards by itself: the fail mode is standalone and every controller is disconnected
   * (ovs-vswitchd.conf.db(5), Bridge.fail_mode).
   */
  readonly isFailOpen: boolean;
  /** Undefined when the bridge has no row or one without a usable target. */
  readonly sampling: BridgeSampling | undefined;
  /** By collector set id; only sets whose row has a usable target. */
  readonly flowSampling: ReadonlyMap<number, FlowSampling>;
}

export interface Configuration {
  readonly bridges: ReadonlyMap<string, BridgeConfig>;
  readonly ipfixRows: readonly UsedIpfixRow[];
  /** The same rows by their UUIDs. */
  readonly rowsByUuid: ReadonlyMap<string, UsedIpfixRow>;
  /** Names of the bridges beyond the limits, whose rows are left to ovs-vswitchd. */
  readonly bridgesBeyondLimits: ReadonlySet<string>;
  readonly conditions: readonly Condition[];
}

/** A bridge as it was read. */
interface ReadBridge {
  readonly config: BridgeConfig;
  readonly conditions: readonly Condition[];
}

/** What was read for earlier snapshots: a row that is the same, and used in the same way, has the same result object. */
export class ConfigurationCache {
  readonly ipfix = new RowCache<ReadRow>();
  readonly sets = new RowCache<FlowSampling>();
  readonly bridges = new RowCache<ReadBridge>();
}

/** `samplingPopulation` of collector sets: each `sample` action has a probability of its own, so that no number is right. */
const POPULATION_OF_SETS = 1;

/**
 * Reads a snapshot of the rows. `messageBytesMax` is the size of the daemon's largest IPFIX message, in bytes of UDP payload;
 * `recordFormat` is that of rows that do not choose one, and so are the source addresses and TLS files in `ofProcess`. `cache`
 * changes nothing but the time that it takes.
 */
export function readConfiguration(
  tables: ConfigurationTables,
  messageBytesMax: number,
  recordFormat: RecordFormat = RECORD_FORMAT_DEFAULT,
  cache: ConfigurationCache = new ConfigurationCache(),
  ofProcess: Pick<ProcessOptions, 'source' | 'collectorTls' | 'fileTargets'> = {},
): Configuration {
  const conditions: Condition[] = [];
  const bridgeRows = [...tables.bridges];
  const collectorSets = collectorSetsOfUsers(tables);
  const users = usersOfIpfixRows(bridgeRows, collectorSets);
  const rows = readUsedRows(
    tables,
    users,
    { messageBytesMax, recordFormat, ...ofProcess },
    cache,
    conditions,
  );
  const foundConditions: Condition[] = [];
  const sets = readCollectorSets(collectorSets, bridgeRows, foundConditions);
  const beyond = bridgesBeyondLimits(bridgeRows, sets, foundConditions);
  conditions.push(...foundConditions.map(shownCondition));
  const ownsRow = (uuid: string) => users.get(uuid)?.count === 1;
  const bridges = new Map<string, BridgeConfig>();
  for (const bridgeRow of bridgeRows) {
    const isBeyond = beyond.has(bridgeNameOf(bridgeRow));
    const whole = isBeyond ? undefined : rows.get(referenceOf(bridgeRow.columns['ipfix']) ?? '');
    const ofBridge = isBeyond ? [] : (sets.get(bridgeRow.uuid) ?? []);
    const samplings = readFlowSamplings(ofBridge, rows, ownsRow, cache);
    const isOpen = isFailOpen(bridgeRow, tables.controllers);
    const read = cache.bridges.get(bridgeRow, [whole, isOpen, ...samplings], () =>
      readBridge(bridgeRow, whole, isOpen, samplings),
    );
    conditions.push(...read.conditions);
    bridges.set(read.config.name, read.config);
  }
  const rowsByUuid = new Map(Array.from(rows, ([uuid, { used }]) => [uuid, used]));
  return {
    bridges,
    ipfixRows: [...rowsByUuid.values()],
    rowsByUuid,
    bridgesBeyondLimits: beyond,
    conditions,
  };
}

/**
 * Reads rows of the table IPFIX into the cache, in steps of `rowsMax` of them, so that `readConfiguration` takes little time
 * afterwards: its caller lets other work run between the steps.
 */
export function* prepareConfiguration(
  tables: ConfigurationTables,
  ofProcess: ProcessOptions,
  cache: ConfigurationCache,
  rowsMax: number,
): Generator<void, void> {
  const readsBefore = cache.ipfix.reads;
  let readsMax = readsBefore + rowsMax;
  for (const [uuid, user] of usersOfIpfixRows([...tables.bridges], collectorSetsOfUsers(tables))) {
    const row = tables.ipfix.get(uuid);
    if (row !== undefined && ownerOf(row) === undefined) {
      readRowOf(row, user, tables, ofProcess, cache);
      if (cache.ipfix.reads === readsMax) {
        yield;
        readsMax = cache.ipfix.reads + rowsMax;
      }
    }
  }
  if (cache.ipfix.reads - readsBefore > rowsMax) {
    // What follows is work of its own where there are many rows.
    yield;
  }
}

/** What `collectorSetsOfUsers` has returned. */
const setsOfUsers = new WeakMap<ConfigurationTables, readonly DatabaseRow[]>();

function collectorSetsOfUsers(tables: ConfigurationTables): readonly DatabaseRow[] {
  const sets =
    setsOfUsers.get(tables) ?? [...tables.collectorSets].filter((row) => ownerOf(row) === undefined);
  setsOfUsers.set(tables, sets);
  return sets;
}

/** Reads the rows that bridges and sets of users refer to, by UUID. */
function readUsedRows(
  tables: ConfigurationTables,
  users: ReadonlyMap<string, RowUser>,
  ofProcess: ProcessOptions,
  cache: ConfigurationCache,
  conditions: Condition[],
): ReadonlyMap<string, ReadRow> {
  const rows = new Map<string, ReadRow>();
  for (const [uuid, user] of users) {
    const row = tables.ipfix.get(uuid);
    if (row === undefined) {
      conditions.push(shownCondition(danglingReference(uuid, user.bridges)));
    } else if (ownerOf(row) === undefined) {
      const read = readRowOf(row, user, tables, ofProcess, cache);
      rows.set(uuid, read);
      conditions.push(...read.conditions);
    }
  }
  return rows;
}

/** Reads a row that is used, unless it was read before. */
function readRowOf(
  row: DatabaseRow,
  user: RowUser,
  tables: ConfigurationTables,
  ofProcess: ProcessOptions,
  cache: ConfigurationCache,
): ReadRow {
  return cache.ipfix.get(row, inputsOf(user, tables, ofProcess), () =>
    readUsedRow(row, user, tables.ovsVersion, ofProcess),
  );
}

/** What a row is read with. */
function inputsOf(
  user: RowUser,
  { ovsVersion }: ConfigurationTables,
  { messageBytesMax, recordFormat, source, collectorTls, fileTargets }: ProcessOptions,
): readonly unknown[] {
  const use = [describeUsers(user), user.bridges.join(' '), user.wholeBridges.join(' ')];
  return [...use, ovsVersion, messageBytesMax, recordFormat, source, collectorTls, fileTargets];
}

/** Returns how the sets of a bridge are exported, but for those whose row has no usable target. */
function readFlowSamplings(
  sets: readonly CollectorSet[],
  rows: ReadonlyMap<string, ReadRow>,
  ownsRow: (uuid: string) => boolean,
  cache: ConfigurationCache,
): readonly FlowSampling[] {
  const samplings: FlowSampling[] = [];
  for (const { id, ipfixRow, databaseRow } of sets) {
    const read = rows.get(ipfixRow);
    if (read?.used.hasUsableTarget === true) {
      const isOwner = ownsRow(ipfixRow);
      samplings.push(cache.sets.get(databaseRow, [read, isOwner], () => flowSampling(id, read, isOwner)));
    }
  }
  return samplings;
}

function flowSampling(collectorSetId: number, { used: { row }, exporter }: ReadRow, ownsRow: boolean) {
  return {
    row,
    ownsRow,
    collectorSetId,
    ipfixRow: row.uuid,
    isOurs: isOurs(row),
    rowSetsFormat: row.recordFormat !== undefined,
    targetsPlace: targetsPlaceOf(row),
    exporter: { ...exporter, optionsRecords: optionsRecords(row.options, POPULATION_OF_SETS) },
  };
}

function readBridge(
  bridgeRow: DatabaseRow,
  whole: ReadRow | undefined,
  isOpen: boolean,
  samplings: readonly FlowSampling[],
): ReadBridge {
  const name = bridgeNameOf(bridgeRow);
  const conditions: Condition[] = [];
  const isExported =
    whole !== undefined && whole.used.hasUsableTarget && whole.used.inputSamplingDisabled === undefined;
  const config = {
    name,
    ...readBridgeKeys(bridgeRow, name, conditions),
    hasKernelDatapath: hasKernelDatapath(bridgeRow),
    isFailOpen: isOpen,
    sampling: isExported ? bridgeSampling(whole) : undefined,
    flowSampling: new Map(samplings.map((sampling) => [sampling.collectorSetId, sampling])),
  };
  return { config, conditions: conditions.map(shownCondition) };
}

function bridgeSampling({ used: { row }, exporter }: ReadRow): BridgeSampling {
  return {
    ipfixRow: row.uuid,
    isOurs: isOurs(row),
    interval: row.sampling,
    observationDomainId: row.observationDomainId,
    observationPointId: row.observationPointId,
    rowSetsFormat: row.recordFormat !== undefined,
    targetsPlace: targetsPlaceOf(row),
    exporter: { ...exporter, optionsRecords: optionsRecords(row.options, row.sampling) },
  };
}

function danglingReference(uuid: string, bridges: readonly string[]): Condition {
  return {
    code: 'dangling-reference',
    severity: 'error',
    where: `Bridge ${bridges.join(', ')}, column ipfix`,
    message: `It refers to the IPFIX row ${uuid}, which the database does not have.`,
    action: 'Check that the daemon may read the table IPFIX, and that the schema has it.',
  };
}
