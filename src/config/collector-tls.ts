// The TLS files of the collectors of a row: those of the process, or those of a folder in `--tls-dir` that the row names. A row never
// has a path: who may write rows may not choose files.

import { join } from 'node:path';
import type { CollectorTarget } from '../export/collector-session.ts';
import type { TlsClientFiles } from '../runtime/tls-files.ts';
import type { Condition } from './condition.ts';
import { TLS_NAME_KEY } from './row-keys.ts';

/** What the process offers. */
export interface CollectorTls {
  /** `--collector-ca-cert`, `--collector-certificate` and `--collector-private-key`. */
  readonly files: TlsClientFiles | undefined;
  /** `--tls-dir`. */
  readonly folder: string | undefined;
}

/** A name of a folder: no separator, and no dot in front. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/u;

/** Returns the files of a folder, named as in a Kubernetes secret of the type kubernetes.io/tls with a CA. */
function filesOf(folder: string): TlsClientFiles {
  return {
    ca: join(folder, 'ca.crt'),
    certificate: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    isClientOptional: true,
  };
}

/**
 * Returns the targets with their TLS files; leaves those over TLS out, with a condition, where there are none. `where` is the row,
 * `ofTargets` the row with the place of its targets.
 */
export function withTlsFiles(
  uuid: string,
  targets: readonly CollectorTarget[],
  name: string | undefined,
  ofProcess: CollectorTls,
  { where, ofTargets }: { readonly where: string; readonly ofTargets: string },
  conditions: Condition[],
): readonly CollectorTarget[] {
  const overTls = targets.filter(({ transport }) => transport === 'tls');
  if (overTls.length === 0) {
    return targets;
  }
  const found = chooseFiles(name, ofProcess);
  if ('files' in found) {
    return targets.map((target) => (target.transport === 'tls' ? { ...target, tls: found.files } : target));
  }
  conditions.push({
    code: 'tls-files-unknown',
    severity: 'error',
    where: name === undefined ? ofTargets : `${where}, external_ids:${TLS_NAME_KEY}`,
    ipfixRow: uuid,
    message: `${found.fault}, so nothing is sent to ${overTls.map(({ text }) => text).join(' ')}.`,
    action: found.action,
  });
  return targets.filter(({ transport }) => transport !== 'tls');
}

function chooseFiles(
  name: string | undefined,
  { files, folder }: CollectorTls,
): { readonly files: TlsClientFiles } | { readonly fault: string; readonly action: string } {
  if (name === undefined) {
    return files === undefined
      ? {
          fault: 'The daemon has no CA certificate to verify collectors with',
          action: `Run it with --collector-ca-cert FILE, or with --tls-dir DIR and set external_ids:${TLS_NAME_KEY}.`,
        }
      : { files };
  }
  if (!NAME.test(name)) {
    return {
      fault: `${JSON.stringify(name)} is not the name of a folder`,
      action:
        'Write a name of letters, digits, "_", "-" and ".", as of a folder in --tls-dir; a path is not allowed.',
    };
  }
  return folder === undefined
    ? {
        fault: 'It names TLS files, and the daemon has no folder with them',
        action: `Run it with --tls-dir DIR, which has a folder "${name}" with ca.crt, tls.crt and tls.key.`,
      }
    : { files: filesOf(join(folder, name)) };
}
