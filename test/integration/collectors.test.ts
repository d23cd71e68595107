// Several bridges and several collectors beside each other: rows shared or not, collectors that are dead, named by host
// name or reached over IPv6, and all kinds of traffic through two bridges at once.

import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { after, before, test } from 'node:test';
import { freeUdpPort } from '../support/collectors.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { arp, ethernet, icmpv6, ipv4, ipv6, tcp, udp, udpFrame } from '../support/frames.ts';
import { daemonStatus, targetsArgument, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';

const CACHED = { cache_active_timeout: 60, cache_max_flows: 100 };
const ACTIVE_TIMEOUT = 2;

let ovs: Ovs;
let daemon: Daemon;

before(async () => {
  // ovs-vswitchd resolves no host names, and says so in the moment in which the row is its own.
  ovs = await startOvs({ allowedWarnings: [/collector localhost:\d+ |no collectors could be initialized/] });
  daemon = await startDaemon(ovs);
});

after(async () => {
  try {
    await daemon.stop();
  } finally {
    await ovs.stop();
  }
});

function flow(sourcePort: number): Buffer {
  return udpFrame({ sourcePort });
}

test(
  'two bridges with one row have a cache each, and both follow the row',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { ...CACHED, obs_domain_id: 3 });
    await ovs.addBridge('twin');
    await ovs.addDummyPort('twin', 'twin-p');
    await ovs.vsctl('set', 'Bridge', 'twin', `ipfix=${br.row}`);
    await waitForHook(daemon, 'twin');
    await br.sample(flow(1), flow(1));
    await ovs.inject('twin-p', flow(1), flow(1), flow(1));
    await waitForBridge(daemon, 'twin', 'three samples', ({ exporter }) => exporter.samples === 3);
    assert.equal(br.sink.messages.length, 0);

    await br.set({ cache_active_timeout: 0 });
    const records = await br.sink.waitForRecords(2);
    const counts = records.map(({ fields }) => Number(fields['packetDeltaCount'])).toSorted((a, b) => a - b);
    assert.deepEqual(counts, [2, 3]);
    assert.deepEqual(
      records.map((record) => [record.observationDomainId, record.fields['flowEndReason']]),
      [
        [3, ACTIVE_TIMEOUT],
        [3, ACTIVE_TIMEOUT],
      ],
    );

    // One of them leaves the row; the other goes on, and the row stays taken over.
    await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
    await ovs.inject('twin-p', flow(2));
    await br.sink.waitForRecords(3);
    assert.equal((await ovs.vsctl('get', 'IPFIX', br.row, 'targets')).trim(), '[]');
    await ovs.vsctl('clear', 'Bridge', 'twin', 'ipfix');
  },
);

test(
  'two bridges with a row each do not mix, whatever goes through them',
  tier('ovs', 'daemon'),
  async (t) => {
    const left = await exportingBridge(t, ovs, daemon, { obs_domain_id: 1, obs_point_id: 10 });
    const right = await exportingBridge(t, ovs, daemon, { obs_domain_id: 2, obs_point_id: 20, ...CACHED });
    const v4 = { source: '192.0.2.1', destination: '192.0.2.2' };
    const v6 = { source: '2001:db8::1', destination: '2001:db8::2', flowLabel: 77 };
    const vlans = [{ id: 100, priority: 5 }];
    const frames = [
      ethernet({}, arp({ senderIp: '192.0.2.1', targetIp: '192.0.2.2' })),
      ethernet({}, ipv4(v4, tcp({ source: 1, destination: 80 }))),
      ethernet({}, ipv6(v6, tcp({ source: 2, destination: 80 }))),
      ethernet({}, ipv6(v6, icmpv6({ type: 128 }))),
      ethernet({ vlans }, arp({ senderIp: '192.0.2.1', targetIp: '192.0.2.2' })),
      ethernet({ vlans }, ipv4(v4, udp({ source: 3, destination: 53 }))),
      ethernet({ vlans }, ipv6(v6, udp({ source: 4, destination: 53 }))),
      ethernet({ vlans }, ipv6(v6, icmpv6({ type: 129 }))),
    ];
    const templates = [256, 259, 261, 260, 262, 265, 267, 266];
    await left.sample(...frames);
    await right.sample(...frames, ...frames.toReversed());
    assert.deepEqual(
      (await left.sink.waitForRecords(frames.length)).map((record) => record.templateId),
      templates,
    );
    const { fields, ...last } = left.sink.records[6] ?? assert.fail('the seventh record');
    assert.equal(last.observationDomainId, 1);
    assert.equal(fields['observationPointId'], 10);
    assert.equal(fields['vlanId'], 100);
    assert.equal(fields['dot1qPriority'], 5);
    assert.equal(fields['sourceIPv6Address'], '2001:db8::1');
    assert.equal(fields['flowLabelIPv6'], 77);
    assert.equal(fields['sourceTransportPort'], 4);

    assert.equal(right.sink.messages.length, 0);
    await right.set({ cache_active_timeout: 0 });
    const cached = await right.sink.waitForRecords(frames.length);
    assert.deepEqual(
      cached.map((record) => record.templateId),
      templates,
    );
    for (const record of cached) {
      assert.equal(record.observationDomainId, 2);
      assert.equal(record.fields['observationPointId'], 20);
      assert.equal(record.fields['packetDeltaCount'], 2);
    }
    assert.equal(left.sink.records.length, frames.length);
  },
);

