// The migration of a schema file: text in, text out. The existing text is kept character by character, added columns take
// the layout of their neighbours, and the cksum member is recomputed as by the build of Open vSwitch.

import { type CacheColumn, missingColumns, readSchema, tableName } from './cache-columns.ts';
import {
  type JsonMember,
  type JsonObjectPart,
  type JsonPart,
  JsonTextError,
  memberOf,
  parseJsonText,
} from './json-text.ts';
import { MigrationError } from './migration-error.ts';
import { posixCksum } from './posix-cksum.ts';

/** A migrated schema file. */
export interface MigratedText {
  /** The same text when nothing was missing. */
  readonly text: string;
  readonly version: string;
  readonly added: readonly CacheColumn[];
  /** The new cksum; undefined when the file has none or nothing was missing. */
  readonly cksum: string | undefined;
}

/** Adds the columns that are missing. `source` names the text in errors. Throws {@link MigrationError}. */
export function migrateSchemaText(text: string, source: string): MigratedText {
  const schema = readSchema(parse(text, source).json, source);
  const added = missingColumns(schema, source);
  const { version } = schema;
  if (added.length === 0) {
    return { text, version, added, cksum: undefined };
  }
  let edited = text;
  for (const column of added) {
    edited = insertColumn(edited, columnsOf(parse(edited, source).root), column);
  }
  const { text: summed, cksum } = renewCksum(edited, parse(edited, source).root);
  const left = missingColumns(readSchema(parse(summed, source).json, source), source);
  if (left.length > 0) {
    throw new Error(`columns were added to ${source}, but it still lacks ${left[0]?.name}`);
  }
  return { text: summed, version, added, cksum };
}

function parse(text: string, source: string): { root: JsonPart; json: unknown } {
  try {
    return { root: parseJsonText(text), json: JSON.parse(text) };
  } catch (error) {
    if (error instanceof JsonTextError) {
      throw new MigrationError(
        'SCHEMA_JSON',
        `${source} is not valid JSON: ${error.message}. Nothing was written.`,
        error,
      );
    }
    throw error;
  }
}

function columnsOf(root: JsonPart): JsonObjectPart {
  const table = memberOf(memberOf(root, 'tables')?.value, tableName);
  const columns = memberOf(table?.value, 'columns')?.value;
  if (columns?.kind !== 'object') {
    throw new Error(`the parsed schema has a table ${tableName}, but its text has none`);
  }
  return columns;
}

/**
 * Inserts a column next to the other one and after the other integers: cache_active_timeout before cache_max_flows if the
 * schema has it, else after obs_point_id, else after the last integer column, else first.
 */
function insertColumn(text: string, columns: JsonObjectPart, column: CacheColumn): string {
  const { members } = columns;
  const model = [memberOf(columns, 'obs_point_id'), ...members].find(
    (member) => limitsOf(member) !== undefined,
  );
  const source = model === undefined ? compact(text, columns, column) : imitate(text, model, column);
  const later = memberOf(columns, 'cache_max_flows');
  const anchor =
    memberOf(columns, 'cache_active_timeout') ??
    memberOf(columns, 'obs_point_id') ??
    members.findLast((member) => limitsOf(member) !== undefined);
  const first = members[0];
  if (first === undefined) {
    return splice(text, columns.start + 1, columns.end - 1, source);
  }
  const before = later ?? (anchor === undefined ? first : undefined);
  if (before !== undefined) {
    return splice(text, before.start, before.start, `${source},${gapBefore(text, columns, before)}`);
  }
  const behind = anchor ?? first;
  return splice(text, behind.value.end, behind.value.end, `,${gapBefore(text, columns, behind)}${source}`);
}

/** Returns the white space before a member, which its new neighbour gets as well. */
function gapBefore(text: string, columns: JsonObjectPart, member: JsonMember): string {
  const at = columns.members.indexOf(member);
  const gap = (right: JsonMember, left: JsonMember | undefined): string =>
    text.slice(left === undefined ? columns.start + 1 : left.value.end, right.start).replace(',', '');
  // The white space between two members, if there are two: that after the bracket may differ.
  const second = columns.members[1];
  if (at === 0 && second !== undefined) {
    return gap(second, member);
  }
  return gap(member, columns.members[at - 1]);
}

