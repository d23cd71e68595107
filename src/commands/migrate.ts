// `ovs-ipfix migrate`: adds the two columns of the flow cache to a live database, or with --schema to a schema file.

import { Command } from 'commander';
import { type OvsSettings, readOvsSettings } from '../config/settings.ts';
import { OvsdbClient, OvsdbError } from '../ovsdb-client/index.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { dial, EndpointError, formatEndpoint } from '../runtime/endpoint.ts';
import { type CacheColumn, columnNames, describeType, tableName } from '../schema/cache-columns.ts';
import {
  convertDatabase,
  inspectDatabase,
  type LiveDatabase,
  type LiveSchema,
} from '../schema/live-migration.ts';
import { readMigrated, summarize, writeMigrated } from './migrate-schema.ts';
import { addDatabaseOptions, flagOf, foldDatabase } from './options.ts';

/** Exit code of --check when columns are missing. */
const EXIT_LACKS_COLUMNS = 3;
/** Milliseconds for a whole live migration; the server needs about a second for 100,000 rows. */
export const MIGRATION_TIMEOUT_MS = 60_000;

export function migrateCommand(): Command {
  const command = addDatabaseOptions(
    new Command('migrate').description(
      `add the columns ${columnNames} to a live database, or to a schema file`,
    ),
  );
  return command
    .addOption(
      flagOf(
        'migrate',
        '--check',
        `change nothing; exit 0 if the columns are there, ${EXIT_LACKS_COLUMNS} if not`,
      ),
    )
    .addOption(
      flagOf(
        'migrate',
        '--schema <file>',
        'migrate this schema file instead of a database; - is standard input',
      ),
    )
    .addOption(flagOf('migrate', '--output <file>', 'file to write the schema to (default: standard output)'))
    .action(async (database: string | undefined, flags: Record<string, unknown>) => {
      const { check, schema, output, ...rest } = flags;
      if (typeof schema === 'string') {
        refuseDatabase(database, command);
        await migrateFile(schema, typeof output === 'string' ? output : undefined, check === true, command);
        return;
      }
      if (command.getOptionValueSource('output') === 'cli') {
        command.error('error: --output needs --schema: a live database is converted in place.');
      }
      const settings = readOvsSettings(foldDatabase(database, rest, command));
      await withDatabase(settings, systemClock, check === true ? checkDatabase : migrateDatabase);
    });
}

function refuseDatabase(database: string | undefined, command: Command): void {
  if (database !== undefined || command.getOptionValueSource('db') === 'cli') {
    command.error('error: give a database or --schema, not both.');
  }
}

async function migrateFile(
  schema: string,
  output: string | undefined,
  isCheck: boolean,
  command: Command,
): Promise<void> {
  const migrated = await readMigrated(schema);
  if (!isCheck) {
    await writeMigrated(migrated, output);
    process.stderr.write(`${summarize(migrated)}\n`);
    return;
  }
  if (command.getOptionValueSource('output') === 'cli') {
    command.error('error: --check writes nothing: leave out --output.');
  }
  reportCheck(`${migrated.source} (version ${migrated.version})`, migrated.added);
}

/** Runs on the first of the database's connection methods that answers. */
async function withDatabase(
  settings: OvsSettings,
  clock: Clock,
  work: (database: LiveDatabase) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;
  const timer = clock.setTimer(() => abort.abort(), MIGRATION_TIMEOUT_MS);
  const faults: string[] = [];
  try {
    for (const endpoint of settings.database) {
      const method = formatEndpoint(endpoint);
      const tls = settings.tls === undefined ? {} : { tls: settings.tls };
      const stream = await dial(endpoint, { clock, signal, ...tls }).catch((error: unknown) => {
        if (!(error instanceof EndpointError)) {
          throw error;
        }
        faults.push(error.message);
      });
      if (stream !== undefined) {
        await workWith({ client: new OvsdbClient(stream), method, signal }, work);
        return;
      }
    }
  } finally {
    timer.cancel();
  }
  throw new Error(`The database could not be reached. ${faults.join(' ')}`);
}

async function workWith(
  database: LiveDatabase,
  work: (database: LiveDatabase) => Promise<void>,
): Promise<void> {
  try {
    await work(database);
  } catch (error) {
    // A second run is safe whether or not the first one has converted; a MigrationError has its own sentence.
    throw error instanceof OvsdbError
      ? new Error(`${database.method}: ${error.message} Run this command again.`, { cause: error })
      : error;
  } finally {
    database.client.close();
  }
}

async function checkDatabase(database: LiveDatabase): Promise<void> {
  const { version, missing } = await inspectDatabase(database);
  reportCheck(`${database.method} (schema version ${version})`, missing);
}

function reportCheck(what: string, missing: readonly CacheColumn[]): void {
  if (missing.length === 0) {
    say(`${what}: table ${tableName} has ${columnNames}.`);
    return;
  }
  say(`${what}: table ${tableName} lacks ${namesOf(missing)}.`);
  process.exitCode = EXIT_LACKS_COLUMNS;
}

async function migrateDatabase(database: LiveDatabase): Promise<void> {
  const { method } = database;
  const before = await inspectDatabase(database);
  if (before.missing.length === 0) {
    say(
      `${method} (schema version ${before.version}): table ${tableName} has ${columnNames}: nothing to do.`,
    );
    return;
  }
  say(`${method} (schema version ${before.version}): table ${tableName} lacks ${namesOf(before.missing)}.`);
  say(`Converting, with ${rows(before)} in table ${tableName} ...`);
  const after = await convertDatabase(database);
  say(`Converted and read back: ${rows(after)} in table ${tableName}, and the new columns`);
  for (const { name, type } of before.missing) {
    say(`  ${name} (${describeType(type)})`);
  }
  say('Both are unset, which is 0 and disables caching; set both to enable it.');
  say(
    'ovs-ctl converts the database to the installed schema when it starts ovsdb-server: migrate that file, too,',
  );
  say('with --schema, or the columns are lost then. docs/migration.md says how, and how to set the columns.');
}

function rows({ ipfixRowCount }: LiveSchema): string {
  return `${ipfixRowCount} ${ipfixRowCount === 1 ? 'row' : 'rows'}`;
}

function namesOf(columns: readonly CacheColumn[]): string {
  return columns.map((column) => column.name).join(' and ');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
