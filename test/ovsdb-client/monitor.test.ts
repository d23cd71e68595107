import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OvsdbNotationError } from '../../src/ovsdb-client/errors.ts';
import { decodeMonitorReply, decodeUpdate, encodeMonitorRequest } from '../../src/ovsdb-client/monitor.ts';

const ZERO = '00000000-0000-0000-0000-000000000000';
const ID = '33333333-3333-4333-8333-333333333333';

describe('monitor requests', () => {
  test('have a transaction id for monitor_cond_since only', () => {
    const tables = { T: { columns: ['a'] } };
    assert.deepEqual(JSON.parse(JSON.stringify(encodeMonitorRequest('monitor', 'd', 'm', tables))), [
      'd',
      'm',
      { T: [{ columns: ['a'] }] },
    ]);
    assert.equal(encodeMonitorRequest('monitor_cond', 'd', 'm', tables).length, 3);
    assert.equal(encodeMonitorRequest('monitor_cond_since', 'd', 'm', tables)[3], ZERO);
    assert.equal(encodeMonitorRequest('monitor_cond_since', 'd', 'm', tables, ID)[3], ID);
  });

  test('with conditions are refused for the method monitor', () => {
    assert.throws(
      () => encodeMonitorRequest('monitor', 'd', 'm', { T: { where: [['a', '==', 1]] } }),
      RangeError,
    );
  });
});

describe('replies and updates', () => {
  test('of the three methods are decoded to one form', () => {
    assert.deepEqual(
      decodeUpdate('update', [
        'm',
        { T: { u: { new: { a: 1 } }, v: { old: {}, new: { a: 2 } }, w: { old: { a: 3 } } } },
      ]),
      {
        initial: false,
        isContinuation: true,
        transactionId: undefined,
        rows: [
          { table: 'T', uuid: 'u', kind: 'row', row: { a: 1 } },
          { table: 'T', uuid: 'v', kind: 'row', row: { a: 2 } },
          { table: 'T', uuid: 'w', kind: 'delete' },
        ],
      },
    );
    const tables = {
      T: { u: { insert: { a: 1 } }, v: { modify: { a: 2 } }, w: { delete: null }, x: { initial: {} } },
    };
    const rows = [
      { table: 'T', uuid: 'u', kind: 'row', row: { a: 1 } },
      { table: 'T', uuid: 'v', kind: 'difference', row: { a: 2 } },
      { table: 'T', uuid: 'w', kind: 'delete' },
      { table: 'T', uuid: 'x', kind: 'row', row: {} },
    ];
    assert.deepEqual(decodeUpdate('update2', ['m', tables]).rows, rows);
    const update3 = decodeUpdate('update3', ['m', ID, tables]);
    assert.deepEqual(update3.rows, rows);
    assert.equal(update3.transactionId, ID);
    assert.deepEqual(decodeMonitorReply('monitor_cond_since', [true, ID, tables]), {
      initial: true,
      isContinuation: true,
      transactionId: ID,
      rows,
    });
    assert.deepEqual(decodeMonitorReply('monitor_cond', tables), {
      initial: true,
      isContinuation: false,
      transactionId: undefined,
      rows,
    });
    assert.deepEqual(decodeMonitorReply('monitor', {}), {
      initial: true,
      isContinuation: false,
      transactionId: undefined,
      rows: [],
    });
  });

  test('have no transaction id when the server sends zeros', () => {
    assert.equal(decodeMonitorReply('monitor_cond_since', [false, ZERO, {}]).transactionId, undefined);
    assert.equal(decodeUpdate('update3', ['m', ZERO, {}]).transactionId, undefined);
  });

  test('are refused for each shorter prefix', () => {
    const params = ['m', ID, {}];
    for (let size = 0; size < 3; size += 1) {
      assert.throws(() => decodeUpdate('update3', params.slice(0, size)), OvsdbNotationError);
      assert.throws(
        () => decodeMonitorReply('monitor_cond_since', [true, ID, {}].slice(0, size)),
        OvsdbNotationError,
      );
    }
    for (let size = 0; size < 2; size += 1) {
      assert.throws(() => decodeUpdate('update', ['m', {}].slice(0, size)), OvsdbNotationError);
      assert.throws(() => decodeUpdate('update2', ['m', {}].slice(0, size)), OvsdbNotationError);
    }
  });

  test('are refused with the path of the error', () => {
    const faults: [unknown, string][] = [
      [null, 'update2'],
      [[], 'update2'],
      [{ T: 1 }, 'update2.T'],
      [{ T: { u: [] } }, 'update2.T.u'],
      [{ T: { u: {} } }, 'update2.T.u'],
      [{ T: { u: { new: {} } } }, 'update2.T.u'],
      [{ T: { u: { insert: null } } }, 'update2.T.u.insert'],
      [{ T: { u: { modify: 1 } } }, 'update2.T.u.modify'],
    ];
    for (const [tables, path] of faults) {
      assert.throws(
        () => decodeUpdate('update2', ['m', tables]),
        (error) => error instanceof OvsdbNotationError && error.path === path,
        path,
      );
    }
    assert.throws(() => decodeUpdate('update', ['m', { T: { u: { new: 1 } } }]), OvsdbNotationError);
  });
});
