// The options of an exporter: collectors, limits and intervals.

import type { CollectorTarget } from './collector-session.ts';

/** Plain values, validated by the configuration. */
export interface ExporterOptions {
  readonly targets: readonly CollectorTarget[];
  /** Seconds that a flow is aggregated, 0 to 4,200; 0: no cache, each sample becomes a record. */
  readonly activeTimeoutSeconds: number;
  /** Flows in the cache, 0 to 2^32 - 1; 0: no cache. */
  readonly flowsMax: number;
  /** Seconds after which templates are repeated over UDP. */
  readonly templateIntervalSeconds: number;
  /** The longest message in bytes, 256 to 65,535. */
  readonly messageBytesMax: number;
}

export const EXPORTER_DEFAULTS = {
  activeTimeoutSeconds: 0,
  flowsMax: 0,
  templateIntervalSeconds: 600,
  messageBytesMax: 1400,
} as const;

/** Returns whether both have the same meaning: targets are a set, as in the database. */
export function sameOptions(a: ExporterOptions, b: ExporterOptions): boolean {
  const targetsOfA = new Set(a.targets.map(targetKey));
  const targetsOfB = new Set(b.targets.map(targetKey));
  return (
    a.activeTimeoutSeconds === b.activeTimeoutSeconds &&
    a.flowsMax === b.flowsMax &&
    a.templateIntervalSeconds === b.templateIntervalSeconds &&
    a.messageBytesMax === b.messageBytesMax &&
    targetsOfA.size === targetsOfB.size &&
    [...targetsOfA].every((key) => targetsOfB.has(key))
  );
}

/** Returns a key that identifies the collector. */
export function targetKey(target: CollectorTarget): string {
  return `${target.host}\0${target.port}`;
}
