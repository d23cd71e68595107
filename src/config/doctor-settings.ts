// The flags of `doctor`, from text to validated, readonly values.

import * as z from 'zod/mini';
import { collectorTlsFiles, collectorTlsFlags } from './collector-tls-flags.ts';
import { choice, filledText, parse } from './flag-schema.ts';
import {
  adopt,
  isSet,
  type OvsSettings,
  ovsFlags,
  ovsSettings,
  type RunSettings,
  type StatusSettings,
  sourceAddress,
} from './settings.ts';

const doctorSchema = z.object({
  ...ovsFlags,
  beforeStart: z.optional(z.union([z.boolean(), z.string()])),
  adopt,
  ...collectorTlsFlags,
  tlsDir: filledText,
  sourceAddress,
  format: z._default(choice(['table', 'json']), 'table'),
  unixctl: filledText,
});

/** Settings of `doctor`: those of the daemon that decide how collectors are reached, as far as they are given. */
export interface DoctorSettings
  extends OvsSettings,
    StatusSettings,
    Pick<RunSettings, 'collectorTls' | 'source' | 'adopt'> {
  /** Whether to say what a start of the daemon would do, instead of what is wrong. */
  readonly isBeforeStart: boolean;
}

/** Reads the flags of `doctor`; throws `SettingsError`. */
export function readDoctorSettings(flags: unknown): DoctorSettings {
  const { format, unixctl, tlsDir, sourceAddress: source, ...ovs } = parse(doctorSchema, flags);
  const collectorTls = { files: collectorTlsFiles(ovs), folder: tlsDir };
  const about = { isBeforeStart: isSet(ovs.beforeStart), adopt: ovs.adopt, collectorTls, source };
  return { ...ovsSettings(ovs), format, unixctlPath: unixctl, ...about };
}
