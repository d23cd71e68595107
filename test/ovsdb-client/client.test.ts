import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  encodeAhead,
  isUnknownMethod,
  type MonitorUpdate,
  OvsdbClient,
  type OvsdbClientOptions,
  OvsdbError,
  OvsdbReplyError,
  OvsdbTransactionError,
} from '../../src/ovsdb-client/index.ts';
import { ScriptedStream, turn } from './scripted-stream.ts';

function open(options: Partial<OvsdbClientOptions> = {}): { stream: ScriptedStream; client: OvsdbClient } {
  const stream = new ScriptedStream();
  return { stream, client: new OvsdbClient(stream, options) };
}

/** Returns the OvsdbError that a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<OvsdbError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof OvsdbError, String(error));
    return error;
  }
  assert.fail('It did not reject.');
}

describe('a session', () => {
  test('matches replies to requests in any order', async () => {
    const { stream, client } = open();
    const both = Promise.all([client.request('a', [1]), client.request('b', [])]);
    await turn();
    assert.deepEqual(stream.sent, [
      { method: 'a', params: [1], id: 1 },
      { method: 'b', params: [], id: 2 },
    ]);
    stream.receive({ id: 2, result: 'two', error: null }, { id: 1, result: 'one', error: null });
    assert.deepEqual(await both, ['one', 'two']);
    assert.equal(client.receivedBytes, Buffer.byteLength('{"id":2,"result":"two","error":null}') * 2);
  });

  test('reads a reply that is split at any offset', async () => {
    const bytes = Buffer.from('{"id":1,"result":["é"],"error":null}');
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const { stream, client } = open();
      const reply = client.request('a', []);
      stream.receiveBytes(bytes.subarray(0, cut));
      await turn();
      stream.receiveBytes(bytes.subarray(cut));
      assert.deepEqual(await reply, ['é']);
      client.close();
    }
  });

  test('answers echo requests of the server, and refuses other methods by name', async () => {
    const { stream } = open();
    stream.receive(
      { id: 'x', method: 'echo', params: ['a', 1] },
      { id: 7, method: 'format_disk', params: [] },
    );
    await turn();
    assert.deepEqual(stream.sent, [
      { id: 'x', result: ['a', 1], error: null },
      {
        id: 7,
        result: null,
        error: { error: 'unknown method', details: 'This client does not implement format_disk.' },
      },
    ]);
  });

  test('ignores unknown notifications', async () => {
    const { stream, client } = open();
    stream.receive(
      { id: null, method: 'news', params: [1] },
      { id: null, method: 'update', params: ['gone', {}] },
    );
    await turn();
    assert.equal(client.end, undefined);
  });

  test('rejects with the error of the server, an object or a string', async () => {
    const { stream, client } = open();
    stream.answer = (method) =>
      method === 'get_schema'
        ? { fault: { error: 'unknown database', details: 'no such thing', syntax: '["x"]' } }
        : { fault: 'unknown method' };
    const error = await rejection(client.getSchema('x'));
    assert.ok(error instanceof OvsdbReplyError);
    assert.equal(error.code, 'OVSDB_REPLY');
    assert.deepEqual(
      [error.method, error.error, error.details, error.syntax],
      ['get_schema', 'unknown database', 'no such thing', '["x"]'],
    );
    assert.equal(isUnknownMethod(error), false);
    assert.equal(isUnknownMethod(await rejection(client.getServerId())), true);
  });

  test('rejects all pending requests, once, when the server closes', async () => {
    const { stream, client } = open();
    const waiting = [client.probe(), client.listDbs(), client.transact('d', [])].map(rejection);
    stream.hangUp();
    for (const error of await Promise.all(waiting)) {
      assert.equal(error.code, 'OVSDB_CLOSED');
    }
    assert.deepEqual(await client.ended, { by: 'server', error: undefined });
    assert.equal((await rejection(client.probe())).code, 'OVSDB_CLOSED');
    assert.ok(stream.destroyed);
  });

  test('reports the reason given to close, and closes only once', async () => {
    const { client } = open();
    const reason = new Error('idle');
    const waiting = rejection(client.probe());
    client.close(reason);
    client.close(new Error('again'));
    assert.deepEqual(await client.ended, { by: 'here', error: reason });
    assert.equal((await waiting).cause, reason);
  });

  test('ends with the error of the stream, and survives a second error', async () => {
    const { stream, client } = open();
    const cause = new Error('read ECONNRESET');
    stream.destroy(cause);
    const end = await client.ended;
    assert.equal(end.by, 'fault');
    assert.ok(end.error instanceof OvsdbError);
    assert.equal(end.error.code, 'OVSDB_STREAM');
    assert.equal(end.error.cause, cause);
    stream.emit('error', new Error('late'));
  });

  test('ends on a stream that has already been destroyed', async () => {
    const stream = new ScriptedStream();
    stream.destroy();
    await turn();
    assert.equal((await new OvsdbClient(stream).ended).by, 'server');
  });

  test('reports that the server closed within a message', async () => {
    const { stream, client } = open();
    stream.receiveBytes('{"id":1');
    stream.hangUp();
    const { by, error } = await client.ended;
    assert.equal(by, 'fault');
    assert.match(String(error?.message), /within a message, 7 bytes into it/);
  });

  test('ends with OVSDB_PROTOCOL on a message that is not valid JSON-RPC', async () => {
    const faults: [string, string][] = [
      ['OVSDB_PROTOCOL', '{}'],
      ['OVSDB_PROTOCOL', '{"id":99,"result":1,"error":null}'],
      ['OVSDB_PROTOCOL', '{"id":"1","result":1,"error":null}'],
      ['OVSDB_PROTOCOL', '{"id":null,"result":1,"error":null}'],
      ['OVSDB_PROTOCOL', '{"id":1}'],
      ['OVSDB_PROTOCOL', '{"id":null,"method":3,"params":[]}'],
      ['OVSDB_PROTOCOL', '{"id":null,"method":"update","params":{}}'],
      ['OVSDB_INVALID_JSON', '{"id"}'],
      ['OVSDB_INVALID_JSON', 'SSH-2.0-OpenSSH_9.2'],
    ];
    for (const [code, bytes] of faults) {
      const { stream, client } = open();
      const waiting = rejection(client.probe());
      stream.receiveBytes(bytes);
      const { by, error } = await client.ended;
      assert.equal(by, 'fault');
      assert.ok(error instanceof OvsdbError);
      assert.equal(error.code, code, bytes);
      assert.equal((await waiting).cause, error);
    }
  });

  test('ignores the rest of a chunk after the message that ended it', async () => {
    const { stream, client } = open();
    stream.receiveBytes('{"id":5,"result":1}{"id":"x","method":"echo","params":[]}');
    await client.ended;
    await turn();
    assert.deepEqual(stream.sent, []);
  });
});

describe('limits of a session', () => {
  test('refuses a request beyond pendingRequestsMax, and accepts one again after a reply', async () => {
    const { stream, client } = open({ pendingRequestsMax: 2 });
    const first = client.request('a', []);
    const second = client.request('b', []);
    assert.equal((await rejection(client.request('c', []))).code, 'OVSDB_PENDING_REQUESTS_MAX');
    stream.receive({ id: 1, result: 1, error: null });
    await first;
    const third = client.request('d', []);
    stream.receive({ id: 2, result: 2, error: null }, { id: 3, result: 3, error: null });
    assert.deepEqual(await Promise.all([second, third]), [2, 3]);
    assert.deepEqual(
      stream.sent.map(({ method }) => method),
      ['a', 'b', 'd'],
    );
  });

  test('counts an aborted request as pending until the server has answered', async () => {
    const { stream, client } = open({ pendingRequestsMax: 1 });
    const controller = new AbortController();
    const aborted = rejection(client.probe({ signal: controller.signal }));
    controller.abort(new Error('too slow'));
    const error = await aborted;
    assert.equal(error.code, 'OVSDB_ABORTED');
    assert.equal((error.cause as Error).message, 'too slow');
    assert.equal((await rejection(client.probe())).code, 'OVSDB_PENDING_REQUESTS_MAX');
    stream.receive({ id: 1, result: [], error: null });
    await turn();
    const next = client.probe();
    stream.receive({ id: 2, result: [], error: null });
    await next;
    assert.equal(client.end, undefined);
  });

  test('refuses a request that would exceed sendBytesMax', async () => {
    const { stream, client } = open({ sendBytesMax: 1000 });
    stream.isStuck = true;
    const first = rejection(client.request('a', ['x'.repeat(600)]));
    assert.equal((await rejection(client.request('b', ['x'.repeat(600)]))).code, 'OVSDB_SEND_BYTES_MAX');
    assert.equal(client.end, undefined);
    client.close();
    assert.equal((await first).code, 'OVSDB_CLOSED');
  });

  test('reads nothing beyond replyBytesMax while the server does not read the echo replies', async () => {
    const { stream, client } = open({ replyBytesMax: 1000 });
    stream.isStuck = true;
    for (let count = 0; count < 20; count += 1) {
      stream.receive({ id: count, method: 'echo', params: ['x'.repeat(100)] });
    }
    await turn();
    assert.equal(client.readPauses, 1);
    assert.ok(stream.isPaused());
    assert.ok(stream.writableLength < 1500, `${stream.writableLength} bytes wait`);
    assert.equal(client.end, undefined);
  });

  test('reads on while only own requests wait: the server may not read before it has sent everything', async () => {
    const { stream, client } = open({ replyBytesMax: 100 });
    stream.isStuck = true;
    void rejection(client.request('a', ['x'.repeat(10_000)]));
    stream.receive({ id: 1, method: 'echo', params: [] });
    await turn();
    assert.deepEqual([client.readPauses, stream.isPaused()], [0, false]);
    client.close();
  });
});

describe('abort', () => {
  test('sends no request when the signal has already fired', async () => {
    const { stream, client } = open();
    assert.equal((await rejection(client.probe({ signal: AbortSignal.abort() }))).code, 'OVSDB_ABORTED');
    await turn();
    assert.deepEqual(stream.sent, []);
  });

  test('cancels a transaction on the server, and ignores its reply', async () => {
    const { stream, client } = open();
    const controller = new AbortController();
    const aborted = rejection(client.transact('d', [{ op: 'abort' }], { signal: controller.signal }));
    controller.abort();
    assert.equal((await aborted).code, 'OVSDB_ABORTED');
    assert.deepEqual(stream.sent.at(-1), { method: 'cancel', params: [1], id: null });
    stream.receive({ id: 1, result: null, error: 'canceled' });
    await turn();
    assert.equal(client.end, undefined);
  });

  test('removes its listener from a signal that outlives its requests', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: [] });
    const { signal } = new AbortController();
    let listening = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening -= 1;
      remove(...args);
    };
    await client.probe({ signal });
    assert.equal(listening, 0);
  });
});

describe('locks', () => {
  test('reports a notification that follows the reply after the reply', async () => {
    const { stream, client } = open();
    const heard: boolean[] = [];
    const reply = client.lock('l', (held) => heard.push(held));
    stream.receive(
      { id: 1, result: { locked: false }, error: null },
      { id: null, method: 'locked', params: ['l'] },
    );
    assert.equal(await reply, false);
    assert.deepEqual(heard, [false, true]);
    assert.equal(client.hasLock('l'), true);
  });

  test('reports a stolen lock, a lost lock and the end of the connection', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: { locked: true } });
    const heard: boolean[] = [];
    await client.steal('l', (held) => heard.push(held));
    stream.receive(
      { id: null, method: 'stolen', params: ['l'] },
      { id: null, method: 'locked', params: ['l'] },
    );
    await turn();
    client.close();
    assert.deepEqual(heard, [true, false, true, false]);
    assert.equal(client.hasLock('l'), false);
  });

  test('reports changes only: neither a known state nor the end of a connection without the lock', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: { locked: true } });
    const heard: boolean[] = [];
    await client.lock('l', (held) => heard.push(held));
    stream.receive(
      { id: null, method: 'locked', params: ['l'] },
      { id: null, method: 'stolen', params: ['l'] },
      { id: null, method: 'stolen', params: ['l'] },
      { id: null, method: 'locked', params: ['other'] },
    );
    await turn();
    client.close();
    assert.deepEqual(heard, [true, false]);
    assert.equal(client.hasLock('other'), false);
  });

  test('does not call a listener that closed the client for the rest of the chunk', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: { locked: true } });
    const heard: boolean[] = [];
    await client.lock('l', (held) => {
      heard.push(held);
      if (!held) {
        client.close();
      }
    });
    stream.receive(
      { id: null, method: 'stolen', params: ['l'] },
      { id: null, method: 'locked', params: ['l'] },
    );
    await client.ended;
    assert.deepEqual(heard, [true, false]);
    assert.equal(client.hasLock('l'), false);
  });

  test('reports nothing after unlock, even if the reply to the lock comes later', async () => {
    const { stream, client } = open();
    const heard: boolean[] = [];
    const locked = client.lock('l', (held) => heard.push(held));
    assert.equal(client.hasRequestedLock('l'), true, 'before the reply');
    const both = Promise.all([locked, client.unlock('l')]);
    assert.equal(client.hasRequestedLock('l'), false);
    stream.receive({ id: 1, result: { locked: false }, error: null }, { id: 2, result: {}, error: null });
    await both;
    stream.receive({ id: null, method: 'locked', params: ['l'] });
    await turn();
    assert.deepEqual(heard, [false]);
    assert.equal(client.hasLock('l'), false);
  });
});

describe('monitors', () => {
  test('delivers updates in the chunk of the reply after the initial content', async () => {
    const { stream, client } = open();
    const updates: MonitorUpdate[] = [];
    const started = client.monitor({
      database: 'd',
      method: 'monitor_cond',
      tables: { T: { columns: ['a'], where: [['a', '==', 1], true], select: { modify: false } } },
      onUpdate: (update) => updates.push(update),
    });
    assert.deepEqual(stream.sent[0]?.params, [
      'd',
      'monitor-1',
      { T: [{ columns: ['a'], where: [['a', '==', 1], true], select: { modify: false } }] },
    ]);
    stream.receive(
      { id: 1, result: { T: { u1: { initial: { a: 1 } } } }, error: null },
      { id: null, method: 'update2', params: ['monitor-1', { T: { u1: { delete: null } } }] },
    );
    const monitor = await started;
    assert.deepEqual(
      updates.map(({ initial, rows }) => [initial, rows]),
      [
        [true, [{ table: 'T', uuid: 'u1', kind: 'row', row: { a: 1 } }]],
        [false, [{ table: 'T', uuid: 'u1', kind: 'delete' }]],
      ],
    );
    stream.answer = () => ({ result: {} });
    const cancelled = monitor.cancel();
    stream.receive({ id: null, method: 'update2', params: ['monitor-1', { T: { u2: { insert: {} } } }] });
    await cancelled;
    assert.equal(updates.length, 2);
  });

  test('ignores updates of a monitor that the server has cancelled, and does not cancel it again', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: {} });
    const heard: string[] = [];
    const monitor = await client.monitor({
      database: 'd',
      method: 'monitor',
      tables: { T: {} },
      onUpdate: () => heard.push('update'),
      onCanceled: () => heard.push('cancelled'),
    });
    const cancelled = { id: null, method: 'monitor_canceled', params: ['monitor-1'] };
    stream.receive(cancelled, { id: null, method: 'update', params: ['monitor-1', {}] }, cancelled);
    await turn();
    await monitor.cancel();
    assert.deepEqual(heard, ['update', 'cancelled']);
    assert.equal(stream.sent.length, 1);
  });

  test('rejects with an exception of the listener, and keeps the connection', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: {} });
    const bug = new TypeError('a bug of the listener');
    const onUpdate = (): void => {
      throw bug;
    };
    await assert.rejects(client.monitor({ database: 'd', method: 'monitor', tables: {}, onUpdate }), bug);
    assert.equal(client.end, undefined);
  });

  test('ends the connection on a malformed reply or update, with the path of the error', async () => {
    const { stream, client } = open();
    const started = rejection(
      client.monitor({ database: 'd', method: 'monitor', tables: { T: {} }, onUpdate: () => {} }),
    );
    stream.receive({ id: 1, result: { T: { u1: { newer: {} } } }, error: null });
    assert.match((await started).message, /^monitor\.T\.u1: has neither "new" nor "old"/);
    assert.equal((await client.ended).by, 'fault');
  });
});

describe('transact', () => {
  test('returns results in the order of the operations, each with its type', async () => {
    const { stream, client } = open();
    const uuid = '5f0c7d70-5c7e-4f7e-8d1c-0123456789ab';
    stream.answer = () => ({
      result: [
        { uuid: ['uuid', uuid] },
        { count: 2 },
        { rows: [{ a: ['set', [1, 2]], b: ['uuid', uuid] }] },
        {},
      ],
    });
    const [insert, update, select, comment] = await client.transact('d', [
      { op: 'insert', table: 'T', row: { a: [1, 2], n: undefined, m: new Map([['k', 1]]) }, uuidName: 'x' },
      { op: 'update', table: 'T', where: [['a', 'includes', { uuid }]], row: { r: { namedUuid: 'x' } } },
      { op: 'select', table: 'T', where: [], columns: ['a', 'b'] },
      { op: 'comment', comment: 'hello' },
    ]);
    assert.equal(insert.uuid, uuid);
    assert.equal(update.count, 2);
    assert.deepEqual(select.rows, [{ a: [1, 2], b: { uuid } }]);
    assert.deepEqual(comment, {});
    assert.deepEqual(stream.sent[0]?.params, [
      'd',
      {
        op: 'insert',
        table: 'T',
        row: { a: ['set', [1, 2]], n: ['set', []], m: ['map', [['k', 1]]] },
        'uuid-name': 'x',
      },
      {
        op: 'update',
        table: 'T',
        where: [['a', 'includes', ['uuid', uuid]]],
        row: { r: ['named-uuid', 'x'] },
      },
      { op: 'select', table: 'T', where: [], columns: ['a', 'b'] },
      { op: 'comment', comment: 'hello' },
    ]);
  });

  test('encodes wait, mutate, delete, commit, abort and assert as in RFC 7047', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: [{}, { count: 0 }, { count: 0 }, {}, {}, {}] });
    await client.transact('d', [
      { op: 'wait', table: 'T', where: [], columns: ['a'], until: '!=', rows: [{ a: 1 }], timeoutMs: 0 },
      {
        op: 'mutate',
        table: 'T',
        where: [],
        mutations: [
          ['a', '+=', 1],
          ['s', 'insert', ['x']],
        ],
      },
      { op: 'delete', table: 'T', where: [['a', '<', 3]] },
      { op: 'commit', durable: true },
      { op: 'abort' },
      { op: 'assert', lock: 'l' },
    ]);
    assert.deepEqual(stream.sent[0]?.params, [
      'd',
      { op: 'wait', table: 'T', where: [], columns: ['a'], until: '!=', rows: [{ a: 1 }], timeout: 0 },
      {
        op: 'mutate',
        table: 'T',
        where: [],
        mutations: [
          ['a', '+=', 1],
          ['s', 'insert', ['set', ['x']]],
        ],
      },
      { op: 'delete', table: 'T', where: [['a', '<', 3]] },
      { op: 'commit', durable: true },
      { op: 'abort' },
      { op: 'assert', lock: 'l' },
    ]);
  });

  test('names the failed operation, and keeps the results of the others', async () => {
    const { stream, client } = open();
    const results = [{}, { error: 'constraint violation', details: 'too big' }, null];
    stream.answer = () => ({ result: results });
    const error = await rejection(
      client.transact('d', [
        { op: 'comment', comment: '' },
        { op: 'insert', table: 'T', row: {} },
        { op: 'comment', comment: '' },
      ]),
    );
    assert.ok(error instanceof OvsdbTransactionError);
    assert.equal(error.code, 'OVSDB_TRANSACTION');
    assert.deepEqual(
      [error.error, error.details, error.operationIndex],
      ['constraint violation', 'too big', 1],
    );
    assert.deepEqual(error.results, results);
    assert.match(error.message, /operation 1 \(insert T\)/);
  });

  test('has the error of the operating system in the details', async () => {
    const { stream, client } = open();
    const fault = {
      error: 'I/O error',
      details: 'conf.db: write failed',
      'io-error': 'No space left on device',
    };
    stream.answer = () => ({ result: [{}, fault] });
    const error = await rejection(client.transact('d', [{ op: 'comment', comment: '' }]));
    assert.ok(error instanceof OvsdbTransactionError);
    assert.deepEqual(
      [error.error, error.details],
      ['I/O error', 'conf.db: write failed (No space left on device)'],
    );
  });

  test('sends operations that were encoded ahead as the others, and decodes their results', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: [{ count: 1 }, { count: 2 }] });
    const update = () =>
      ({ op: 'update', table: 'T', where: [['n', '==', 1]], row: { m: new Map([['k', 'v']]) } }) as const;
    const results = await client.transact('d', [encodeAhead(update()), update()]);
    assert.deepEqual(results, [{ count: 1 }, { count: 2 }]);
    const [, ahead, other] = stream.sent[0]?.params ?? [];
    assert.deepEqual(ahead, other);
    assert.deepEqual(ahead, {
      op: 'update',
      table: 'T',
      where: [['n', '==', 1]],
      row: { m: ['map', [['k', 'v']]] },
    });
  });

  test('reports an error of the commit with the index after the last operation', async () => {
    const { stream, client } = open();
    stream.answer = () => ({ result: [{}, { error: 'referential integrity violation' }] });
    const error = await rejection(client.transact('d', [{ op: 'comment', comment: '' }]));
    assert.ok(error instanceof OvsdbTransactionError);
    assert.equal(error.operationIndex, 1);
    assert.match(error.message, /at the commit/);
  });

  test('refuses results that do not match the operations', async () => {
    for (const result of [
      [],
      [{}, {}],
      [null],
      [{}],
      [{ uuid: ['uuid'] }],
      [{ uuid: ['uuid', 'x'] }],
      [[]],
      3,
      { a: 1 },
    ]) {
      const { stream, client } = open();
      stream.answer = () => ({ result });
      const error = await rejection(client.transact('d', [{ op: 'insert', table: 'T', row: {} }]));
      assert.equal(error.code, 'OVSDB_NOTATION', JSON.stringify(result));
    }
  });
});
