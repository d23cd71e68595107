// `ovs-ipfix migrate` on live databases: rows are kept, clients stay connected or reconnect, and the daemon uses the new
// columns.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DatabaseServer, type SchemaJson } from '../support/database-server.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { startOvs } from '../support/ovs.ts';
import { BackgroundProgram, runForOutput } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const frame = ethernet(
  {},
  ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source: 1, destination: 2 })),
);
/** Returns a column as the server writes it, without defaults. */
const integer = (max: number) => ({
  type: { key: { type: 'integer', minInteger: 0, maxInteger: max }, min: 0 },
});
const ADDED = { cache_active_timeout: integer(4200), cache_max_flows: integer(4_294_967_295) };

async function oldDatabase(t: TestContext): Promise<DatabaseServer> {
  const server = await DatabaseServer.create();
  t.after(() => server.remove());
  return server;
}

/** Adds rows with columns of many types: references, maps, sets, optional values, and defaults. */
async function addRows(server: DatabaseServer): Promise<void> {
  const vsctl = ['--no-wait', `--db=${server.method}`];
  const ipfix = (id: string, domain: number) =>
    `--id=@${id} create IPFIX targets="192.0.2.1:4739","192.0.2.2:4739" obs_domain_id=${domain} external_ids:a=b`.split(
      ' ',
    );
  await server.run('ovs-vsctl', ...vsctl, 'init');
  await server.run('ovs-vsctl', ...vsctl, 'add-br', 'br0', '--', 'add-port', 'br0', 'p1', 'tag=7');
  await server.run('ovs-vsctl', ...vsctl, '--', 'set', 'Bridge', 'br0', 'ipfix=@i', '--', ...ipfix('i', 5));
  const ofBridge = [...vsctl, '--', '--id=@b', 'get', 'Bridge', 'br0', '--', ...ipfix('j', 4_294_967_295)];
  const set = ['--', 'create', 'Flow_Sample_Collector_Set', 'id=4', 'bridge=@b', 'ipfix=@j'];
  await server.run('ovs-vsctl', ...ofBridge, ...set);
  // An ephemeral column.
  await server.transact({
    op: 'update',
    table: 'Interface',
    where: [['name', '==', 'p1']],
    row: { statistics: ['map', [['rx_packets', 9_007_199_254_740_991]]], link_state: 'up' },
  });
}

function withColumns(schema: SchemaJson): SchemaJson {
  const result = structuredClone(schema);
  Object.assign(result.tables['IPFIX']?.columns ?? {}, ADDED);
  return result;
}

test(
  'a live database gets the columns, and keeps each row, uuid and value',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await oldDatabase(t);
    await addRows(server);
    const schema = await server.schema();
    const content = await server.content();
    assert.equal(Object.keys(content['IPFIX'] ?? {}).length, 2);

    const { exitCode, stdout, stderr } = await server.migrate(server.method);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
    assert.match(
      stdout,
      /lacks cache_active_timeout and cache_max_flows\.\nConverting, with 2 rows in table IPFIX/u,
    );
    assert.match(stdout, /Converted and read back: 2 rows in table IPFIX/u);

    assert.deepEqual(await server.schema(), withColumns(schema));
    for (const row of Object.values(content['IPFIX'] ?? {})) {
      Object.assign(row, { cache_active_timeout: ['set', []], cache_max_flows: ['set', []] });
    }
    assert.deepEqual(await server.content(), content);
    // The file has what the server replied.
    await server.end('SIGKILL');
    await server.start();
    assert.deepEqual(await server.schema(), withColumns(schema));
  },
);

