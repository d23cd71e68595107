// The faults of a migration, of files and of live databases, with a closed list of codes. Whoever throws one has
// written nothing, but for the code CONVERSION_UNKNOWN.

/** The stable codes of {@link MigrationError}. */
export type MigrationErrorCode =
  /** The text is no JSON. */
  | 'SCHEMA_JSON'
  /** JSON, but no schema as RFC 7047, section 3.2 has it. */
  | 'SCHEMA_NOTATION'
  /** The schema of another database than Open_vSwitch. */
  | 'SCHEMA_OTHER_DATABASE'
  /** A schema without the table IPFIX: older than IPFIX in Open vSwitch. */
  | 'SCHEMA_NO_TABLE'
  /** A column of one of the two names is there, and is something else. */
  | 'SCHEMA_OTHER_TYPE'
  /** A number that would not survive the way through this program. */
  | 'SCHEMA_INEXACT_NUMBER'
  /** A schema file beyond `SCHEMA_BYTES_MAX`. */
  | 'SCHEMA_TOO_BIG'
  /** A file that cannot be read or written. */
  | 'SCHEMA_FILE'
  /** The server has no database of that name. */
  | 'NO_DATABASE'
  /** The server does not know the method `convert`. */
  | 'NO_CONVERT'
  /** The database belongs to a cluster of servers. */
  | 'CLUSTERED'
  /** The server relays another server's database, and would convert only its copy. */
  | 'RELAY'
  /** The connection or the server only reads: a read-only remote, or a backup server. */
  | 'READ_ONLY'
  /** The connection's role may not convert (RBAC). */
  | 'NO_PERMISSION'
  /** The server answered with an error that has no name here. */
  | 'REFUSED'
  /** The server said that it was done, and it is not. */
  | 'NOT_CONVERTED'
  /** The connection ended, or time ran out, before the server answered `convert`: it may have done it or not. */
  | 'CONVERSION_UNKNOWN';

/** A migration that did not happen; the message is for people and may have lines with commands. */
export class MigrationError extends Error {
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MigrationError';
    this.code = code;
  }
}
