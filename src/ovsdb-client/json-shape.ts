// Checks that narrow unknown JSON to a type, or throw an OvsdbNotationError with the path of the value.

import { OvsdbNotationError } from './errors.ts';
import type { JsonObject } from './json-framer.ts';

/** Returns the value as a JSON object; throws if it is not one. */
export function object(json: unknown, path: string): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OvsdbNotationError(path, `is not an object: ${excerpt(json)}`);
  }
  return json as JsonObject;
}

/** Returns the value as a JSON array; throws if it is not one. */
export function array(json: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(json)) {
    throw new OvsdbNotationError(path, `is not an array: ${excerpt(json)}`);
  }
  return json;
}

/** Returns the value as a string; throws if it is not one. */
export function string(json: unknown, path: string): string {
  if (typeof json !== 'string') {
    throw new OvsdbNotationError(path, `is not a string: ${excerpt(json)}`);
  }
  return json;
}

/** Returns the value as a number, or undefined if it is absent; throws otherwise. */
export function number(json: unknown, path: string): number | undefined {
  if (json !== undefined && typeof json !== 'number') {
    throw new OvsdbNotationError(path, `is not a number: ${excerpt(json)}`);
  }
  return json;
}

/** Returns the value as a boolean, or undefined if it is absent; throws otherwise. */
export function boolean(json: unknown, path: string): boolean | undefined {
  if (json !== undefined && typeof json !== 'boolean') {
    throw new OvsdbNotationError(path, `is not true or false: ${excerpt(json)}`);
  }
  return json;
}

/** Returns the start of some JSON, for an error message. */
export function excerpt(json: unknown): string {
  const text = JSON.stringify(json) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