test(
  'a dead collector costs a live one nothing, and its ICMP errors are counted',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    const dead = `127.0.0.1:${await freeUdpPort()}`;
    await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([dead, br.sink.target]));
    await br.waitForStatus('two collectors', ({ exporter }) => exporter.collectors.length === 2);
    await waitForHook(daemon, br.name);
    const frames = Array.from({ length: 200 }, (_, index) => flow(1 + index));
    for (let at = 0; at < frames.length; at += 50) await br.sample(...frames.slice(at, at + 50));
    const records = await br.sink.waitForRecords(frames.length);
    assert.deepEqual(
      records.map(({ fields }) => fields['sourceTransportPort']),
      frames.map((_, index) => 1 + index),
    );
    const { exporter } = await br.waitForStatus('errors are counted', ({ exporter }) =>
      exporter.collectors.some(({ target, errors }) => target === dead && (errors['ECONNREFUSED'] ?? 0) > 0),
    );
    const live = exporter.collectors.find(({ target }) => target === br.sink.target);
    assert.deepEqual(live?.errors, {});
    assert.equal(live.messagesLost, 0);
    assert.match(await daemon.appctl('status'), /ECONNREFUSED/);
    const warnings = daemon.log
      .split('\n')
      .filter((line) => line.includes(dead) && /ECONNREFUSED/.test(line));
    // OVS's own limit: five lines at once, and then one a minute.
    assert.ok(warnings.length >= 1 && warnings.length <= 6, `${warnings.length} lines about the same fault`);
  },
);

test('a dead collector that comes to life gets templates first', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon);
  const port = await freeUdpPort();
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([`127.0.0.1:${port}`]));
  await br.waitForStatus('the dead collector', ({ exporter }) =>
    exporter.collectors.some(({ target }) => target === `127.0.0.1:${port}`),
  );
  await waitForHook(daemon, br.name);
  await br.sample(flow(1));
  await br.waitForStatus('an error', ({ exporter }) => exporter.collectors[0]?.lastError !== undefined);
  const sink = await FlowRecordSink.open({ port });
  t.after(() => sink.close());
  await br.sample(flow(2));
  const [record] = await sink.waitForRecords(1);
  assert.equal(record?.fields['sourceTransportPort'], 2);
});

for (const [what, host, written] of [
  ['an IPv6 address', '::1', '[::1]'],
  ['a host name', 'localhost', 'localhost'],
] as const) {
  test(`a collector may be ${what}`, tier('ovs', 'daemon'), async (t) => {
    const br = await exportingBridge(t, ovs, daemon);
    // Machines differ in what localhost is first.
    const sink = await FlowRecordSink.open({ host: (await lookup(host)).address });
    t.after(() => sink.close());
    const target = `${written}:${sink.port}`;
    await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([target]));
    await br.waitForStatus('the collector', ({ exporter }) =>
      exporter.collectors.some((collector) => collector.target === target),
    );
    await waitForHook(daemon, br.name);
    await br.sample(flow(1), flow(2));
    assert.equal((await sink.waitForRecords(2)).length, 2);
    assert.equal((await daemonStatus(daemon)).missing.length, 0);
  });
}
