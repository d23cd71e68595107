// The rows of a replica: decodes updates by the schema, applies them, and finds the rows that changed. It knows nothing of
// connections; Replica passes it the updates. Rows and table maps are immutable.

import { OvsdbNotationError } from './errors.ts';
import type { MonitorUpdate, RowUpdate } from './monitor.ts';
import {
  applyDifference,
  type ColumnType,
  decodeValue,
  defaultValue,
  type Value,
  valuesEqual,
} from './notation.ts';
import { RowMap } from './row-map.ts';
import type { DatabaseSchema } from './schema.ts';

/** One row at a moment; immutable. */
export interface Row {
  readonly uuid: string;
  /** The monitored columns that the database has, by name. */
  readonly columns: Readonly<Record<string, Value>>;
}

/** The monitored content of a database between two transactions; immutable. */
export interface Snapshot {
  /** Returns the rows of a monitored table by UUID; empty for a table that the database lacks. */
  table(name: string): ReadonlyMap<string, Row>;
}

/** One row that differs between two snapshots: `before` is undefined for a new row, `after` for a deleted one. */
export interface RowChange {
  readonly table: string;
  readonly uuid: string;
  readonly before?: Row;
  readonly after?: Row;
}

/** The monitored columns by table, with their types. */
export type MonitoredTables = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

/** A table that the database lacks, or a column of a table that it has. */
export interface MissingColumn {
  readonly table: string;
  /** Undefined when the table itself is missing. */
  readonly column: string | undefined;
}

/** Splits the requested tables and columns into those that the schema has and those that it lacks. */
export function intersect(
  schema: DatabaseSchema,
  wanted: Readonly<Record<string, readonly string[]>>,
): { monitored: MonitoredTables; missing: readonly MissingColumn[] } {
  const monitored = new Map<string, ReadonlyMap<string, ColumnType>>();
  const missing: MissingColumn[] = [];
  for (const [table, names] of Object.entries(wanted)) {
    const known = schema.tables.get(table)?.columns;
    if (known === undefined) {
      missing.push({ table, column: undefined });
      continue;
    }
    const columns = new Map<string, ColumnType>();
    for (const name of names) {
      const column = known.get(name);
      if (column === undefined) {
        missing.push({ table, column: name });
      } else {
        columns.set(name, column.type);
      }
    }
    monitored.set(table, columns);
  }
  return { monitored, missing };
}

type Tables = ReadonlyMap<string, RowMap<Row>>;

const NO_ROWS = RowMap.of<Row>(new Map());

/** A snapshot with the types by which its rows were decoded. */
export class ReplicaContent implements Snapshot {
  readonly monitored: MonitoredTables;
  readonly #tables: Tables;

  constructor(monitored: MonitoredTables, tables: Tables = new Map()) {
    this.monitored = monitored;
    this.#tables = tables;
  }

  table(name: string): RowMap<Row> {
    return this.#tables.get(name) ?? NO_ROWS;
  }

  /** Returns the content after an update, and the rows that changed. */
  update(update: MonitorUpdate): { content: ReplicaContent; changes: RowChange[] } {
    const differing = new Map<string, Map<string, Row | undefined>>();
    const changes: RowChange[] = [];
    for (const rowUpdate of update.rows) {
      const { table, uuid } = rowUpdate;
      const columns = this.monitored.get(table);
      if (columns === undefined) {
        throw new OvsdbNotationError(table, 'is not a monitored table');
      }
      // An update names a row at most once, so its previous version is in this content.
      const before = this.table(table).get(uuid);
      const after = nextRow(before, rowUpdate, columns);
      if (before === after) {
        continue;
      }
      const rows = differing.get(table) ?? new Map<string, Row | undefined>();
      differing.set(table, rows.set(uuid, after));
      changes.push(rowChange(table, uuid, before, after));
    }
    const tables = new Map(this.#tables);
    for (const [table, rows] of differing) {
      tables.set(table, this.table(table).with(rows));
    }
    return { content: new ReplicaContent(this.monitored, tables), changes };
  }

  /** Returns this content with the row objects of `old` where they are equal, and the rows that differ. */
  since(
    old: Snapshot | undefined,
    oldTables: Iterable<string>,
  ): { content: ReplicaContent; changes: RowChange[] } {
    const changes: RowChange[] = [];
    const tables = new Map<string, RowMap<Row>>();
    for (const table of new Set([...oldTables, ...this.#tables.keys()])) {
      const oldRows = old?.table(table) ?? NO_ROWS;
      const rows = new Map(this.table(table));
      for (const [uuid, after] of rows) {
        const before = oldRows.get(uuid);
        if (before !== undefined && rowsEqual(before, after)) {
          rows.set(uuid, before);
        } else {
          changes.push(rowChange(table, uuid, before, after));
        }
      }
      for (const [uuid, before] of oldRows) {
        if (!rows.has(uuid)) {
          changes.push(rowChange(table, uuid, before, undefined));
        }
      }
      tables.set(table, RowMap.of(rows));
    }
    return { content: new ReplicaContent(this.monitored, tables), changes };
  }
}

/** Whether both have the same columns and types, so that updates decoded by one apply to rows decoded by the other. */
export function isSameMonitored(a: MonitoredTables, b: MonitoredTables): boolean {
  const text = (monitored: MonitoredTables): string =>
    JSON.stringify(Array.from(monitored, ([table, columns]) => [table, [...columns]]));
  return text(a) === text(b);
}

function rowChange(table: string, uuid: string, before: Row | undefined, after: Row | undefined): RowChange {
  return {
    table,
    uuid,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

/** Returns the row after an update; the same object when no monitored column differs. */
function nextRow(
  before: Row | undefined,
  update: RowUpdate,
  columns: ReadonlyMap<string, ColumnType>,
): Row | undefined {
  const { table, uuid } = update;
  switch (update.kind) {
    case 'delete':
      return undefined;
    case 'row': {
      const values: Record<string, Value> = {};
      for (const [name, type] of columns) {
        const json = Object.hasOwn(update.row, name) ? update.row[name] : undefined;
        values[name] =
          json === undefined ? defaultValue(type) : decodeValue(json, type, `${table}.${uuid}.${name}`);
      }
      const after = makeRow(uuid, values);
      return before !== undefined && rowsEqual(before, after) ? before : after;
    }
    case 'difference': {
      if (before === undefined) {
        throw new OvsdbNotationError(`${table}.${uuid}`, 'is modified, but the row does not exist');
      }
      const values: Record<string, Value> = { ...before.columns };
      let isSame = true;
      for (const name of Object.keys(update.row)) {
        const type = columns.get(name);
        if (type === undefined) {
          throw new OvsdbNotationError(`${table}.${uuid}.${name}`, 'is not a monitored column');
        }
        const old = before.columns[name];
        const value = applyDifference(old, update.row[name], type, `${table}.${uuid}.${name}`);
        if (!valuesEqual(old, value)) {
          values[name] = value;
          isSame = false;
        }
      }
      return isSame ? before : makeRow(uuid, values);
    }
  }
}

function makeRow(uuid: string, values: Record<string, Value>): Row {
  return Object.freeze({ uuid, columns: Object.freeze(values) });
}

function rowsEqual(a: Row, b: Row): boolean {
  const names = Object.keys(a.columns);
  return (
    names.length === Object.keys(b.columns).length &&
    names.every((name) => Object.hasOwn(b.columns, name) && valuesEqual(a.columns[name], b.columns[name]))
  );
}
