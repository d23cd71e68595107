// `sample` actions of users where the datapath is the sampler: the rows of the sets are redirected to the daemon, and no flow is
// changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDaemon as startFarDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { addCollectorSet, createCollectorSet, createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { CACHED, setRows, waitForRedirection, withRedirectedSets } from '../support/redirected-sets.ts';
import {
  type SampledFlows,
  sampleAction as sample,
  sampledBridgeOf,
  udpTo,
} from '../support/sampled-flows.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { unlessDiffers } from '../versions/differences.ts';

let ovs: Ovs;
let sink: FlowRecordSink;
let other: FlowRecordSink;
let bed: SampledFlows;
const { run } = withRedirectedSets((running) => {
  ({ ovs, sink, other, bed } = running);
});

test('exports samples of a set with its ids, changes no flow, and hands the row back', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.addSet(2, other.target);
  await bed.add([
    `priority=5,udp,tp_dst=1,actions=${sample(1, 11)},NORMAL`,
    `priority=5,udp,tp_dst=2,actions=clone(${sample(1, 12, 3)},output:2),${sample(2, 22)}`,
  ]);
  const flows = await bed.dump();
  const before = await setRows(ovs);
  const running = await run();
  await waitForRedirection(running, 2);
  assert.equal(await bed.dump(), flows);
  const during = await setRows(ovs);
  assert.match(during[0] ?? '', /ovs-ipfix-state","redirected"/u);
  await ovs.inject('p1', udpTo(1), udpTo(1), udpTo(2));
  const records = await other.waitForPackets(1);
  assert.deepEqual(
    records.map(({ observationDomainId, fields }) => [observationDomainId, fields['observationPointId']]),
    [[22, 9]],
  );
  const [first] = await waitFor(
    async () => {
      const { flowSampling } = await sampledBridgeOf(running);
      return flowSampling[0]?.exporter.samples === 3 && flowSampling;
    },
    { what: 'all samples' },
  );
  assert.deepEqual([first?.flows, first?.datapath?.packets.lost, first?.datapath?.unmanaged], [2, 0, 0]);
  await running.stop();
  await sink.waitForPackets(3);
  assert.deepEqual(
    sink.records
      .map(({ observationDomainId, fields }) => [
        observationDomainId,
        fields['observationPointId'],
        fields['packetDeltaCount'],
        fields['udpDestinationPort'] ?? fields['destinationTransportPort'],
      ])
      .sort(([a], [b]) => Number(a) - Number(b)),
    [
      [11, 9, 2, 1],
      [12, 3, 1, 2],
    ],
  );
  assert.deepEqual(await setRows(ovs), before);
  assert.equal(await bed.dump(), flows);
});

test('weighs samples by 65535/P of the flow, in both formats, also where a record says half of it', async () => {
  await bed.addSet(1, sink.target, 'external_ids:ovs-ipfix-record-format=original');
  await bed.addSet(2, other.target);
  await bed.add([
    `priority=5,udp,tp_dst=1,actions=${sample(1, 11, 1, 32_768)},${sample(2, 11, 1, 32_768)}`,
    `priority=5,udp,tp_dst=2,actions=${sample(1, 12, 1, 40_000)}`,
    `priority=5,udp,tp_dst=3,actions=${sample(1, 13, 1, 21_846)}`,
  ]);
  const running = await run();
  await waitForRedirection(running, 2);
  for (const port of [1, 2, 3]) {
    await ovs.injectMany(
      'br0',
      'p1',
      Array.from({ length: 1000 }, () => udpTo(port)),
    );
  }
  const weights = (of: FlowRecordSink) => {
    const sums = new Map<number, { records: number; packets: number }>();
    for (const { observationDomainId, fields } of of.records) {
      const sum = sums.get(observationDomainId) ?? { records: 0, packets: 0 };
      sums.set(observationDomainId, {
        records: sum.records + 1,
        packets: sum.packets + Number(fields['packetDeltaCount']),
      });
    }
    return sums;
  };
  await waitFor(
    async () => {
      const { flowSampling } = await sampledBridgeOf(running);
      return flowSampling.every(
        ({ datapath, exporter }) =>
          datapath?.selected === exporter.records.activeTimeout + exporter.records.lackOfResources,
      );
    },
    { what: 'all samples are exported' },
  );
  await running.stop();
  for (const [of, domain, probability] of [
    [sink, 11, 32_768],
    [other, 11, 32_768],
    [sink, 12, 40_000],
    [sink, 13, 21_846],
  ] as const) {
    const { records, packets } = weights(of).get(domain) ?? { records: 0, packets: 0 };
    const mean = (1000 * probability) / 65_535;
    const error = Math.sqrt(mean * (1 - probability / 65_535));
    assert.ok(Math.abs(records - mean) < 6 * error, `${records} samples with P ${probability}`);
    assert.ok(
      Math.abs(packets - (records * 65_535) / probability) < 4,
      `${records} samples of P ${probability} have ${packets} packets`,
    );
  }
});

