// The settings of targets that are files, of `run` and `replay`. Without `--file-targets` there are none: who may write rows may not let
// the daemon write files that its operator does not expect.

import type { CollectorTarget } from '../export/collector-session.ts';
import {
  FILE_BYTES_DEFAULT,
  type FileFolderOptions,
  FOLDER_BYTES_DEFAULT,
} from '../export/files/file-folder.ts';
import { resolveFolder } from '../export/files/resolve-folder.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { Condition } from './condition.ts';
import { filledText, SettingsError, wholeNumber, withDefault } from './flag-schema.ts';

const FILE_BYTES_MIN = 131_072;
const BYTES_MAX = 2 ** 50;

/** The readers of the flags. */
export const fileTargetsFlags = {
  fileTargets: filledText,
  fileBytes: withDefault(wholeNumber(FILE_BYTES_MIN, BYTES_MAX), FILE_BYTES_DEFAULT),
  fileTargetsBytes: withDefault(wholeNumber(2 * FILE_BYTES_MIN, BYTES_MAX), FOLDER_BYTES_DEFAULT),
};

/** Returns the folder of files and its limits; undefined without one. Throws `SettingsError`. */
export function fileTargetsOf(flags: {
  readonly fileTargets?: string | undefined;
  readonly fileBytes: number;
  readonly fileTargetsBytes: number;
}): FileFolderOptions | undefined {
  const { fileTargets: folder, fileBytes: fileBytesMax, fileTargetsBytes: folderBytesMax } = flags;
  if (folder === undefined) {
    return undefined;
  }
  if (folderBytesMax < 2 * fileBytesMax) {
    throw new SettingsError(
      `--file-targets-bytes: ${folderBytesMax} is less than two files of --file-bytes (${fileBytesMax}); raise it, or reduce --file-bytes.`,
    );
  }
  try {
    return { path: resolveFolder(folder), fileBytesMax, folderBytesMax };
  } catch (error) {
    throw new SettingsError(
      `--file-targets: files cannot be written in "${folder}": ${reasonOf(error)}. Name a folder that exists and that the process may write.`,
    );
  }
}

/** Returns the targets; without a folder those that are not files, with a condition for the others. */
export function withoutFiles(
  uuid: string,
  targets: readonly CollectorTarget[],
  hasFolder: boolean,
  where: string,
  conditions: Condition[],
): readonly CollectorTarget[] {
  const files = targets.filter(({ transport }) => transport === 'file');
  if (hasFolder || files.length === 0) {
    return targets;
  }
  conditions.push({
    code: 'file-targets-off',
    severity: 'error',
    where,
    ipfixRow: uuid,
    message: `The daemon has no folder for files, so nothing is written to ${files.map(({ text }) => text).join(' ')}.`,
    action: 'Run it with --file-targets DIR, or remove these targets.',
  });
  return targets.filter(({ transport }) => transport !== 'file');
}
