// An IPFIX row that a bridge or a collector set uses, with the options of its exporter and its conditions: a pure function of
// the row, of who uses it, and of the process.

import type { CollectorTarget, SourceAddresses } from '../export/collector-session.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import type { FileFolderOptions } from '../export/files/file-folder.ts';
import { type CollectorTls, withTlsFiles } from './collector-tls.ts';
import { type Condition, shownCondition } from './condition.ts';
import { readDelivery } from './delivery.ts';
import { withoutFiles } from './file-targets.ts';
import {
  type DatabaseRow,
  effectiveTargets,
  type IpfixRow,
  isNative,
  isOurs,
  readIpfixRow,
} from './ipfix-row.ts';
import { rowConditions } from './row-conditions.ts';
import { SOURCE_ADDRESS_KEY, TLS_NAME_KEY } from './row-keys.ts';
import { readTargets, TARGETS_MAX, tooManyTargets } from './row-targets.ts';
import { describeUsers, type RowUser } from './row-users.ts';
import { inputSamplingDisabled, type SamplingKeysContext, samplesInput } from './sampling-keys.ts';
import { readSourceAddresses, withSource } from './source-address.ts';
import { targetsPlaceOf } from './targets-place.ts';

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
  /** Set when the row has more targets than an exporter may have, so that it stays with ovs-vswitchd. */
  readonly tooManyTargets: Condition | undefined;
}

/** The settings of the process that exporters have. */
export interface ProcessOptions extends Pick<ExporterOptions, 'messageBytesMax' | 'recordFormat'> {
  /** The source addresses of rows that set none. */
  readonly source?: SourceAddresses | undefined;
  /** The TLS files of collectors. Default: none. */
  readonly collectorTls?: CollectorTls | undefined;
  /** Set where targets may be files. Default: they may not. */
  readonly fileTargets?: Pick<FileFolderOptions, 'path'> | undefined;
}

const NO_TLS: CollectorTls = { files: undefined, folder: undefined };

/** What was read of a row. */
export interface ReadRow {
  readonly used: UsedIpfixRow;
  /** The options of its exporter but for options records. */
  readonly exporter: ExporterOptions;
  readonly conditions: readonly Condition[];
}

/** Reads a row of the table IPFIX; `ovsVersion` is as in `ConfigurationTables`. */
export function readUsedRow(
  databaseRow: DatabaseRow,
  user: RowUser,
  ovsVersion: string | undefined,
  ofProcess: ProcessOptions,
): ReadRow {
  const conditions: Condition[] = [];
  const { uuid } = databaseRow;
  const where = `IPFIX row ${uuid} (${describeUsers(user)})`;
  const row = readIpfixRow(databaseRow, where, conditions);
  const texts = inOrder(row, effectiveTargets(row));
  const ownSource = readSourceAddresses(uuid, row.externalIds.get(SOURCE_ADDRESS_KEY), where, conditions);
  const place = targetsPlaceOf(row);
  const ofTargets = `${where}, ${place.name}`;
  const valid = readTargets({ uuid, where, place }, texts.slice(0, TARGETS_MAX), conditions);
  const { source, collectorTls = NO_TLS, fileTargets } = ofProcess;
  const tlsName = row.externalIds.get(TLS_NAME_KEY);
  const allowed = withoutFiles(uuid, valid, fileTargets !== undefined, ofTargets, conditions);
  const withTls = withTlsFiles(uuid, allowed, tlsName, collectorTls, { where, ofTargets }, conditions);
  const sent = withSource(uuid, withTls, ownSource ?? source, ofTargets, conditions);
  const { targets, delivery } = readDelivery(row, sent, where, conditions);
  const context = { row, where, ovsVersion };
  const isForWholeBridge = user.wholeBridges.length > 0;
  const { recordFormat } = ofProcess;
  conditions.push(
    ...rowConditions({ ...context, recordFormat, databaseRow, isOurs: isOurs(row), isForWholeBridge }),
  );
  return {
    used: usedRow(user, targets, context, texts.length),
    exporter: { ...exporterOptions(row, targets, ofProcess), delivery },
    conditions: conditions.map(shownCondition),
  };
}

/** Returns targets in the order of preference: as the user of a native row wrote them, or as texts: a set of OVSDB has no order. */
function inOrder(row: IpfixRow, targets: readonly string[]): readonly string[] {
  return isNative(row) ? targets : targets.toSorted();
}

function usedRow(
  user: RowUser,
  targets: readonly CollectorTarget[],
  context: SamplingKeysContext,
  targetCount: number,
): UsedIpfixRow {
  const { row, where } = context;
  const isDisabled = user.wholeBridges.length > 0 && !samplesInput(row, context.ovsVersion);
  return {
    row,
    bridges: [...new Set(user.bridges)],
    wholeBridges: user.wholeBridges,
    targets,
    hasUsableTarget: targets.length > 0,
    inputSamplingDisabled: isDisabled ? shownCondition(inputSamplingDisabled(context)) : undefined,
    tooManyTargets: targetCount > TARGETS_MAX ? tooManyTargets(row, where, targetCount) : undefined,
  };
}

function exporterOptions(
  row: IpfixRow,
  targets: readonly CollectorTarget[],
  { messageBytesMax, recordFormat }: ProcessOptions,
): ExporterOptions {
  return {
    targets,
    activeTimeoutSeconds: row.cacheActiveTimeout,
    flowsMax: row.cacheMaxFlows,
    templateIntervalSeconds: row.templateInterval,
    messageBytesMax: row.messageBytesMax ?? messageBytesMax,
    recordFormat: row.recordFormat ?? recordFormat,
    hasTunnels: row.options.has('tunnel'),
  };
}
