// The codec of values (RFC 7047, section 5.1): atoms, sets and maps in JSON, and as plain TypeScript values. Decoding uses
// the column's type where it is known; encoding needs no type.

import { OvsdbNotationError } from './errors.ts';
import { excerpt } from './json-shape.ts';

/** The UUID of a row, or a reference to a row. Compare the member, not the object. */
export interface Uuid {
  readonly uuid: string;
}

/** A reference to a row that an `insert` of the same transaction creates, by that operation's `uuidName`. */
export interface NamedUuid {
  readonly namedUuid: string;
}

/** A scalar. Integers beyond ±2^53 have been rounded by JSON.parse: do not write such a value back. */
export type Atom = string | number | boolean | Uuid;

/**
 * The value of a column: an atom; undefined for an absent optional one; an ascending array for a set that may have more
 * than one element; a map. Iterate maps keyed by references, because `get` compares objects.
 */
export type Value = Atom | undefined | readonly Atom[] | ReadonlyMap<Atom, Atom>;

/** An atom to write. */
export type WritableAtom = Atom | NamedUuid;
export type WritableValue =
  | WritableAtom
  | undefined
  | readonly WritableAtom[]
  | ReadonlyMap<WritableAtom, WritableAtom>;

/** RFC 7047, section 3.2, `<atomic-type>`. */
export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid';

/** RFC 7047, section 3.2, `<base-type>`: the type of a key or value and its constraints. */
export interface BaseType {
  readonly type: AtomicType;
  readonly enum?: readonly Atom[];
  readonly minInteger?: number;
  readonly maxInteger?: number;
  readonly minReal?: number;
  readonly maxReal?: number;
  /** In characters. */
  readonly minLength?: number;
  readonly maxLength?: number;
  /** The table that it refers to. */
  readonly refTable?: string;
  readonly refType?: 'strong' | 'weak';
}

/** RFC 7047, section 3.2, `<type>`, with its defaults filled in. */
export interface ColumnType {
  readonly key: BaseType;
  /** For maps only. */
  readonly value?: BaseType;
  readonly min: 0 | 1;
  /** Infinity for "unlimited". */
  readonly max: number;
}

const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

export function isUuid(value: unknown): value is Uuid {
  return typeof value === 'object' && value !== null && 'uuid' in value && typeof value.uuid === 'string';
}

/** Encodes a value; undefined is the empty set. Throws RangeError for a number that cannot be sent exactly. */
export function encodeValue(value: WritableValue): unknown {
  if (value === undefined) {
    return ['set', []];
  }
  if (value instanceof Map) {
    const map: ReadonlyMap<WritableAtom, WritableAtom> = value;
    return ['map', Array.from(map, ([key, item]) => [encodeAtom(key), encodeAtom(item)])];
  }
  if (Array.isArray(value)) {
    const set: readonly WritableAtom[] = value;
    return ['set', set.map(encodeAtom)];
  }
  return encodeAtom(value as WritableAtom);
}

function encodeAtom(atom: WritableAtom): unknown {
  if (typeof atom === 'object') {
    return 'uuid' in atom ? ['uuid', atom.uuid] : ['named-uuid', atom.namedUuid];
  }
  if (
    typeof atom === 'number' &&
    (!Number.isFinite(atom) || (Number.isInteger(atom) && !Number.isSafeInteger(atom)))
  ) {
    throw new RangeError(
      `The number ${atom} cannot be sent: it is not finite, or an integer that JavaScript rounds.`,
    );
  }
  return atom;
}

/** Decodes the value of a column. `path` is its path in errors. */
export function decodeValue(json: unknown, type: ColumnType, path: string): Value {
  if (type.value !== undefined) {
    const map = decodeMap(json, type.key, type.value, path);
    checkCount(map.size, type, path);
    return map;
  }
  const atoms = decodeSet(json, type.key, path);
  checkCount(atoms.length, type, path);
  return type.max > 1 ? atoms : atoms[0];
}

/** The default values of columns, one for all rows, because values are immutable. */
const defaultValues = new WeakMap<ColumnType, { readonly value: Value }>();

/** Returns the default value of a column (RFC 7047, section 5.2.1), at which updates omit the column. */
export function defaultValue(type: ColumnType): Value {
  let known = defaultValues.get(type);
  if (known === undefined) {
    known = { value: makeDefault(type) };
    defaultValues.set(type, known);
  }
  return known.value;
}

