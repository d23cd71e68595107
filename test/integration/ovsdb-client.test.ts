// The OVSDB library with a real ovsdb-server, and OVS's ovsdb-client as the second writer.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type DatabaseSchema,
  MonitorMethod,
  type Operation,
  OvsdbClient,
  OvsdbError,
  OvsdbReplyError,
  OvsdbTransactionError,
  parseDatabaseSchema,
  Replica,
  type ReplicaOptions,
  type RowChange,
  type Snapshot,
  type Value,
  type WritableRow,
} from '../../src/ovsdb-client/index.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { waitFor } from '../support/wait.ts';

const DATABASE = 'Open_vSwitch';
const SCHEMA_FILE = installedSchemaPath();

/** A private ovsdb-server in its own folder. */
class Server {
  readonly folder: string;
  readonly endpoint: string;
  readonly #clients: OvsdbClient[] = [];
  #program: BackgroundProgram | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.endpoint = `unix:${join(folder, 'db.sock')}`;
  }

  /** Creates the database with ovsdb-tool and starts the server. */
  static async create(kind: 'standalone' | 'clustered' = 'standalone'): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), 'ovsdb-')));
    const file = join(server.folder, 'conf.db');
    const raft = `unix:${join(server.folder, 'raft.sock')}`;
    await runProgram(
      'ovsdb-tool',
      kind === 'standalone' ? ['create', file, SCHEMA_FILE] : ['create-cluster', file, SCHEMA_FILE, raft],
    );
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const program = await BackgroundProgram.start('ovsdb-server', [
      `--remote=p${this.endpoint}`,
      `--remote=db:${DATABASE},Open_vSwitch,manager_options`,
      `--unixctl=${join(this.folder, 'ctl')}`,
      '-vconsole:warn',
      join(this.folder, 'conf.db'),
    ]);
    this.#program = program;
    await waitFor(
      async () =>
        (await runProgram('ovsdb-client', ['--timeout=1', 'list-dbs', this.endpoint])).includes(DATABASE),
      { what: `ovsdb-server serves ${DATABASE}`, timeoutMs: 10_000 },
    );
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
  }

  async remove(): Promise<void> {
    for (const client of this.#clients) {
      client.close();
    }
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async connect(): Promise<OvsdbClient> {
    const socket = connect(join(this.folder, 'db.sock'));
    await once(socket, 'connect');
    const client = new OvsdbClient(socket);
    this.#clients.push(client);
    return client;
  }

  /** Runs a transaction by OVS's ovsdb-client, a writer that is independent of this library. */
  async stockTransact(...operations: readonly object[]): Promise<unknown> {
    const request = JSON.stringify([DATABASE, ...operations]);
    return JSON.parse(await runProgram('ovsdb-client', ['--timeout=5', 'transact', this.endpoint, request]));
  }
}

/** Makes a replica that records what it reports. */
function record(options: Partial<ReplicaOptions>): {
  replica: Replica;
  reports: { snapshot: Snapshot; changes: readonly RowChange[] }[];
} {
  const reports: { snapshot: Snapshot; changes: readonly RowChange[] }[] = [];
  const replica = new Replica({
    database: DATABASE,
    tables: {},
    onChange: (snapshot, changes) => reports.push({ snapshot, changes }),
    ...options,
  });
  return { replica, reports };
}

async function rejection(promise: Promise<unknown>): Promise<OvsdbError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof OvsdbError, String(error));
    return error;
  }
  assert.fail('It did not reject.');
}

/** Returns the schema with one more column of strings in table Bridge. */
function withColumn(schema: DatabaseSchema, column: string): object {
  const json = structuredClone(schema.json) as { tables: { Bridge: { columns: Record<string, unknown> } } };
  json.tables.Bridge.columns[column] = { type: 'string' };
  return json;
}