test(
  'ids that come from fields are as ovs-vswitchd has resolved them, and the weight is exact for each',
  unlessDiffers(tier('ovs', 'daemon'), 'ids-from-fields'),
  async () => {
    await bed.addSet(1, sink.target);
    const action =
      'sample(probability=40000,collector_set_id=1,obs_domain_id=NXM_NX_REG1[],obs_point_id=NXM_OF_UDP_DST[])';
    await bed.add([`priority=5,udp,actions=load:0x80000007->NXM_NX_REG1[],${action}`], 'OpenFlow14');
    const running = await run();
    await waitForRedirection(running);
    const frames = Array.from({ length: 500 }, (_, index) => udpTo(1 + (index % 2)));
    await ovs.injectMany('br0', 'p1', frames);
    const [set] = await waitFor(
      async () => {
        const { flowSampling } = await sampledBridgeOf(running);
        const selected = flowSampling[0]?.sampler.selected ?? 0;
        return selected > 200 && selected === sink.records.length && flowSampling;
      },
      { what: 'all samples are exported' },
    );
    const ids = new Set(
      sink.records.map(
        ({ observationDomainId, fields }) =>
          `${observationDomainId.toString(16)} ${String(fields['observationPointId'])}`,
      ),
    );
    assert.deepEqual(ids, new Set(['80000007 1', '80000007 2']));
    const expected = ((set?.sampler.selected ?? 0) * 65_535) / 40_000;
    assert.ok(Math.abs(sink.packetCount - expected) < 2, `${sink.packetCount}, expected ${expected}`);
  },
);

test('follows flows that change: a sample has the weight of its own probability', async () => {
  await bed.addSet(1, sink.target);
  await bed.add([`priority=5,udp,actions=${sample(1, 1, 1, 65_535)}`]);
  const running = await run();
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  await ovs.ofctl('mod-flows', 'br0', `udp,actions=${sample(1, 1, 1, 50_000)}`);
  await ovs.appctl('revalidator/wait');
  await ovs.injectMany(
    'br0',
    'p1',
    Array.from({ length: 1000 }, () => udpTo(1)),
  );
  const { sampler } = await waitFor(
    async () => {
      const [set] = (await sampledBridgeOf(running)).flowSampling;
      const exported = sink.records.length;
      return set !== undefined && set.sampler.selected > 600 && set.sampler.selected === exported && set;
    },
    { what: 'all samples' },
  );
  const expected = 1 + ((sampler.selected - 1) * 65_535) / 50_000;
  assert.ok(Math.abs(sink.packetCount - expected) < 3, `${sink.packetCount}, expected ${expected}`);
});

