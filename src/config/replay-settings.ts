// The flags of `replay`, from text to validated, readonly values.

import type { CollectorTarget } from '../export/collector-session.ts';
import { CACHE_ACTIVE_TIMEOUT_MAX, EXPORTER_DEFAULTS } from '../export/exporter-options.ts';
import type { FileFolderOptions } from '../export/files/file-folder.ts';
import { ENGINE_CHOICES, type EngineChoice } from '../export/flow-engines.ts';
import type { RecordFormat } from '../ipfix/record-layout.ts';
import type { TlsClientFiles } from '../runtime/tls-files.ts';
import { collectorTlsFiles, collectorTlsFlags } from './collector-tls-flags.ts';
import { messageBytes, recordFormat, sourceAddress } from './export-flags.ts';
import { fileTargetsFlags, fileTargetsOf } from './file-targets.ts';
import { choice, parse, SettingsError, texts, wholeNumber, withDefault } from './flag-schema.ts';
import { parseTarget } from './target.ts';

/** Settings of `replay`. */
export interface ReplaySettings {
  readonly targets: readonly CollectorTarget[];
  /** Where targets that are files are written. */
  readonly fileTargets: FileFolderOptions | undefined;
  readonly speed: 'max' | 'recorded';
  readonly engine: EngineChoice;
  readonly format: 'text' | 'json';
  /** Seconds of capture time. */
  readonly cacheActiveTimeoutSeconds: number;
  readonly cacheMaxFlows: number;
  readonly messageBytesMax: number;
  readonly recordFormat: RecordFormat;
  readonly observationDomainId: number;
  readonly observationPointId: number;
}

/** Defaults of `replay`'s flags. */
export const REPLAY_DEFAULTS = { cacheActiveTimeoutSeconds: 60, cacheMaxFlows: 1_000_000 } as const;

const UINT32_MAX = 2 ** 32 - 1;

const REPLAY_FLAGS = {
  to: texts,
  speed: withDefault(choice(['max', 'recorded']), 'max'),
  engine: withDefault(choice(ENGINE_CHOICES), 'auto'),
  format: withDefault(choice(['text', 'json']), 'text'),
  cacheActiveTimeout: withDefault(
    wholeNumber(0, CACHE_ACTIVE_TIMEOUT_MAX),
    REPLAY_DEFAULTS.cacheActiveTimeoutSeconds,
  ),
  cacheMaxFlows: withDefault(wholeNumber(0, UINT32_MAX), REPLAY_DEFAULTS.cacheMaxFlows),
  messageBytesMax: messageBytes,
  recordFormat,
  observationDomainId: withDefault(wholeNumber(0, UINT32_MAX), 0),
  observationPointId: withDefault(wholeNumber(0, UINT32_MAX), 0),
  sourceAddress,
  ...collectorTlsFlags,
  ...fileTargetsFlags,
};

/** Reads the flags of `replay`; throws `SettingsError`. */
export function readReplaySettings(flags: Readonly<Record<string, unknown>>): ReplaySettings {
  const { to, cacheActiveTimeout, sourceAddress: source, ...settings } = parse(REPLAY_FLAGS, flags);
  const tls = collectorTlsFiles(settings);
  const fileTargets = fileTargetsOf(settings);
  const targets = to.map((text) => ({ ...collector(text, tls), ...(source && { source }) }));
  const file = targets.find(({ transport }) => transport === 'file');
  if (file !== undefined && fileTargets === undefined) {
    throw new SettingsError(`--to: "${file.text}" needs the folder for files: --file-targets DIR.`);
  }
  return { ...settings, cacheActiveTimeoutSeconds: cacheActiveTimeout, targets, fileTargets };
}

/** Returns the exporter options of a replay. */
export function replayExporterOptions(settings: ReplaySettings) {
  return {
    targets: settings.targets,
    activeTimeoutSeconds: settings.cacheActiveTimeoutSeconds,
    flowsMax: settings.cacheMaxFlows,
    templateIntervalSeconds: EXPORTER_DEFAULTS.templateIntervalSeconds,
    messageBytesMax: settings.messageBytesMax,
    recordFormat: settings.recordFormat,
  };
}

/** Parses a target as in a row. */
function collector(text: string, tls: TlsClientFiles | undefined): CollectorTarget {
  const result = parseTarget(text);
  if ('fault' in result) {
    throw new SettingsError(`--to: ${result.fault}`);
  }
  if (result.target.transport !== 'tls') {
    return result.target;
  }
  if (tls === undefined) {
    throw new SettingsError(
      `--to: "${text}" needs the CA certificate of the collector: --collector-ca-cert FILE.`,
    );
  }
  return { ...result.target, tls };
}
