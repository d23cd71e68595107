// The daemon does no harm to what users have in their bridges: instructions that an OpenFlow version hides, groups, flows in
// the hook's slot, bridges that cannot be sampled, and stops while a bridge is unreachable.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpenFlowConnection } from '../../src/node-openflow/index.ts';
import type { Daemon } from '../support/daemon.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { OpenFlowProxy } from '../support/openflow-proxy.ts';
import type { Ovs } from '../support/ovs.ts';
import { runForOutput } from '../support/process.ts';
import { type SampledFlows, sampleAction, udpTo } from '../support/sampled-flows.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';

const ANTREA = ['OpenFlow10', 'OpenFlow15'];
const HIDDEN = [
  `priority=9,udp,tp_dst=1,actions=${sampleAction(1, 1)},write_actions(output:2)`,
  `priority=9,udp,tp_dst=2,actions=meter:7,${sampleAction(1, 2)},output:2`,
  `priority=9,udp,tp_dst=3,actions=${sampleAction(1, 3)},goto_table:3`,
  'table=3,priority=1,actions=output:2',
];

let ovs: Ovs;
let sink: FlowRecordSink;
const { makeFlows, startDaemon } = withSampledFlows(
  (running) => {
    ({
      ovs,
      sinks: [sink],
    } = running);
  },
  {
    ovs: {
      allowedWarnings: [
        /\|(rconn|vconn)\|WARN\|/u,
        /\|stream_tcp\|WARN\|/u,
        /\|(fail_open|in_band)\|(WARN|ERR)\|/u,
      ],
    },
  },
);

async function addHiddenFlows(): Promise<SampledFlows> {
  const flows = await makeFlows(ANTREA);
  await flows.addSet(1, sink.target);
  await flows.ofctl('-O', 'OpenFlow15', 'add-meter', 'br0', 'meter=7,pktps,band=type=drop,rate=100000');
  await flows.add(HIDDEN, 'OpenFlow15');
  return flows;
}

async function bothDumps(flows: SampledFlows): Promise<readonly string[]> {
  return [await flows.dump('OpenFlow10'), await flows.dump('OpenFlow15')];
}

async function release(): Promise<{ exitCode: number | undefined; text: string }> {
  const { environment, dbEndpoint } = ovs;
  try {
    const { stdout } = await runForOutput(process.execPath, [DAEMON_FILE, 'release', dbEndpoint], {
      environment,
    });
    return { exitCode: 0, text: stdout };
  } catch (error) {
    const { exitCode, stdout, stderr } = error as { exitCode: number; stdout: string; stderr: string };
    return { exitCode, text: stdout + stderr };
  }
}

async function transmitted(port: string): Promise<number> {
  const text = await ovs.ofctl('-O', 'OpenFlow15', 'dump-ports', 'br0', port);
  return Number(/tx pkts=(\d+)/u.exec(text)?.[1]);
}

test('with OpenFlow 1.0 and 1.5 the daemon uses 1.5: flows keep what 1.0 hides, forward and are sampled', async () => {
  const flows = await addHiddenFlows();
  const before = await bothDumps(flows);
  const daemon = await startDaemon();
  assert.equal(await flows.countDaemonActions('OpenFlow15'), 3);
  const sentBefore = await transmitted('p2');
  await ovs.inject('p1', udpTo(1), udpTo(2), udpTo(3));
  await sink.waitForPackets(3);
  await waitFor(async () => (await transmitted('p2')) === sentBefore + 3, { what: 'all three leave port 2' });
  await daemon.stop();
  assert.deepEqual(await bothDumps(flows), before);
});

