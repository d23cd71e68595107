import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readIpfixRow } from '../../src/config/ipfix-row.ts';
import { adoptionOf, redirectionOf, releaseOf } from '../../src/control/row-change.ts';
import { FLUSH_WAIT_MS, ROWS_PER_TRANSACTION_MAX, writeRows } from '../../src/control/row-writes.ts';
import { TargetsColumn } from '../../src/control/targets-column.ts';
import { type Operation, type OperationResult, OvsdbTransactionError } from '../../src/ovsdb-client/index.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Runs transactions by a function that gets their operations and their index. */
function writer(
  run: (operations: readonly Operation[], index: number) => readonly OperationResult[],
  log: (line: string) => void = () => {},
) {
  const transactions: (readonly Operation[])[] = [];
  return {
    transactions,
    parts: {
      column: new TargetsColumn(undefined),
      log: new Log({ clock: new ManualClock(), destination: log }).logger('database'),
      transact: async (operations: readonly Operation[]) => {
        transactions.push(operations);
        return run(operations, transactions.length - 1);
      },
    },
  };
}

function row(index: number, isCached: boolean) {
  const columns = {
    targets: [`10.0.0.1:${index}`],
    cache_active_timeout: isCached ? 60 : undefined,
    cache_max_flows: isCached ? 100 : undefined,
  };
  return readIpfixRow({ uuid: `${index}`, columns }, '', []);
}

const kinds = (operations: readonly Operation[] = []) => operations.map(({ op }) => op);
const timedOut = (index: number) =>
  new OvsdbTransactionError({ error: 'timed out', details: undefined, syntax: undefined }, index, 'wait', []);
/** The result of the transaction that flushes: what `next_cfg` is then. */
const CONFIGURATION = [{ rows: [{ next_cfg: 12 }] }];

test('redirects a thousand rows in two transactions, the second of which waits for ovs-vswitchd', async () => {
  const changes = Array.from({ length: 1000 }, (_, index) =>
    redirectionOf(row(index, index % 2 === 0), `127.0.0.1:${index}`),
  );
  const { transactions, parts } = writer((_operations, index) => (index === 0 ? CONFIGURATION : []));
  await writeRows(changes, parts);
  assert.equal(transactions.length, 2);
  const [first = [], second = []] = transactions;
  assert.deepEqual(kinds(first).slice(0, 4), ['mutate', 'select', 'wait', 'update']);
  assert.equal(first.filter(({ op }) => op === 'update').length, 500, 'rows without a cache need no flush');
  assert.deepEqual(second[0], {
    op: 'wait',
    table: 'Open_vSwitch',
    where: [['cur_cfg', '>=', 12]],
    columns: ['_uuid'],
    until: '!=',
    rows: [],
    timeoutMs: FLUSH_WAIT_MS,
  });
  assert.equal(second.filter(({ op }) => op === 'update').length, 1000);
  const [flush] = first.filter(({ op }) => op === 'update');
  assert.deepEqual('row' in flush! && flush.row['targets'], []);
});

test('redirects rows without a cache in one transaction', async () => {
  const { transactions, parts } = writer(() => []);
  await writeRows([redirectionOf(row(1, false), '127.0.0.1:1')], parts);
  assert.deepEqual(transactions.map(kinds), [['wait', 'update', 'comment']]);
});

test('does not wait any longer for an ovs-vswitchd that does not answer', async () => {
  const { transactions, parts } = writer((_operations, index) => {
    if (index === 1) {
      throw timedOut(1);
    }
    return index === 0 ? CONFIGURATION : [];
  });
  await writeRows([redirectionOf(row(1, true), '127.0.0.1:1')], parts);
  assert.deepEqual(transactions.map(kinds).slice(1), [
    ['wait', 'wait', 'update', 'comment'],
    ['wait', 'update', 'comment'],
  ]);
});

test('fails when a row has changed meanwhile, so that it is planned again', async () => {
  const { parts } = writer((_operations, index) => {
    if (index === 1) {
      throw timedOut(2);
    }
    return CONFIGURATION;
  });
  await assert.rejects(writeRows([redirectionOf(row(1, true), '127.0.0.1:1')], parts), /timed out/u);
});

