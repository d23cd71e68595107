// The operations of a transaction and their results (RFC 7047, section 5.2): types, encoding of operations, and decoding
// of the reply.

import { OvsdbNotationError, OvsdbTransactionError, parseFault } from './errors.ts';
import { array, excerpt, object } from './json-shape.ts';
import {
  decodeUntyped,
  decodeValue,
  encodeValue,
  isUuidText,
  type Value,
  type WritableValue,
} from './notation.ts';
import type { DatabaseSchema } from './schema.ts';

/** Columns to write, by name. */
export type WritableRow = Readonly<Record<string, WritableValue>>;

export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes';
/** A `<condition>` (RFC 7047, section 5.1). A row matches when all conditions of a list hold; an empty list matches all. */
export type Condition = readonly [column: string, is: ConditionFunction, value: WritableValue];

export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete';
export type Mutation = readonly [column: string, mutator: Mutator, value: WritableValue];

export interface InsertOperation {
  readonly op: 'insert';
  readonly table: string;
  readonly row: WritableRow;
  /** The name by which other operations of the transaction refer to the new row, as `{ namedUuid }`. An identifier. */
  readonly uuidName?: string;
  /** The UUID of the new row (ovsdb-server 2.17 and later). */
  readonly uuid?: string;
}
export interface SelectOperation {
  readonly op: 'select';
  readonly table: string;
  readonly where: readonly Condition[];
  /** Default: all. */
  readonly columns?: readonly string[];
}
export interface UpdateOperation {
  readonly op: 'update';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly row: WritableRow;
}
export interface MutateOperation {
  readonly op: 'mutate';
  readonly table: string;
  readonly where: readonly Condition[];
  readonly mutations: readonly Mutation[];
}
export interface DeleteOperation {
  readonly op: 'delete';
  readonly table: string;
  readonly where: readonly Condition[];
}
export interface WaitOperation {
  readonly op: 'wait';
  readonly table: string;
  readonly where: readonly Condition[];
  /** Default: all. */
  readonly columns?: readonly string[];
  readonly until: '==' | '!=';
  readonly rows: readonly WritableRow[];
  /** How long the server waits, in milliseconds. 0: the condition is checked once. Default: no limit. */
  readonly timeoutMs?: number;
}
export interface CommitOperation {
  readonly op: 'commit';
  /** Whether the server replies only after the change is on disk. */
  readonly durable: boolean;
}
export interface AbortOperation {
  readonly op: 'abort';
}
export interface CommentOperation {
  readonly op: 'comment';
  readonly comment: string;
}
export interface AssertOperation {
  readonly op: 'assert';
  /** The transaction fails with "not owner" unless this connection holds the lock. */
  readonly lock: string;
}

export type Operation =
  | InsertOperation
  | SelectOperation
  | UpdateOperation
  | MutateOperation
  | DeleteOperation
  | WaitOperation
  | CommitOperation
  | AbortOperation
  | CommentOperation
  | AssertOperation;

/** Columns by name, as returned by `select`. */
export type SelectedRow = Readonly<Record<string, Value>>;

export interface InsertResult {
  /** The UUID of the new row. */
  readonly uuid: string;
}
export interface CountResult {
  /** Number of rows that matched. */
  readonly count: number;
}
export interface SelectResult {
  readonly rows: readonly SelectedRow[];
}
/** The result of operations that return nothing. */
export type EmptyResult = Readonly<Record<string, never>>;
export type OperationResult = InsertResult | CountResult | SelectResult | EmptyResult;

/** The result of one kind of operation. */
export type ResultOf<O extends Operation> = O extends InsertOperation
  ? InsertResult
  : O extends SelectOperation
    ? SelectResult
    : O extends UpdateOperation | MutateOperation | DeleteOperation
      ? CountResult
      : EmptyResult;
/** The results of a list of operations, in order. */
export type ResultsOf<O extends readonly Operation[]> = { -readonly [I in keyof O]: ResultOf<O[I]> };

const encodedAhead = new WeakMap<Operation, Record<string, unknown>>();

/**
 * Encodes an operation of a large transaction before `transact` does: its caller lets other work run between some of them.
 * Returns the operation, which must not be modified afterwards.
 */
export function encodeAhead<O extends Operation>(operation: O): O {
  encodedAhead.set(operation, encode(operation));
  return operation;
}

/** Encodes an operation (RFC 7047, section 5.2). */
export function encodeOperation(operation: Operation): Record<string, unknown> {
  return encodedAhead.get(operation) ?? encode(operation);
}

