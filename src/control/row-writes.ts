// Writes changes of IPFIX rows: each in a transaction of its own, but for rows that are redirected or were, of which there may be a
// thousand, and which are written together. Redirecting rows takes two transactions. The first empties the targets, so that
// ovs-vswitchd flushes its caches to the old collectors, and the second, which waits for that, sets the daemon's sockets.

import { isRedirected } from '../config/configuration.ts';
import type { CacheColumns } from '../config/ipfix-row.ts';
import { REDIRECTED_TO_KEY } from '../config/row-keys.ts';
import { type Operation, type OperationResult, OvsdbTransactionError } from '../ovsdb-client/index.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
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

/** Writes the changes. Rejects with the first failure after all have been tried. */
export async function writeRows(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const redirects = changes.filter(({ kind }) => kind === 'redirect');
  const isJoint = (change: RowChange) => change.kind !== 'redirect' && isRedirected(change.row);
  const returned = changes.filter(isJoint);
  const single = changes.filter((change) => change.kind !== 'redirect' && !isJoint(change));
  const results = await Promise.allSettled([
    ...single.map((change) => writeOne(change, writer)),
    ...(returned.length > 0 ? [writeReturned(returned, writer)] : []),
    ...(redirects.length > 0 ? [writeRedirects(redirects, writer)] : []),
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

async function writeOne(change: RowChange, { transact, column, log }: RowWriter): Promise<void> {
  const { kind, row, targets } = change;
  try {
    await transact([
      ...operationsOf([updateOf(change)], column),
      comment(`ovs-ipfix: ${kind} IPFIX ${row.uuid}`),
    ]);
  } catch (error) {
    throw new Error(`IPFIX row ${row.uuid}: ${kind} failed: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (kind === 'adopt') {
    log.info(
      `IPFIX row ${row.uuid}: taken over from ovs-vswitchd, which exported to ${row.targets.join(' ')}`,
    );
  } else if (kind === 'release') {
    log.info(`IPFIX row ${row.uuid}: handed back to ovs-vswitchd, which exports to ${targets.join(' ')}`);
  }
}

/** Writes rows that were redirected and are not any more, or get other conditions. */
async function writeReturned(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const { transact, column, log } = writer;
  const moved = changes.filter(({ kind }) => kind !== 'annotate').length;
  await transact([
    ...operationsOf(changes.map(updateOf), column),
    comment(`ovs-ipfix: end the redirection of ${moved} IPFIX rows`),
  ]);
  if (moved > 0) {
    log.info(`${moved} IPFIX rows: ovs-vswitchd does not send their samples to the daemon any more`);
  }
}

/** Redirects rows in one transaction, after another one if ovs-vswitchd may have something in its caches. */
async function writeRedirects(changes: readonly RowChange[], writer: RowWriter): Promise<void> {
  const { transact, column, log } = writer;
  const flushed = changes.filter(({ row }) => mayHaveCache(row));
  const flushes = new Map(flushed.map((change) => [change, flushOf(change)]));
  const configuration = flushed.length > 0 ? await flushCaches([...flushes.values()], writer) : undefined;
  const operations = [
    ...operationsOf(
      changes.map((change) => {
        const update = updateOf(change);
        const flush = flushes.get(change);
        return flush === undefined ? update : { ...update, before: flush.after };
      }),
      column,
    ),
    comment(`ovs-ipfix: redirect ${changes.length} IPFIX rows`),
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
  log.info(`${changes.length} IPFIX rows: ovs-vswitchd sends their samples to the daemon`);
}

/** Empties the targets. Resolves to the configuration that ovs-vswitchd has when its caches are flushed. */
async function flushCaches(updates: readonly Update[], writer: RowWriter): Promise<number | undefined> {
  const results = await writer.transact([
    { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg'] },
    ...operationsOf(updates, writer.column),
    comment(`ovs-ipfix: flush the caches of ${updates.length} IPFIX rows`),
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

function operationsOf(updates: readonly Update[], column: TargetsColumn): readonly Operation[] {
  return updates.flatMap(({ uuid, before, after }): Operation[] => {
    const where = [['_uuid', '==', { uuid }]] as const;
    const expected = rowOf(before, column);
    const columns = Object.keys(expected);
    return [
      { op: 'wait', table: 'IPFIX', where, columns, until: '==', rows: [expected], timeoutMs: 0 },
      { op: 'update', table: 'IPFIX', where, row: rowOf(after, column) },
    ];
  });
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
