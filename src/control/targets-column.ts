// The column IPFIX.targets of old databases: up to schema 7.3.0 it has to hold one target at least, so that a row which
// is ours cannot be emptied. There a single empty string stands for "no targets": vswitchd can reach no collector by it
// (it says so in its log) and exports nothing. Everybody above database-session.ts sees an empty list.

import type { DatabaseRow } from '../config/ipfix-row.ts';
import type { DatabaseSchema } from '../ovsdb-client/index.ts';

const NO_TARGETS: readonly string[] = [''];

/** How this database's schema writes the targets of IPFIX rows. */
export class TargetsColumn {
  readonly #needsOne: boolean;

  constructor(schema: DatabaseSchema | undefined) {
    this.#needsOne = schema?.tables.get('IPFIX')?.columns.get('targets')?.type.min === 1;
  }

  /** Targets as they are to be written. */
  write(targets: readonly string[]): readonly string[] {
    return this.#needsOne && targets.length === 0 ? NO_TARGETS : targets;
  }

  /** The rows with their targets as they are meant; the same map where nothing has to be changed. */
  read(rows: ReadonlyMap<string, DatabaseRow>): ReadonlyMap<string, DatabaseRow> {
    if (!this.#needsOne) {
      return rows;
    }
    return new Map(Array.from(rows, ([uuid, row]) => [uuid, readRow(row)]));
  }
}

function readRow(row: DatabaseRow): DatabaseRow {
  const targets = row.columns['targets'];
  const isNone = Array.isArray(targets) && targets.length === 1 && targets[0] === '';
  return isNone ? { ...row, columns: { ...row.columns, targets: [] } } : row;
}
