// `ovs-ipfix migrate --schema`: the schema file, from a file or standard input to a file or standard output.

import { describeType, tableName } from '../schema/cache-columns.ts';
import { MigrationError } from '../schema/migration-error.ts';
import { type MigratedText, migrateSchemaText } from '../schema/schema-text.ts';
import { outputFault } from './output-errors.ts';
import { nameOf, readWhole, WholeFileError, writeWhole } from './whole-file.ts';

/** Largest schema file, in bytes; that of Open vSwitch 3.1 has 27 kB. */
export const SCHEMA_BYTES_MAX = 4 * 1024 * 1024;

/** A schema file before and after. */
export interface MigratedFile extends MigratedText {
  /** The name of the source in sentences. */
  readonly source: string;
}

/** Reads and migrates; writes nothing. `-` is standard input. */
export async function readMigrated(file: string): Promise<MigratedFile> {
  const source = nameOf(file);
  const bytes = await readWhole(file, SCHEMA_BYTES_MAX).catch((error: unknown) => {
    throw error instanceof WholeFileError
      ? new MigrationError('SCHEMA_FILE', `${error.message} Nothing was written.`, error)
      : error;
  });
  return { source, ...migrateSchemaText(decode(bytes, source), source) };
}

/** Writes the text to the file, whole or not at all, or to standard output. */
export async function writeMigrated(migrated: MigratedFile, output: string | undefined): Promise<void> {
  if (output !== undefined && output !== '-') {
    await writeWhole(output, Buffer.from(migrated.text)).catch((error: unknown) => {
      throw error instanceof WholeFileError ? new MigrationError('SCHEMA_FILE', error.message, error) : error;
    });
    return;
  }
  await new Promise<void>((resolve, reject) => {
    process.stdout.once('error', reject);
    process.stdout.write(migrated.text, (error) => (error ? reject(error) : resolve()));
  }).catch((error: Error) => {
    const fault = outputFault(error) ?? 'Standard output was closed before the schema was written.';
    throw new MigrationError('SCHEMA_FILE', fault, error);
  });
}

/** Returns what was done to a file, as sentences. */
export function summarize({ source, version, added, cksum }: MigratedFile): string {
  if (added.length === 0) {
    return `${source} (version ${version}) has both columns already: unchanged.`;
  }
  const names = added.map(({ name, type }) => `${name} (${describeType(type)})`).join(' and ');
  const sum = cksum === undefined ? 'it has no cksum, so none was renewed' : `its cksum is now "${cksum}"`;
  return `${source} (version ${version}): added ${names} to table ${tableName}; ${sum}.`;
}

/** Decodes UTF-8; a byte order mark is kept, and the parser refuses it. */
function decode(bytes: Buffer, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new MigrationError(
      'SCHEMA_JSON',
      `${source} is not valid JSON: its bytes are not UTF-8. Nothing was written.`,
      error,
    );
  }
}