test('a match on the VLAN tag that only OpenFlow 1.0 can express is reported, and no other flow is modified for it', async () => {
  const flows = await makeFlows(['OpenFlow10', 'OpenFlow14', 'OpenFlow15']);
  await flows.addSet(1, sink.target);
  const sampled = `actions=${sampleAction(1, 1)},output:2`;
  const hidden = ['vlan_tci=0', 'vlan_tci=0x2000/0x3000', 'vlan_tci=0x3000/0x3000'];
  const shown = ['vlan_tci=0/0x1fff', 'dl_vlan=5', 'dl_vlan_pcp=2', 'dl_vlan=6,dl_vlan_pcp=1', 'udp'];
  const both = [...hidden, ...shown].map((match, index) => `priority=${20 + index},${match},${sampled}`);
  await flows.add([...both, `priority=40,vlan_tci=0,${sampled}`], 'OpenFlow10');
  await flows.add(['priority=40,vlan_tci=0/0x1fff,actions=output:2'], 'OpenFlow14');
  const before = await flows.dump('OpenFlow10');
  const daemon = await startDaemon();
  assert.equal(await flows.countDaemonActions('OpenFlow10'), shown.length);
  const { conditions, bridges } = await daemonStatus(daemon);
  const refused = conditions.filter(({ code }) => code === 'translation-refused');
  // Of two flows that look the same, the one that is reported last counts.
  assert.ok(refused.length === hidden.length || refused.length === hidden.length + 1);
  assert.ok(refused.every(({ message }) => /match on the VLAN tag/u.test(message)));
  assert.equal(bridges[0]?.session.translation.rewrites, shown.length);
  // One that is added while the daemon runs.
  await flows.add([`priority=41,dl_vlan=0xffff,${sampled}`], 'OpenFlow10');
  await waitFor(
    async () => (await daemonStatus(daemon)).bridges[0]?.session.translation.refused === refused.length + 1,
    { what: 'it is refused' },
  );
  await flows.ofctl('-O', 'OpenFlow10', '--strict', 'del-flows', 'br0', 'priority=41,dl_vlan=0xffff');
  await daemon.stop();
  assert.equal(await flows.dump('OpenFlow10'), before);
});

test('release restores flows after the daemon was killed, with everything that OpenFlow 1.0 hides', async () => {
  const flows = await addHiddenFlows();
  const before = await bothDumps(flows);
  const daemon = await startDaemon();
  await daemon.kill();
  assert.equal((await release()).exitCode, 0);
  assert.deepEqual(await bothDumps(flows), before);
});

test('release over OpenFlow 1.0 alone changes no flow, reports the bridge and fails', async () => {
  const flows = await addHiddenFlows();
  const before = await bothDumps(flows);
  const daemon = await startDaemon();
  await daemon.kill();
  const translated = await flows.dump('OpenFlow15');
  await ovs.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow10');
  const { exitCode, text } = await release();
  assert.equal(exitCode, 1);
  assert.match(text, new RegExp(`${ovs.otherBridgeCount} bridges? cleaned`, 'u'));
  assert.match(
    text,
    /Bridge br0: 3 flows keep the daemon's actions, because OpenFlow 1\.0 does not show flows whole/u,
  );
  assert.match(text, /ovs-vsctl add Bridge br0 protocols OpenFlow14/u);
  await ovs.vsctl('set', 'Bridge', 'br0', `protocols=${ANTREA.join(',')}`);
  const withoutHook = (dump: string) =>
    dump.split('\n').filter((line) => !line.includes('reg11=0/0x80000000'));
  assert.deepEqual(withoutHook(await flows.dump('OpenFlow15')), withoutHook(translated));
  assert.equal((await release()).exitCode, 0);
  assert.deepEqual(await bothDumps(flows), before);
});

test('a group with a sample action is left as its user writes it, however fast', async () => {
  const flows = await makeFlows(['OpenFlow13', 'OpenFlow15']);
  await flows.addSet(1, sink.target);
  const group = (port: number) =>
    'group_id=5,type=select,selection_method=hash,fields(ip_src),' +
    `bucket=bucket_id:7,weight:1,actions=${sampleAction(1)},output:${port}`;
  const groups = () => flows.ofctl('-O', 'OpenFlow15', 'dump-groups', 'br0');
  await flows.ofctl('-O', 'OpenFlow15', 'add-group', 'br0', group(1));
  const before = await groups();
  const daemon = await startDaemon();
  assert.equal(await groups(), before);
  await flows.ofctl('-O', 'OpenFlow15', 'mod-group', 'br0', group(2));
  await flows.ofctl('-O', 'OpenFlow15', 'mod-group', 'br0', group(1));
  // A flow that is changed after the group is rewritten, so that the daemon has seen both.
  await flows.add([`priority=3,udp,actions=${sampleAction(1)},output:2`], 'OpenFlow13');
  await waitFor(async () => (await flows.countDaemonActions('OpenFlow13')) === 1, {
    what: 'the flow is rewritten',
  });
  assert.equal(await groups(), before);
  assert.deepEqual((await daemonStatus(daemon)).conditions, []);
  await daemon.stop();
  assert.equal(await groups(), before);
});

test("another client's flow with the hook's table, priority and match is left alone", async () => {
  const flows = await makeFlows();
  await createIpfixRow(ovs, 'br0', [sink.target]);
  await flows.add(['table=0,priority=65535,reg11=0/0x80000000,cookie=0x1,actions=NORMAL']);
  const before = await flows.dump();
  const daemon = await startDaemon({ waitForReady: false });
  await daemon.waitForRefusal(/flow of another client/u);
  assert.match(await daemon.appctl('status'), /hook-slot-in-use/u);
  assert.equal(await flows.dump(), before);
  const targets = await ovs.vsctl('--columns=targets', 'list', 'IPFIX');
  assert.ok(targets.includes(sink.target), 'the row stays with ovs-vswitchd');
  await daemon.stop();
  assert.equal(await flows.dump(), before);
  assert.equal((await release()).exitCode, 0);
  assert.equal(await flows.dump(), before);
});

