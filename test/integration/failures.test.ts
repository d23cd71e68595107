// Failures that the daemon must survive: servers that restart, bridges that are deleted and recreated, and stale state.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, type OvsOptions, startOvs } from '../support/ovs.ts';
import { waitFor } from '../support/wait.ts';

const frame = ethernet(
  {},
  ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source: 1, destination: 2 })),
);

/** Starts an OVS with a sampled bridge whose active timeout is a minute, a collector, and the daemon. */
async function setUp(t: { after: (fn: () => Promise<void>) => void }, options: OvsOptions = {}) {
  const ovs = await startOvs(options);
  const sink = await FlowRecordSink.open();
  await addSampledBridge(ovs, sink, 'br0');
  const daemon = await startDaemon(ovs);
  t.after(() =>
    endInOrder(
      () => daemon.kill(),
      () => sink.close(),
      () => ovs.stop(),
    ),
  );
  return { ovs, sink, daemon };
}

async function addSampledBridge(ovs: Ovs, sink: FlowRecordSink, name: string): Promise<void> {
  await ovs.addBridge(name);
  await ovs.addDummyPort(name, `${name}-1`);
  const columns = { sampling: 1, cache_active_timeout: 60, cache_max_flows: 100 };
  await createIpfixRow(ovs, name, [sink.target], columns);
}

async function exporterOf(daemon: Daemon, bridge = 'br0') {
  const status = JSON.parse(await daemon.appctl('status', 'json'));
  return status.bridges.find((each: { bridge: string }) => each.bridge === bridge)?.sampling?.exporter;
}

test('flows expire while ovsdb-server is down, and sampling continues after its return', async (t) => {
  const { ovs, sink, daemon } = await setUp(t);
  const row = (await ovs.vsctl('get', 'Bridge', 'br0', 'ipfix')).trim();
  await ovs.vsctl('set', 'IPFIX', row, 'cache_active_timeout=1');
  await ovs.inject('br0-1', frame, frame);
  await ovs.killOvsdbServer('SIGTERM');
  await waitFor(async () => (await daemon.appctl('ready').catch(String)).includes('not in sync'), {
    what: 'ready is false',
  });
  const [expired] = await sink.waitForPackets(2);
  assert.equal(expired?.fields['flowEndReason'], 2);
  // vswitchd without its database forwards, but serves no OpenFlow connection: queued packet-ins arrive after the return.
  await ovs.inject('br0-1', frame);
  await ovs.startOvsdbServer();
  await daemon.waitForReady(15_000);
  await ovs.inject('br0-1', frame);
  await sink.waitForPackets(4);
  assert.ok(sink.records.every(({ fields }) => fields['flowEndReason'] === 2));
  await daemon.stop();
});

test('exporters continue over a conversion of the database', async (t) => {
  const { ovs, sink, daemon } = await setUp(t);
  ovs.allowWarnings(/\|WARN\|/u);
  await ovs.inject('br0-1', frame);
  await ovs.run('ovsdb-client', 'convert', ovs.dbEndpoint, `${ovs.rundir}/vswitch.ovsschema`);
  await daemon.waitForReady(15_000);
  await ovs.inject('br0-1', frame);
  await waitFor(async () => (await exporterOf(daemon))?.samples === 2, {
    what: 'the second sample has come',
  });
  assert.equal(sink.records.length, 0);
  await daemon.stop();
  await sink.waitForPackets(2);
});

test('columns added by a conversion are used without a restart', async (t) => {
  const { ovs, daemon } = await setUpWithoutColumns(t);
  assert.match(await daemon.appctl('status'), /no-cache-columns/u);
  const schema = JSON.parse(await ovs.run('ovsdb-client', 'get-schema', ovs.dbEndpoint));
  const type = { key: { type: 'integer', minInteger: 0, maxInteger: 4200 }, min: 0, max: 1 };
  Object.assign(schema.tables.IPFIX.columns, { cache_active_timeout: { type }, cache_max_flows: { type } });
  ovs.allowWarnings(/\|WARN\|/u);
  await ovs.run(
    'sh',
    '-c',
    `printf %s '${JSON.stringify(schema)}' > ${ovs.rundir}/new && ovsdb-client convert ${ovs.dbEndpoint} ${ovs.rundir}/new`,
  );
  await waitFor(async () => !(await daemon.appctl('status')).includes('no-cache-columns'), {
    what: 'the columns are noticed',
    timeoutMs: 15_000,
  });
  await ovs.transact({
    op: 'update',
    table: 'IPFIX',
    where: [],
    row: { cache_active_timeout: 9, cache_max_flows: 9 },
  });
  await waitFor(async () => (await exporterOf(daemon))?.options.activeTimeoutSeconds === 9, {
    what: 'the columns are used',
  });
  await daemon.stop();
});

