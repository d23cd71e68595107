// The flags with the TLS files of collectors, of `run` and `replay`: a CA certificate at least.

import type { TlsClientFiles } from '../runtime/tls-files.ts';
import { filledText, SettingsError } from './flag-schema.ts';

/** The readers of the flags. */
export const collectorTlsFlags = {
  collectorPrivateKey: filledText,
  collectorCertificate: filledText,
  collectorCaCert: filledText,
};

/** Returns the TLS files for collectors of the process; throws `SettingsError`. */
export function collectorTlsFiles(flags: {
  readonly collectorPrivateKey?: string | undefined;
  readonly collectorCertificate?: string | undefined;
  readonly collectorCaCert?: string | undefined;
}): TlsClientFiles | undefined {
  const { collectorPrivateKey: key, collectorCertificate: certificate, collectorCaCert: ca } = flags;
  if ((key === undefined) !== (certificate === undefined)) {
    throw new SettingsError(
      '--collector-private-key and --collector-certificate are used together: give both or none.',
    );
  }
  if (ca !== undefined) {
    return { ca, certificate, key, isClientOptional: false };
  }
  if (key !== undefined) {
    throw new SettingsError('--collector-certificate has no effect without --collector-ca-cert.');
  }
  return undefined;
}
