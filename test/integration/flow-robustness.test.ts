// Flow-based sampling over each version of OpenFlow alone, and over changes of rows, bridges and daemons.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { NO_BUFFER, OpenFlowConnection } from '../../src/node-openflow/index.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { addCollectorSet, createIpfixRow } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { sampleAction, sampledBridgeOf, udpTo } from '../support/sampled-flows.ts';
import { waitFor } from '../support/wait.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';

/** OFPP_TABLE: the packet is processed by the flow tables. */
const OFPP_TABLE = 0xffff_fff9;

let ovs: Ovs;
let sink: FlowRecordSink;
let other: FlowRecordSink;
const { makeFlows, startDaemon } = withSampledFlows(
  (running) => {
    ({
      ovs,
      sinks: [sink, other],
    } = running);
  },
  {
    ovs: {
      // Groups are rewritten in OpenFlow 1.5, which some bridges of these tests do not allow, and others allow only.
      allowedWarnings: [
        /vconn\|WARN\|.*version negotiation failed/u,
        /rconn\|WARN\|br0<->unix#\d+: connection dropped \(Protocol error\)/u,
      ],
    },
  },
);

describe('a bridge that allows one version only', () => {
  /** Actions of many kinds that a user of every version can write. */
  const COMMON = [
    `priority=9,udp,tp_dst=1,actions=${sampleAction(1, 1)},output:2`,
    `priority=9,udp,tp_dst=2,actions=clone(${sampleAction(1, 2)},output:2),load:0x5->NXM_NX_REG0[0..15],move:NXM_NX_REG0[]->NXM_NX_REG1[],push:NXM_NX_REG0[],pop:NXM_NX_REG2[],resubmit(2,3)`,
    `priority=9,udp,tp_dst=3,actions=set_field:7->reg1,set_field:0x30/0xf0->reg2,mod_nw_src:1.2.3.4,mod_tp_dst:99,dec_ttl,${sampleAction(1, 3)},output:2`,
    `priority=9,udp,tp_dst=4,actions=mod_vlan_vid:5,mod_vlan_pcp:3,${sampleAction(1, 4)},strip_vlan,mod_dl_dst:02:00:00:00:00:01,enqueue:2:1`,
    `priority=9,udp,tp_dst=5,actions=learn(table=4,hard_timeout=60,eth_type=0x800,NXM_OF_IP_DST[]=NXM_OF_IP_SRC[],output:NXM_OF_IN_PORT[]),${sampleAction(1, 5)},note:01.02.03.04,multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[0..7])`,
    `priority=9,udp,tp_dst=6,reg5=0x1/0xff,metadata=0x5,tun_id=7,actions=ct(commit,zone=5,exec(set_field:1->ct_mark),nat(src=1.1.1.1)),${sampleAction(1, 6)},bundle(eth_src,50,hrw,ofport,members:1,2),check_pkt_larger(1500)->NXM_NX_REG0[0],controller(reason=action,max_len=128,id=5)`,
  ];
  const OF13 = [
    `priority=9,udp,tp_dst=7,actions=push_vlan:0x8100,set_field:4101->vlan_vid,${sampleAction(1, 7)},write_metadata:0x5/0xff,goto_table:7`,
    `priority=9,udp,tp_dst=8,actions=${sampleAction(1, 8)},write_actions(output:2)`,
  ];
  for (const { version, flows } of [
    { version: 'OpenFlow13', flows: [...COMMON, ...OF13] },
    { version: 'OpenFlow14', flows: [...COMMON, ...OF13] },
    { version: 'OpenFlow15', flows: [...COMMON, ...OF13] },
  ]) {
    test(`${version}: samples are received, and flows are restored byte for byte`, async () => {
      const bed = await makeFlows([version]);
      await bed.addSet(1, sink.target);
      await bed.add(flows, version);
      const before = await bed.dump(version);
      const daemon = await startDaemon();
      assert.equal(await bed.countDaemonActions(version), flows.length);
      await ovs.appctl('revalidator/purge');
      await ovs.inject('p1', udpTo(1), udpTo(2), udpTo(3), udpTo(4));
      await sink.waitForPackets(4);
      assert.deepEqual(
        sink.records.map(({ observationDomainId }) => observationDomainId).sort((a, b) => a - b),
        [1, 2, 3, 4],
      );
      // A change is translated over each version, too.
      await bed.ofctl(
        '-O',
        version,
        'mod-flows',
        'br0',
        `udp,tp_dst=1,actions=${sampleAction(1, 11)},output:2`,
      );
      await waitFor(
        async () => /obs_domain_id=11[^)]*\),controller\([^)]*id=18768/u.test(await bed.dump(version)),
        {
          what: 'the changed flow is translated',
        },
      );
      await bed.ofctl(
        '-O',
        version,
        'mod-flows',
        'br0',
        `udp,tp_dst=1,actions=${sampleAction(1, 1)},output:2`,
      );
      await bed.waitForDaemonActions(flows.length, 5000, version);
      await daemon.stop();
      assert.equal(await bed.dump(version), before);
    });
  }

  test('OpenFlow10: flows are not changed, and the row stays with ovs-vswitchd until another version is allowed', async () => {
    const bed = await makeFlows(['OpenFlow10']);
    // Otherwise the row would be redirected, which needs no meters and changes no flow.
    await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=packet-in');
    await bed.addSet(1, sink.target);
    await bed.add(COMMON, 'OpenFlow10');
    const before = await bed.dump('OpenFlow10');
    const targets = await ovs.vsctl('--columns=targets', 'list', 'IPFIX');
    const daemon = await startDaemon({ arguments: ['--unmetered', 'allow'], waitForReady: false });
    await daemon.waitForRefusal(/does not show flows whole/u);
    assert.match(await daemon.appctl('status'), /flows-shown-in-part/u);
    assert.equal(await ovs.vsctl('--columns=targets', 'list', 'IPFIX'), targets);
    await ovs.vsctl('add', 'Bridge', 'br0', 'protocols', 'OpenFlow14');
    await daemon.waitForReady();
    // The flow with enqueue, which only OpenFlow 1.0 can write, is not changed and is reported.
    assert.equal(await bed.countDaemonActions('OpenFlow14'), COMMON.length - 1);
    assert.match(
      await daemon.appctl('status'),
      /translation-refused: Bridge br0, flow[^]*may be an enqueue/u,
    );
    await daemon.stop();
    assert.equal(await bed.dump('OpenFlow10'), before);
  });
});