describe('one server', () => {
  let server: Server;
  let client: OvsdbClient;
  before(async () => {
    server = await Server.create();
    client = await server.connect();
  });
  after(() => server.remove());

  test('lists its databases, answers echo requests and has an id', async () => {
    assert.deepEqual([...(await client.listDbs())].sort(), ['Open_vSwitch', '_Server']);
    await client.probe();
    assert.match(await client.getServerId(), /^[0-9a-f-]{36}$/);
    assert.ok(client.receivedBytes > 0);
  });

  test('returns the schema of its file', async () => {
    const schema = await client.getSchema(DATABASE);
    const file = parseDatabaseSchema(JSON.parse(await readFile(SCHEMA_FILE, 'utf8')));
    assert.equal(schema.version, file.version);
    assert.equal(schema.cksum, file.cksum);
    // The server sorts columns and omits defaults; parsed, both are equal.
    for (const [name, table] of file.tables) {
      const served = schema.tables.get(name);
      assert.ok(served, name);
      assert.deepEqual(Object.fromEntries(served.columns), Object.fromEntries(table.columns));
      assert.deepEqual(
        [served.isRoot, served.maxRows, served.indexes],
        [table.isRoot, table.maxRows, table.indexes],
      );
    }
    assert.deepEqual(schema.tables.get('Bridge')?.columns.get('ipfix')?.type, {
      key: { type: 'uuid', refTable: 'IPFIX', refType: 'strong' },
      min: 0,
      max: 1,
    });
    const internal = await client.getSchema('_Server');
    assert.ok(internal.tables.has('Database'));
  });

  test('executes every operation of RFC 7047, with typed results', async () => {
    const schema = await client.getSchema(DATABASE);
    const [ipfix, bridge, root, comment, commit] = await client.transact(DATABASE, [
      {
        op: 'insert',
        table: 'IPFIX',
        uuidName: 'i',
        row: { targets: ['192.0.2.1:4739', '192.0.2.2:4739'], sampling: 64 },
      },
      {
        op: 'insert',
        table: 'Bridge',
        uuidName: 'b',
        row: {
          name: 'ops',
          ipfix: { namedUuid: 'i' },
          external_ids: new Map([
            ['k', 'v'],
            ['a', 'b'],
          ]),
        },
      },
      { op: 'insert', table: 'Open_vSwitch', row: { bridges: [{ namedUuid: 'b' }], ovs_version: undefined } },
      { op: 'comment', comment: 'made by a test' },
      { op: 'commit', durable: true },
    ]);
    assert.deepEqual([comment, commit], [{}, {}]);
    const [select, update, mutate, wait, again] = await client.transact(
      DATABASE,
      [
        {
          op: 'select',
          table: 'Bridge',
          where: [['_uuid', '==', { uuid: bridge.uuid }]],
          columns: ['name', 'ipfix', 'external_ids', 'mcast_snooping_enable', 'ports', '_uuid'],
        },
        {
          op: 'update',
          table: 'IPFIX',
          where: [['sampling', '==', 64]],
          row: { sampling: undefined, obs_domain_id: 7 },
        },
        {
          op: 'mutate',
          table: 'IPFIX',
          where: [['targets', 'includes', ['192.0.2.1:4739']]],
          mutations: [
            ['obs_domain_id', '*=', 3],
            ['targets', 'delete', ['192.0.2.1:4739']],
            ['other_config', 'insert', new Map([['x', 'y']])],
          ],
        },
        {
          op: 'wait',
          table: 'IPFIX',
          where: [],
          columns: ['obs_domain_id'],
          until: '==',
          rows: [{ obs_domain_id: 21 }],
          timeoutMs: 0,
        },
        {
          op: 'select',
          table: 'IPFIX',
          where: [],
          columns: ['targets', 'sampling', 'obs_domain_id', 'other_config'],
        },
      ],
      { schema },
    );
    assert.deepEqual(select.rows, [
      {
        name: 'ops',
        ipfix: { uuid: ipfix.uuid },
        external_ids: new Map([
          ['a', 'b'],
          ['k', 'v'],
        ]),
        mcast_snooping_enable: false,
        ports: [],
        _uuid: { uuid: bridge.uuid },
      },
    ]);
    assert.deepEqual([update, mutate, wait], [{ count: 1 }, { count: 1 }, {}]);
    assert.deepEqual(again.rows, [
      {
        targets: ['192.0.2.2:4739'],
        sampling: undefined,
        obs_domain_id: 21,
        other_config: new Map([['x', 'y']]),
      },
    ]);
    const [removed, left] = await client.transact(DATABASE, [
      { op: 'delete', table: 'Open_vSwitch', where: [['_uuid', '==', { uuid: root.uuid }]] },
      { op: 'select', table: 'Open_vSwitch', where: [] },
    ]);
    assert.deepEqual([removed.count, left.rows.length], [1, 0]);
    const [bridges] = await client.transact(DATABASE, [{ op: 'select', table: 'Bridge', where: [] }]);
    assert.deepEqual(bridges.rows, [], 'rows without references are collected');
  });

  test('reports each way that a transaction can fail, and the operation', async () => {
    const ovs: Operation = { op: 'insert', table: 'Open_vSwitch', row: {} };
    const cases: [string, number, Operation[]][] = [
      ['aborted', 1, [ovs, { op: 'abort' }, { op: 'comment', comment: 'not reached' }]],
      [
        'timed out',
        0,
        [
          {
            op: 'wait',
            table: 'Bridge',
            where: [],
            columns: ['name'],
            until: '==',
            rows: [{ name: 'x' }],
            timeoutMs: 0,
          },
        ],
      ],
      ['not owner', 0, [{ op: 'assert', lock: 'unheld' }]],
      ['constraint violation', 0, [insertIpfix({ sampling: 0 })]],
      ['constraint violation', 0, [{ op: 'insert', table: 'Bridge', row: { fail_mode: 'neither' } }]],
      ['constraint violation', 2, [ovs, ovs]],
      [
        'constraint violation',
        1,
        [insertIpfix({}), { op: 'update', table: 'Bridge', where: [], row: { name: 'immutable' } }],
      ],
      [
        'referential integrity violation',
        1,
        [
          {
            op: 'insert',
            table: 'Open_vSwitch',
            row: { bridges: { uuid: '11111111-1111-4111-8111-111111111111' } },
          },
        ],
      ],
      [
        'duplicate uuid-name',
        1,
        [
          { op: 'insert', table: 'IPFIX', row: {}, uuidName: 'x' },
          { op: 'insert', table: 'IPFIX', row: {}, uuidName: 'x' },
        ],
      ],
      [
        'domain error',
        1,
        [
          { op: 'insert', table: 'Open_vSwitch', row: {} },
          { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '/=', 0]] },
        ],
      ],
      [
        'range error',
        2,
        [
          { op: 'insert', table: 'Open_vSwitch', row: { next_cfg: 2 ** 52 } },
          { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '*=', 1024]] },
          { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '*=', 1024]] },
        ],
      ],
      ['unknown column', 0, [insertIpfix({ no_such_column: 1 })]],
      ['syntax error', 0, [insertIpfix({ sampling: 'many' })]],
      ['syntax error', 0, [{ op: 'insert', table: 'No_Such_Table', row: {} }]],
    ];
    for (const [name, index, operations] of cases) {
      const error = await rejection(client.transact(DATABASE, operations));
      assert.ok(error instanceof OvsdbTransactionError, name);
      assert.equal(error.error, name, error.message);
      assert.equal(error.operationIndex, index, error.message);
      assert.ok(error.details !== undefined && error.details.length > 0);
    }
  });

  test('rejects unsupported requests with the error of the server', async () => {
    const faults: [Promise<unknown>, string][] = [
      [client.getSchema('Nowhere'), 'unknown database'],
      [client.transact('Nowhere', []), 'unknown database'],
      [client.request('no_such_method', []), 'unknown method'],
      [client.lock('not-an-id'), 'syntax error'],
      [client.unlock('never_locked'), 'syntax error'],
      [client.convert(DATABASE, { name: 'Other', version: '1.0.0', tables: {} }), 'invalid parameters'],
      [
        client.monitor({
          database: DATABASE,
          method: 'monitor_cond',
          tables: { Bridge: { columns: ['no'] } },
          onUpdate: () => {},
        }),
        'syntax error',
      ],
    ];
    for (const [promise, name] of faults) {
      const error = await rejection(promise);
      assert.ok(error instanceof OvsdbReplyError, error.message);
      assert.equal(error.error, name, error.message);
    }
    assert.equal(client.end, undefined);
  });

  test('cancels a waiting transaction that its caller aborts', async () => {
    const controller = new AbortController();
    const waiting = rejection(
      client.transact(
        DATABASE,
        [
          {
            op: 'wait',
            table: 'Bridge',
            where: [],
            columns: ['name'],
            until: '==',
            rows: [{ name: 'late' }],
          },
          { op: 'insert', table: 'Open_vSwitch', row: { ovs_version: 'cancelled' } },
        ],
        { signal: controller.signal },
      ),
    );
    await client.probe();
    controller.abort();
    assert.equal((await waiting).code, 'OVSDB_ABORTED');
    // Its condition becomes true, and the rest of it is not executed.
    await client.transact(DATABASE, [
      { op: 'insert', table: 'Bridge', row: { name: 'late' }, uuidName: 'b' },
      { op: 'insert', table: 'Open_vSwitch', row: { bridges: { namedUuid: 'b' } } },
    ]);
    const [{ rows }] = await client
      .transact(DATABASE, [
        { op: 'delete', table: 'Open_vSwitch', where: [['ovs_version', '==', 'cancelled']] },
      ])
      .then(() =>
        client.transact(DATABASE, [
          { op: 'select', table: 'Open_vSwitch', where: [], columns: ['ovs_version'] },
        ]),
      );
    assert.deepEqual(
      rows.map((row) => row['ovs_version']),
      [[]],
    );
    await client.transact(DATABASE, [{ op: 'delete', table: 'Open_vSwitch', where: [] }]);
  });

  test('passes a lock from one client to another, and lets it be stolen', async () => {
    const second = await server.connect();
    const [heardFirst, heardSecond]: [boolean[], boolean[]] = [[], []];
    assert.equal(await client.lock('chief', (held) => heardFirst.push(held)), true);
    assert.equal(await second.lock('chief', (held) => heardSecond.push(held)), false);
    await client.transact(DATABASE, [{ op: 'assert', lock: 'chief' }]);
    assert.equal(
      (await rejection(second.transact(DATABASE, [{ op: 'assert', lock: 'chief' }]))).code,
      'OVSDB_TRANSACTION',
    );

    await client.unlock('chief');
    await waitFor(() => second.hasLock('chief'), { what: 'the second client has the lock' });
    await client.steal('chief', (held) => heardFirst.push(held));
    await waitFor(() => !second.hasLock('chief'), { what: 'the second client has lost the lock' });
    await client.transact(DATABASE, [{ op: 'assert', lock: 'chief' }]);

    client.close();
    await waitFor(() => second.hasLock('chief'), { what: 'the lock of a client that is gone is free' });
    assert.deepEqual(heardFirst, [true, true, false]);
    assert.deepEqual(heardSecond, [false, true, false, true]);
    second.close();
    client = await server.connect();
  });
});

