// Turns the rows of the database into the daemon's configuration: a pure function that runs on every change. The result has
// the bridges with their sampling, the IPFIX rows in use, and the conditions of both.

import type { CollectorTarget } from '../export/collector-session.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import { RECORD_FORMAT_DEFAULT, type RecordFormat } from '../ipfix/record-layout.ts';
import { hasKernelDatapath, readBridgeKeys, type SamplerPolicy } from './bridge-keys.ts';
import { type Condition, shownCondition } from './condition.ts';
import { isFailOpen } from './fail-open.ts';
import { type DatabaseRow, type IpfixRow, isRedirectedState, readIpfixRow } from './ipfix-row.ts';
import { ownerOf } from './own-rows.ts';
import { bridgeNameOf, referenceOf } from './reference.ts';
import { rowConditions } from './row-conditions.ts';
import { STATE_KEY } from './row-keys.ts';
import { optionsRecords } from './row-options.ts';
import { inputSamplingDisabled, type SamplingKeysContext, samplesInput } from './sampling-keys.ts';
import { readTargets } from './target.ts';

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

/** An IPFIX row that a bridge or a collector set uses. */
export interface UsedIpfixRow {
  readonly row: IpfixRow;
  /** Names of the bridges that use the row: in their `ipfix` column, or through a collector set. */
  readonly bridges: readonly string[];
  /** The bridges whose `ipfix` column refers to the row. */
  readonly wholeBridges: readonly string[];
  /** The effective targets that are valid, each once. */
  readonly targets: readonly CollectorTarget[];
  /** Whether `targets` has one. */
  readonly hasUsableTarget: boolean;
  /** Set when the row disables the input sampling of its bridges, so that it stays with ovs-vswitchd. */
  readonly inputSamplingDisabled: Condition | undefined;
}

export interface Configuration {
  readonly bridges: ReadonlyMap<string, BridgeConfig>;
  readonly ipfixRows: readonly UsedIpfixRow[];
  readonly conditions: readonly Condition[];
}

/** `samplingPopulation` of collector sets: each `sample` action has a probability of its own, so that no number is right. */
const POPULATION_OF_SETS = 1;

/**
 * Reads a snapshot of the rows. `messageBytesMax` is the size of the daemon's largest IPFIX message, in bytes of UDP payload;
 * `recordFormat` is that of rows that do not choose one.
 */
export function readConfiguration(
  tables: ConfigurationTables,
  messageBytesMax: number,
  recordFormat: RecordFormat = RECORD_FORMAT_DEFAULT,
): Configuration {
  const conditions: Condition[] = [];
  const bridgeRows = [...tables.bridges];
  const collectorSets = [...tables.collectorSets].filter((row) => ownerOf(row) === undefined);
  const users = usersOfIpfixRows(bridgeRows, collectorSets);
  const rows = new Map<string, UsedIpfixRow>();
  for (const [uuid, user] of users) {
    const databaseRow = tables.ipfix.get(uuid);
    if (databaseRow === undefined) {
      conditions.push(danglingReference(uuid, user.bridges));
      continue;
    }
    if (ownerOf(databaseRow) !== undefined) {
      continue;
    }
    const where = `IPFIX row ${uuid} (${user.described})`;
    const row = readIpfixRow(databaseRow, where, conditions);
    const targets = readTargets(uuid, targetTexts(row), where, conditions);
    const context = { row, where, ovsVersion: tables.ovsVersion, recordFormat };
    const isForWholeBridge = user.wholeBridges.length > 0;
    conditions.push(...rowConditions({ ...context, databaseRow, isOurs: isOurs(row), isForWholeBridge }));
    rows.set(uuid, usedRow(user, targets, context));
  }
  const sets = readCollectorSets(collectorSets, bridgeRows, conditions);
  const bridges = new Map<string, BridgeConfig>();
  for (const bridgeRow of bridgeRows) {
    const name = bridgeNameOf(bridgeRow);
    const exporterOf = (uuid: string | undefined) => {
      const used = rows.get(uuid ?? '');
      return used !== undefined && used.targets.length > 0
        ? {
            row: used.row,
            exporter: exporterOptions(used.row, used.targets, { messageBytesMax, recordFormat }),
            ownsRow: users.get(used.row.uuid)?.count === 1,
          }
        : undefined;
    };
    const wholeRow = referenceOf(bridgeRow.columns['ipfix']);
    const isInputSampled = rows.get(wholeRow ?? '')?.inputSamplingDisabled === undefined;
    bridges.set(name, {
      name,
      ...readBridgeKeys(bridgeRow, name, conditions),
      hasKernelDatapath: hasKernelDatapath(bridgeRow),
      isFailOpen: isFailOpen(bridgeRow, tables.controllers),
      sampling: isInputSampled ? bridgeSampling(exporterOf(wholeRow)) : undefined,
      flowSampling: flowSampling(sets.get(bridgeRow.uuid) ?? [], exporterOf),
    });
  }
  return { bridges, ipfixRows: [...rows.values()], conditions: conditions.map(shownCondition) };
}