test(
  '--check returns the state by its exit code, and a second migration changes nothing',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await oldDatabase(t);
    const schema = await server.schema();
    const lacks = await server.migrate('--check', server.method);
    assert.equal(lacks.exitCode, 3);
    assert.match(
      lacks.stdout,
      /\(schema version 7\.3\.0\): table IPFIX lacks cache_active_timeout and cache_max_flows\.\n$/u,
    );
    assert.deepEqual(await server.schema(), schema);

    // The default is the socket in OVS_RUNDIR; of several methods of --db the first that answers is used.
    assert.equal((await server.migrate()).exitCode, 0);
    const has = await server.migrate(
      '--check',
      '--db',
      `unix:${join(server.folder, 'no.sock')},${server.method}`,
    );
    assert.equal(has.exitCode, 0);
    assert.match(has.stdout, /table IPFIX has cache_active_timeout and cache_max_flows\.\n$/u);
    const again = await server.migrate();
    assert.equal(again.exitCode, 0);
    assert.match(again.stdout, /: nothing to do\.\n$/u);
    assert.deepEqual(await server.schema(), withColumns(schema));
  },
);

test(
  'a database with one of the columns gets the other, and the value is kept',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await oldDatabase(t);
    const schema = await server.schema();
    const half = structuredClone(schema);
    Object.assign(half.tables['IPFIX']?.columns ?? {}, { cache_max_flows: ADDED.cache_max_flows });
    const client = await server.connect();
    await client.convert('Open_vSwitch', half);
    client.close();
    await addRows(server);
    await server.transact({ op: 'update', table: 'IPFIX', where: [], row: { cache_max_flows: 13 } });
    const { stdout } = await server.migrate();
    assert.match(stdout, /lacks cache_active_timeout\.\n/u);
    assert.deepEqual(await server.schema(), withColumns(schema));
    for (const row of Object.values((await server.content())['IPFIX'] ?? {})) {
      assert.deepEqual([row['cache_max_flows'], row['cache_active_timeout']], [13, ['set', []]]);
    }
  },
);

