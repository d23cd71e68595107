// The errors of a migration, of files and of live databases, with a closed list of codes. Nothing was written when one is
// thrown, except with the code CONVERSION_UNKNOWN.

/** The stable codes of {@link MigrationError}. */
export type MigrationErrorCode =
  /** The text is not valid JSON. */
  | 'SCHEMA_JSON'
  /** JSON that is not a `<database-schema>` (RFC 7047, section 3.2). */
  | 'SCHEMA_NOTATION'
  /** The schema of a database other than Open_vSwitch. */
  | 'SCHEMA_OTHER_DATABASE'
  /** A schema without the table IPFIX: older than IPFIX in Open vSwitch. */
  | 'SCHEMA_NO_TABLE'
  /** A column of one of the two names exists with another type. */
  | 'SCHEMA_OTHER_TYPE'
  /** A number beyond 2^53, which this program would round. */
  | 'SCHEMA_INEXACT_NUMBER'
  /** A schema file larger than `SCHEMA_BYTES_MAX`. */
  | 'SCHEMA_TOO_BIG'
  /** A file that cannot be read or written. */
  | 'SCHEMA_FILE'
  /** The server has no database of that name. */
  | 'NO_DATABASE'
  /** The server lacks the method `convert`. */
  | 'NO_CONVERT'
  /** The database is clustered. */
  | 'CLUSTERED'
  /** The server is a relay and would convert only its own copy. */
  | 'RELAY'
  /** The connection or the server is read-only: a read-only remote, or a backup server. */
  | 'READ_ONLY'
  /** The connection's role may not convert (RBAC). */
  | 'NO_PERMISSION'
  /** The server answered with any other error. */
  | 'REFUSED'
  /** The server reported success, but columns are still missing. */
  | 'NOT_CONVERTED'
  /** The connection ended or the time ran out before the reply to `convert`: the database may be converted or not. */
  | 'CONVERSION_UNKNOWN';

/** A failed migration; the message is for operators and may include lines with commands. */
export class MigrationError extends Error {
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MigrationError';
    this.code = code;
  }
}
