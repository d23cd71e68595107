// The options of an exporter: collectors, limits and intervals.

import { RECORD_FORMAT_DEFAULT, type RecordFormat, type RecordLayout } from '../ipfix/record-layout.ts';
import type { DeliveryOptions } from './collector-choice.ts';
import type { CollectorTarget } from './collector-session.ts';

/** Plain values, validated by the configuration. */
export interface ExporterOptions {
  readonly targets: readonly CollectorTarget[];
  /** Seconds that a flow is aggregated, 0 to `CACHE_ACTIVE_TIMEOUT_MAX`; 0: no cache, each sample becomes a record. */
  readonly activeTimeoutSeconds: number;
  /** Flows in the cache, 0 to 2^32 - 1; 0: no cache. */
  readonly flowsMax: number;
  /** Seconds after which templates are repeated over UDP. */
  readonly templateIntervalSeconds: number;
  /** The longest message in bytes, 256 to 65,535. */
  readonly messageBytesMax: number;
  readonly recordFormat: RecordFormat;
  /** Whether records of the format `extended` have what is known of a packet's tunnel. Default: they have not. */
  readonly hasTunnels?: boolean | undefined;
  /** Undefined: no options records are sent. */
  readonly optionsRecords?: OptionsSettings | undefined;
  /** How records are given to the collectors, which are in the order of preference. Default: each gets each record. */
  readonly delivery?: DeliveryOptions | undefined;
}

/** Which options records are sent (RFC 7011, section 3.4.2). */
export interface OptionsSettings {
  /** N of 1-in-N sampling for the record of the sampling; undefined: none is sent. */
  readonly samplingPopulation: number | undefined;
  /** Whether a record of each interface is sent. */
  readonly hasInterfaces: boolean;
}

/** The longest active timeout, in seconds: a flow's start must fit 32 bits of microseconds (RFC 5102, section 5.9). */
export const CACHE_ACTIVE_TIMEOUT_MAX = 4200;

export const EXPORTER_DEFAULTS = {
  activeTimeoutSeconds: 0,
  flowsMax: 0,
  templateIntervalSeconds: 600,
  messageBytesMax: 1400,
  recordFormat: RECORD_FORMAT_DEFAULT,
} as const;

/** Returns whether both have the same meaning: targets are a set, as in the database, unless one of them is chosen. */
export function sameOptions(a: ExporterOptions, b: ExporterOptions): boolean {
  return (
    a.activeTimeoutSeconds === b.activeTimeoutSeconds &&
    a.flowsMax === b.flowsMax &&
    a.templateIntervalSeconds === b.templateIntervalSeconds &&
    a.messageBytesMax === b.messageBytesMax &&
    layoutOf(a) === layoutOf(b) &&
    sameOptionsRecords(a.optionsRecords, b.optionsRecords) &&
    sameDelivery(a.delivery, b.delivery) &&
    sameTargets(a, b)
  );
}

/** Returns whether both give records to collectors in the same way. */
function sameDelivery(a: DeliveryOptions | undefined, b: DeliveryOptions | undefined): boolean {
  return (
    (a?.mode ?? 'all') === (b?.mode ?? 'all') &&
    (a === undefined || b === undefined || a.failbackSeconds === b.failbackSeconds)
  );
}

/** Where one of the collectors is chosen, their order has a meaning. */
function sameTargets(a: ExporterOptions, b: ExporterOptions): boolean {
  const keys = ({ targets }: ExporterOptions) => [...new Set(targets.map(targetKey))];
  const ordered = (options: ExporterOptions) =>
    (options.delivery?.mode ?? 'all') === 'all' ? keys(options).toSorted() : keys(options);
  return ordered(a).join('\n') === ordered(b).join('\n');
}

/** Returns the layout of the records of flows that start with these options. */
export function layoutOf({ recordFormat, hasTunnels }: ExporterOptions): RecordLayout {
  return recordFormat === 'extended' && hasTunnels === true ? 'tunnel' : recordFormat;
}

/** Returns whether both have the same options records. */
export function sameOptionsRecords(a: OptionsSettings | undefined, b: OptionsSettings | undefined): boolean {
  return a?.samplingPopulation === b?.samplingPopulation && a?.hasInterfaces === b?.hasInterfaces;
}

/** Returns a key that identifies the session to a collector: another one from another source address, or with other TLS files. */
export function targetKey(target: CollectorTarget): string {
  const { ipv4 = '', ipv6 = '' } = target.source ?? {};
  const { ca = '', certificate = '', key = '' } = target.tls ?? {};
  return [collectorKey(target), ipv4, ipv6, ca, certificate, key].join('\0');
}

/** Returns a key that identifies the collector: the same process over another transport is another one. */
export function collectorKey({ host, port, transport = 'udp' }: CollectorTarget): string {
  return `${transport}\0${host}\0${port}`;
}
