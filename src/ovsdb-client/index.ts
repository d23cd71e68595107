// The public interface of the OVSDB library. README.md has an example.

export {
  type LockListener,
  type Monitor,
  type MonitorOptions,
  OVSDB_CLIENT_DEFAULTS,
  OvsdbClient,
  type OvsdbClientOptions,
  type RequestOptions,
  type TransactOptions,
} from './client.ts';
export {
  isUnknownMethod,
  OvsdbError,
  OvsdbErrorCode,
  type OvsdbFault,
  OvsdbNotationError,
  OvsdbReplyError,
  OvsdbTransactionError,
} from './errors.ts';
export { JsonFramer, type JsonFramerOptions, type JsonObject } from './json-framer.ts';
export { MonitorMethod, type MonitorTable, type MonitorUpdate, type RowUpdate } from './monitor.ts';
export {
  type Atom,
  type AtomicType,
  applyDifference,
  type BaseType,
  type ColumnType,
  decodeUntyped,
  decodeValue,
  defaultValue,
  encodeValue,
  isUuid,
  type NamedUuid,
  type Uuid,
  type Value,
  valuesEqual,
  type WritableAtom,
  type WritableValue,
} from './notation.ts';
export {
  type AbortOperation,
  type AssertOperation,
  type CommentOperation,
  type CommitOperation,
  type Condition,
  type ConditionFunction,
  type CountResult,
  type DeleteOperation,
  type EmptyResult,
  encodeAhead,
  type InsertOperation,
  type InsertResult,
  type MutateOperation,
  type Mutation,
  type Mutator,
  type Operation,
  type OperationResult,
  type ResultOf,
  type ResultsOf,
  type SelectedRow,
  type SelectOperation,
  type SelectResult,
  type UpdateOperation,
  type WaitOperation,
  type WritableRow,
} from './operations.ts';
export { Replica, type ReplicaOptions } from './replica.ts';
export type { MissingColumn, Row, RowChange, Snapshot } from './replica-content.ts';
export type { OvsdbEnd } from './rpc-peer.ts';
export { type ColumnSchema, type DatabaseSchema, parseDatabaseSchema, type TableSchema } from './schema.ts';
