// Writes changes of IPFIX rows, of which there may be a thousand: in few transactions, because each changes the configuration that
// ovs-vswitchd and this daemon read again. Redirecting rows takes two transactions. The first empties the targets, so that
// ovs-vswitchd flushes its caches to the old collectors, and the second, which waits for that, sets the daemon's sockets.

import { type CacheColumns, isRedirected } from '../config/ipfix-row.ts';
import { REDIRECTED_TO_KEY } from '../config/row-keys.ts';
import { unreadableTargets } from '../config/target-forms.ts';
import {
  encodeAhead,
  type Operation,
  type OperationResult,
  OvsdbTransactionError,
} from '../ovsdb-client/index.ts';
import { counted } from '../runtime/counted.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { TurnGate } from '../runtime/turns.ts';
import { mayHaveCache, type RowChange, targetsColumnOf } from './row-change.ts';
import type { TargetsColumn } from './targets-column.ts';

/** What writing depends on. */
export interface RowWriter {
  readonly column: TargetsColumn;
  readonly log: Logger;
  /** Runs operations in one transaction, which the server aborts if the lock is not held. */
  readonly transact: (operations: readonly Operation[]) => Promise<readonly OperationResult[]>;
}

/** The content of a row. */
interface Content {
  readonly targets: readonly string[];
  readonly externalIds: ReadonlyMap<string, string>;
  /** Undefined: the columns are not written. */
  readonly cacheColumns: CacheColumns | undefined;
}

/** A row and its content before and after a transaction, which the server aborts if the row has changed meanwhile. */
interface Update {
  readonly uuid: string;
  readonly before: Content;
  readonly after: Content;
}

/** Milliseconds that ovs-vswitchd has for flushing its caches. */
export const FLUSH_WAIT_MS = 2000;

/** Rows whose operations are made and encoded in a turn of the event loop: some 3 ms of work. */
const ROWS_PER_TURN = 100;
/** Rows that are changed in one transaction. */
export const ROWS_PER_TRANSACTION_MAX = 1000;
/** Rows that are left out of a transaction because the server refuses them; beyond it all are planned again. */
const REFUSED_ROWS_MAX = 8;
/** See `operationsOf`. */
const OPERATIONS_PER_ROW = 2;
/** Rows of a transaction that the log names one by one. */
const ROWS_LOGGED_MAX = 8;

/** Lets the operations of `ROWS_PER_TURN` rows be made in a turn. */
const encodingGate = new TurnGate(1);

/** Writes the changes. Rejects with the first failure after all have been tried. */
export async function writeRows(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const redirects = changes.filter(({ kind }) => kind === 'redirect');
  const isJoint = (change: RowChange) => change.kind !== 'redirect' && isRedirected(change.row);
  const returned = changes.filter(isJoint);
  const others = changes.filter((change) => change.kind !== 'redirect' && !isJoint(change));
  await allOf([
    ...portionsOf(others).map((portion) => writeTogether(portion, writer)),
    ...portionsOf(returned).map((portion) => writeReturned(portion, writer)),
    ...portionsOf(redirects).map((portion) => writeRedirects(portion, writer)),
  ]);
}