async function setUpWithoutColumns(t: { after: (fn: () => Promise<void>) => void }) {
  const ovs = await startOvs({ cacheColumns: false });
  await ovs.addBridge('br0');
  await createIpfixRow(ovs, 'br0', ['127.0.0.1:9']);
  const daemon = await startDaemon(ovs);
  t.after(() =>
    endInOrder(
      () => daemon.kill(),
      () => ovs.stop(),
    ),
  );
  return { ovs, daemon };
}

test('the cache is kept over a restart of vswitchd, and hook and samples return', async (t) => {
  const { ovs, sink, daemon } = await setUp(t);
  await ovs.inject('br0-1', frame);
  await waitFor(async () => (await exporterOf(daemon))?.samples === 1, { what: 'the first sample has come' });
  await ovs.killVswitchd('SIGKILL');
  await waitFor(async () => (await daemon.appctl('ready').catch(String)).includes('not hooked'), {
    what: 'ready is false',
  });
  assert.doesNotMatch(await daemon.appctl('ready').catch(String), /\.\./u);
  await ovs.startVswitchd();
  await daemon.waitForReady();
  await ovs.inject('br0-1', frame);
  await waitFor(async () => (await exporterOf(daemon))?.samples === 2, {
    what: 'the second sample has come',
  });
  assert.equal(sink.records.length, 0);
  await daemon.stop();
  const [record] = await sink.waitForRecords(1);
  assert.equal(record?.fields['flowEndReason'], 4);
});

test('a bridge whose datapath type changes is hooked again, without effect on another bridge', async (t) => {
  const { ovs, sink, daemon } = await setUp(t);
  await addSampledBridge(ovs, sink, 'br1');
  await daemon.waitForReady();
  await ovs.inject('br1-1', frame);
  await ovs.vsctl('set', 'Bridge', 'br0', 'datapath_type=netdev');
  await waitFor(async () => (await ovs.ofctl('dump-flows', 'br0')).includes('id=18768'), {
    what: 'the hook is back',
  });
  await daemon.waitForReady();
  await ovs.vsctl('del-br', 'br0');
  await daemon.waitForReady();
  await ovs.inject('br1-1', frame);
  await waitFor(async () => (await exporterOf(daemon, 'br1'))?.samples === 2, {
    what: 'the other bridge goes on',
  });
  assert.equal(sink.records.length, 0);
  await daemon.stop();
});

test('a bridge without a supported OpenFlow version is reported, and the action fixes it', async (t) => {
  const { ovs, daemon } = await setUp(t);
  ovs.allowWarnings(/rconn|vconn/u);
  await ovs.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow11');
  const status = await waitFor(
    async () => {
      const text = await daemon.appctl('status');
      return text.includes('bridge-unreachable') && text;
    },
    { what: 'the bridge is unreachable', timeoutMs: 15_000 },
  );
  assert.match(status, /no common version[^]*the switch supports OpenFlow 1\.1\.\n/u);
  const [condition] = (await daemonStatus(daemon)).conditions;
  const [, command = ''] = /protocols, with "ovs-vsctl ([^"]+)"\./u.exec(condition?.action ?? '') ?? [];
  await ovs.vsctl(...command.split(' '));
  await daemon.waitForReady(15_000);
  assert.doesNotMatch(await daemon.appctl('status'), /bridge-unreachable/u);
  await daemon.stop();
});

test('a bridge forwards after the daemon was killed', async (t) => {
  const { ovs, daemon } = await setUp(t);
  await ovs.addDummyPort('br0', 'br0-2');
  await daemon.kill();
  const sentBefore = await transmitted(ovs, 'br0-2');
  await ovs.inject('br0-1', frame, frame, frame);
  await waitFor(async () => (await transmitted(ovs, 'br0-2')) >= sentBefore + 3, {
    what: 'the frames are forwarded',
  });
});

async function transmitted(ovs: Ovs, port: string): Promise<number> {
  const text = await ovs.ofctl('dump-ports', 'br0', port);
  return Number(/tx pkts=(\d+)/u.exec(text)?.[1]);
}