describe('rows', () => {
  test('the lowest and the highest id of a set work, and one flow may sample for both', async () => {
    const bed = await makeFlows();
    await bed.addSet(0, sink.target);
    await bed.addSet(4_294_967_295, other.target);
    await bed.add([
      `udp,actions=${sampleAction(0, 0, 0)},${sampleAction(4_294_967_295, 4_294_967_295, 4_294_967_295)},output:2`,
    ]);
    const daemon = await startDaemon();
    await ovs.inject('p1', udpTo(1), udpTo(2));
    await sink.waitForPackets(2);
    await other.waitForPackets(2);
    assert.ok(
      sink.records.every(
        ({ observationDomainId, fields }) => observationDomainId === 0 && fields['observationPointId'] === 0,
      ),
    );
    assert.ok(
      other.records.every(
        ({ observationDomainId, fields }) =>
          observationDomainId === 4_294_967_295 && fields['observationPointId'] === 4_294_967_295,
      ),
    );
    await daemon.stop();
  });

  test('the bridge and two sets may share an IPFIX row, with a cache each', async () => {
    const bed = await makeFlows();
    const row = await createIpfixRow(ovs, 'br0', [sink.target], { sampling: 1, obs_domain_id: 99 });
    for (const id of [1, 2]) {
      await addCollectorSet(ovs, 'br0', id, row);
    }
    await bed.add([`udp,actions=${sampleAction(1, 11)},${sampleAction(2, 22)},output:2`]);
    const daemon = await startDaemon();
    await ovs.inject('p1', udpTo(1));
    await sink.waitForPackets(3);
    assert.deepEqual(
      sink.records.map(({ observationDomainId }) => observationDomainId).sort((a, b) => a - b),
      [11, 22, 99],
    );
    await daemon.stop();
  });

  test('a set whose IPFIX row is replaced exports its cached flows to the new collector', async () => {
    const bed = await makeFlows();
    const caching = ['cache_active_timeout=60', 'cache_max_flows=100'];
    await bed.addSet(1, sink.target, ...caching);
    await bed.addSet(2, other.target, ...caching);
    await bed.add([`udp,actions=${sampleAction(1)},output:2`]);
    const daemon = await startDaemon();
    await ovs.inject('p1', udpTo(1));
    const cached = async () => (await sampledBridgeOf(daemon)).flowSampling[0];
    await waitFor(async () => (await cached())?.exporter.cache.flows === 1, { what: 'a flow is cached' });
    const second = (await sampledBridgeOf(daemon)).flowSampling[1]?.ipfixRow ?? '';
    const [set] = (await ovs.vsctl('--bare', '--columns=_uuid', 'find', 'Flow_Sample_Collector_Set', 'id=1'))
      .trim()
      .split('\n');
    await ovs.vsctl('set', 'Flow_Sample_Collector_Set', set ?? '', `ipfix=${second}`);
    await waitFor(async () => (await cached())?.ipfixRow === second, { what: 'the set has the other row' });
    assert.equal((await cached())?.exporter.cache.flows, 1);
    await ovs.inject('p1', udpTo(1));
    await waitFor(async () => (await cached())?.exporter.samples === 2, {
      what: 'the second sample is counted',
    });
    await daemon.stop();
    await other.waitForPackets(2);
    assert.equal(other.records.length, 1);
    assert.equal(sink.records.length, 0);
  });
});

