// The operations of a transaction and their results (RFC 7047, section 5.2): how they look in TypeScript, how they are
// written, and how the reply is read back in the order of the operations.

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

/** Columns to be written, by name. */
export type WritableRow = Readonly<Record<string, WritableValue>>;

export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes';
/** RFC 7047, section 5.1: all conditions of a list must hold; none at all means every row. */
export type Condition = readonly [column: string, is: ConditionFunction, value: WritableValue];

export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete';
export type Mutation = readonly [column: string, mutator: Mutator, value: WritableValue];

export interface InsertOperation {
  readonly op: 'insert';
  readonly table: string;
  readonly row: WritableRow;
  /** What the other operations of the transaction call the new row: `{ namedUuid }`. Letters, digits and "_" only. */
  readonly uuidName?: string;
  /** The identity of the new row, where the server allows to choose it (ovsdb-server 2.17 and later). */
  readonly uuid?: string;
}
export interface SelectOperation {
  readonly op: 'select';
  readonly table: string;
  readonly where: readonly Condition[];
  /** All when absent. */
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
  /** All when absent. */
  readonly columns?: readonly string[];
  readonly until: '==' | '!=';
  readonly rows: readonly WritableRow[];
  /** How long the server waits, in milliseconds; 0 makes it a test, absent means for ever. */
  readonly timeoutMs?: number;
}
export interface CommitOperation {
  readonly op: 'commit';
  /** Whether the reply may come only after the change is on disk. */
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

/** Columns by name, as a `select` answers them. */
export type SelectedRow = Readonly<Record<string, Value>>;

export interface InsertResult {
  /** The identity of the new row. */
  readonly uuid: string;
}
export interface CountResult {
  /** How many rows matched. */
  readonly count: number;
}
export interface SelectResult {
  readonly rows: readonly SelectedRow[];
}
/** The operations that only succeed or fail. */
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
/** The results of a list of operations, in its order. */
export type ResultsOf<O extends readonly Operation[]> = { -readonly [I in keyof O]: ResultOf<O[I]> };

/** The members of an operation as RFC 7047 spells them. */
export function encodeOperation(operation: Operation): Record<string, unknown> {
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
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, encodeValue(value)]));
}

/** The JSON of conditions and mutations, which are alike: column, function, value. */
export function encodeClauses(clauses: readonly (Condition | Mutation)[]): unknown[] {
  return clauses.map(([column, what, value]) => [column, what, encodeValue(value)]);
}

/**
 * Reads the result of a `transact` request. With a schema, selected columns are decoded by their types; without one
 * a set of one element may come out as the element alone. Throws {@link OvsdbTransactionError} when the server says
 * that the transaction failed, {@link OvsdbNotationError} when it makes no sense.
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