test('hands redirected rows back in one transaction, with the columns of their caches', async () => {
  const rows = [1, 2, 3].map((index) => {
    const { externalIds } = redirectionOf(row(index, true), `127.0.0.1:${index}`);
    const columns = { targets: [`127.0.0.1:${index}`], external_ids: externalIds };
    const cache = { cache_active_timeout: undefined, cache_max_flows: undefined };
    return readIpfixRow({ uuid: `${index}`, columns: { ...columns, ...cache } }, '', []);
  });
  const { transactions, parts } = writer(() => []);
  await writeRows(rows.map(releaseOf), parts);
  assert.equal(transactions.length, 1);
  const updates = (transactions[0] ?? []).flatMap((operation) =>
    operation.op === 'update' ? [operation.row] : [],
  );
  assert.deepEqual(updates[0], {
    targets: ['10.0.0.1:1'],
    external_ids: new Map(),
    cache_active_timeout: 60,
    cache_max_flows: 100,
  });
});

/** Adoptions of rows with these numbers. */
const adoptions = (count: number) =>
  Array.from({ length: count }, (_, index) => adoptionOf(row(index, false)));
/** The UUIDs of the rows that a transaction changes. */
const changed = (operations: readonly Operation[]) =>
  operations.flatMap((operation) => {
    const condition = operation.op === 'update' ? operation.where[0] : undefined;
    return condition === undefined ? [] : [(condition[2] as { uuid: string }).uuid];
  });

test('adopts a thousand rows in one transaction, and more in as many as they need', async () => {
  const { transactions, parts } = writer(() => []);
  await writeRows(adoptions(ROWS_PER_TRANSACTION_MAX), parts);
  assert.equal(transactions.length, 1);
  await writeRows(adoptions(ROWS_PER_TRANSACTION_MAX + 1), parts);
  assert.deepEqual(
    transactions
      .slice(1)
      .map((operations) => changed(operations).length)
      .sort((a, b) => a - b),
    [1, ROWS_PER_TRANSACTION_MAX],
  );
});

/** Refuses the first of these rows that a transaction changes. */
function refusing(...refused: readonly string[]) {
  const written: string[] = [];
  const { transactions, parts } = writer((operations) => {
    const rows = changed(operations);
    const index = rows.findIndex((uuid) => refused.includes(uuid));
    if (index >= 0) {
      // The lock is asserted before; each row has a wait and an update.
      throw timedOut(1 + 2 * index);
    }
    written.push(...rows);
    return [];
  });
  return { transactions, parts, written };
}

test('rows that have changed meanwhile do not hold up the others', async () => {
  const { transactions, parts, written } = refusing('700', '701');
  await assert.rejects(writeRows(adoptions(1000), parts), /IPFIX row 700: adopt failed/u);
  assert.deepEqual([written.length, transactions.length], [998, 3]);
  assert.equal(written.includes('700'), false);
});

test('tries no more rows when many have changed: all are planned again', async () => {
  const { transactions, parts, written } = refusing(
    ...Array.from({ length: 1000 }, (_, index) => `${index}`),
  );
  await assert.rejects(writeRows(adoptions(1000), parts), /IPFIX row 0: adopt failed/u);
  assert.deepEqual([written.length, transactions.length], [0, 9]);
});

test('does not try rows one by one when the lock is not held', async () => {
  const { transactions, parts } = writer(() => {
    throw timedOut(0);
  });
  await assert.rejects(writeRows(adoptions(1000), parts), /timed out/u);
  assert.equal(transactions.length, 1);
});

test('the log says to which targets ovs-vswitchd exported, and which it could not use', async () => {
  const cases = [
    ['10.0.0.1:1 10.0.0.2:1', 'taken over from ovs-vswitchd, which exported to 10.0.0.1:1 10.0.0.2:1'],
    [
      '10.0.0.1:1 tcp:10.0.0.2:1',
      'taken over from ovs-vswitchd, which exported to 10.0.0.1:1 and cannot use tcp:10.0.0.2:1',
    ],
    [
      'tcp:10.0.0.1:1 udp:10.0.0.1:1',
      'adopted; ovs-vswitchd did not export for it, because it cannot use tcp:10.0.0.1:1 udp:10.0.0.1:1',
    ],
  ] as const;
  for (const [targets, expected] of cases) {
    const lines: string[] = [];
    const { parts } = writer(
      () => [],
      (line) => lines.push(line),
    );
    const read = readIpfixRow({ uuid: 'row-1', columns: { targets: targets.split(' ') } }, '', []);
    await writeRows([adoptionOf(read)], parts);
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.trimEnd().endsWith(`IPFIX row row-1: ${expected}`), lines[0]);
  }
});
