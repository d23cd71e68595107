// `sample` actions in users' flows: their packets reach the daemon while it manages the collector set, whatever is done to
// the flows, and the flows are restored as their writer wrote them.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { type SampledFlows, sampleAction as sample, sampledBridgeOf } from '../support/sampled-flows.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';

const ALL = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

let ovs: Ovs;
let first: FlowRecordSink;
let second: FlowRecordSink;
let bed: SampledFlows;
const { makeFlows, startDaemon: run } = withSampledFlows(
  (running) => {
    ({
      ovs,
      sinks: [first, second],
    } = running);
  },
  { ovs: { allowedWarnings: [/recirc_id \d+ left allocated/u] } },
);
beforeEach(async () => {
  bed = await makeFlows(ALL);
});

const frame = (destination: number, source = 1000) =>
  ethernet({}, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source, destination })));

test('two sets and the bridge are exported at the same time, each to its own collector', async (t) => {
  const third = await FlowRecordSink.open();
  t.after(() => third.close());
  await bed.addSet(1, first.target);
  await bed.addSet(2, second.target, 'cache_active_timeout=60', 'cache_max_flows=10');
  await createIpfixRow(ovs, 'br0', [third.target], { sampling: 1, obs_domain_id: 99 });
  await bed.add([
    `priority=5,udp,tp_dst=1,actions=${sample(1, 11)},${sample(2, 22)},NORMAL`,
    `priority=5,udp,tp_dst=2,actions=${sample(1, 12)},NORMAL`,
  ]);
  const before = await bed.dump();
  const running = await run();
  assert.equal(await bed.countDaemonActions(), 4);
  await ovs.inject('p1', frame(1), frame(1), frame(2), frame(3));
  await first.waitForPackets(3);
  assert.deepEqual(
    first.records.map((record) => record.observationDomainId),
    [11, 11, 12],
  );
  assert.ok(first.records.every((record) => record.fields['observationPointId'] === 9));
  assert.equal(first.records[0]?.fields['flowEndReason'], 2);
  await third.waitForPackets(4);
  assert.ok(third.records.every((record) => record.observationDomainId === 99));
  assert.equal(second.records.length, 0);
  const { flowSampling } = await sampledBridgeOf(running);
  assert.deepEqual(
    flowSampling.map((set) => [set.collectorSetId, set.flows, set.exporter.samples]),
    [
      [1, 2, 3],
      [2, 1, 2],
    ],
  );
  await running.stop();
  const [record] = await second.waitForPackets(2);
  assert.equal(record?.observationDomainId, 22);
  assert.equal(record.fields['flowEndReason'], 4);
  assert.equal(await bed.dump(), before);
  assert.doesNotMatch(await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=/u);
});

test('samples inside clone and of every variant are received, and nothing else is changed, no group either', async () => {
  await bed.addSet(1, first.target);
  await ovs.ofctl(
    '-O',
    'OpenFlow15',
    'add-group',
    'br0',
    `group_id=5,type=select,selection_method=hash,fields(ip_src),bucket=bucket_id:1,weight:3,actions=${sample(1, 5)},output:2,bucket=bucket_id:2,weight:3,actions=${sample(1, 5)},output:2`,
  );
  await bed.add([
    `priority=5,udp,tp_dst=1,actions=clone(${sample(1, 1)},clone(${sample(1, 2)},output:2)),${sample(1, 3)},output:2`,
    'priority=5,udp,tp_dst=2,actions=group:5',
    `priority=5,udp,tp_dst=3,cookie=0x1234,idle_timeout=1000,send_flow_rem,actions=sample(probability=65535,collector_set_id=1,obs_domain_id=6,obs_point_id=1,sampling_port=1),load:0x5->NXM_NX_REG0[],set_field:7->reg1,output:2`,
    `priority=5,udp,tp_dst=4,actions=sample(probability=65535,collector_set_id=1,obs_domain_id=8,obs_point_id=1,sampling_port=2,ingress),resubmit(,3)`,
    `table=3,priority=5,udp,actions=sample(probability=65535,collector_set_id=1,obs_domain_id=9,obs_point_id=1,sampling_port=2,egress),output:2`,
    `priority=5,udp,tp_dst=5,actions=${sample(77)},output:2`,
  ]);
  const before = await bed.dump();
  const groups = await ovs.ofctl('-O', 'OpenFlow15', 'dump-groups', 'br0');
  const running = await run();
  const domainsOf = async (port: number, count: number) => {
    first.clear();
    await ovs.inject('p1', frame(port));
    await first.waitForPackets(count);
    return first.records.map((record) => record.observationDomainId).sort((a, b) => a - b);
  };
  assert.deepEqual(await domainsOf(1, 3), [1, 2, 3]);
  assert.deepEqual(await domainsOf(3, 1), [6]);
  assert.deepEqual(await domainsOf(4, 2), [8, 9]);
  // OVS executes a bucket as an action set, which ignores `sample` and `controller`.
  assert.equal(await ovs.ofctl('-O', 'OpenFlow15', 'dump-groups', 'br0'), groups);
  const { flowSampling } = await sampledBridgeOf(running);
  assert.deepEqual(
    flowSampling.map((set) => [set.flows, set.groups]),
    [[4, 0]],
  );
  await running.stop();
  assert.equal(await bed.dump(), before);
  assert.equal(await ovs.ofctl('-O', 'OpenFlow15', 'dump-groups', 'br0'), groups);
});

