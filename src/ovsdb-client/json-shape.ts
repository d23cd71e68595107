// Small checks that turn unknown JSON into known shapes, or throw an OvsdbNotationError that says where it stood.

import { OvsdbNotationError } from './errors.ts';
import type { JsonObject } from './json-framer.ts';

/** The members of a JSON object; throws when it is none. */
export function object(json: unknown, path: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OvsdbNotationError(path, `is not an object: ${excerpt(json)}`);
  }
  return json as JsonObject;
}

/** The elements of a JSON array; throws when it is none. */
export function array(json: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(json)) {
    throw new OvsdbNotationError(path, `is not an array: ${excerpt(json)}`);
  }
  return json;
}

/** A JSON string; throws when it is none. */
export function string(json: unknown, path: string): string {
  if (typeof json !== 'string') {
    throw new OvsdbNotationError(path, `is not a string: ${excerpt(json)}`);
  }
  return json;
}

/** A JSON number or nothing; throws for anything else. */
export function number(json: unknown, path: string): number | undefined {
  if (json !== undefined && typeof json !== 'number') {
    throw new OvsdbNotationError(path, `is not a number: ${excerpt(json)}`);
  }
  return json;
}

/** A JSON boolean or nothing; throws for anything else. */
export function boolean(json: unknown, path: string): boolean | undefined {
  if (json !== undefined && typeof json !== 'boolean') {
    throw new OvsdbNotationError(path, `is not true or false: ${excerpt(json)}`);
  }
  return json;
}

/** The beginning of some JSON, for an error message. */
export function excerpt(json: unknown): string {
  const text = JSON.stringify(json) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