describe('a replica of one server', () => {
  let server: Server;
  before(async () => {
    server = await Server.create();
  });
  after(() => server.remove());

  const tables = {
    Open_vSwitch: [
      'bridges',
      'external_ids',
      'datapath_types',
      'ovs_version',
      'next_cfg',
      'dpdk_initialized',
    ],
    Bridge: ['name', 'ipfix', 'external_ids', 'flood_vlans', 'datapath_id'],
    IPFIX: ['targets', 'sampling', 'external_ids'],
  };

  for (const method of Object.values(MonitorMethod)) {
    test(`equals the result of select after each of many changes, with ${method}`, async () => {
      const client = await server.connect();
      const { replica, reports } = record({ tables, methods: [method] });
      await replica.attach(client);
      assert.equal(replica.method, method);
      const schema = await client.getSchema(DATABASE);
      const random = mulberry32(20_261_122);
      let generation = 0;
      for (const operations of changes(random, method)) {
        // One transaction in eight is by OVS's client.
        generation += 1;
        if (generation % 8 === 1) {
          await server.stockTransact(...operations.map((operation) => stockOperation(operation)));
          await client.probe();
        } else {
          await client.transact(DATABASE, operations);
        }
        assert.deepEqual(contentOf(replica.snapshot, tables), await selectAll(client, schema, tables));
      }
      assertChangesLeadTo(reports, tables);
      assert.ok(reports.length > 40, `only ${reports.length} snapshots`);
      client.close();
    });
  }

  test('has the changes of a transaction before the transaction resolves', async () => {
    const client = await server.connect();
    const { replica } = record({ tables });
    await replica.attach(client);
    for (let count = 0; count < 20; count += 1) {
      await client.transact(DATABASE, [
        { op: 'update', table: 'Open_vSwitch', where: [], row: { next_cfg: count } },
      ]);
      const [row] = replica.snapshot?.table('Open_vSwitch').values() ?? [];
      assert.equal(row?.columns['next_cfg'], count);
    }
    client.close();
  });

  test('reports only what changed during a restart of the server', async () => {
    const { replica, reports } = record({ tables });
    let client = await server.connect();
    await replica.attach(client);
    const same = replica.snapshot;
    for (let round = 0; round < 2; round += 1) {
      await server.stop();
      assert.notEqual((await client.ended).by, 'here');
      await server.start();
      client = await server.connect();
      await replica.attach(client);
    }
    assert.equal(reports.length, 1);
    assert.equal(replica.snapshot, same);

    await server.stop();
    await server.start();
    await server.stockTransact({
      op: 'update',
      table: 'Open_vSwitch',
      where: [],
      row: { ovs_version: 'while away' },
    });
    await replica.attach(await server.connect());
    assert.deepEqual(
      reports[1]?.changes.map(({ table, after }) => [table, after?.columns['ovs_version']]),
      [['Open_vSwitch', 'while away']],
    );
    assert.equal(reports.length, 2);
  });

  test('continues over a conversion of the database, and has the new column', async () => {
    const client = await server.connect();
    const { replica, reports } = record({ tables: { ...tables, Bridge: ['name', 'colour', 'shape'] } });
    await replica.attach(client);
    assert.deepEqual(replica.missing(), [
      { table: 'Bridge', column: 'colour' },
      { table: 'Bridge', column: 'shape' },
    ]);
    const bridges = replica.snapshot?.table('Bridge').size ?? 0;
    assert.ok(bridges > 0);

    // Once by this connection, once by OVS's client.
    await client.convert(DATABASE, withColumn(await client.getSchema(DATABASE), 'colour'));
    await waitFor(() => replica.missing().length === 1, { what: 'the first new column is seen' });
    assert.equal(reports.length, 2);
    assert.deepEqual(
      reports[1]?.changes.map(({ table, before, after }) => [
        table,
        before?.columns['colour'],
        after?.columns['colour'],
      ]),
      Array.from({ length: bridges }, () => ['Bridge', undefined, '']),
    );
    const file = join(server.folder, 'shape.ovsschema');
    await writeFile(file, JSON.stringify(withColumn(await client.getSchema(DATABASE), 'shape')));
    await runProgram('ovsdb-client', ['--timeout=5', 'convert', server.endpoint, file]);
    await waitFor(() => replica.missing().length === 0, { what: 'the second new column is seen' });
    await client.transact(DATABASE, [
      { op: 'update', table: 'Bridge', where: [], row: { colour: 'blue', shape: 'round' } },
    ]);
    for (const { columns } of replica.snapshot?.table('Bridge').values() ?? []) {
      assert.deepEqual([columns['colour'], columns['shape']], ['blue', 'round']);
    }
    assert.equal(client.end, undefined);
    client.close();
  });

  test('does not report a conversion without effect on its columns', async () => {
    const client = await server.connect();
    const { replica, reports } = record({ tables });
    await replica.attach(client);
    const before = client.receivedBytes;
    await client.convert(DATABASE, withColumn(await client.getSchema(DATABASE), 'unwatched'));
    await waitFor(() => replica.schema?.tables.get('Bridge')?.columns.has('unwatched'), {
      what: 'the replica has read the schema again',
    });
    await client.transact(DATABASE, [
      { op: 'update', table: 'Open_vSwitch', where: [], row: { ovs_version: 'converted' } },
    ]);
    assert.ok(client.receivedBytes > before);
    assert.equal(reports.length, 2);
    assert.deepEqual(
      reports[1]?.changes.map(({ after }) => after?.columns['ovs_version']),
      ['converted'],
    );
    client.close();
  });

  test('answers the probes of the server, which closes other connections', async () => {
    const writer = await server.connect();
    const schema = await writer.getSchema(DATABASE);
    await writer.transact(DATABASE, [
      {
        op: 'insert',
        table: 'Manager',
        uuidName: 'm',
        row: { target: 'ptcp:0:127.0.0.1', inactivity_probe: 1000 },
      },
      { op: 'update', table: 'Open_vSwitch', where: [], row: { manager_options: { namedUuid: 'm' } } },
    ]);
    const port = await waitFor(
      async () => {
        const [{ rows }] = await writer.transact(
          DATABASE,
          [{ op: 'select', table: 'Manager', where: [], columns: ['status'] }],
          { schema },
        );
        const status = rows[0]?.['status'];
        return status instanceof Map ? Number(status.get('bound_port') ?? 0) || undefined : undefined;
      },
      { what: 'the server reports its port', timeoutMs: 10_000 },
    );
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new OvsdbClient(socket);
    // Two probes: after one without an answer, the server would have closed the connection.
    const probeBytes = await waitFor(() => client.receivedBytes || undefined, { what: 'the first probe' });
    await waitFor(() => client.receivedBytes >= 2 * probeBytes, { what: 'the second probe' });
    assert.equal(client.end, undefined);
    client.close();
    writer.close();
  });

  test('a client that is not aware of changes is closed by a conversion', async () => {
    const [client, converter] = [await server.connect(), await server.connect()];
    await client.monitor({
      database: DATABASE,
      method: 'monitor',
      tables: { Bridge: {} },
      onUpdate: () => {},
    });
    await converter.convert(DATABASE, withColumn(await converter.getSchema(DATABASE), 'another'));
    assert.equal((await client.ended).by, 'server');
    converter.close();
  });

  test('closes its client when the database is removed', async () => {
    const client = await server.connect();
    const { replica } = record({ tables });
    await replica.attach(client);
    await runProgram('ovs-appctl', ['-t', join(server.folder, 'ctl'), 'ovsdb-server/remove-db', DATABASE]);
    const { by, error } = await client.ended;
    assert.equal(by, 'here');
    assert.ok(error instanceof OvsdbError);
    assert.equal(error.code, 'OVSDB_REPLICA');
    await server.stop();
    await server.start();
  });
});