function makeDefault(type: ColumnType): Value {
  if (type.value !== undefined) {
    return type.min === 0 ? new Map() : new Map([[defaultAtom(type.key.type), defaultAtom(type.value.type)]]);
  }
  const atoms = type.min === 0 ? [] : [defaultAtom(type.key.type)];
  return type.max > 1 ? Object.freeze(atoms) : atoms[0];
}

function defaultAtom(type: AtomicType): Atom {
  return { integer: 0, real: 0, boolean: false, string: '', uuid: { uuid: ZERO_UUID } }[type];
}

/**
 * Applies a difference to a value (ovsdb-server(7), "Update2 notification"). It is the symmetric difference of sets, the
 * added, removed and changed pairs of a map, and the new value of a column with at most one element.
 */
export function applyDifference(before: Value, json: unknown, type: ColumnType, path: string): Value {
  if (type.max <= 1) {
    return decodeValue(json, type, path);
  }
  if (type.value !== undefined) {
    const difference = decodeMap(json, type.key, type.value, path);
    const map = mapDifference(before as ReadonlyMap<Atom, Atom>, difference);
    checkCount(map.size, type, path);
    return map;
  }
  const toggled = decodeSet(json, type.key, path);
  const atoms = setDifference(before as readonly Atom[], toggled);
  checkCount(atoms.length, type, path);
  return atoms;
}

function setDifference(before: readonly Atom[], toggled: readonly Atom[]): readonly Atom[] {
  const atoms = new Map(before.map((atom) => [primitive(atom), atom]));
  for (const atom of toggled) {
    if (!atoms.delete(primitive(atom))) {
      atoms.set(primitive(atom), atom);
    }
  }
  return Object.freeze([...atoms.values()].sort(compareAtoms));
}

function mapDifference(
  before: ReadonlyMap<Atom, Atom>,
  difference: ReadonlyMap<Atom, Atom>,
): ReadonlyMap<Atom, Atom> {
  const pairs = new Map<string | number | boolean, [Atom, Atom]>();
  for (const pair of before) {
    pairs.set(primitive(pair[0]), pair);
  }
  for (const pair of difference) {
    const key = primitive(pair[0]);
    const old = pairs.get(key);
    if (old !== undefined && primitive(old[1]) === primitive(pair[1])) {
      pairs.delete(key);
    } else {
      pairs.set(key, pair);
    }
  }
  return new Map([...pairs.values()].sort(compareKeys));
}

/** Whether two values of one column are equal. Both must be decoded by this file, which sorts sets and maps. */
export function valuesEqual(a: Value, b: Value): boolean {
  // Columns that an update leaves out keep their objects.
  if (a === b) {
    return true;
  }
  if (typeof a !== 'object' || typeof b !== 'object') {
    return false;
  }
  if (a instanceof Map && b instanceof Map) {
    return mapsEqual(a, b);
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((atom, index) => primitive(atom) === primitive(b[index]));
  }
  return isUuid(a) && isUuid(b) && a.uuid === b.uuid;
}

function mapsEqual(a: ReadonlyMap<Atom, Atom>, b: ReadonlyMap<Atom, Atom>): boolean {
  if (a.size !== b.size) {
    return false;
  }
  const others = b.entries();
  for (const [key, value] of a) {
    const [otherKey, otherValue] = others.next().value as [Atom, Atom];
    if (primitive(key) !== primitive(otherKey) || primitive(value) !== primitive(otherValue)) {
      return false;
    }
  }
  return true;
}

/** Returns the primitive by which atoms of one type are compared. */
function primitive(atom: Atom): string | number | boolean {
  return typeof atom === 'object' ? atom.uuid : atom;
}