test('fail-open is a condition with an action, ends ready, and sampling resumes when a controller is back', async () => {
  await makeFlows();
  await createIpfixRow(ovs, 'br0', [sink.target], { sampling: 1 });
  const daemon = await startDaemon();
  const running = daemon;
  const server = createServer();
  const connections: Socket[] = [];
  server.on('connection', (socket) => {
    connections.push(socket);
    void new OpenFlowConnection(socket).ready;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await ovs.vsctl('set-controller', 'br0', `tcp:127.0.0.1:${port}`);
  const isConnected = async () =>
    (await ovs.vsctl('--columns=is_connected', 'list', 'Controller')).includes('true');
  await waitFor(isConnected, { what: 'the controller is connected', timeoutMs: 20_000 });
  await running.waitForReady(10_000);
  server.close();
  for (const connection of connections) {
    connection.destroy();
  }
  await running.waitForRefusal(/All its controllers are disconnected/u, 20_000);
  assert.match(await running.appctl('status'), /fail-open/u);
  const again = createServer((socket) => {
    connections.push(socket);
    void new OpenFlowConnection(socket).ready;
  });
  again.listen(port, '127.0.0.1');
  await once(again, 'listening');
  await running.waitForReady(30_000);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  await ovs.vsctl('del-controller', 'br0');
  again.close();
  for (const connection of connections) {
    connection.destroy();
  }
  await running.stop();
});

async function startBehindProxy(): Promise<{ proxy: OpenFlowProxy; flows: SampledFlows; running: Daemon }> {
  const flows = await makeFlows();
  await createIpfixRow(ovs, 'br0', [sink.target]);
  await flows.addSet(1, sink.target);
  await flows.add([`udp,actions=${sampleAction(1)},NORMAL`]);
  const proxy = await OpenFlowProxy.open(join(ovs.rundir, 'br0.proxy'), join(ovs.rundir, 'br0.mgmt'));
  const template = `unix:${join(ovs.rundir, '%b.proxy')}`;
  const daemon = await startDaemon({ arguments: ['--openflow', template] });
  return { proxy, flows, running: daemon };
}

test('a stop while the bridge is unreachable reconnects and removes everything', async () => {
  const { proxy, flows, running } = await startBehindProxy();
  await proxy.cut();
  await running.waitForRefusal(/not hooked/u);
  running.signal('SIGTERM');
  await waitFor(() => running.log.includes('SIGTERM received'), { what: 'the stop has begun' });
  await proxy.restore();
  assert.equal((await running.exited).exitCode, 0);
  assert.equal(await flows.countDaemonActions(), 0);
  assert.equal((await flows.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0')).includes('65000'), false);
  await proxy.cut();
});

test('a stop that cannot reach the bridge reports what may be left, with the command that removes it, and fails', async () => {
  const { proxy, flows, running } = await startBehindProxy();
  await proxy.cut();
  await running.waitForRefusal(/not hooked/u);
  running.signal('SIGTERM');
  assert.equal((await running.exited).exitCode, 1);
  assert.match(running.log, /ovs-ipfix: Bridge br0 could not be reached[^]*run "ovs-ipfix release"/u);
  const targets = await ovs.vsctl('--columns=targets', 'list', 'IPFIX');
  assert.equal(targets.split(sink.target).length, 3, 'both rows are handed back');
  assert.equal((await release()).exitCode, 0);
  assert.equal(await flows.countDaemonActions(), 0);
});

test('a stop while the database is down reports that rows are still adopted, and fails', async () => {
  await makeFlows();
  await createIpfixRow(ovs, 'br0', [sink.target]);
  const daemon = await startDaemon();
  await ovs.killOvsdbServer('SIGKILL');
  await daemon.waitForRefusal(/not in sync/u);
  daemon.signal('SIGTERM');
  assert.equal((await daemon.exited).exitCode, 1);
  assert.match(daemon.log, /1 IPFIX row is still adopted[^]*run "ovs-ipfix release"/u);
  await ovs.startOvsdbServer();
  assert.equal((await release()).exitCode, 0);
  assert.ok((await ovs.vsctl('--columns=targets', 'list', 'IPFIX')).includes(sink.target));
});
