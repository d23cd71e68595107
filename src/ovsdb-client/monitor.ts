// The codec of the three monitor methods (RFC 7047, section 4.1.5; ovsdb-server(7) for monitor_cond and
// monitor_cond_since): one form of request, and one form of row updates, whose values are not decoded yet.

import { OvsdbNotationError } from './errors.ts';
import type { JsonObject } from './json-framer.ts';
import { array, excerpt, object, string } from './json-shape.ts';
import { type Condition, encodeClauses } from './operations.ts';

/** The monitor methods, oldest first. Every server has `monitor`. */
export const MonitorMethod = {
  monitor: 'monitor',
  monitorCond: 'monitor_cond',
  monitorCondSince: 'monitor_cond_since',
} as const;
export type MonitorMethod = (typeof MonitorMethod)[keyof typeof MonitorMethod];

/** The transaction id that means "no transaction seen". */
const NO_TRANSACTION_ID = '00000000-0000-0000-0000-000000000000';

/** What to monitor of one table. */
export interface MonitorTable {
  /** Default: all. */
  readonly columns?: readonly string[];
  /** Only rows that satisfy one of these; not for the method `monitor`. True matches every row. */
  readonly where?: readonly (Condition | boolean)[];
  /** The kinds of events. Default: all. */
  readonly select?: {
    readonly initial?: boolean;
    readonly insert?: boolean;
    readonly delete?: boolean;
    readonly modify?: boolean;
  };
}

/** One changed row. The members of `row` are columns in the notation of the wire (RFC 7047, section 5.1). */
export type RowUpdate = { readonly table: string; readonly uuid: string } & (
  | {
      /** The whole row; omitted columns have their default value. */
      readonly kind: 'row';
      readonly row: JsonObject;
    }
  | {
      /** The changed columns, each as a difference; see applyDifference. */
      readonly kind: 'difference';
      readonly row: JsonObject;
    }
  | { readonly kind: 'delete' }
);

/** The content of one reply or notification: the changes of one or more whole transactions. */
export interface MonitorUpdate {
  /** Whether this is the reply to the request. */
  readonly initial: boolean;
  /** Whether the rows are the changes since `lastTransactionId` of the request, and not the whole content. */
  readonly isContinuation: boolean;
  /** From which a later monitor_cond_since may continue; undefined when the server keeps no transaction ids. */
  readonly transactionId: string | undefined;
  readonly rows: readonly RowUpdate[];
}

/** Encodes the parameters of a monitor request. */
export function encodeMonitorRequest(
  method: MonitorMethod,
  database: string,
  id: string,
  tables: Readonly<Record<string, MonitorTable>>,
  lastTransactionId: string = NO_TRANSACTION_ID,
): unknown[] {
  const requests = Object.entries(tables).map(([table, { columns, where, select }]) => {
    if (where !== undefined && method === MonitorMethod.monitor) {
      throw new RangeError(`The method monitor does not support conditions, but table ${table} has some.`);
    }
    const conditions = where?.flatMap((one) => (typeof one === 'boolean' ? [one] : encodeClauses([one])));
    return [table, [{ columns, where: conditions, select }]];
  });
  const params: unknown[] = [database, id, Object.fromEntries(requests)];
  return method === MonitorMethod.monitorCondSince ? [...params, lastTransactionId] : params;
}

/** Decodes the reply to a monitor request. */
export function decodeMonitorReply(method: MonitorMethod, result: unknown): MonitorUpdate {
  if (method !== MonitorMethod.monitorCondSince) {
    const rows = decodeTables(result, method);
    return { initial: true, isContinuation: false, transactionId: undefined, rows };
  }
  const [found, transactionId, tables] = array(result, method);
  if (typeof found !== 'boolean') {
    throw new OvsdbNotationError(`${method}[0]`, `is not true or false: ${excerpt(found)}`);
  }
  return {
    initial: true,
    isContinuation: found,
    transactionId: knownId(string(transactionId, `${method}[1]`)),
    rows: decodeTables(tables, method),
  };
}

/** Whether a notification is an update. */
export function isUpdateMethod(method: string): method is 'update' | 'update2' | 'update3' {
  return method === 'update' || method === 'update2' || method === 'update3';
}

/** Decodes an update notification. Its first parameter is the monitor's id. */
export function decodeUpdate(
  method: 'update' | 'update2' | 'update3',
  params: readonly unknown[],
): MonitorUpdate {
  const hasId = method === 'update3';
  const transactionId = hasId ? knownId(string(params[1], `${method}[1]`)) : undefined;
  const rows = decodeTables(hasId ? params[2] : params[1], method);
  return { initial: false, isContinuation: true, transactionId, rows };
}

function knownId(id: string): string | undefined {
  return id === NO_TRANSACTION_ID ? undefined : id;
}

function decodeTables(json: unknown, source: string): RowUpdate[] {
  const isFirstGeneration = source === 'monitor' || source === 'update';
  const updates: RowUpdate[] = [];
  for (const [table, rows] of Object.entries(object(json, source))) {
    for (const [uuid, row] of Object.entries(object(rows, `${source}.${table}`))) {
      const path = `${source}.${table}.${uuid}`;
      const members = object(row, path);
      updates.push(
        isFirstGeneration ? rowUpdate(table, uuid, members, path) : rowUpdate2(table, uuid, members, path),
      );
    }
  }
  return updates;
}

/** Decodes a `<row-update>` (RFC 7047, section 4.1.6): "new" is the whole row, "old" alone is a deleted row. */
function rowUpdate(table: string, uuid: string, update: JsonObject, path: string): RowUpdate {
  if (update['new'] !== undefined) {
    return { table, uuid, kind: 'row', row: object(update['new'], `${path}.new`) };
  }
  if (update['old'] !== undefined) {
    return { table, uuid, kind: 'delete' };
  }
  throw new OvsdbNotationError(path, `has neither "new" nor "old": ${excerpt(update)}`);
}

/** Decodes a `<row-update2>` (ovsdb-server(7), section 4.1.14). The value of "delete" is null: its presence matters. */
function rowUpdate2(table: string, uuid: string, update: JsonObject, path: string): RowUpdate {
  for (const member of ['initial', 'insert'] as const) {
    if (update[member] !== undefined) {
      return { table, uuid, kind: 'row', row: object(update[member], `${path}.${member}`) };
    }
  }
  if (update['modify'] !== undefined) {
    return { table, uuid, kind: 'difference', row: object(update['modify'], `${path}.modify`) };
  }
  if (update['delete'] !== undefined) {
    return { table, uuid, kind: 'delete' };
  }
  throw new OvsdbNotationError(
    path,
    `has none of "initial", "insert", "modify", "delete": ${excerpt(update)}`,
  );
}
