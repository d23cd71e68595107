// The column IPFIX.targets of old databases: up to schema 7.3.0 it must have at least one target, so it cannot be emptied for an
// adopted row. There a single empty string means "no targets": vswitchd cannot use it (which it logs) and exports nothing.
// Callers of database-session.ts get an empty list.

import type { DatabaseRow } from '../config/ipfix-row.ts';
import { RowCache } from '../config/row-cache.ts';
import type { DatabaseSchema } from '../ovsdb-client/index.ts';

const NO_TARGETS: readonly string[] = [''];

/** Converts the targets of IPFIX rows to and from this database's schema. */
export class TargetsColumn {
  readonly #needsOne: boolean;
  /** The converted rows: one that has not changed stays the same object. */
  readonly #converted = new RowCache<DatabaseRow>();

  constructor(schema: DatabaseSchema | undefined) {
    this.#needsOne = schema?.tables.get('IPFIX')?.columns.get('targets')?.type.min === 1;
  }

  /** Returns targets as they are written. */
  write(targets: readonly string[]): readonly string[] {
    return this.#needsOne && targets.length === 0 ? NO_TARGETS : targets;
  }

  /** Returns rows with their targets converted; the same map if nothing is to be converted. */
  read(rows: ReadonlyMap<string, DatabaseRow>): ReadonlyMap<string, DatabaseRow> {
    if (!this.#needsOne) {
      return rows;
    }
    return new Map(
      Array.from(rows, ([uuid, row]) => [uuid, this.#converted.get(row, [], () => readRow(row))]),
    );
  }
}

function readRow(row: DatabaseRow): DatabaseRow {
  const targets = row.columns['targets'];
  const isNone = Array.isArray(targets) && targets.length === 1 && targets[0] === '';
  return isNone ? { ...row, columns: { ...row.columns, targets: [] } } : row;
}