/** Waits for all writings; rejects with the first failure. */
async function allOf(writings: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(writings);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

function portionsOf(changes: readonly RowChange[]): readonly (readonly RowChange[])[] {
  const portions: (readonly RowChange[])[] = [];
  for (let begin = 0; begin < changes.length; begin += ROWS_PER_TRANSACTION_MAX) {
    portions.push(changes.slice(begin, begin + ROWS_PER_TRANSACTION_MAX));
  }
  return portions;
}

/**
 * Writes rows in one transaction. If the server refuses one of them, because it has changed meanwhile, the others are written
 * without it; it is planned again. Rejects with the first failure.
 */
async function writeTogether(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  let failure: Error | undefined;
  let left = changes;
  for (let attempt = 0; left.length > 0; attempt += 1) {
    try {
      await writeAll(left, writer);
      break;
    } catch (error) {
      const refused = left[refusedRow(error) ?? -1];
      if (refused === undefined || attempt === REFUSED_ROWS_MAX) {
        throw failure ?? error;
      }
      const what = `IPFIX row ${refused.row.uuid}: ${refused.kind} failed: ${reasonOf(error)}`;
      failure ??= new Error(what, { cause: error });
      left = left.filter((change) => change !== refused);
    }
  }
  logOwners(left, writer.log);
  if (failure !== undefined) {
    throw failure;
  }
}

async function writeAll(changes: readonly RowChange[], { transact, column }: RowWriter): Promise<void> {
  const [first] = changes;
  const isOne = changes.length === 1 && first !== undefined;
  const what = isOne ? `${first.kind} IPFIX ${first.row.uuid}` : `change ${changes.length} IPFIX rows`;
  await transact([...(await operationsOf(changes, updateOf, column)), comment(`ovs-ipfix: ${what}`)]);
}

/** Returns the index of the row for which a transaction failed; undefined if it failed for something else. */
function refusedRow(error: unknown): number | undefined {
  // The lock is asserted before.
  return error instanceof OvsdbTransactionError && error.operationIndex > 0
    ? Math.floor((error.operationIndex - 1) / OPERATIONS_PER_ROW)
    : undefined;
}

function logOwners(changes: readonly RowChange[], log: Logger): void {
  const adopted = changes.filter(({ kind }) => kind === 'adopt');
  const released = changes.filter(({ kind }) => kind === 'release');
  if (adopted.length > ROWS_LOGGED_MAX) {
    log.info(`${counted(adopted.length, 'IPFIX row')}: taken over from ovs-vswitchd`);
  } else {
    for (const { row } of adopted) {
      log.info(`IPFIX row ${row.uuid}: ${adoptionText(row.targets)}`);
    }
  }
  if (released.length > ROWS_LOGGED_MAX) {
    log.info(`${counted(released.length, 'IPFIX row')}: handed back to ovs-vswitchd`);
  } else {
    for (const { row, targets } of released) {
      const exports = targets.length === 0 ? 'does not export for it' : `exports to ${targets.join(' ')}`;
      log.info(`IPFIX row ${row.uuid}: handed back to ovs-vswitchd, which ${exports}`);
    }
  }
}

/** Says what ovs-vswitchd did for a row that is adopted: it ignores targets that it cannot read. */
function adoptionText(targets: readonly string[]): string {
  const unreadable = unreadableTargets(targets);
  const exported = targets.filter((text) => !unreadable.includes(text)).join(' ');
  const ignored = unreadable.join(' ');
  if (exported === '') {
    return `adopted; ovs-vswitchd did not export for it, because it cannot use ${ignored}`;
  }
  const others = ignored === '' ? '' : ` and cannot use ${ignored}`;
  return `taken over from ovs-vswitchd, which exported to ${exported}${others}`;
}

/** Writes rows that were redirected and are not any more, or get other conditions. */
async function writeReturned(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const { transact, column, log } = writer;
  const moved = changes.filter(({ kind }) => kind !== 'annotate').length;
  await transact([
    ...(await operationsOf(changes, updateOf, column)),
    comment(`ovs-ipfix: end the redirection of ${counted(moved, 'IPFIX row')}`),
  ]);
  if (moved > 0) {
    log.info(
      `${counted(moved, 'IPFIX row')}: ovs-vswitchd does not send their samples to the daemon any more`,
    );
  }
}

/** Redirects rows in one transaction, after another one if ovs-vswitchd may have something in its caches. */
async function writeRedirects(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const { transact, column, log } = writer;
  const flushed = changes.filter(({ row }) => mayHaveCache(row));
  const configuration = flushed.length > 0 ? await flushCaches(flushed, writer) : undefined;
  const update = (change: RowChange): Update =>
    mayHaveCache(change.row) ? { ...updateOf(change), before: flushOf(change).after } : updateOf(change);
  const operations = [
    ...(await operationsOf(changes, update, column)),
    comment(`ovs-ipfix: redirect ${counted(changes.length, 'IPFIX row')}`),
  ];
  const waiting = configuration === undefined ? [] : [waitFor(configuration)];
  try {
    await transact([...waiting, ...operations]);
  } catch (error) {
    // The lock is asserted before the operations.
    const isWait = error instanceof OvsdbTransactionError && error.operationIndex === waiting.length;
    if (!isWait || waiting.length === 0) {
      throw error;
    }
    log.info('ovs-vswitchd has not flushed its caches in time; what they have arrives at the daemon');
    await transact(operations);
  }
  log.info(`${counted(changes.length, 'IPFIX row')}: ovs-vswitchd sends their samples to the daemon`);
}

/** Empties the targets. Resolves to the configuration that ovs-vswitchd has when its caches are flushed. */
async function flushCaches(changes: readonly RowChange[], writer: RowWriter): Promise<number | undefined> {
  const results = await writer.transact([
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
    ...(await operationsOf(changes, flushOf, writer.column)),
    comment(`ovs-ipfix: flush the caches of ${counted(changes.length, 'IPFIX row')}`),
  ]);
  const rows = results.flatMap((result) => ('rows' in result ? result.rows : []));
  const configuration = rows[0]?.['next_cfg'];
  return typeof configuration === 'number' ? configuration : undefined;
}

/** Waits until ovs-vswitchd has applied a configuration: until a row with that number, or a later one, is there. */
function waitFor(configuration: number): Operation {
  return {
    op: 'wait',
    table: 'Open_vSwitch',
    where: [['cur_cfg', '>=', configuration]],
    columns: ['_uuid'],
    until: '!=',
    rows: [],
    timeoutMs: FLUSH_WAIT_MS,
  };
}

function updateOf({ row, targets, externalIds, cacheColumns }: RowChange): Update {
  const before = { targets: targetsColumnOf(row), externalIds: row.externalIds };
  return {
    uuid: row.uuid,
    before: { ...before, cacheColumns: cacheColumns && row.cacheColumns },
    after: { targets, externalIds, cacheColumns },
  };
}

/** The first of the two updates that redirect a row. */
function flushOf(change: RowChange): Update {
  const update = updateOf(change);
  const externalIds = new Map(change.externalIds);
  externalIds.delete(REDIRECTED_TO_KEY);
  return { ...update, after: { ...update.after, targets: [], externalIds } };
}

/** Returns the operations of all changes, made and encoded in turns. */
async function operationsOf(
  changes: readonly RowChange[],
  update: (change: RowChange) => Update,
  column: TargetsColumn,
): Promise<readonly Operation[]> {
  const operations: Operation[] = [];
  for (const [index, change] of changes.entries()) {
    if (index % ROWS_PER_TURN === 0) {
      await encodingGate.pass();
    }
    const { uuid, before, after } = update(change);
    const where = [['_uuid', '==', { uuid }]] as const;
    const expected = rowOf(before, column);
    const columns = Object.keys(expected);
    operations.push(
      encodeAhead({
        op: 'wait',
        table: 'IPFIX',
        where,
        columns,
        until: '==',
        rows: [expected],
        timeoutMs: 0,
      }),
      encodeAhead({ op: 'update', table: 'IPFIX', where, row: rowOf(after, column) }),
    );
  }
  return operations;
}

function rowOf({ targets, externalIds, cacheColumns }: Content, column: TargetsColumn) {
  return {
    targets: column.write(targets),
    external_ids: externalIds,
    ...(cacheColumns && {
      cache_active_timeout: cacheColumns.activeTimeout,
      cache_max_flows: cacheColumns.maxFlows,
    }),
  };
}

function comment(text: string): Operation {
  return { op: 'comment', comment: text };
}