describe('a replica of a clustered server', () => {
  let server: Server;
  before(async () => {
    server = await Server.create('clustered');
  });
  after(() => server.remove());

  test('continues from the last transaction after a reconnect', async () => {
    const tables = { Open_vSwitch: ['ovs_version'], Queue: ['external_ids'] };
    const { replica, reports } = record({ tables });
    const first = await server.connect();
    await replica.attach(first);
    // The server keeps a history only if it is smaller than the database, so the database gets more rows first.
    const ballast = Array.from({ length: 2000 }, (_, number): [string, string] => [`key${number}`, 'value']);
    await first.transact(DATABASE, [
      { op: 'insert', table: 'Queue', row: { external_ids: new Map(ballast) } },
    ]);
    await first.transact(DATABASE, [{ op: 'insert', table: 'Open_vSwitch', row: { ovs_version: '1' } }]);
    first.close();
    await server.stockTransact({ op: 'update', table: 'Open_vSwitch', where: [], row: { ovs_version: '2' } });
    const second = await server.connect();
    const schemaBytes = await second.getSchema(DATABASE).then(() => second.receivedBytes);
    await replica.attach(second);
    assert.ok(second.receivedBytes < 2 * schemaBytes + 1000, 'only the difference was sent');
    assert.deepEqual(
      contentOf(replica.snapshot, tables),
      await selectAll(second, await second.getSchema(DATABASE), tables),
    );
    assert.deepEqual(
      reports
        .at(-1)
        ?.changes.map(({ before, after }) => [before?.columns['ovs_version'], after?.columns['ovs_version']]),
      [['1', '2']],
    );
  });
});

