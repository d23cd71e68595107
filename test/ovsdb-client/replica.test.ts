import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  OvsdbClient,
  OvsdbError,
  Replica,
  type ReplicaOptions,
  type RowChange,
  type Snapshot,
} from '../../src/ovsdb-client/index.ts';
import { type Answer, ScriptedStream, turn } from './scripted-stream.ts';

const ID1 = '33333333-3333-4333-8333-333333333331';
const ID2 = '33333333-3333-4333-8333-333333333332';

/** The replies of a server with one table T of columns n (integer) and s (set of integers). */
interface Server {
  schema: { name: string; version: string; tables: Record<string, { columns: Record<string, unknown> }> };
  /** The reply to a monitor request, by method; others are unknown methods. */
  monitors: Record<string, unknown>;
}

function server(monitors: Record<string, unknown>): Server {
  const columns = { n: { type: 'integer' }, s: { type: { key: 'integer', min: 0, max: 'unlimited' } } };
  return { schema: { name: 'D', version: '1.0.0', tables: { T: { columns } } }, monitors };
}

function answers(server: Server): Answer {
  return (method) => {
    if (method === 'get_schema') {
      return { result: server.schema };
    }
    return method in server.monitors ? { result: server.monitors[method] } : { fault: 'unknown method' };
  };
}

interface Watched {
  replica: Replica;
  told: { snapshot: Snapshot; changes: readonly RowChange[] }[];
  readonly attach: (server: Server) => Promise<{ stream: ScriptedStream; client: OvsdbClient }>;
}

function watch(options: Partial<ReplicaOptions> = {}): Watched {
  const told: Watched['told'] = [];
  const replica = new Replica({
    database: 'D',
    tables: { T: ['n', 's'] },
    onChange: (snapshot, changes) => told.push({ snapshot, changes }),
    ...options,
  });
  return {
    replica,
    told,
    attach: async (server) => {
      const stream = new ScriptedStream();
      stream.answer = answers(server);
      const client = new OvsdbClient(stream);
      await replica.attach(client);
      return { stream, client };
    },
  };
}

/** Returns `{ uuid: columns }` of table T. */
function rows(snapshot: Snapshot | undefined): Record<string, unknown> {
  return Object.fromEntries(Array.from(snapshot?.table('T') ?? [], ([uuid, row]) => [uuid, row.columns]));
}

function methodsSent(stream: ScriptedStream): unknown[] {
  return stream.sent.map(({ method }) => method);
}

