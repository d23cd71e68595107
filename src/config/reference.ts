// References from one row to another, as the replica decodes them, and the names of rows.

import { safeName } from '../runtime/safe-text.ts';
import type { DatabaseRow } from './ipfix-row.ts';

/** Returns the name of a Bridge row for all uses but its socket, for which `originalName` returns what the row has. */
export function bridgeNameOf({ columns }: DatabaseRow): string {
  return safeName(String(columns['name']));
}

/** Returns the uuid in a column that refers to a row, or undefined when the column is empty or absent. */
export function referenceOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'uuid' in value ? String(value.uuid) : undefined;
}