/**
 * Whether the daemon exports for a row: the row holds targets for it, and ovs-vswitchd has none, or has new ones in an adopted
 * row until it is adopted again.
 */
export function isOurs(row: IpfixRow): boolean {
  return (
    row.heldTargets !== undefined &&
    (row.targets.length === 0 || row.externalIds.get(STATE_KEY) === 'adopted' || isRedirected(row))
  );
}

/** Whether the targets of a row are, or are becoming, a socket of the daemon. */
export function isRedirected(row: IpfixRow): boolean {
  return isRedirectedState(row.externalIds.get(STATE_KEY));
}

function usedRow(
  user: IpfixRowUser,
  targets: readonly CollectorTarget[],
  context: SamplingKeysContext,
): UsedIpfixRow {
  const { row } = context;
  const isDisabled = user.wholeBridges.length > 0 && !samplesInput(row, context.ovsVersion);
  return {
    row,
    bridges: [...new Set(user.bridges)],
    wholeBridges: user.wholeBridges,
    targets,
    hasUsableTarget: targets.length > 0,
    inputSamplingDisabled: isDisabled ? inputSamplingDisabled(context) : undefined,
  };
}

/** A row with a usable target, and the options of its exporter but for options records. */
interface ExportedRow {
  readonly row: IpfixRow;
  readonly exporter: ExporterOptions;
  /** Whether one bridge or collector set alone uses the row. */
  readonly ownsRow: boolean;
}

function exporterOptions(
  row: IpfixRow,
  targets: readonly CollectorTarget[],
  ofProcess: Pick<ExporterOptions, 'messageBytesMax' | 'recordFormat'>,
): ExporterOptions {
  return {
    targets,
    activeTimeoutSeconds: row.cacheActiveTimeout,
    flowsMax: row.cacheMaxFlows,
    templateIntervalSeconds: row.templateInterval,
    messageBytesMax: ofProcess.messageBytesMax,
    recordFormat: row.recordFormat ?? ofProcess.recordFormat,
    hasTunnels: row.options.has('tunnel'),
  };
}

function bridgeSampling(exported: ExportedRow | undefined): BridgeSampling | undefined {
  return (
    exported && {
      ipfixRow: exported.row.uuid,
      isOurs: isOurs(exported.row),
      interval: exported.row.sampling,
      observationDomainId: exported.row.observationDomainId,
      observationPointId: exported.row.observationPointId,
      rowSetsFormat: exported.row.recordFormat !== undefined,
      exporter: {
        ...exported.exporter,
        optionsRecords: optionsRecords(exported.row.options, exported.row.sampling),
      },
    }
  );
}

function flowSampling(
  sets: readonly CollectorSet[],
  exporterOf: (uuid: string) => ExportedRow | undefined,
): ReadonlyMap<number, FlowSampling> {
  const samplings = new Map<number, FlowSampling>();
  for (const { id, ipfixRow } of sets) {
    const exported = exporterOf(ipfixRow);
    if (exported !== undefined) {
      const { row, exporter, ownsRow } = exported;
      samplings.set(id, {
        row,
        ownsRow,
        collectorSetId: id,
        ipfixRow,
        isOurs: isOurs(row),
        rowSetsFormat: row.recordFormat !== undefined,
        exporter: { ...exporter, optionsRecords: optionsRecords(row.options, POPULATION_OF_SETS) },
      });
    }
  }
  return samplings;
}

