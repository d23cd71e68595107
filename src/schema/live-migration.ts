// The migration of a live database: checks which columns are missing and whether the server can convert the database, has
// it `convert` (ovsdb-server(7)), and reads the schema back. Dialling, time limits and printing are the caller's.

import {
  type DatabaseSchema,
  isUnknownMethod,
  type OvsdbClient,
  OvsdbError,
  OvsdbErrorCode,
  OvsdbReplyError,
  OvsdbTransactionError,
} from '../ovsdb-client/index.ts';
import { adviseByHand, type Obstacle } from './by-hand.ts';
import { type CacheColumn, databaseName, missingColumns, readSchema, tableName } from './cache-columns.ts';
import { MigrationError } from './migration-error.ts';

/** A connection to a server. */
export interface LiveDatabase {
  readonly client: OvsdbClient;
  /** Its connection method, for messages. */
  readonly method: string;
  /** Aborts the migration. */
  readonly signal: AbortSignal;
}

/** The schema of a live database as far as the migration is concerned. */
export interface LiveSchema {
  readonly version: string;
  readonly missing: readonly CacheColumn[];
  readonly ipfixRowCount: number;
}

/** Reads what a database has, and changes nothing. Throws {@link MigrationError} when it cannot be migrated. */
export async function inspectDatabase(database: LiveDatabase): Promise<LiveSchema> {
  const schema = await fetchSchema(database);
  return describe(database, schema);
}

/**
 * Adds the missing columns; rows, their UUIDs and all values are kept. Idempotent. Throws {@link MigrationError}; nothing
 * was changed then, unless its code is CONVERSION_UNKNOWN.
 */
export async function convertDatabase(database: LiveDatabase): Promise<LiveSchema> {
  const schema = await fetchSchema(database);
  const missing = missingColumns(schema, database.method);
  if (missing.length > 0) {
    requireExactNumbers(schema.json, `${database.method}: schema`);
    await requireConvertible(database);
    await convert(database, withColumns(schema, missing));
  }
  const after = await inspectDatabase(database);
  if (after.missing.length > 0) {
    const names = after.missing.map((column) => column.name).join(', ');
    throw new MigrationError(
      'NOT_CONVERTED',
      `${database.method}: the server reported that the database is converted, but it still lacks ${names}. ` +
        'Another program may have converted it at the same time; run this command again.',
    );
  }
  return after;
}

async function fetchSchema({ client, method, signal }: LiveDatabase): Promise<DatabaseSchema> {
  const names = await client.listDbs({ signal });
  if (!names.includes(databaseName)) {
    throw new MigrationError(
      'NO_DATABASE',
      `${method}: this server has no database ${databaseName}; it has ${names.join(', ') || 'none'}. ` +
        "Give the connection method of ovs-vswitchd's server. The databases of a server are listed by\n" +
        '  ovsdb-client list-dbs METHOD',
    );
  }
  return readSchema(await client.request('get_schema', [databaseName], { signal }), method);
}

async function describe(
  { client, method, signal }: LiveDatabase,
  schema: DatabaseSchema,
): Promise<LiveSchema> {
  const missing = missingColumns(schema, method);
  const [ipfix] = await client.transact(
    databaseName,
    [{ op: 'select', table: tableName, where: [], columns: ['_uuid'] }],
    { signal },
  );
  return { version: schema.version, missing, ipfixRowCount: ipfix.rows.length };
}

/** Returns the schema with the columns added after the others; the rest is as the server sent it. */
function withColumns(schema: DatabaseSchema, missing: readonly CacheColumn[]): object {
  const json = structuredClone(schema.json) as {
    tables: Record<string, { columns: Record<string, unknown> } | undefined>;
  };
  const columns = json.tables[tableName]?.columns ?? {};
  for (const column of missing) {
    columns[column.name] = column.json;
  }
  return json;
}

