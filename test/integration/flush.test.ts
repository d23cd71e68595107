// When an exporter ends: its cache is flushed with forcedEnd to its collectors when there is nothing to export for any more,
// and kept when its row or the switch only changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { type FlowRecord, FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { targetsArgument, waitForBridge, waitForHook, waitForNoBridge } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { withDaemon } from '../support/with-daemon.ts';

const ACTIVE_TIMEOUT = 2;
const FORCED_END = 4;
const CACHED = { cache_active_timeout: 60, cache_max_flows: 100 };

let ovs: Ovs;
let daemon: Daemon;

withDaemon(
  (running) => {
    ({ ovs, daemon } = running);
  },
  {
    ovs: {
      allowedWarnings: [
        // OVS reports flows of a deleted bridge that sent packets to a controller as a leak, and then frees them.
        /recirc_id \d+ left allocated when ofproto \(br\d+\) is destructed/,
        // ovs-vswitchd warns about the unusable target while the row is not adopted.
        /127\.0\.0\.1:99999|no collectors could be initialized/,
      ],
    },
  },
);

function flow(sourcePort: number): Buffer {
  return udpFrame({ sourcePort });
}

/** Returns source port, packets and end reason of each record. */
function summary(records: readonly FlowRecord[]): unknown[] {
  return records.map(({ fields }) =>
    [fields['sourceTransportPort'], fields['packetDeltaCount'], fields['flowEndReason']].map(Number),
  );
}

/** Commands of an operator after which there is nothing to export for. */
const ENDINGS: Readonly<Record<string, (br: ExportingBridge) => readonly string[]>> = {
  'the row is taken from the bridge': ({ name }) => ['clear', 'Bridge', name, 'ipfix'],
  'the row is deleted': ({ name, row }) => ['clear', 'Bridge', name, 'ipfix', '--', 'destroy', 'IPFIX', row],
  'the bridge gets another row that names no collector': ({ name }) =>
    `set Bridge ${name} ipfix=@other -- --id=@other create IPFIX sampling=1`.split(' '),
  'the held targets are removed': ({ row }) => ['remove', 'IPFIX', row, 'external_ids', 'ovs-ipfix-targets'],
  'the held targets become unusable': ({ row }) => [
    'set',
    'IPFIX',
    row,
    'external_ids:ovs-ipfix-targets=127.0.0.1:99999',
  ],
  'the targets become unusable': ({ row }) => ['set', 'IPFIX', row, targetsArgument(['127.0.0.1:99999'])],
  'the bridge is deleted': ({ name }) => ['del-br', name],
};

for (const [what, command] of Object.entries(ENDINGS)) {
  test(`when ${what}, its flows are exported with forcedEnd`, tier('ovs', 'daemon'), async (t) => {
    const br = await exportingBridge(t, ovs, daemon, CACHED);
    await br.sample(flow(1), flow(1), flow(2));
    await ovs.vsctl(...command(br));
    await waitForNoBridge(daemon, br.name);
    assert.deepEqual(summary(await br.sink.waitForRecords(2)), [
      [1, 2, FORCED_END],
      [2, 1, FORCED_END],
    ]);
    if (what !== 'the bridge is deleted') {
      const flows = await ovs.ofctl('-O', 'OpenFlow15', 'dump-flows', br.name);
      assert.equal(flows.includes('controller('), false, 'the hook is removed');
    }
  });
}

test('a row that gets a usable target again is exported again', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument(['127.0.0.1:99999']));
  await waitForNoBridge(daemon, br.name);
  const sink = await FlowRecordSink.open();
  t.after(() => sink.close());
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([sink.target]));
  await waitForHook(daemon, br.name);
  await br.sample(flow(1));
  await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
  assert.deepEqual(summary(await sink.waitForRecords(1)), [[1, 1, FORCED_END]]);
});

test(
  'nothing is flushed when the targets change; later records go to the new collector only',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, CACHED);
    await br.sample(flow(1), flow(2));
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([sink.target]));
    await br.waitForStatus('new collector', ({ exporter }) => exporter.collectors[0]?.target === sink.target);
    await waitForHook(daemon, br.name);
    await br.sample(flow(1));
    assert.equal(sink.messages.length, 0);
    await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
    assert.deepEqual(summary(await sink.waitForRecords(2)), [
      [1, 2, FORCED_END],
      [2, 1, FORCED_END],
    ]);
    assert.equal(br.sink.messages.length, 0);
  },
);

test(
  'caches are kept when ovs-vswitchd is killed, and flows expire whether or not it has restarted',
  tier('ovs', 'daemon'),
  async (t) => {
    const long = await exportingBridge(t, ovs, daemon, CACHED);
    const short = await exportingBridge(t, ovs, daemon, { ...CACHED, cache_active_timeout: 1 });
    await long.sample(flow(1));
    await short.sample(flow(2), flow(2));
    await ovs.killVswitchd();
    assert.deepEqual(summary(await short.sink.waitForRecords(1)), [[2, 2, ACTIVE_TIMEOUT]]);
    await waitForBridge(
      daemon,
      long.name,
      'the hook is not known',
      ({ session }) => session.hook !== 'installed',
    );

    await ovs.startVswitchd();
    const back = Date.now();
    await waitForHook(daemon, long.name);
    await waitForHook(daemon, short.name);
    t.diagnostic(`hooks were back ${Date.now() - back} ms after ovs-vswitchd`);
    await long.sample(flow(1));
    assert.equal(long.sink.messages.length, 0);
    await long.set({ cache_active_timeout: 0 });
    assert.deepEqual(summary(await long.sink.waitForRecords(1)), [[1, 2, ACTIVE_TIMEOUT]]);
    await short.sample(flow(3));
    assert.deepEqual(summary(await short.sink.waitForRecords(2)).slice(1), [[3, 1, ACTIVE_TIMEOUT]]);
  },
);

test(
  'every cache is flushed to every collector when the daemon is stopped',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await startOvs();
    t.after(() => own.stop());
    const doomed = await startDaemon(own);
    const second = await FlowRecordSink.open();
    t.after(() => second.close());
    const bridges = [];
    for (const port of [1, 2, 3]) {
      const br = await exportingBridge(t, own, doomed, { ...CACHED, obs_domain_id: port });
      await own.vsctl('set', 'IPFIX', br.row, targetsArgument([br.sink.target, second.target]));
      await br.waitForStatus('two collectors', ({ exporter }) => exporter.collectors.length === 2);
      await br.sample(flow(port), flow(port));
      bridges.push(br);
    }
    const begun = Date.now();
    await doomed.stop();
    t.diagnostic(`ended within ${Date.now() - begun} ms`);
    for (const [index, br] of bridges.entries()) {
      assert.deepEqual(summary(await br.sink.waitForRecords(1)), [[index + 1, 2, FORCED_END]]);
    }
    const records = await second.waitForRecords(3);
    const domains = records.map((record) => record.observationDomainId).toSorted((a, b) => a - b);
    assert.deepEqual(domains, [1, 2, 3]);
  },
);