describe('a replica', () => {
  test('reports the first snapshot even if the database is empty', async () => {
    const { replica, told, attach } = watch();
    await attach(server({ monitor_cond_since: [false, ID1, {}] }));
    assert.equal(told.length, 1);
    assert.deepEqual(told[0]?.changes, []);
    assert.equal(replica.snapshot?.table('T').size, 0);
  });

  test('falls back to older methods until one is known', async () => {
    const { replica, attach } = watch();
    const { stream } = await attach(server({ monitor: { T: { u: { new: { n: 1, s: 2 } } } } }));
    assert.deepEqual(methodsSent(stream), [
      'set_db_change_aware',
      'get_schema',
      'monitor_cond_since',
      'monitor_cond',
      'monitor',
    ]);
    assert.equal(replica.method, 'monitor');
    assert.deepEqual(rows(replica.snapshot), { u: { n: 1, s: [2] } });
  });

  test('rejects and closes the client when the server supports no monitor method', async () => {
    const { attach } = watch({ methods: ['monitor_cond'] });
    await assert.rejects(
      attach(server({})),
      (error) => error instanceof OvsdbError && error.code === 'OVSDB_REPLICA',
    );
  });

  test('applies updates and reports the rows that differ, with immutable snapshots', async () => {
    const { told, attach } = watch();
    const { stream } = await attach(
      server({ monitor_cond: { T: { u: { initial: { n: 1 } }, v: { initial: {} } } } }),
    );
    stream.receive({
      id: null,
      method: 'update2',
      params: [
        'monitor-2',
        { T: { u: { modify: { s: ['set', [5, 4]] } }, v: { delete: null }, w: { insert: { n: 9 } } } },
      ],
    });
    await turn();
    assert.deepEqual(
      told.map(({ snapshot }) => rows(snapshot)),
      [
        { u: { n: 1, s: [] }, v: { n: 0, s: [] } },
        { u: { n: 1, s: [4, 5] }, w: { n: 9, s: [] } },
      ],
    );
    assert.deepEqual(
      told[1]?.changes.map(({ uuid, before, after }) => [uuid, before?.columns, after?.columns]),
      [
        ['u', { n: 1, s: [] }, { n: 1, s: [4, 5] }],
        ['v', { n: 0, s: [] }, undefined],
        ['w', undefined, { n: 9, s: [] }],
      ],
    );
    assert.ok(Object.isFrozen(told[0]?.snapshot.table('T').get('u')?.columns));
  });

  test('does not report an update that changes nothing', async () => {
    const { told, attach } = watch();
    const { stream } = await attach(server({ monitor: { T: { u: { new: { n: 1, s: ['set', [1, 2]] } } } } }));
    stream.receive({
      id: null,
      method: 'update',
      params: ['monitor-3', { T: { u: { old: {}, new: { n: 1, s: ['set', [2, 1]] } } } }],
    });
    await turn();
    assert.equal(told.length, 1);
  });

  test('does not report a difference that results in the same row', async () => {
    const { replica, told, attach } = watch();
    const { stream } = await attach(server({ monitor_cond: { T: { u: { initial: { n: 1 } } } } }));
    const same = replica.snapshot;
    stream.receive({
      id: null,
      method: 'update2',
      params: ['monitor-2', { T: { u: { modify: { n: 1 } } } }],
    });
    await turn();
    assert.equal(told.length, 1);
    assert.equal(replica.snapshot, same);
  });

  test('reports only the rows that differ after a reconnect, and nothing if the content is the same', async () => {
    const { replica, told, attach } = watch();
    const first = await attach(
      server({ monitor_cond: { T: { u: { initial: { n: 1 } }, v: { initial: { s: ['set', [2, 1]] } } } } }),
    );
    first.stream.hangUp();
    await first.client.ended;
    const same = replica.snapshot;
    const second = await attach(
      server({
        monitor: { T: { v: { new: { n: 0, s: ['set', [1, 2]] } }, u: { new: { n: 1, s: ['set', []] } } } },
      }),
    );
    assert.equal(told.length, 1);
    assert.equal(replica.snapshot, same);
    second.client.close();
    await attach(server({ monitor_cond: { T: { u: { initial: { n: 1 } }, w: { initial: {} } } } }));
    assert.deepEqual(
      told[1]?.changes.map(({ uuid, before, after }) => [uuid, before === undefined, after === undefined]),
      [
        ['w', true, false],
        ['v', false, true],
      ],
    );
    assert.equal(
      replica.snapshot?.table('T').get('u'),
      same?.table('T').get('u'),
      'the same row is the same object',
    );
  });

  test('continues from the last known transaction', async () => {
    const { replica, told, attach } = watch();
    const first = await attach(
      server({ monitor_cond_since: [false, ID1, { T: { u: { initial: { n: 1 } } } }] }),
    );
    first.stream.receive({
      id: null,
      method: 'update3',
      params: ['monitor-1', ID2, { T: { u: { modify: { n: 2 } } } }],
    });
    await turn();
    first.client.close();
    const second = await attach(
      server({ monitor_cond_since: [true, ID2, { T: { w: { insert: { n: 3 } } } }] }),
    );
    assert.equal(second.stream.sent.at(-1)?.params?.[3], ID2);
    assert.deepEqual(rows(replica.snapshot), { u: { n: 2, s: [] }, w: { n: 3, s: [] } });
    assert.deepEqual(
      told.at(-1)?.changes.map(({ uuid }) => uuid),
      ['w'],
    );
  });

  test('does not continue from rows of another schema', async () => {
    const { replica, attach } = watch();
    const old = server({ monitor_cond_since: [false, ID1, { T: { u: { initial: { n: 1 } } } }] });
    delete old.schema.tables['T']?.columns['s'];
    const first = await attach(old);
    assert.deepEqual(replica.missing(), [{ table: 'T', column: 's' }]);
    first.client.close();
    const second = await attach(
      server({ monitor_cond_since: [false, ID2, { T: { u: { initial: { n: 1 } } } }] }),
    );
    assert.equal(second.stream.sent.at(-1)?.params?.[3], '00000000-0000-0000-0000-000000000000');
    assert.deepEqual(replica.missing(), []);
    assert.deepEqual(rows(replica.snapshot), { u: { n: 1, s: [] } });
  });

  test('reports columns that the database lacks, and when they appear, even without rows', async () => {
    const { replica, told, attach } = watch({ tables: { T: ['n', 'new'], Gone: ['a'] } });
    const before = server({ monitor_cond: {} });
    const { stream } = await attach(before);
    assert.deepEqual(replica.missing(), [
      { table: 'T', column: 'new' },
      { table: 'Gone', column: undefined },
    ]);
    assert.deepEqual(stream.sent.at(-1)?.params?.[2], { T: [{ columns: ['n'] }] });
    assert.equal(replica.snapshot?.table('Gone').size, 0);
    Object.assign(before.schema.tables['T']?.columns ?? {}, { new: { type: 'boolean' } });
    stream.receive({ id: null, method: 'monitor_canceled', params: ['monitor-2'] });
    await turn();
    await turn();
    await turn();
    assert.deepEqual(replica.missing(), [{ table: 'Gone', column: undefined }]);
    assert.deepEqual(
      told.map(({ changes }) => changes),
      [[], []],
    );
  });

  test('closes the client when the database has been removed after a cancelled monitor', async () => {
    const { attach } = watch();
    const { stream, client } = await attach(server({ monitor_cond: {} }));
    stream.answer = () => ({ fault: { error: 'unknown database', details: 'D' } });
    stream.receive({ id: null, method: 'monitor_canceled', params: ['monitor-2'] });
    const { by, error } = await client.ended;
    assert.equal(by, 'here');
    assert.ok(error instanceof OvsdbError);
    assert.equal(error.code, 'OVSDB_REPLICA');
    assert.match(error.message, /unknown database/);
  });

  test('ends the connection on invalid updates, and keeps the last whole snapshot', async () => {
    const nonsense = [
      { T: { x: { modify: { n: 1 } } } },
      { T: { u: { modify: { n: 'x' } } } },
      { T: { u: { modify: { other: 1 } } } },
      { Other: { u: { insert: {} } } },
      { T: { u: { modify: { n: 5 } }, w: { insert: { n: [] } } } },
    ];
    for (const tables of nonsense) {
      const { replica, attach } = watch();
      const { stream, client } = await attach(server({ monitor_cond: { T: { u: { initial: { n: 1 } } } } }));
      stream.receive({ id: null, method: 'update2', params: ['monitor-2', tables] });
      const { by, error } = await client.ended;
      assert.equal(by, 'fault');
      assert.ok(error instanceof OvsdbError);
      assert.equal(error.code, 'OVSDB_NOTATION');
      assert.deepEqual(rows(replica.snapshot), { u: { n: 1, s: [] } });
    }
  });

  test('rejects when the server continues from a transaction that was not requested', async () => {
    const { attach } = watch();
    await assert.rejects(
      attach(server({ monitor_cond_since: [true, ID1, { T: { u: { insert: { n: 1 } } } }] })),
      OvsdbError,
    );
  });

  test('ignores an earlier client once another one is attached', async () => {
    const { replica, told, attach } = watch();
    const first = await attach(server({ monitor_cond: {} }));
    await attach(server({ monitor_cond: {} }));
    first.stream.receive({
      id: null,
      method: 'update2',
      params: ['monitor-2', { T: { u: { insert: {} } } }],
    });
    await turn();
    assert.deepEqual(rows(replica.snapshot), {});
    assert.equal(told.length, 1);
  });

  test('rejects for a client that was replaced before its first snapshot, and closes it', async () => {
    const { replica, told, attach } = watch();
    const stream = new ScriptedStream();
    const slow = new OvsdbClient(stream);
    const replaced = replica.attach(slow);
    await attach(server({ monitor_cond: { T: { u: { initial: {} } } } }));
    stream.answer = answers(server({ monitor_cond: {} }));
    stream.receive({ id: 1, result: {}, error: null });
    await assert.rejects(replaced, (error) => error instanceof OvsdbError && error.code === 'OVSDB_REPLICA');
    assert.equal((await slow.ended).by, 'here');
    assert.equal(told.length, 1);
  });

  test('rejects when the connection ends before the first snapshot', async () => {
    const { replica } = watch();
    const stream = new ScriptedStream();
    const attached = replica.attach(new OvsdbClient(stream));
    stream.hangUp();
    await assert.rejects(attached, (error) => error instanceof OvsdbError && error.code === 'OVSDB_REPLICA');
  });

  test('returns its new state when the listener reads it', async () => {
    const seen: boolean[] = [];
    const { replica, attach } = watch({
      onChange: (snapshot) => seen.push(replica.snapshot === snapshot && replica.schema !== undefined),
    });
    await attach(server({ monitor_cond: {} }));
    assert.deepEqual(seen, [true]);
  });
});