/** Refuses integers beyond 2^53: JSON.parse rounds them, so the limit of some other column would change. */
function requireExactNumbers(json: unknown, path: string): void {
  if (typeof json === 'number' && Number.isInteger(json) && !Number.isSafeInteger(json)) {
    throw new MigrationError(
      'SCHEMA_INEXACT_NUMBER',
      `${path} is beyond 2^53 and would be rounded by this program. Nothing was changed. ` +
        'Migrate the schema file instead, with "ovs-ipfix migrate --schema".',
    );
  }
  if (typeof json === 'object' && json !== null) {
    for (const [name, part] of Object.entries(json)) {
      requireExactNumbers(part, `${path}.${name}`);
    }
  }
}

/**
 * Refuses a database that must not be converted here. ovsdb-server itself converts even a database that is read-only
 * (measured with 3.1), and a backup or a relay would then have other columns than its source.
 */
async function requireConvertible(database: LiveDatabase): Promise<void> {
  const model = await storageModel(database);
  if (model === 'clustered') {
    throw obstacle('CLUSTERED', database);
  }
  if (model === 'relay') {
    throw obstacle('RELAY', database);
  }
  const { client, signal } = database;
  try {
    // It matches no row, but is refused where the database is read-only.
    await client.transact(
      databaseName,
      [{ op: 'delete', table: tableName, where: [['_uuid', '==', { uuid: NO_ROW }]] }],
      { signal },
    );
  } catch (error) {
    throw isUnanswered(error) ? error : refusal(database, error);
  }
}

const NO_ROW = '00000000-0000-0000-0000-000000000000';

/** Reads the storage model of the database from the database _Server; "standalone" if there is none (before 2.9). */
async function storageModel({ client, signal }: LiveDatabase): Promise<string> {
  const serverDatabase = '_Server';
  if (!(await client.listDbs({ signal })).includes(serverDatabase)) {
    return 'standalone';
  }
  const [databases] = await client.transact(
    serverDatabase,
    [{ op: 'select', table: 'Database', where: [['name', '==', databaseName]], columns: ['model'] }],
    { signal },
  );
  const model = databases.rows[0]?.['model'];
  return typeof model === 'string' ? model : 'standalone';
}

async function convert(database: LiveDatabase, json: object): Promise<void> {
  const { client, signal } = database;
  try {
    // Without it the server closes the connection after the conversion. A server that lacks it lacks convert as well.
    await client.setDbChangeAware(true, { signal });
    await client.convert(databaseName, json, { signal });
  } catch (error) {
    throw refusal(database, error);
  }
}

function refusal(database: LiveDatabase, error: unknown): unknown {
  if (isUnknownMethod(error)) {
    return obstacle('NO_CONVERT', database, error);
  }
  if (error instanceof OvsdbReplyError || error instanceof OvsdbTransactionError) {
    const known: Record<string, Obstacle> = {
      'not allowed': 'READ_ONLY',
      'permission error': 'NO_PERMISSION',
    };
    return obstacle(known[error.error] ?? 'REFUSED', database, error);
  }
  if (isUnanswered(error)) {
    return new MigrationError(
      'CONVERSION_UNKNOWN',
      `${database.method}: it is unknown whether the server has converted the database: it did not reply ` +
        `(${error.message}) A conversion is atomic; find out with\n  ovs-ipfix migrate --check ${database.method}`,
      error,
    );
  }
  return error;
}

/** Whether the connection ended or the time ran out before a reply. */
function isUnanswered(error: unknown): error is OvsdbError {
  return (
    error instanceof OvsdbError &&
    (error.code === OvsdbErrorCode.closed || error.code === OvsdbErrorCode.aborted)
  );
}

function obstacle(code: Obstacle, database: LiveDatabase, error?: unknown): MigrationError {
  const fault =
    error instanceof OvsdbReplyError || error instanceof OvsdbTransactionError ? error : undefined;
  const detail = fault === undefined ? '' : (fault.details ?? fault.error);
  return new MigrationError(code, adviseByHand(code, database.method, detail), error);
}