function insertIpfix(row: WritableRow): Operation {
  return { op: 'insert', table: 'IPFIX', row };
}

type Content = Record<string, Record<string, Record<string, Value>>>;

function contentOf(
  snapshot: Snapshot | undefined,
  tables: Readonly<Record<string, readonly string[]>>,
): Content {
  return Object.fromEntries(
    Object.keys(tables).map((table) => [
      table,
      Object.fromEntries(
        Array.from(snapshot?.table(table).values() ?? [], ({ uuid, columns }) => [uuid, columns]),
      ),
    ]),
  );
}

/** Returns the same by select, without a monitor. */
async function selectAll(
  client: OvsdbClient,
  schema: DatabaseSchema,
  tables: Readonly<Record<string, readonly string[]>>,
): Promise<Content> {
  const content: Content = {};
  for (const [table, columns] of Object.entries(tables)) {
    const [{ rows }] = await client.transact(
      DATABASE,
      [{ op: 'select', table, where: [], columns: ['_uuid', ...columns] }],
      { schema },
    );
    content[table] = Object.fromEntries(
      rows.map(({ _uuid, ...values }) => [
        typeof _uuid === 'object' && 'uuid' in _uuid ? _uuid.uuid : '',
        values,
      ]),
    );
  }
  return content;
}

