// References from one row to another, as the replica decodes them.

/** Returns the uuid in a column that refers to a row, or undefined when the column is empty or absent. */
export function referenceOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'uuid' in value ? String(value.uuid) : undefined;
}