test('flows that users add, change and replace are translated, with a bounded number of rewritings', async () => {
  await bed.addSet(1, first.target);
  const running = await run();
  const rewrites = async () => (await sampledBridgeOf(running)).session.translation.rewrites;
  await bed.add([`priority=5,udp,tp_dst=1,actions=${sample(1, 1)},NORMAL`]);
  await bed.waitForDaemonActions(1);
  assert.equal(await rewrites(), 1);
  await ovs.ofctl('mod-flows', 'br0', `udp,tp_dst=1,actions=${sample(1, 2)},NORMAL`);
  await waitFor(async () => /obs_domain_id=2.*id=18768/u.test(await bed.dump()), {
    what: 'the changed flow is ours',
  });
  assert.equal(await rewrites(), 2);
  await ovs.ofctl('mod-flows', 'br0', 'udp,tp_dst=1,actions=NORMAL');
  await bed.waitForDaemonActions(0);
  const bundle = `priority=6,udp,tp_dst=1,actions=${sample(1, 3)},NORMAL`;
  await ovs.run('sh', '-c', `echo "${bundle}" | ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -`);
  await bed.waitForDaemonActions(1);
  await ovs.ofctl('del-flows', 'br0');
  await bed.add([`priority=5,udp,tp_dst=1,actions=${sample(1, 4)},NORMAL`]);
  await bed.waitForDaemonActions(1);
  await ovs.inject('p1', frame(1));
  await first.waitForPackets(1);
  assert.equal(first.records[0]?.observationDomainId, 4);
  assert.ok((await rewrites()) <= 6, `${await rewrites()} rewritings`);
  // Without the set the daemon's action is removed, and the user's stays.
  await ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
  await bed.waitForDaemonActions(0);
  assert.match(await bed.dump(), /sample\(/u);
  await running.stop();
});

test('samples are received while flows are replaced every 200 ms', async (t) => {
  await bed.addSet(1, first.target);
  const running = await run();
  const flows = (round: number) => `priority=5,udp,actions=${sample(1, round % 2)},NORMAL`;
  await ovs.run('sh', '-c', `echo "${flows(0)}" | ovs-ofctl replace-flows br0 -`);
  await bed.waitForDaemonActions(1);
  let injected = 0;
  for (let round = 1; round <= 25; round += 1) {
    await ovs.run('sh', '-c', `echo "${flows(round)}" | ovs-ofctl replace-flows br0 -`);
    await bed.waitForDaemonActions(1);
    const frames = Array.from({ length: 40 }, (_, index) => frame(index));
    await ovs.injectMany('br0', 'p1', frames);
    injected += frames.length;
  }
  await first.waitForPackets(injected);
  const { rewrites } = (await sampledBridgeOf(running)).session.translation;
  t.diagnostic(`${injected} packets, ${rewrites} rewritings for 26 changes`);
  assert.ok(rewrites <= 52, `${rewrites} rewritings`);
  await running.stop();
});

test("release removes the daemon's actions from flows and groups after SIGKILL", async () => {
  await bed.addSet(1, first.target);
  await bed.add([`priority=5,udp,tp_dst=1,actions=clone(${sample(1)},output:2),${sample(1)},NORMAL`]);
  await ovs.ofctl(
    '-O',
    'OpenFlow13',
    'add-group',
    'br0',
    `group_id=5,type=all,bucket=actions=${sample(1)},output:2`,
  );
  const before = await bed.dump();
  const groups = await ovs.ofctl('-O', 'OpenFlow13', 'dump-groups', 'br0');
  const running = await run();
  assert.equal(await bed.countDaemonActions(), 2);
  await running.kill();
  assert.equal(await bed.countDaemonActions(), 2);
  await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint);
  assert.equal(await bed.dump(), before);
  assert.equal(await ovs.ofctl('-O', 'OpenFlow13', 'dump-groups', 'br0'), groups);
  assert.doesNotMatch(await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=/u);
});