/** Applies all reported changes to an empty content, and compares with each snapshot. */
function assertChangesLeadTo(
  reports: readonly { snapshot: Snapshot; changes: readonly RowChange[] }[],
  tables: Readonly<Record<string, readonly string[]>>,
): void {
  const content: Content = Object.fromEntries(Object.keys(tables).map((table) => [table, {}]));
  for (const { snapshot, changes } of reports) {
    for (const { table, uuid, before, after } of changes) {
      const rows = content[table] ?? {};
      assert.deepEqual(rows[uuid], before?.columns);
      delete rows[uuid];
      if (after !== undefined) {
        rows[uuid] = after.columns;
      }
    }
    assert.deepEqual(contentOf(snapshot, tables), content);
  }
}

/** Yields eighty transactions on every kind of column: optional, set, map, reference, rows inserted and deleted. */
function* changes(random: () => number, prefix: string): Generator<Operation[]> {
  const pick = (count: number): number => Math.floor(random() * count);
  const numbers = (): number[] =>
    Array.from({ length: 6 }, (_, number) => number).filter(() => random() < 0.5);
  const map = (): Map<string, string> =>
    new Map(numbers().map((number) => [`key${number}`, `value${pick(3)}`]));
  yield [{ op: 'delete', table: 'Open_vSwitch', where: [] }];
  yield [{ op: 'insert', table: 'Open_vSwitch', row: {} }];
  for (let step = 0; step < 78; step += 1) {
    const name = `${prefix}-${pick(6)}`;
    const kinds: Operation[][] = [
      [
        {
          op: 'update',
          table: 'Open_vSwitch',
          where: [],
          row: { ovs_version: pick(2) === 0 ? undefined : `v${pick(3)}`, external_ids: map() },
        },
      ],
      [
        {
          op: 'update',
          table: 'Open_vSwitch',
          where: [],
          row: { datapath_types: numbers().map(String), dpdk_initialized: pick(2) === 0 },
        },
      ],
      [
        {
          op: 'mutate',
          table: 'Open_vSwitch',
          where: [],
          mutations: [
            ['next_cfg', '+=', 1],
            ['external_ids', 'insert', map()],
          ],
        },
      ],
      [
        {
          op: 'insert',
          table: 'IPFIX',
          uuidName: 'i',
          row: { targets: numbers().map((number) => `192.0.2.${number}:4739`) },
        },
        {
          op: 'insert',
          table: 'Bridge',
          uuidName: 'b',
          row: { name: `${prefix}-new-${step}`, ipfix: { namedUuid: 'i' }, flood_vlans: numbers() },
        },
        {
          op: 'mutate',
          table: 'Open_vSwitch',
          where: [],
          mutations: [['bridges', 'insert', [{ namedUuid: 'b' }]]],
        },
      ],
      [
        {
          op: 'update',
          table: 'Bridge',
          where: [['name', '!=', name]],
          row: {
            flood_vlans: numbers(),
            external_ids: map(),
            datapath_id: pick(2) === 0 ? undefined : `${pick(3)}`,
          },
        },
      ],
      [{ op: 'update', table: 'Bridge', where: [], row: { ipfix: undefined } }],
      [
        {
          op: 'update',
          table: 'IPFIX',
          where: [],
          row: { sampling: pick(2) === 0 ? undefined : 1 + pick(5), external_ids: map() },
        },
      ],
      ...(step % 10 === 9
        ? [[{ op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: [] } } as const]]
        : []),
    ];
    const operations = kinds[step % 10 === 9 ? kinds.length - 1 : pick(kinds.length)];
    if (operations !== undefined) {
      yield operations;
    }
  }
}

