// `sample` actions of users where the datapath is the sampler: the rows of the sets are redirected to the daemon, and no flow is
// changed.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose } from '../support/doctor.ts';
import { endInOrder } from '../support/end-in-order.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { createCollectorSet, createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import {
  type SampledFlows,
  sampleAction as sample,
  sampledBridgeOf,
  udpTo,
} from '../support/sampled-flows.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';

const ALL = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];
const CACHED = ['cache_active_timeout=60', 'cache_max_flows=1000'];

let ovs: Ovs;
let sink: FlowRecordSink;
let other: FlowRecordSink;
let bed: SampledFlows;
const { makeFlows, startDaemon: run } = withSampledFlows((running) => {
  ({
    ovs,
    sinks: [sink, other],
  } = running);
});
beforeEach(async () => {
  bed = await makeFlows(ALL);
  await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=datapath');
});

/** The columns of a row that the daemon writes. */
const COLUMNS = ['targets', 'external_ids', 'cache_active_timeout', 'cache_max_flows'];

/** Returns these columns of the rows of users' sets, as JSON texts. */
async function rows(): Promise<readonly string[]> {
  const select = { op: 'select', table: 'IPFIX', where: [], columns: COLUMNS };
  const [{ rows: found } = { rows: [] }] = (await ovs.transact(select)) as { rows: readonly object[] }[];
  const texts = found.map((row) => JSON.stringify(Object.entries(row).sort()));
  return texts.filter((row) => !row.includes('ovs-ipfix-owner')).sort();
}

/** Waits until the rows of `count` sets are redirected to the daemon. */
async function waitForRedirection(daemon: Daemon, count = 1) {
  return waitFor(
    async () => {
      const { flowSampling, session } = await sampledBridgeOf(daemon);
      const redirected = flowSampling.filter(({ datapath }) => datapath?.port !== undefined);
      await daemon.waitForReady();
      return redirected.length === count && session.translation.state === 'following' && flowSampling;
    },
    { what: `${count} rows are redirected` },
  );
}

test('exports samples of a set with its ids, changes no flow, and hands the row back', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.addSet(2, other.target);
  await bed.add([
    `priority=5,udp,tp_dst=1,actions=${sample(1, 11)},NORMAL`,
    `priority=5,udp,tp_dst=2,actions=clone(${sample(1, 12, 3)},output:2),${sample(2, 22)}`,
  ]);
  const flows = await bed.dump();
  const before = await rows();
  const running = await run();
  await waitForRedirection(running, 2);
  assert.equal(await bed.dump(), flows);
  const during = await rows();
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
  assert.deepEqual(await rows(), before);
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

test("follows its user's edits of a redirected row, and hands back what they say", async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  const row = (await ovs.vsctl('--bare', '--columns=_uuid', 'find', 'IPFIX', 'cache_max_flows=1000')).trim();
  const running = await run();
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1));
  // Another collector and no cache: what is cached goes to the new collector.
  await ovs.vsctl('set', 'IPFIX', row, `targets="${other.target}"`, 'cache_max_flows=0');
  await other.waitForPackets(1);
  await waitFor(async () => (await rows())[0]?.includes('"cache_max_flows",["set",[]]'), {
    what: 'the columns are moved to the keys again',
  });
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await other.waitForPackets(3);
  assert.equal(sink.records.length, 0);
  await running.stop();
  const [after = ''] = await rows();
  assert.match(after, new RegExp(`"targets","${other.target}"`, 'u'));
  assert.match(after, /"cache_active_timeout",60/u);
  assert.match(after, /"cache_max_flows",0/u);
  assert.match(after, /"external_ids",\["map",\[\]\]/u);
});

test('a row without held targets is not exported any more, and the socket is removed from it', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  const row = (await ovs.vsctl('--bare', '--columns=_uuid', 'find', 'IPFIX', 'cache_max_flows=1000')).trim();
  const running = await run();
  await waitForRedirection(running);
  await ovs.vsctl('remove', 'IPFIX', row, 'external_ids', 'ovs-ipfix-targets');
  await waitFor(async () => (await rows())[0]?.includes('"targets",["set",[]]'), { what: 'no target' });
  assert.match((await rows())[0] ?? '', /"cache_max_flows",1000\],\["external_ids",\["map",\[\]\]/u);
});

