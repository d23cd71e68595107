// Templates that the reader received: their fields and their comparison.

import { findElement } from './elements.ts';
import { VARIABLE_LENGTH } from './protocol.ts';
import type { ReaderField, ReaderTemplate } from './reader-types.ts';

/** Returns a field of a template; the enterprise number is 0 for the elements of IANA. */
export function fieldOf(id: number, enterprise: number, size: number): ReaderField {
  const element = findElement(id, enterprise);
  const number = enterprise === 0 ? `element ${id}` : `enterprise ${enterprise} element ${id}`;
  return { id, enterprise, size, element, name: element?.name ?? number };
}

/** Returns the bytes of the shortest record: a field of variable length takes one at least. */
export function recordSizeMin(fields: readonly ReaderField[]): number {
  return fields.reduce((sum, field) => sum + (field.size === VARIABLE_LENGTH ? 1 : field.size), 0);
}

/** Returns whether both describe the same records; their ids may differ. */
export function sameTemplate(a: ReaderTemplate, b: ReaderTemplate): boolean {
  return (
    a.scopeCount === b.scopeCount &&
    a.fields.length === b.fields.length &&
    a.fields.every((field, index) => {
      const other = b.fields[index];
      return field.id === other?.id && field.enterprise === other.enterprise && field.size === other.size;
    })
  );
}