/** Encodes an operation for OVS's client, independently of the library's encoder. */
function stockOperation(operation: Operation): object {
  const text = JSON.stringify(operation, (_key, value: unknown): unknown => {
    if (value instanceof Map) {
      return ['map', [...value]];
    }
    return typeof value === 'object' && value !== null && 'namedUuid' in value
      ? ['named-uuid', value.namedUuid]
      : value;
  });
  const json = JSON.parse(text) as Record<string, unknown>;
  const { uuidName, row, ...rest } = json;
  const written = operation.op === 'insert' || operation.op === 'update' ? Object.keys(operation.row) : [];
  const columns = written.map((column): [string, unknown] => {
    const value = (row as Record<string, unknown>)[column];
    const isPlainSet = Array.isArray(value) && value[0] !== 'map' && value[0] !== 'named-uuid';
    return [column, value === undefined ? ['set', []] : isPlainSet ? ['set', value] : value];
  });
  const mutations = (rest['mutations'] as [string, string, unknown][] | undefined)?.map(
    ([column, mutator, value]) => [column, mutator, column === 'bridges' ? ['set', value] : value],
  );
  return {
    ...rest,
    ...(row === undefined ? {} : { row: Object.fromEntries(columns) }),
    ...(mutations === undefined ? {} : { mutations }),
    ...(uuidName === undefined ? {} : { 'uuid-name': uuidName }),
  };
}

/** Returns a random generator with a seed, so that a failure can be reproduced. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
