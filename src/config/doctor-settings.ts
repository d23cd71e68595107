// The flags of `doctor`, from text to validated, readonly values.

import { collectorTlsFiles, collectorTlsFlags } from './collector-tls-flags.ts';
import { sourceAddress } from './export-flags.ts';
import { choice, filledText, isGiven, parse, withDefault } from './flag-schema.ts';
import {
  adopt,
  type OvsSettings,
  ovsFlags,
  ovsSettings,
  type RunSettings,
  type StatusSettings,
} from './settings.ts';

const DOCTOR_FLAGS = {
  ...ovsFlags,
  beforeStart: isGiven,
  adopt,
  ...collectorTlsFlags,
  tlsDir: filledText,
  sourceAddress,
  format: withDefault(choice(['table', 'json']), 'table'),
  unixctl: filledText,
};

/** Settings of `doctor`: those of the daemon that decide how collectors are reached, as far as they are given. */
export interface DoctorSettings
  extends OvsSettings,
    StatusSettings,
    Pick<RunSettings, 'collectorTls' | 'source' | 'adopt'> {
  /** Whether to say what a start of the daemon would do, instead of what is wrong. */
  readonly isBeforeStart: boolean;
}

/** Reads the flags of `doctor`; throws `SettingsError`. */
export function readDoctorSettings(flags: Readonly<Record<string, unknown>>): DoctorSettings {
  const { format, unixctl, tlsDir, sourceAddress: source, ...ovs } = parse(DOCTOR_FLAGS, flags);
  const collectorTls = { files: collectorTlsFiles(ovs), folder: tlsDir };
  const about = { isBeforeStart: ovs.beforeStart, adopt: ovs.adopt, collectorTls, source };
  return { ...ovsSettings(ovs), format, unixctlPath: unixctl, ...about };
}