/** Sends packets to UDP port 1 to the bridge's tables as fast as the daemon reads the packet-ins. */
async function* packetBursts(packets: number): AsyncGenerator<void> {
  const socket = connect(`${ovs.rundir}/br0.mgmt`);
  await once(socket, 'connect');
  const connection = new OpenFlowConnection(socket, { versions: [4] });
  await connection.ready;
  const packetOut = {
    type: 'packet_out',
    bufferId: NO_BUFFER,
    inPort: 1,
    actions: [{ type: 'output', port: OFPP_TABLE, maxLength: 0 }],
    packet: Buffer.from(udpTo(1)),
  } as const;
  try {
    for (;;) {
      assert.deepEqual(await connection.transact(Array.from({ length: packets }, () => packetOut)), []);
      // OVS queues at most some hundred packet-ins for a controller that does not read them.
      await delay(2);
      yield;
    }
  } finally {
    connection.close();
  }
}

test('a probability of 1 in 100 is estimated without bias over 200,000 samples', async (t) => {
  const bed = await makeFlows();
  await bed.addSet(1, sink.target, 'cache_active_timeout=60', 'cache_max_flows=100');
  const limits = ['external_ids:ovs-ipfix-max-rate=1000000', 'other_config:controller-queue-size=512'];
  await ovs.vsctl('set', 'Bridge', 'br0', ...limits);
  // Each packet is sampled that many times, independently.
  const copies = 8;
  const actions = Array.from({ length: copies }, () => sampleAction(1, 7, 9, 655));
  await bed.add([`priority=5,udp,actions=${actions.join(',')},output:2`]);
  const daemon = await startDaemon();
  const wanted = 200_000;
  const start = performance.now();
  let sent = 0;
  for await (const _ of packetBursts(10)) {
    sent += 10 * copies;
    if (sent >= wanted) {
      break;
    }
  }
  const tookMs = performance.now() - start;
  const pool = async () => (await sampledBridgeOf(daemon)).sampleActionMeter;
  const isCounted = async () => {
    const { observedPackets, inTransit } = await pool();
    return observedPackets === sent && inTransit === 0;
  };
  await waitFor(isCounted, { what: 'the pool is counted' });
  const { received, lost, droppedByMeter } = await pool();
  await daemon.stop();
  await waitFor(() => sink.packetCount > 0, { what: 'the record has arrived' });
  const p = 655 / 65_535;
  const standardError = Math.sqrt((received * (1 - p)) / p);
  const errors = (sink.packetCount - received) / standardError;
  t.diagnostic(
    `${sent} in ${tookMs.toFixed(0)} ms, ${lost} lost on the way; records represent ${sink.packetCount} of ${received}: ${errors.toFixed(2)} standard errors`,
  );
  assert.equal(droppedByMeter, 0);
  assert.ok(lost < sent / 20, `${lost} lost`);
  assert.equal(received + lost, sent);
  assert.ok(Math.abs(errors) < 4);
});

describe('restarts', () => {
  test('flows that users add again after a restart of vswitchd are translated', async () => {
    const bed = await makeFlows();
    await bed.addSet(1, sink.target);
    const flows = [`udp,actions=${sampleAction(1)},output:2`];
    await bed.add(flows);
    const daemon = await startDaemon();
    await ovs.restartVswitchd();
    await bed.add(flows);
    await bed.waitForDaemonActions(1);
    await waitFor(async () => (await sampledBridgeOf(daemon)).session.hook === 'installed', {
      what: 'hook and actions are installed',
    });
    await ovs.inject('p1', udpTo(1));
    await sink.waitForPackets(1);
    await daemon.stop();
    assert.equal(await bed.countDaemonActions(), 0);
  });

  for (const sampler of ['packet-in', 'datapath']) {
    test(`a start without sets removes the stale actions of a daemon that was killed, sampler ${sampler}`, async () => {
      const bed = await makeFlows();
      await bed.addSet(1, other.target);
      await bed.add([
        `udp,tp_dst=1,actions=${sampleAction(1)},output:2`,
        `udp,tp_dst=2,actions=clone(${sampleAction(1)}),output:2`,
        `udp,tp_dst=3,actions=ct(commit),clone(clone(${sampleAction(1)})),output:2`,
      ]);
      const before = await bed.dump();
      await (await startDaemon()).kill();
      await ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
      await createIpfixRow(ovs, 'br0', [sink.target], { sampling: 1 });
      await ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
      assert.equal(await bed.countDaemonActions(), 3);
      const daemon = await startDaemon();
      // No packet has arrived that would have shown the actions to the daemon.
      await waitFor(async () => !/sample\([^)]*\),controller/u.test(await bed.dump()), {
        what: "the daemon's actions are removed",
      });
      await waitFor(
        async () => !/meter=65001/u.test(await bed.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0')),
        {
          what: 'their meter is removed',
        },
      );
      if (sampler === 'packet-in') {
        // The datapath samples 1 in 100 at first.
        await ovs.appctl('revalidator/purge');
        await ovs.inject('p1', udpTo(1));
        await sink.waitForPackets(1);
      }
      assert.equal((await sampledBridgeOf(daemon)).unmanagedPacketIns, 0);
      await daemon.stop();
      assert.equal(await bed.dump(), before);
      assert.equal(other.records.length, 0);
      assert.doesNotMatch(await bed.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=/u);
    });
  }
});
