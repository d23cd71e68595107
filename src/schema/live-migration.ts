// The migration of a live database: looks whether columns are missing and whether the server may be asked, has it
// `convert` (ovsdb-server(7)), and reads back. Dialling, time limits and printing are the caller's.

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
  /** Its connection method, for people. */
  readonly method: string;
  /** Gives up when it fires. */
  readonly signal: AbortSignal;
}

/** What a database has, before or after. */
export interface LiveSchema {
  readonly version: string;
  readonly missing: readonly CacheColumn[];
  readonly ipfixRowCount: number;
}

/** Looks, and changes nothing. Throws {@link MigrationError} where there is nothing that could be migrated. */
export async function inspectDatabase(database: LiveDatabase): Promise<LiveSchema> {
  const schema = await fetchSchema(database);
  return describe(database, schema);
}

/**
 * Adds the missing columns, which keeps rows, their uuids and all values. Idempotent. Throws {@link MigrationError};
 * nothing was changed then, unless its code is CONVERSION_UNKNOWN.
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
      `${database.method}: the server said that the database is converted, but it still lacks ${names}. ` +
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
      `${method}: this server has no database ${databaseName}, but ${names.join(', ') || 'none at all'}. ` +
        'Name the server that ovs-vswitchd uses; what another one has is listed by\n' +
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

/** The schema with the columns behind those that are there; all else is as the server sent it. */
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

/** JSON.parse rounds integers beyond 2^53: such a limit of some other column would be changed by us. */
function requireExactNumbers(json: unknown, path: string): void {
  if (typeof json === 'number' && Number.isInteger(json) && !Number.isSafeInteger(json)) {
    throw new MigrationError(
      'SCHEMA_INEXACT_NUMBER',
      `${path} is beyond 2^53 and would be changed on its way through this program. Nothing was changed. ` +
        'A schema file can be migrated by "ovs-ipfix migrate --schema" all the same.',
    );
  }
  if (typeof json === 'object' && json !== null) {
    for (const [name, part] of Object.entries(json)) {
      requireExactNumbers(part, `${path}.${name}`);
    }
  }
}

/**
 * Finds out what the server would not say: ovsdb-server converts even where nobody may write (measured with 3.1), and a
 * backup or a relay would then have other columns than its source.
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
    // It deletes no row, and is refused all the same where nothing may be written.
    await client.transact(
      databaseName,
      [{ op: 'delete', table: tableName, where: [['_uuid', '==', { uuid: NO_ROW }]] }],
      { signal },
    );
  } catch (error) {
    throw isOver(error) ? error : refusal(database, error);
  }
}

const NO_ROW = '00000000-0000-0000-0000-000000000000';

/** How the server stores the database, by its own database _Server; "standalone" if it has none (before 2.9). */
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
    // Else the server would hang up after the conversion. One that does not know this does not know convert either.
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
  if (isOver(error)) {
    return new MigrationError(
      'CONVERSION_UNKNOWN',
      `${database.method}: the server has not answered whether it has converted the database ` +
        `(${error.message}) It has done so as a whole or not at all; see which with\n  ovs-ipfix migrate --check ${database.method}`,
      error,
    );
  }
  return error;
}

/** Whether it was the end of the connection or of the time, and no answer. */
function isOver(error: unknown): error is OvsdbError {
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
