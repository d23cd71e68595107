// Parses the schema of a database (RFC 7047, section 3.2), from get_schema or a .ovsschema file, into the types by which
// the rest of this library decodes values.

import { OvsdbNotationError } from './errors.ts';
import type { JsonObject } from './json-framer.ts';
import { array, boolean, excerpt, number, object, string } from './json-shape.ts';
import { type Atom, type AtomicType, type BaseType, type ColumnType, decodeValue } from './notation.ts';

/** A parsed schema. */
export interface DatabaseSchema {
  readonly name: string;
  /** "X.Y.Z"; empty when the schema has none, which ovsdb-server allows. */
  readonly version: string;
  /** The checksum in the schema's file ("CKSUM SIZE"); it is not verified. */
  readonly cksum: string | undefined;
  readonly tables: ReadonlyMap<string, TableSchema>;
  /** The JSON that this was parsed from; edited, it is the argument of `convert`. */
  readonly json: JsonObject;
}

export interface TableSchema {
  readonly name: string;
  /** The declared columns, and `_uuid` and `_version`, which every table has. */
  readonly columns: ReadonlyMap<string, ColumnSchema>;
  /** Infinity when there is no limit. */
  readonly maxRows: number;
  /** Whether rows are kept without a reference to them; those of other tables are garbage-collected. */
  readonly isRoot: boolean;
  /** Sets of columns whose combined value is unique. */
  readonly indexes: readonly (readonly string[])[];
}

export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
  /** Whether its values are lost when the server restarts. */
  readonly ephemeral: boolean;
  readonly mutable: boolean;
}

const ATOMIC_TYPES: readonly string[] = [
  'integer',
  'real',
  'boolean',
  'string',
  'uuid',
] satisfies AtomicType[];

/** Parses a schema. Throws {@link OvsdbNotationError} with the path of the invalid part. */
export function parseDatabaseSchema(json: unknown): DatabaseSchema {
  const schema = object(json, 'schema');
  const name = string(schema['name'], 'schema.name');
  const version = schema['version'] === undefined ? '' : string(schema['version'], 'schema.version');
  const cksum = schema['cksum'] === undefined ? undefined : string(schema['cksum'], 'schema.cksum');
  const tables = mapEntries(schema['tables'], 'schema.tables', parseTable);
  // RFC 7047, section 3.2: if no table sets isRoot, all tables are in the root set.
  const someRoot = [...tables.values()].some((table) => table.isRoot);
  if (!someRoot) {
    for (const table of tables.values()) {
      tables.set(table.name, { ...table, isRoot: true });
    }
  }
  return { name, version, cksum, tables, json: schema };
}

function parseTable(name: string, json: unknown, path: string): TableSchema {
  const table = object(json, path);
  const columns = mapEntries(table['columns'], `${path}.columns`, parseColumn);
  for (const implicit of ['_uuid', '_version']) {
    const type: ColumnType = { key: { type: 'uuid' }, min: 1, max: 1 };
    columns.set(implicit, { name: implicit, type, ephemeral: implicit === '_version', mutable: false });
  }
  const indexes = array(table['indexes'] ?? [], `${path}.indexes`).map((index, at) =>
    array(index, `${path}.indexes[${at}]`).map((column) => string(column, `${path}.indexes[${at}]`)),
  );
  const maxRows = number(table['maxRows'], `${path}.maxRows`) ?? Infinity;
  return { name, columns, maxRows, isRoot: boolean(table['isRoot'], `${path}.isRoot`) ?? false, indexes };
}

function parseColumn(name: string, json: unknown, path: string): ColumnSchema {
  const column = object(json, path);
  return {
    name,
    type: parseColumnType(column['type'], `${path}.type`),
    ephemeral: boolean(column['ephemeral'], `${path}.ephemeral`) ?? false,
    mutable: boolean(column['mutable'], `${path}.mutable`) ?? true,
  };
}

function parseColumnType(json: unknown, path: string): ColumnType {
  if (typeof json === 'string') {
    return { key: { type: atomicType(json, path) }, min: 1, max: 1 };
  }
  const type = object(json, path);
  const min = type['min'] ?? 1;
  if (min !== 0 && min !== 1) {
    throw new OvsdbNotationError(`${path}.min`, `is neither 0 nor 1: ${excerpt(min)}`);
  }
  const max = type['max'] === 'unlimited' ? Infinity : (number(type['max'], `${path}.max`) ?? 1);
  if (max < 1) {
    throw new OvsdbNotationError(`${path}.max`, `is less than 1: ${max}`);
  }
  const key = parseBaseType(type['key'], `${path}.key`);
  return type['value'] === undefined
    ? { key, min, max }
    : { key, value: parseBaseType(type['value'], `${path}.value`), min, max };
}

function parseBaseType(json: unknown, path: string): BaseType {
  if (typeof json === 'string') {
    return { type: atomicType(json, path) };
  }
  const base = object(json, path);
  const type = atomicType(base['type'], `${path}.type`);
  const numbers = ['minInteger', 'maxInteger', 'minReal', 'maxReal', 'minLength', 'maxLength'] as const;
  const limits = numbers.flatMap((name) => {
    const limit = number(base[name], `${path}.${name}`);
    return limit === undefined ? [] : [[name, limit] as const];
  });
  const refType = base['refType'] ?? 'strong';
  if (refType !== 'strong' && refType !== 'weak') {
    throw new OvsdbNotationError(`${path}.refType`, `is neither "strong" nor "weak": ${excerpt(refType)}`);
  }
  return {
    type,
    ...(Object.fromEntries(limits) as Partial<Record<(typeof numbers)[number], number>>),
    ...(base['enum'] === undefined ? {} : { enum: parseEnum(base['enum'], type, `${path}.enum`) }),
    ...(base['refTable'] === undefined
      ? {}
      : { refTable: string(base['refTable'], `${path}.refTable`), refType }),
  };
}

/** Parses the allowed values: a set in the notation of section 5.1, ascending when decoded. */
function parseEnum(json: unknown, type: AtomicType, path: string): readonly Atom[] {
  return decodeValue(json, { key: { type }, min: 1, max: Infinity }, path) as readonly Atom[];
}

function atomicType(json: unknown, path: string): AtomicType {
  if (typeof json !== 'string' || !ATOMIC_TYPES.includes(json)) {
    throw new OvsdbNotationError(path, `is not one of ${ATOMIC_TYPES.join(', ')}: ${excerpt(json)}`);
  }
  return json as AtomicType;
}

function mapEntries<T>(
  json: unknown,
  path: string,
  parse: (name: string, json: unknown, path: string) => T,
): Map<string, T> {
  return new Map(
    Object.entries(object(json, path)).map(([name, item]) => [name, parse(name, item, `${path}.${name}`)]),
  );
}