test('samples arrive after a restart of ovs-vswitchd, and after a change of the row that gives it another socket', async () => {
  await bed.addSet(1, sink.target);
  const running = await run();
  await waitForRedirection(running);
  await ovs.restartVswitchd();
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  const [{ datapath } = { datapath: undefined }] = (await sampledBridgeOf(running)).flowSampling;
  const before = datapath?.receiver.senderPort;
  // Not what the daemon exports by, but ovs-vswitchd makes another exporter.
  const row = (
    await ovs.vsctl('--bare', '--columns=_uuid', 'find', 'IPFIX', 'external_ids:ovs-ipfix-state=redirected')
  ).trim();
  await ovs.vsctl('set', 'IPFIX', row, 'other_config:virtual_obs_id=seen');
  await waitFor(
    async () => (await sampledBridgeOf(running)).flowSampling[0]?.datapath?.receiver.senderPort === undefined,
    { what: 'the daemon has seen the change' },
  );
  sink.clear();
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await sink.waitForPackets(2);
  const [{ datapath: later } = { datapath: undefined }] = (await sampledBridgeOf(running)).flowSampling;
  assert.notEqual(later?.receiver.senderPort, before);
  assert.deepEqual([later?.malformed, later?.otherTemplates], [0, 0]);
});

test('rewrites flows of sets that share a row, with each other or with a bridge', async () => {
  await bed.addSet(1, sink.target);
  const row = (
    await ovs.vsctl('--bare', '--columns=ipfix', 'find', 'Flow_Sample_Collector_Set', 'id=1')
  ).trim();
  await addCollectorSet(ovs, 'br0', 2, row);
  await bed.addSet(3, other.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},${sample(2)},${sample(3)},NORMAL`]);
  await run();
  await bed.waitForDaemonActions(2);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(2);
  await other.waitForPackets(1);
});

test('auto redirects sets of a bridge without meters, here over OpenFlow 1.0 alone, beside the whole bridge', async () => {
  const keys = ['protocols=OpenFlow10', 'external_ids:ovs-ipfix-sampler=auto'];
  await ovs.vsctl('set', 'Bridge', 'br0', ...keys);
  await bed.addSet(1, sink.target);
  await createIpfixRow(ovs, 'br0', [other.target], { sampling: 1, obs_domain_id: 99 });
  await bed.add([`priority=5,udp,actions=clone(${sample(1, 1, 1, 65_535)}),NORMAL`], 'OpenFlow10');
  const running = await run();
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await sink.waitForPackets(2);
  const { sampling, session } = await sampledBridgeOf(running);
  assert.deepEqual([session.protocol, sampling?.datapath?.interval], ['OpenFlow 1.0', 1]);
  const { conditions } = await daemonStatus(running);
  assert.deepEqual(
    conditions.filter(({ code }) => code !== 'no-cache-columns'),
    [],
  );
});

test(
  'leaves sets to ovs-vswitchd, with a condition, where it has another network namespace',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const far = await startOvs({ mode: 'netdev' });
    const endings: (() => Promise<unknown>)[] = [() => far.stop()];
    t.after(() => endInOrder(...endings));
    await far.addBridge('br0');
    await far.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=datapath');
    await createCollectorSet(far, 'br0', 1, '127.0.0.1:4739');
    await far.ofctl('add-flow', 'br0', `udp,actions=${sample(1)},NORMAL`);
    const running = await startFarDaemon(far, { waitForReady: false });
    endings.unshift(() => running.kill());
    const { conditions } = await waitFor(
      async () => {
        const status = await daemonStatus(running);
        return status.conditions.some(({ code }) => code === 'datapath-unreachable') && status;
      },
      { what: 'the path has failed', timeoutMs: 15_000 },
    );
    assert.deepEqual(
      conditions.filter(({ code }) => code === 'datapath-unreachable').map(({ where }) => where),
      ['Bridge br0, 1 collector set'],
    );
    const targets = await far.vsctl('--bare', '--columns=targets', 'find', 'IPFIX', 'external_ids={}');
    assert.equal(targets, '127.0.0.1:4739\n');
    assert.doesNotMatch(await far.ofctl('dump-flows', 'br0'), /controller/u);
    await running.waitForRefusal(/is not adopted yet/u);
  },
);