interface Limits {
  readonly min: JsonPart;
  readonly max: JsonPart;
}

/** Returns the positions of minInteger and maxInteger, if the column is exactly an optional integer with both. */
function limitsOf(column: JsonMember | undefined): Limits | undefined {
  const type = membersExactly(column?.value, ['type'])?.[0];
  const [key, min, max] = membersExactly(type, ['key', 'min', 'max']) ?? [];
  const [atom, lowest, highest] = membersExactly(key, ['type', 'minInteger', 'maxInteger']) ?? [];
  const isOptionalInteger = scalar(min) === 0 && scalar(max) === 1 && scalar(atom) === 'integer';
  return isOptionalInteger && lowest !== undefined && highest !== undefined
    ? { min: lowest, max: highest }
    : undefined;
}

/** Returns the values of these members, if the part is an object with exactly these. */
function membersExactly(part: JsonPart | undefined, names: readonly string[]): JsonPart[] | undefined {
  if (part?.kind !== 'object' || part.members.length !== names.length) {
    return undefined;
  }
  const values = names.flatMap((name) => memberOf(part, name)?.value ?? []);
  return values.length === names.length ? values : undefined;
}

function scalar(part: JsonPart | undefined): unknown {
  return part?.kind === 'scalar' ? part.value : undefined;
}

/** Copies another column's text with name and limits replaced. */
function imitate(text: string, model: JsonMember, column: CacheColumn): string {
  const limits = limitsOf(model);
  if (limits === undefined) {
    throw new Error(`the column ${model.name} cannot be a model for ${column.name}`);
  }
  const replacements = [
    { start: model.start, end: model.keyEnd, by: JSON.stringify(column.name) },
    { ...limits.min, by: String(column.min) },
    { ...limits.max, by: String(column.max) },
  ].sort((left, right) => left.start - right.start);
  let copy = '';
  let from = model.start;
  for (const { start, end, by } of replacements) {
    copy += text.slice(from, start) + by;
    from = end;
  }
  return copy + text.slice(from, model.value.end);
}

/** Formats a column without a model: on one line, with the blanks that the file has after its colons and commas. */
function compact(text: string, columns: JsonObjectPart, column: CacheColumn): string {
  const hasBlanks = columns.members.every((member) => text[member.keyEnd + 1] === ' ');
  const source = JSON.stringify({ [column.name]: column.json }).slice(1, -1);
  return hasBlanks ? source.replace(/[:,]/g, '$& ') : source;
}

function renewCksum(text: string, root: JsonPart): { text: string; cksum: string | undefined } {
  const member = memberOf(root, 'cksum');
  if (member === undefined) {
    return { text, cksum: undefined };
  }
  const [start, end] = uncheckedRange(text, root, member);
  const cksum = posixCksum(Buffer.from(splice(text, start, end, '')));
  return { text: splice(text, member.value.start, member.value.end, JSON.stringify(cksum)), cksum };
}

/**
 * Returns the range that the checksum excludes: the line of the cksum member, as in Open vSwitch's build. In a file of one
 * line that would be everything, so there it is the member with the comma and the white space after it.
 */
function uncheckedRange(text: string, root: JsonPart, member: JsonMember): [number, number] {
  if (text.trim().includes('\n')) {
    const newline = text.indexOf('\n', member.value.end);
    return [text.lastIndexOf('\n', member.start) + 1, newline < 0 ? text.length : newline + 1];
  }
  const members = root.kind === 'object' ? root.members : [];
  const at = members.indexOf(member);
  const next = members[at + 1];
  if (next !== undefined) {
    return [member.start, next.start];
  }
  return [members[at - 1]?.value.end ?? member.start, member.value.end];
}

function splice(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