function compareAtoms(a: Atom, b: Atom): number {
  const left = primitive(a);
  const right = primitive(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareKeys(a: readonly [Atom, Atom], b: readonly [Atom, Atom]): number {
  return compareAtoms(a[0], b[0]);
}

function checkCount(count: number, type: ColumnType, path: string): void {
  if (count < type.min || count > type.max) {
    throw new OvsdbNotationError(
      path,
      `has ${count} elements, but its type allows ${type.min} to ${type.max}`,
    );
  }
}

/** Decodes a set. One with a single element may be written as that atom (RFC 7047, section 5.1). */
function decodeSet(json: unknown, base: BaseType, path: string): readonly Atom[] {
  const items = taggedItems(json, 'set');
  if (items === undefined) {
    return [decodeAtom(json, base, path)];
  }
  const atoms = items.map((item, index) => decodeAtom(item, base, path, index));
  if (!isAscending(atoms)) {
    atoms.sort(compareAtoms);
  }
  for (let index = 1; index < atoms.length; index += 1) {
    const atom = atoms[index];
    const previous = atoms[index - 1];
    if (atom !== undefined && previous !== undefined && primitive(atom) === primitive(previous)) {
      throw new OvsdbNotationError(path, `has the element ${JSON.stringify(primitive(atom))} twice`);
    }
  }
  return Object.freeze(atoms);
}

/** Whether a set is in order, as ovsdb-server sends it: one of 100,000 elements is then not sorted again. */
function isAscending(atoms: readonly Atom[]): boolean {
  for (let index = 1; index < atoms.length; index += 1) {
    if (compareAtoms(atoms[index - 1] as Atom, atoms[index] as Atom) > 0) {
      return false;
    }
  }
  return true;
}

function decodeMap(json: unknown, key: BaseType, value: BaseType, path: string): ReadonlyMap<Atom, Atom> {
  const items = taggedItems(json, 'map');
  if (items === undefined) {
    throw new OvsdbNotationError(path, `is not a map: ${excerpt(json)}`);
  }
  const seen = new Set<string | number | boolean>();
  const pairs = items.map((item, index): readonly [Atom, Atom] => {
    if (!Array.isArray(item) || item.length !== 2) {
      throw new OvsdbNotationError(
        elementPath(path, index),
        `is not a pair of key and value: ${excerpt(item)}`,
      );
    }
    const decoded = decodeAtom(item[0], key, path, index);
    if (seen.has(primitive(decoded))) {
      throw new OvsdbNotationError(
        elementPath(path, index),
        `has the key ${JSON.stringify(primitive(decoded))} for the second time`,
      );
    }
    seen.add(primitive(decoded));
    return [decoded, decodeAtom(item[1], value, path, index)];
  });
  return new Map(pairs.sort(compareKeys));
}

function taggedItems(json: unknown, tag: 'set' | 'map'): readonly unknown[] | undefined {
  return Array.isArray(json) && json.length === 2 && json[0] === tag && Array.isArray(json[1])
    ? json[1]
    : undefined;
}

/**
 * Decodes an atom of a known type. The server enforces the type's constraints; they are not checked here. `index` is that of the
 * element at `path`; undefined: the value itself.
 */
function decodeAtom(json: unknown, base: BaseType, path: string, index?: number): Atom {
  switch (base.type) {
    case 'integer':
      if (typeof json === 'number' && Number.isInteger(json)) {
        return json;
      }
      break;
    case 'real':
      if (typeof json === 'number') {
        return json;
      }
      break;
    case 'boolean':
      if (typeof json === 'boolean') {
        return json;
      }
      break;
    case 'string':
      if (typeof json === 'string') {
        return json;
      }
      break;
    case 'uuid':
      if (Array.isArray(json) && json.length === 2 && json[0] === 'uuid' && isUuidText(json[1])) {
        return Object.freeze({ uuid: json[1] });
      }
      break;
  }
  throw new OvsdbNotationError(
    elementPath(path, index),
    `is not a value of type ${base.type}: ${excerpt(json)}`,
  );
}

/** Returns the path of an element in errors. It is made for errors only: a set may have 100,000 elements. */
function elementPath(path: string, index: number | undefined): string {
  return index === undefined ? path : `${path}[${index}]`;
}

export function isUuidText(json: unknown): json is string {
  return typeof json === 'string' && UUID_PATTERN.test(json);
}

/**
 * Decodes a value of unknown type. The notation does not distinguish a set of one element from an atom, so either may be
 * returned; use {@link decodeValue} where the schema is known.
 */
export function decodeUntyped(json: unknown, path: string): Value {
  const set = taggedItems(json, 'set');
  if (set !== undefined) {
    return Object.freeze(set.map((item, index) => decodeUntypedAtom(item, `${path}[${index}]`)));
  }
  const map = taggedItems(json, 'map');
  if (map === undefined) {
    return decodeUntypedAtom(json, path);
  }
  return new Map(
    map.map((item, index): [Atom, Atom] => {
      const at = `${path}[${index}]`;
      if (!Array.isArray(item) || item.length !== 2) {
        throw new OvsdbNotationError(at, `is not a pair of key and value: ${excerpt(item)}`);
      }
      return [decodeUntypedAtom(item[0], at), decodeUntypedAtom(item[1], at)];
    }),
  );
}

function decodeUntypedAtom(json: unknown, path: string): Atom {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') {
    return json;
  }
  return decodeAtom(json, { type: 'uuid' }, path);
}
