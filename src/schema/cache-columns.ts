// The two columns of the flow cache, read from schema/cache-columns.json, and the check which of them a schema lacks.
// Used for schema files and for live databases.

import cacheColumnsJson from '../../schema/cache-columns.json' with { type: 'json' };
import {
  type ColumnSchema,
  type ColumnType,
  type DatabaseSchema,
  OvsdbNotationError,
  parseDatabaseSchema,
} from '../ovsdb-client/index.ts';
import { MigrationError } from './migration-error.ts';

/** The database and the table of the columns. */
export const databaseName: string = cacheColumnsJson.database;
export const tableName: string = cacheColumnsJson.table;

/** One of the two columns. */
export interface CacheColumn {
  readonly name: string;
  /** Its `<column-schema>` (RFC 7047, section 3.2). */
  readonly json: object;
  readonly type: ColumnType;
  /** The range of its values. */
  readonly min: number;
  readonly max: number;
}

/** The columns, in their order in a schema. */
export const cacheColumns: readonly CacheColumn[] = readCacheColumns();

/** The names of both columns, for sentences. */
export const columnNames: string = cacheColumns.map((column) => column.name).join(' and ');

function readCacheColumns(): CacheColumn[] {
  const { database, table, columns } = cacheColumnsJson;
  const parsed = parseDatabaseSchema({ name: database, tables: { [table]: { columns } } }).tables.get(table);
  return Object.entries(columns).map(([name, json]) => {
    const type = parsed?.columns.get(name)?.type;
    if (type === undefined) {
      throw new Error(`cache-columns.json has ${name}, but its parsed schema lacks it`);
    }
    return { name, json, type, min: json.type.key.minInteger, max: json.type.key.maxInteger };
  });
}

/** Parses the JSON of a schema. `source` names its origin in errors. Throws {@link MigrationError}. */
export function readSchema(json: unknown, source: string): DatabaseSchema {
  try {
    return parseDatabaseSchema(json);
  } catch (error) {
    if (error instanceof OvsdbNotationError) {
      throw new MigrationError(
        'SCHEMA_NOTATION',
        `${source} is not a valid OVSDB schema: ${error.message}. Nothing was written.`,
        error,
      );
    }
    throw error;
  }
}

/**
 * Returns the columns that the schema lacks, in their order. Throws {@link MigrationError} when they cannot be added to
 * it.
 */
export function missingColumns(schema: DatabaseSchema, source: string): readonly CacheColumn[] {
  if (schema.name !== databaseName) {
    throw new MigrationError(
      'SCHEMA_OTHER_DATABASE',
      `${source} is the schema of the database ${schema.name}; the columns belong to ${databaseName}. Nothing was written.`,
    );
  }
  const table = schema.tables.get(tableName);
  if (table === undefined) {
    throw new MigrationError(
      'SCHEMA_NO_TABLE',
      `${source} (version ${schema.version}) has no table ${tableName}: it is older than IPFIX in Open vSwitch. ` +
        'Upgrade Open vSwitch first. Nothing was written.',
    );
  }
  return cacheColumns.filter((wanted) => {
    const found = table.columns.get(wanted.name);
    if (found !== undefined) {
      requireSame(found, wanted, source);
    }
    return found === undefined;
  });
}

function requireSame(found: ColumnSchema, wanted: CacheColumn, source: string): void {
  const isSame = describeType(found.type) === describeType(wanted.type) && found.mutable && !found.ephemeral;
  if (!isSame) {
    throw new MigrationError(
      'SCHEMA_OTHER_TYPE',
      `${source} has a column ${tableName}.${wanted.name} of another type: ${describeColumn(found)} ` +
        `instead of ${describeType(wanted.type)}. Rename or remove it first. Nothing was written.`,
    );
  }
}

function describeColumn(column: ColumnSchema): string {
  const traits = [column.ephemeral ? ', ephemeral' : '', column.mutable ? '' : ', immutable'];
  return describeType(column.type) + traits.join('');
}

/** Describes a column's type: "integer 0 to 4200, optional". Types are equal when their descriptions are. */
export function describeType(type: ColumnType): string {
  const base = (part: ColumnType['key']): string => {
    const { type: atom, ...limits } = part;
    const { minInteger, maxInteger, ...others } = limits;
    const range =
      minInteger === undefined && maxInteger === undefined
        ? ''
        : ` ${minInteger ?? 'lowest'} to ${maxInteger ?? 'highest'}`;
    return `${atom}${range}${Object.keys(others).length === 0 ? '' : ` ${JSON.stringify(others)}`}`;
  };
  const value = type.value === undefined ? '' : ` to ${base(type.value)}`;
  const words = `${base(type.key)}${value}`;
  if (type.min === 1 && type.max === 1) {
    return words;
  }
  if (type.min === 0 && type.max === 1) {
    return `${words}, optional`;
  }
  return `${words}, ${type.min} to ${type.max === Infinity ? 'any number' : type.max} of them`;
}
