// The rows of a replica: decoding updates by the schema, applying them, and finding what changed. Pure of connections;
// Replica feeds it. Rows and table maps are never altered once they have been handed out.

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

/** One row as it stood at a moment; never altered. */
export interface Row {
  readonly uuid: string;
  /** The watched columns that the database has, by name. */
  readonly columns: Readonly<Record<string, Value>>;
}

/** The watched content of a database as it stood between two transactions; never altered. */
export interface Snapshot {
  /** The rows of a watched table by UUID; empty for a table that the database lacks. */
  table(name: string): ReadonlyMap<string, Row>;
}

/** One row that differs between two snapshots: no `before` when it is new, no `after` when it is gone. */
export interface RowChange {
  readonly table: string;
  readonly uuid: string;
  readonly before?: Row;
  readonly after?: Row;
}

/** Which columns of which tables are watched, with their types. */
export type WatchedTables = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

/** A table that the database lacks, or a column of a table that it has. */
export interface MissingColumn {
  readonly table: string;
  /** Undefined when the table itself is missing. */
  readonly column: string | undefined;
}

/** Divides what is wanted into what the schema has and what it lacks. */
export function intersect(
  schema: DatabaseSchema,
  wanted: Readonly<Record<string, readonly string[]>>,
): { watched: WatchedTables; missing: readonly MissingColumn[] } {
  const watched = new Map<string, ReadonlyMap<string, ColumnType>>();
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
    watched.set(table, columns);
  }
  return { watched, missing };
}

type Tables = ReadonlyMap<string, RowMap<Row>>;

const NO_ROWS = RowMap.of<Row>(new Map());

/** A snapshot and the types that its rows were decoded by. */
export class ReplicaContent implements Snapshot {
  readonly watched: WatchedTables;
  readonly #tables: Tables;

  constructor(watched: WatchedTables, tables: Tables = new Map()) {
    this.watched = watched;
    this.#tables = tables;
  }

  table(name: string): RowMap<Row> {
    return this.#tables.get(name) ?? NO_ROWS;
  }

  /** The content after an update, with the rows that it made different. */
  update(update: MonitorUpdate): { content: ReplicaContent; changes: RowChange[] } {
    const differing = new Map<string, Map<string, Row | undefined>>();
    const changes: RowChange[] = [];
    for (const rowUpdate of update.rows) {
      const { table, uuid } = rowUpdate;
      const columns = this.watched.get(table);
      if (columns === undefined) {
        throw new OvsdbNotationError(table, 'is not a table that was asked for');
      }
      // One update names a row once, so what it was before is in this content.
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
    return { content: new ReplicaContent(this.watched, tables), changes };
  }

  /** This content with the row objects of `old` wherever they are equal, and the rows that are not. */
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
    return { content: new ReplicaContent(this.watched, tables), changes };
  }
}

/** Whether rows that were decoded by one can go on with updates that are decoded by the other. */
export function sameWatched(a: WatchedTables, b: WatchedTables): boolean {
  const text = (watched: WatchedTables): string =>
    JSON.stringify(Array.from(watched, ([table, columns]) => [table, [...columns]]));
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

/** The row after an update; the same object when nothing that is watched differs. */
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
      const entries = Array.from(columns, ([name, type]): [string, Value] => {
        const json = Object.hasOwn(update.row, name) ? update.row[name] : undefined;
        return [
          name,
          json === undefined ? defaultValue(type) : decodeValue(json, type, `${table}.${uuid}.${name}`),
        ];
      });
      const after = makeRow(uuid, entries);
      return before !== undefined && rowsEqual(before, after) ? before : after;
    }
    case 'difference': {
      if (before === undefined) {
        throw new OvsdbNotationError(`${table}.${uuid}`, 'is modified, but no such row was announced');
      }
      const changed = new Map<string, Value>();
      for (const [name, json] of Object.entries(update.row)) {
        const type = columns.get(name);
        if (type === undefined) {
          throw new OvsdbNotationError(`${table}.${uuid}.${name}`, 'is not a column that was asked for');
        }
        changed.set(name, applyDifference(before.columns[name], json, type, `${table}.${uuid}.${name}`));
      }
      const entries = Object.entries(before.columns).map(([name, value]): [string, Value] => [
        name,
        changed.has(name) ? changed.get(name) : value,
      ]);
      const after = makeRow(uuid, entries);
      return rowsEqual(before, after) ? before : after;
    }
  }
}

function makeRow(uuid: string, entries: readonly (readonly [string, Value])[]): Row {
  return Object.freeze({ uuid, columns: Object.freeze(Object.fromEntries(entries)) });
}

function rowsEqual(a: Row, b: Row): boolean {
  const names = Object.keys(a.columns);
  return (
    names.length === Object.keys(b.columns).length &&
    names.every((name) => Object.hasOwn(b.columns, name) && valuesEqual(a.columns[name], b.columns[name]))
  );
}