/** A row of Flow_Sample_Collector_Set with a bridge and an IPFIX row. */
interface CollectorSet {
  readonly id: number;
  readonly ipfixRow: string;
}

/**
 * Returns the collector sets of each bridge, by the bridge's uuid. A set without a bridge, or with neither an IPFIX row nor a
 * local group, is a condition; one with a local group only is for the kernel's psample (OVS 3.4 and later) and not for IPFIX.
 */
function readCollectorSets(
  rows: readonly DatabaseRow[],
  bridgeRows: readonly DatabaseRow[],
  conditions: Condition[],
): ReadonlyMap<string, readonly CollectorSet[]> {
  const names = new Map(bridgeRows.map((row) => [row.uuid, bridgeNameOf(row)]));
  const sets = new Map<string, CollectorSet[]>();
  for (const row of rows) {
    const id = Number(row.columns['id']);
    const bridge = referenceOf(row.columns['bridge']) ?? '';
    const ipfixRow = referenceOf(row.columns['ipfix']);
    const name = names.get(bridge);
    const where = `Flow_Sample_Collector_Set ${id} of bridge ${name ?? bridge} (row ${row.uuid})`;
    if (name === undefined) {
      conditions.push({
        code: 'dangling-reference',
        severity: 'warning',
        where: `${where}, column bridge`,
        message: 'Its bridge no longer exists, so no packet is sampled for it.',
        action: `Remove the row with "ovs-vsctl destroy Flow_Sample_Collector_Set ${row.uuid}".`,
      });
    } else if (ipfixRow === undefined && row.columns['local_group_id'] === undefined) {
      conditions.push({
        code: 'no-ipfix-row',
        severity: 'error',
        where: `${where}, column ipfix`,
        message: 'It has no IPFIX row, so nothing is exported for its "sample" actions.',
        action: `Set one, as in "ovs-vsctl set Flow_Sample_Collector_Set ${row.uuid} ipfix=UUID".`,
      });
    } else if (ipfixRow !== undefined) {
      sets.set(bridge, [...(sets.get(bridge) ?? []), { id, ipfixRow }]);
    }
  }
  return sets;
}

interface IpfixRowUser {
  readonly bridges: string[];
  readonly wholeBridges: string[];
  /** References to the row. */
  count: number;
  /** For conditions: "bridge br0", "collector set 7 of bridge br0". */
  described: string;
}

function usersOfIpfixRows(
  bridgeRows: readonly DatabaseRow[],
  collectorSets: readonly DatabaseRow[],
): ReadonlyMap<string, IpfixRowUser> {
  const users = new Map<string, IpfixRowUser>();
  const add = (uuid: string | undefined, described: string, bridge: string | undefined, isWhole: boolean) => {
    if (uuid !== undefined) {
      const user = users.get(uuid) ?? { bridges: [], wholeBridges: [], count: 0, described: '' };
      user.count += 1;
      user.described += `${user.described === '' ? '' : ', '}${described}`;
      if (bridge !== undefined) {
        user.bridges.push(bridge);
        user.wholeBridges.push(...(isWhole ? [bridge] : []));
      }
      users.set(uuid, user);
    }
  };
  const names = new Map<string, string>();
  for (const row of bridgeRows) {
    const name = bridgeNameOf(row);
    names.set(row.uuid, name);
    add(referenceOf(row.columns['ipfix']), `bridge ${name}`, name, true);
  }
  for (const row of collectorSets) {
    const name = names.get(referenceOf(row.columns['bridge']) ?? '');
    const described = `collector set ${String(row.columns['id'])} of ${name === undefined ? 'no bridge' : `bridge ${name}`}`;
    add(referenceOf(row.columns['ipfix']), described, name, false);
  }
  return users;
}

/**
 * Returns the effective targets. New targets of an adopted row take effect before they are moved to `ovs-ipfix-targets`, so that
 * records that the same change flushes go to the new collectors.
 */
function targetTexts(row: IpfixRow): readonly string[] {
  return isOurs(row) && row.targets.length > 0 ? row.targets : (row.heldTargets ?? row.targets);
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