test('takes redirected rows over after SIGKILL; the doctor finds them and release hands them back', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.addSet(2, other.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},${sample(2)}`]);
  const flows = await bed.dump();
  const before = await rows();
  const first = await run();
  await waitForRedirection(first, 2);
  const redirected = await rows();
  await first.kill();
  assert.deepEqual(await rows(), redirected, 'rows stay redirected');
  const next = await run();
  await waitForRedirection(next, 2);
  const again = await rows();
  assert.notDeepEqual(again, redirected, 'the sockets are others');
  assert.deepEqual(
    again.map((text) => /ovs-ipfix-targets","([^"]*)"/u.exec(text)?.[1]).sort(),
    [sink.target, other.target].sort(),
  );
  await ovs.inject('p1', udpTo(1));
  await other.waitForPackets(1);
  await next.kill();
  const { findings } = await diagnose({ ...process.env, ...ovs.environment } as Record<string, string>);
  const held = findings.filter(({ code }) => code === 'held-without-daemon');
  assert.equal(held.length, 2);
  assert.match(held[0]?.action ?? '', /release/u);
  await ovs.run(process.execPath, DAEMON_FILE, 'release', '--db', ovs.dbEndpoint);
  assert.deepEqual(await rows(), before);
  assert.equal(await bed.dump(), flows);
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
  sink.clear();
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await sink.waitForPackets(2);
  const [{ datapath: later } = { datapath: undefined }] = (await sampledBridgeOf(running)).flowSampling;
  assert.notEqual(later?.receiver.senderPort, before);
  assert.deepEqual([later?.malformed, later?.otherTemplates], [0, 0]);
});

test('redirects 250 sets in two transactions, and hands them back in one', async (t) => {
  const count = 250;
  const commands = Array.from({ length: count }, (_, index) => [
    `--id=@i${index} create IPFIX targets="127.0.0.1:${20_000 + index}" cache_active_timeout=60 cache_max_flows=100`,
    `create Flow_Sample_Collector_Set id=${index + 1} bridge=@b ipfix=@i${index}`,
  ]).flat();
  await ovs.vsctl(...`--id=@b get Bridge br0 -- ${commands.join(' -- ')}`.split(' '));
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  const before = await rows();
  const started = process.hrtime.bigint();
  const running = await run({ readyTimeoutMs: 20_000 });
  const readyMs = Number(process.hrtime.bigint() - started) / 1e6;
  await waitForRedirection(running, count);
  const stopped = process.hrtime.bigint();
  await running.stop();
  t.diagnostic(
    `ready after ${readyMs.toFixed(0)} ms, stopped after ${(Number(process.hrtime.bigint() - stopped) / 1e6).toFixed(0)} ms`,
  );
  assert.deepEqual(await rows(), before);
  const log = await ovs.run('ovsdb-tool', 'show-log', join(ovs.rundir, 'conf.db'));
  const written = [...log.matchAll(/"ovs-ipfix: ([^"]*IPFIX[^"]*)"/gu)].map(([, text]) => text);
  assert.deepEqual(written.slice(-3), [
    `flush the caches of ${count} IPFIX rows`,
    `redirect ${count} IPFIX rows`,
    `end the redirection of ${count} IPFIX rows`,
  ]);
  assert.equal(written.filter((text) => text?.includes(String(count))).length, 3);
});

test('changes of the sampler rewrite flows and restore them, and move the row', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.add([`priority=5,udp,actions=${sample(1)},NORMAL`]);
  const flows = await bed.dump();
  const before = await rows();
  const running = await run();
  await waitForRedirection(running);
  const set = (sampler: string) =>
    ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
  await set('packet-in');
  await bed.waitForDaemonActions(1);
  await waitFor(async () => (await rows())[0]?.includes('"ovs-ipfix-state","adopted"'), { what: 'adopted' });
  assert.match((await rows())[0] ?? '', /"cache_max_flows",1000/u);
  await ovs.inject('p1', udpTo(1));
  await waitFor(async () => (await sampledBridgeOf(running)).flowSampling[0]?.exporter.samples === 1, {
    what: 'by packet-ins',
  });
  await set('datapath');
  await waitForRedirection(running);
  await bed.waitForDaemonActions(0);
  assert.equal(await bed.dump(), flows);
  assert.doesNotMatch(await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=/u);
  await ovs.inject('p1', udpTo(1));
  await waitFor(async () => (await sampledBridgeOf(running)).flowSampling[0]?.exporter.samples === 2, {
    what: 'by the datapath',
  });
  await running.stop();
  assert.deepEqual(await rows(), before);
});

test('removes the actions that a daemon of an earlier version has left, and redirects its adopted rows', async () => {
  await bed.addSet(1, sink.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},NORMAL`]);
  const flows = await bed.dump();
  const before = await rows();
  await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=packet-in');
  const earlier = await run();
  await bed.waitForDaemonActions(1);
  await earlier.kill();
  await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=datapath');
  const running = await run();
  await waitForRedirection(running);
  await bed.waitForDaemonActions(0);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  await running.stop();
  assert.equal(await bed.dump(), flows);
  assert.deepEqual(await rows(), before);
});

test('rewrites flows of sets that share a row, with each other or with a bridge', async () => {
  await bed.addSet(1, sink.target);
  const row = (
    await ovs.vsctl('--bare', '--columns=ipfix', 'find', 'Flow_Sample_Collector_Set', 'id=1')
  ).trim();
  await ovs.vsctl(
    '--id=@b',
    'get',
    'Bridge',
    'br0',
    '--',
    'create',
    'Flow_Sample_Collector_Set',
    'id=2',
    'bridge=@b',
    `ipfix=${row}`,
  );
  await bed.addSet(3, other.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},${sample(2)},${sample(3)},NORMAL`]);
  await run();
  await bed.waitForDaemonActions(2);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(2);
  await other.waitForPackets(1);
});

test('a native row is exported, and is as it was afterwards', async () => {
  await bed.addSet(1, sink.target);
  const row = (
    await ovs.vsctl('--bare', '--columns=ipfix', 'find', 'Flow_Sample_Collector_Set', 'id=1')
  ).trim();
  await ovs.vsctl(
    'clear',
    'IPFIX',
    row,
    'targets',
    '--',
    'set',
    'IPFIX',
    row,
    `external_ids:ovs-ipfix-targets="${sink.target}"`,
  );
  const before = await rows();
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  const running = await run({ arguments: ['--adopt', 'none'] });
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  await running.stop();
  assert.deepEqual(await rows(), before);
});

test('exports a bridge and its sets, over OpenFlow 1.0 alone', async () => {
  await ovs.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow10');
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
    const running = await startDaemon(far, { waitForReady: false });
    endings.unshift(() => running.kill());
    const { conditions } = await waitFor(
      async () => {
        const status = await daemonStatus(running);
        return status.conditions.some(({ code }) => code === 'datapath-unreachable') && status;
      },
      { what: 'the path has failed' },
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
