// Live databases that `migrate` cannot convert: each is named, nothing is written, and the commands of the advice work.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { convertDatabase } from '../../src/schema/live-migration.ts';
import { MigrationError } from '../../src/schema/migration-error.ts';
import { ConvertProxy, type Verdict } from '../support/convert-proxy.ts';
import { DatabaseServer, type DatabaseServerOptions, OLD_SCHEMA_FILE } from '../support/database-server.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { unlessDiffers } from '../versions/differences.ts';

const NEEDS = tier('ovs', 'daemon');
/** The schema of a database with the remotes of ovsdb-server, their roles and whether they are read-only. */
const REMOTES_SCHEMA_FILE = join(import.meta.dirname, '..', 'vectors', 'remotes.ovsschema');

async function create(t: TestContext, options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const server = await DatabaseServer.create(options);
  t.after(() => server.remove());
  return server;
}

/** Migrates by that method; checks that it fails and that file and schema are unchanged. Returns the advice. */
async function refused(
  server: DatabaseServer,
  method: string,
  ...others: readonly DatabaseServer[]
): Promise<string> {
  const servers = [server, ...others];
  const look = () =>
    Promise.all(servers.map(async (each) => [await readFile(each.file), await each.schema()]));
  const before = await look();
  const { exitCode, stderr } = await server.migrate(method);
  assert.equal(exitCode, 1);
  assert.deepEqual(await look(), before);
  return stderr;
}

/** Returns the commands of an advice: its indented lines. */
function commandsIn(advice: string): string[] {
  return advice
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim());
}

async function hasColumns(server: DatabaseServer): Promise<boolean> {
  const { columns } = (await server.schema()).tables['IPFIX'] ?? {};
  return columns !== undefined && 'cache_max_flows' in columns && 'cache_active_timeout' in columns;
}

async function proxy(t: TestContext, server: DatabaseServer, verdicts: Readonly<Record<string, Verdict>>) {
  const path = join(server.folder, 'proxy.sock');
  const started = await ConvertProxy.start(path, server.socketPath, (method) => verdicts[method] ?? 'pass');
  t.after(() => started.stop());
  return { proxy: started, method: `unix:${path}` };
}

test(
  'a server without convert: the commands of the advice convert the file, and rows are kept',
  NEEDS,
  async (t) => {
    const server = await create(t);
    await server.transact({ op: 'insert', table: 'Queue', row: { dscp: 7 } });
    // As ovsdb-server before 2.9: no database _Server, no conversions.
    const unknown = { error: 'unknown method' };
    const { method } = await proxy(t, server, {
      list_dbs: { result: ['Open_vSwitch'] },
      set_db_change_aware: unknown,
      convert: unknown,
    });
    const content = await server.content();
    const advice = await refused(server, method);
    assert.match(advice, /cannot convert a database while it runs.*Nothing was changed\./u);
    const commands = commandsIn(advice);
    assert.deepEqual(
      commands.map((command) => command.split(' ').slice(0, 2).join(' ')),
      ['ovsdb-client get-schema', 'ovs-ipfix migrate', 'ovs-appctl -t', 'ovsdb-tool convert'],
    );
    // The server needs a moment to end, as between two commands of a person.
    const settled = commands.flatMap((command) =>
      command.startsWith('ovs-appctl')
        ? [command, 'while [ -e ovsdb-server.pid ]; do sleep 0.01; done']
        : [command],
    );
    const { exitCode, stderr } = await server.shell(['set -e', ...settled].join('\n'));
    assert.equal(exitCode, 0, stderr);
    await server.start();
    assert.ok(await hasColumns(server));
    assert.deepEqual(await server.content(), content);
  },
);

test('a clustered database: the commands of the advice convert it', NEEDS, async (t) => {
  const server = await create(t, { isClustered: true });
  await waitFor(() => server.content(), { what: 'the cluster has a leader' });
  const advice = await refused(server, server.method);
  assert.match(advice, /is a clustered database/u);
  const { exitCode, stderr } = await server.shell(['set -e', ...commandsIn(advice)].join('\n'));
  assert.equal(exitCode, 0, stderr);
  assert.ok(await hasColumns(server));
});

test('a relay is not converted, and neither is its source', unlessDiffers(NEEDS, 'relay'), async (t) => {
  const source = await create(t);
  const relay = await create(t, { arguments: [`relay:Open_vSwitch:${source.method}`] });
  await waitFor(() => relay.content(), { what: 'the relay has the content' });
  assert.match(await refused(relay, relay.method, source), /is a relay of another server/u);
});

test('a backup server is not converted, and neither is the active one', NEEDS, async (t) => {
  const active = await create(t);
  // OVS_DBDIR is the backup's folder, which has its conf.db.
  const backup = await create(t, { arguments: ['conf.db', `--sync-from=${active.method}`] });
  const advice = await refused(backup, backup.method, active);
  assert.match(advice, /is read-only over this connection \(.*read only mode\)\. Nothing was changed\./u);
  assert.ok(commandsIn(advice).includes('ovs-appctl -t ovsdb-server ovsdb-server/sync-status'));
});