test('10,000 flows with samples are translated soon after the start, while other clients are served, and restored', async (t) => {
  await bed.addSet(1, first.target);
  const flows = Array.from(
    { length: 10_000 },
    (_, index) =>
      `priority=5,udp,nw_src=10.${index >> 16}.${(index >> 8) & 255}.${index & 255},actions=${sample(1)},NORMAL`,
  );
  await bed.add(flows);
  const before = await bed.dump();
  const started = process.hrtime.bigint();
  const running = await run({ readyTimeoutMs: 20_000 });
  const readyMs = Number(process.hrtime.bigint() - started) / 1e6;
  assert.equal(await bed.countDaemonActions(), 10_000);
  const { rewrites } = (await sampledBridgeOf(running)).session.translation;
  t.diagnostic(`ready after ${readyMs.toFixed(0)} ms, ${rewrites} rewritings`);
  assert.equal(rewrites, 10_000);
  await running.stop();
  assert.equal(await bed.dump(), before);
});

test("a pipeline like OVN's forwards the same packets with and without the daemon", async () => {
  await ovs.ofctl('del-flows', 'br0');
  await bed.add([
    'table=0,priority=100,in_port=1,actions=set_field:0x1->reg13,set_field:0x2->reg14,set_field:0x1->metadata,resubmit(,8)',
    `table=8,priority=50,ip,reg14=0x2,metadata=0x1,actions=${sample(1)},ct(table=9,zone=NXM_NX_REG13[0..15])`,
    'table=9,priority=50,ct_state=+trk,udp,actions=set_field:0x2->reg15,resubmit(,37)',
    'table=37,priority=100,reg15=0x2,metadata=0x1,actions=clone(load:0->NXM_NX_REG0[],resubmit(,65))',
    'table=65,priority=100,reg15=0x2,metadata=0x1,actions=output:2',
    'table=65,priority=0,actions=drop',
  ]);
  const forwarded = async () =>
    Number(/tx pkts=(\d+)/u.exec(await ovs.ofctl('dump-ports', 'br0', 'p2'))?.[1]);
  const send = async () => {
    const start = await forwarded();
    await ovs.inject('p1', frame(1), frame(2), frame(3));
    await waitFor(async () => (await forwarded()) >= start + 3, { what: 'the packets have come out' });
    return (await forwarded()) - start;
  };
  const alone = await send();
  await bed.addSet(1, first.target);
  await createIpfixRow(ovs, 'br0', [second.target], { sampling: 1 });
  const before = await bed.dump();
  const running = await run();
  // The datapath revalidates its cached flows some milliseconds after the flows have changed.
  await ovs.appctl('revalidator/wait');
  assert.equal(await send(), alone);
  await first.waitForPackets(3);
  await second.waitForPackets(3);
  await running.stop();
  assert.equal(await bed.dump(), before);
});

test('a deleted bridge whose set still exists is reported, and delays nothing else', async () => {
  await bed.addSet(1, first.target, 'cache_active_timeout=60', 'cache_max_flows=10');
  await bed.add([`priority=5,udp,actions=${sample(1)},NORMAL`]);
  const running = await run();
  await ovs.inject('p1', frame(1));
  await waitFor(async () => (await sampledBridgeOf(running)).flowSampling[0]?.exporter.samples === 1, {
    what: 'the sample has come',
  });
  await ovs.vsctl('del-br', 'br0');
  const [record] = await first.waitForPackets(1);
  assert.equal(record?.fields['flowEndReason'], 4);
  await running.waitForReady();
  const { bridges, conditions } = await daemonStatus(running);
  assert.deepEqual(
    [bridges.length, conditions.map((condition) => condition.code)],
    [0, ['dangling-reference']],
  );
  await running.stop();
});