test(
  'a daemon beside a 7.3.0 database uses the columns when they are added, without a restart',
  tier('ovs', 'daemon'),
  async (t) => {
    const server = await oldDatabase(t);
    const sink = await FlowRecordSink.open();
    // A current ovs-vswitchd forwards with such a database, although it cannot write all of its status there.
    const vswitchd = await BackgroundProgram.start(
      'ovs-vswitchd',
      [
        server.method,
        '--enable-dummy=override',
        '--disable-system',
        '--pidfile',
        '-vconsole:off',
        '-vsyslog:off',
      ],
      { environment: server.environment },
    );
    const vsctl = (...args: string[]) =>
      server.run('ovs-vsctl', '--no-wait', `--db=${server.method}`, ...args);
    await vsctl('init');
    await vsctl('add-br', 'br0', '--', 'set', 'Bridge', 'br0', 'datapath_type=dummy');
    await vsctl('add-port', 'br0', 'p1', '--', 'set', 'Interface', 'p1', 'type=dummy');
    await vsctl(
      '--',
      'set',
      'Bridge',
      'br0',
      'ipfix=@i',
      '--',
      '--id=@i',
      'create',
      'IPFIX',
      `targets="${sink.target}"`,
      'sampling=1',
    );
    const daemon = await BackgroundProgram.start(process.execPath, [DAEMON_FILE, 'run'], {
      environment: server.environment,
    });
    t.after(async () => {
      await daemon.stop('SIGKILL');
      await vswitchd.stop();
      await sink.close();
    });
    const appctl = (...args: string[]) => server.run('ovs-appctl', '--timeout=5', ...args);
    const control = join(server.folder, `ovs-ipfix.${daemon.pid}.ctl`);
    const isReady = () =>
      waitFor(() => appctl('-t', control, 'ready'), { what: 'the daemon is ready', timeoutMs: 15_000 });
    const inject = () =>
      waitFor(async () => (await appctl('netdev-dummy/receive', 'p1', frame.toString('hex'))) !== undefined, {
        what: 'the port is there',
      });
    await isReady();
    // Caching is off: each packet is a record. It is logged once.
    await inject();
    await inject();
    assert.deepEqual(
      (await sink.waitForRecords(2)).map(({ fields }) => fields['packetDeltaCount']),
      [1, 1],
    );
    assert.equal(daemon.stderr.split('no-cache-columns').length - 1, 1, daemon.stderr);
    assert.match(daemon.stderr, /Add them with "ovs-ipfix migrate"/u);

    const monitor = await BackgroundProgram.start('ovsdb-client', [
      'monitor',
      server.method,
      'Open_vSwitch',
      'IPFIX',
    ]);
    await waitFor(() => monitor.stdout.includes('initial'), { what: 'the monitor runs' });
    assert.equal((await server.migrate()).exitCode, 0);
    // ovsdb-client monitors one schema and ends with it; the daemon and vswitchd continue.
    assert.equal((await monitor.exited).exitCode, 1);
    assert.match(monitor.stderr, /Open_vSwitch database was removed/u);
    await server.transact({
      op: 'update',
      table: 'IPFIX',
      where: [],
      row: { cache_active_timeout: 60, cache_max_flows: 100 },
    });
    const exporter = async () =>
      JSON.parse(await appctl('-t', control, 'status', 'json')).bridges[0].sampling.exporter as {
        samples: number;
        options: { activeTimeoutSeconds: number };
      };
    await waitFor(async () => (await exporter()).options.activeTimeoutSeconds === 60, {
      what: 'the columns are used',
      timeoutMs: 15_000,
    });
    await isReady();
    assert.ok(!(await appctl('-t', control, 'status')).includes('no-cache-columns'));
    const before = (await exporter()).samples;
    await inject();
    await inject();
    await waitFor(async () => (await exporter()).samples === before + 2, { what: 'both are sampled' });
    assert.equal(sink.records.length, 2);
    assert.equal((await daemon.stop()).exitCode, 0);
    const records = await sink.waitForRecords(3);
    assert.deepEqual(
      records.slice(2).map(({ fields }) => fields['packetDeltaCount']),
      [2],
    );
    assert.equal(vswitchd.exit, undefined);
    // A row of 7.3.0 must have a target, so an adopted one has an empty target; now it is restored.
    const [rows] = await server.transact({ op: 'select', table: 'IPFIX', where: [], columns: ['targets'] });
    assert.deepEqual(rows, { rows: [{ targets: sink.target }] });
  },
);

test(
  'a running switch keeps its flows and its connection, and the connections of old clients are closed',
  tier('ovs', 'daemon'),
  async (t) => {
    const ovs = await startOvs({ cacheColumns: false });
    t.after(() => ovs.stop());
    await ovs.addBridge('br0', { failMode: 'secure' });
    await ovs.addDummyPort('br0', 'p1');
    await ovs.addDummyPort('br0', 'p2');
    await ovs.ofctl('add-flow', 'br0', 'cookie=0x99,in_port=p1,actions=output:p2');
    const vswitchd = ovs.vswitchdPid;
    // A client without set_db_change_aware.
    const client = await BackgroundProgram.start('ovsdb-client', ['lock', ovs.dbEndpoint, 'x']);
    await waitFor(() => client.stdout.includes('locked'), { what: 'the old client has its lock' });
    ovs.allowWarnings(/\|WARN\|/u);
    const { stdout } = await runForOutput(process.execPath, [DAEMON_FILE, 'migrate'], {
      environment: ovs.environment,
    });
    assert.match(stdout, /Converted and read back/u);
    await waitFor(() => client.exit, { what: 'the old client is hung up on' });
    // ovs-vsctl waits for vswitchd, which has then seen the new database.
    await ovs.vsctl('add-port', 'br0', 'p3', '--', 'set', 'Interface', 'p3', 'type=dummy');
    await ovs.inject('p1', frame, frame);
    await waitFor(async () => /cookie=0x99,.* n_packets=2,/u.test(await ovs.ofctl('dump-flows', 'br0')), {
      what: 'the flow is there and counts',
    });
    assert.equal(ovs.vswitchdPid, vswitchd);
  },
);