/** Makes a server with remotes that have a role or are read-only, configured in a database. */
async function withRemote(t: TestContext, remote: { read_only: boolean; role: string }) {
  const server = await create(t, {
    arguments: ['conf.db', 'remotes.db', '--remote=db:Remotes,Config,connections'],
    extraDatabase: { file: 'remotes.db', schemaFile: REMOTES_SCHEMA_FILE },
  });
  const path = join(server.folder, 'remote.sock');
  const operations = [
    'Remotes',
    { op: 'insert', table: 'Connection', 'uuid-name': 'c', row: { target: `punix:${path}`, ...remote } },
    { op: 'insert', table: 'Config', row: { connections: ['named-uuid', 'c'] } },
  ];
  await server.run('ovsdb-client', 'transact', server.method, JSON.stringify(operations));
  await waitFor(
    async () => {
      (await server.connect(path)).close();
      return true;
    },
    { what: 'the remote is there' },
  );
  return { server, method: `unix:${path}` };
}

test('a read-only remote is refused, although ovsdb-server would convert', NEEDS, async (t) => {
  const { server, method } = await withRemote(t, { read_only: true, role: '' });
  const advice = await refused(server, method);
  assert.match(advice, /is read-only over this connection/u);
  assert.ok(commandsIn(advice).includes(`ovs-ipfix migrate ${server.method}`));
  // It may read the schema, though.
  assert.equal((await server.migrate('--check', method)).exitCode, 3);
});

test('a remote with a role: the local socket of the advice can convert', NEEDS, async (t) => {
  const { server, method } = await withRemote(t, { read_only: false, role: 'ovn-controller' });
  const advice = await refused(server, method);
  assert.match(advice, /role of this connection may not convert.*Nothing was changed/u);
  const [migrate] = commandsIn(advice);
  assert.equal(migrate, `ovs-ipfix migrate ${server.method}`);
  assert.equal((await server.shell(migrate)).exitCode, 0);
  assert.ok(await hasColumns(server));
});

test('a server of other databases is refused with their names', NEEDS, async (t) => {
  const server = await create(t, { schemaFile: REMOTES_SCHEMA_FILE });
  const before = await readFile(server.file);
  for (const args of [[server.method], ['--check', server.method]]) {
    const { exitCode, stderr } = await server.migrate(...args);
    assert.equal(exitCode, 1);
    assert.match(stderr, /has no database Open_vSwitch; it has .*Remotes[\s\S]*ovsdb-client list-dbs/u);
  }
  assert.deepEqual(await readFile(server.file), before);
});

/** Makes a database of the old schema with a text replaced. */
async function editedSchema(t: TestContext, from: string, to: string): Promise<DatabaseServer> {
  const folder = (await create(t)).folder;
  const text = await readFile(OLD_SCHEMA_FILE, 'utf8');
  assert.ok(text.includes(from));
  const schemaFile = join(folder, 'edited.ovsschema');
  await writeFile(schemaFile, text.replace(from, to));
  return create(t, { schemaFile });
}

test('a live column of another type is refused by name', NEEDS, async (t) => {
  const server = await editedSchema(
    t,
    '"obs_point_id": {',
    '"cache_max_flows": {"type": "string"},\n"obs_point_id": {',
  );
  assert.match(
    await refused(server, server.method),
    /IPFIX\.cache_max_flows of another type: string instead of/u,
  );
  assert.equal((await server.migrate('--check')).exitCode, 1);
});

test('a limit that JavaScript would round is not written rounded', NEEDS, async (t) => {
  const server = await editedSchema(
    t,
    '"obs_point_id": {',
    '"big": {"type": {"key": {"type": "integer", "maxInteger": 9007199254740993}}},\n"obs_point_id": {',
  );
  assert.match(
    await refused(server, server.method),
    /tables\.IPFIX\.columns\.big\.type\.key\.maxInteger is beyond 2\^53/u,
  );
});

test('any other error of the server is printed', NEEDS, async (t) => {
  const server = await create(t);
  const { method } = await proxy(t, server, {
    convert: { error: { error: 'I/O error', details: 'no space left on device' } },
  });
  assert.match(await refused(server, method), /refused to convert the database \(no space left on device\)/u);
});

test('a server that reports a conversion without doing it is detected', NEEDS, async (t) => {
  const server = await create(t);
  const { method } = await proxy(t, server, { convert: { result: {} } });
  assert.match(
    await refused(server, method),
    /reported that the database is converted, but it still lacks cache_active/u,
  );
});

test('a connection that ends before the reply is reported as an unknown outcome', NEEDS, async (t) => {
  const server = await create(t);
  const { method } = await proxy(t, server, { convert: 'hang-up' });
  const advice = await refused(server, method);
  assert.match(advice, /it is unknown whether the server has converted the database/u);
  assert.deepEqual(commandsIn(advice), [`ovs-ipfix migrate --check ${method}`]);
});

test('a server that does not answer ends in a timeout', NEEDS, async (t) => {
  const server = await create(t);
  const { proxy: between, method } = await proxy(t, server, { convert: 'silence' });
  const client = await server.connect(between.path);
  const abort = new AbortController();
  const done = convertDatabase({ client, method, signal: abort.signal });
  const rejection = assert.rejects(
    done,
    (error: unknown) => error instanceof MigrationError && error.code === 'CONVERSION_UNKNOWN',
  );
  await waitFor(() => between.methods.includes('convert'), { what: 'it was asked to convert' });
  abort.abort();
  await rejection;
  client.close();
});

test('a missing server is reported', NEEDS, async (t) => {
  const server = await create(t);
  const { exitCode, stderr } = await server.migrate(`unix:${join(server.folder, 'no.sock')}`);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^ovs-ipfix: The database could not be reached\. Cannot connect to unix:.*no\.sock/u);
});