function encode(operation: Operation): Record<string, unknown> {
  switch (operation.op) {
    case 'insert': {
      const { op, table, row, uuidName, uuid } = operation;
      return { op, table, row: encodeRow(row), 'uuid-name': uuidName, uuid };
    }
    case 'select': {
      const { op, table, where, columns } = operation;
      return { op, table, where: encodeClauses(where), columns };
    }
    case 'update': {
      const { op, table, where, row } = operation;
      return { op, table, where: encodeClauses(where), row: encodeRow(row) };
    }
    case 'mutate': {
      const { op, table, where, mutations } = operation;
      return { op, table, where: encodeClauses(where), mutations: encodeClauses(mutations) };
    }
    case 'delete':
      return { op: 'delete', table: operation.table, where: encodeClauses(operation.where) };
    case 'wait': {
      const { op, table, where, columns, until, rows, timeoutMs } = operation;
      return {
        op,
        table,
        where: encodeClauses(where),
        columns,
        until,
        rows: rows.map(encodeRow),
        timeout: timeoutMs,
      };
    }
    case 'commit':
    case 'abort':
    case 'comment':
    case 'assert':
      return { ...operation };
  }
}

function encodeRow(row: WritableRow): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const column of Object.keys(row)) {
    encoded[column] = encodeValue(row[column]);
  }
  return encoded;
}

/** Encodes conditions or mutations, both triples of column, function and value. */
export function encodeClauses(clauses: readonly (Condition | Mutation)[]): unknown[] {
  return clauses.map(([column, what, value]) => [column, what, encodeValue(value)]);
}

/**
 * Decodes the result of a `transact` request. With a schema, selected columns are decoded by their types; without one a
 * set of one element may be returned as the element. Throws {@link OvsdbTransactionError} when the transaction failed,
 * {@link OvsdbNotationError} when the result is invalid.
 */
export function decodeResults<const O extends readonly Operation[]>(
  json: unknown,
  operations: O,
  schema?: DatabaseSchema,
): ResultsOf<O> {
  const results = array(json, 'transact.result');
  const failed = results.findIndex(isFault);
  if (failed >= 0) {
    const operation = operations[failed];
    const where =
      operation === undefined ? 'the commit' : `operation ${failed} (${describeOperation(operation)})`;
    throw new OvsdbTransactionError(parseFault(results[failed]), failed, where, results);
  }
  if (results.length !== operations.length) {
    const fault = `has ${results.length} results for ${operations.length} operations`;
    throw new OvsdbNotationError('transact.result', fault);
  }
  return operations.map((operation, index) =>
    decodeResult(results[index], operation, schema, `transact.result[${index}]`),
  ) as ResultsOf<O>;
}

function isFault(result: unknown): boolean {
  return (
    typeof result === 'object' && result !== null && 'error' in result && typeof result.error === 'string'
  );
}

function describeOperation(operation: Operation): string {
  return 'table' in operation ? `${operation.op} ${operation.table}` : operation.op;
}

function decodeResult(
  json: unknown,
  operation: Operation,
  schema: DatabaseSchema | undefined,
  path: string,
): OperationResult {
  const result = object(json, path);
  switch (operation.op) {
    case 'insert': {
      const [tag, uuid] = array(result['uuid'], `${path}.uuid`);
      if (tag !== 'uuid' || !isUuidText(uuid)) {
        throw new OvsdbNotationError(`${path}.uuid`, `is not a UUID: ${excerpt(result['uuid'])}`);
      }
      return { uuid };
    }
    case 'select': {
      const columns = schema?.tables.get(operation.table)?.columns;
      const rows = array(result['rows'], `${path}.rows`).map((row, at) => {
        const entries = Object.entries(object(row, `${path}.rows[${at}]`));
        return Object.fromEntries(
          entries.map(([name, value]) => {
            const type = columns?.get(name)?.type;
            const where = `${path}.rows[${at}].${name}`;
            return [name, type === undefined ? decodeUntyped(value, where) : decodeValue(value, type, where)];
          }),
        );
      });
      return { rows };
    }
    case 'update':
    case 'mutate':
    case 'delete': {
      const { count } = result;
      if (typeof count !== 'number') {
        throw new OvsdbNotationError(`${path}.count`, `is not a number: ${excerpt(count)}`);
      }
      return { count };
    }
    case 'wait':
    case 'commit':
    case 'abort':
    case 'comment':
    case 'assert':
      return {};
  }
}
