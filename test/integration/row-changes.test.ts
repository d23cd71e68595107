// Changes of every column of an IPFIX row under traffic: what takes effect, what is kept, and that the messages stay valid:
// FlowRecordSink fails on a gap in a domain's sequence numbers and on a record without a template in its domain.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodedMessage } from '../../src/ipfix/reader-types.ts';
import { RECORD_FORMATS, type RecordFormat } from '../../src/ipfix/record-layout.ts';
import type { Daemon } from '../support/daemon.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { targetsArgument, waitForHook } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const CACHED = { cache_active_timeout: 60, cache_max_flows: 100 };

let ovs: Ovs;
let daemon: Daemon;

withDaemon((running) => {
  ({ ovs, daemon } = running);
});

const formatColumn = (format: RecordFormat) => ({ 'external_ids:ovs-ipfix-record-format': format });

function flow(sourcePort: number): Buffer {
  return udpFrame({ sourcePort });
}

/** Returns the ids of the templates in messages, in order: those of the format `extended` take two messages. */
function templateIds(messages: readonly DecodedMessage[]): number[] {
  return messages.flatMap(({ templates }) => templates.map(({ id }) => id));
}

/** Fails unless messages have templates, and each of them once. */
function assertSentOnce(messages: readonly DecodedMessage[]): void {
  const ids = templateIds(messages);
  assert.ok(ids.length > 0);
  assert.deepEqual(ids, [...new Set(ids)]);
}

/** Returns the userdata of the hook's action, which changes with the ids. */
async function hookUserdata(bridge: string): Promise<string | undefined> {
  const flows = await ovs.ofctl('-O', 'OpenFlow14', 'dump-flows', bridge);
  return /userdata=([0-9a-f.]+)/.exec(flows)?.[1];
}

for (const format of RECORD_FORMATS) {
  test(
    `new ids start new flows, in a domain with its own templates and sequence numbers; the old flows are kept (${format})`,
    tier('ovs', 'daemon'),
    async (t) => {
      const br = await exportingBridge(t, ovs, daemon, {
        ...CACHED,
        ...formatColumn(format),
        obs_domain_id: 1,
        obs_point_id: 10,
      });
      const ids = [
        [1, 10],
        [1, 11],
        [4_294_967_295, 11],
        [0, 4_294_967_295],
      ] as const;
      for (const [index, [domain, point]] of ids.entries()) {
        const before = await hookUserdata(br.name);
        if (index > 0) {
          await br.set({ obs_domain_id: domain, obs_point_id: point });
          await waitFor(async () => (await hookUserdata(br.name)) !== before, {
            what: 'the hook has the new ids',
          });
        }
        await br.sample(flow(7), flow(7));
      }
      assert.equal(br.sink.messages.length, 0);
      await br.set({ cache_active_timeout: 0 });
      const records = await br.sink.waitForRecords(ids.length);
      const seen = records.map(({ observationDomainId, fields }) => [
        observationDomainId,
        fields['observationPointId'],
        fields['packetDeltaCount'],
      ]);
      assert.deepEqual(
        new Set(seen.map(String)),
        new Set(ids.map(([domain, point]) => String([domain, point, 2]))),
      );

      // Back in the first domain its sequence number continues after two records.
      await ovs.vsctl('set', 'IPFIX', br.row, 'obs_domain_id=1');
      await waitFor(
        async () => {
          await br.sample(flow(8));
          return br.sink.records.some(
            (record) => record.observationDomainId === 1 && record.fields['sourceTransportPort'] === 8,
          );
        },
        { what: 'a record comes in domain 1 again' },
      );
      const inDomain1 = br.sink.messages.filter((message) => message.observationDomainId === 1);
      assert.equal(inDomain1.find((message) => message.records.length === 1)?.sequenceNumber, 2);
      assertSentOnce(inDomain1);
    },
  );
}

test(
  'a new sampling interval applies to later samples; flows keep their counts',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, CACHED);
    await br.sample(flow(1), flow(1), flow(1));
    await br.set({ sampling: 2 });
    await br.waitForStatus('samples 1 in 2', ({ sampler }) => sampler.interval === 2);
    const frames = Array.from({ length: 64 }, () => flow(1));
    await br.inject(...frames);
    const { sampler } = await br.waitForStatus('has received all', ({ sampler }) => sampler.received === 67);
    const sampledCount = sampler.selected - 3;
    assert.ok(sampledCount > 8 && sampledCount < 56, `${sampledCount} of 64 samples at 1 in 2`);
    await br.set({ cache_active_timeout: 0 });
    const [record] = await br.sink.waitForRecords(1);
    assert.equal(record?.fields['packetDeltaCount'], 3 + 2 * sampledCount);
    assert.equal(record.fields['layer2OctetDeltaCount'], (3 + 2 * sampledCount) * flow(1).length);
  },
);

test('no flow is lost or counted twice when the cache columns change', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await br.sample(flow(1), flow(2), flow(3));
  await br.set({ cache_max_flows: 200 });
  await br.waitForStatus('limit is 200', ({ exporter }) => exporter.cache.flowsMax === 200);
  await br.set({ cache_active_timeout: 4200 });
  await br.waitForStatus(
    'timeout is 4,200 s',
    ({ exporter }) => exporter.options.activeTimeoutSeconds === 4200,
  );
  await br.sample(flow(1), flow(2), flow(3));
  assert.equal(br.sink.messages.length, 0);
  await ovs.vsctl(
    'clear',
    'IPFIX',
    br.row,
    'cache_active_timeout',
    '--',
    'clear',
    'IPFIX',
    br.row,
    'cache_max_flows',
  );
  const records = await br.sink.waitForRecords(3);
  assert.deepEqual(
    records.map(({ fields }) => fields['packetDeltaCount']),
    [2, 2, 2],
  );
});

for (const format of RECORD_FORMATS) {
  test(
    `an added collector has its own session, with templates first; a removed one gets no more messages (${format})`,
    tier('ovs', 'daemon'),
    async (t) => {
      const br = await exportingBridge(t, ovs, daemon, { ...formatColumn(format), obs_domain_id: 5 });
      const first = br.sink;
      const second = await FlowRecordSink.open();
      t.after(() => second.close());
      await br.sample(flow(1));
      await first.waitForRecords(1);

      await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([first.target, second.target]));
      await br.waitForStatus('two collectors', ({ exporter }) => exporter.collectors.length === 2);
      await waitForHook(daemon, br.name);
      await br.sample(flow(2));
      await first.waitForRecords(2);
      await second.waitForRecords(1);
      assertSentOnce(first.messages);
      const firstRecord = second.messages.findIndex(({ records }) => records.length > 0);
      assert.deepEqual(templateIds(second.messages.slice(0, firstRecord)), templateIds(first.messages));

      await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument([second.target]));
      await br.waitForStatus('one collector', ({ exporter }) => exporter.collectors.length === 1);
      await waitForHook(daemon, br.name);
      await br.sample(flow(3));
      await second.waitForRecords(2);
      assert.equal(first.records.length, 2);
    },
  );
}

test('a row rewritten with the same meaning changes nothing', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  const second = await FlowRecordSink.open();
  t.after(() => second.close());
  const targets = [br.sink.target, second.target];
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument(targets));
  await br.waitForStatus('two collectors', ({ exporter }) => exporter.collectors.length === 2);
  await waitForHook(daemon, br.name);
  await br.sample(flow(1));
  const hookBefore = await ovs.ofctl('-O', 'OpenFlow14', 'dump-flows', br.name);

  // With targets in another order, and then a change that shows that the daemon has read it.
  await ovs.vsctl('set', 'IPFIX', br.row, targetsArgument(targets.toReversed()), 'sampling=1');
  await waitFor(async () => (await ovs.vsctl('get', 'IPFIX', br.row, 'targets')).trim() === '[]', {
    what: 'the row is adopted again',
  });
  await waitForHook(daemon, br.name);
  const { exporter, session } = await br.waitForStatus('two collectors', () => true);
  assert.equal(exporter.cache.flows, 1);
  assert.deepEqual(
    exporter.collectors.map((collector) => [collector.connectionCount, collector.templateMessages]),
    [
      [1, 0],
      [1, 0],
    ],
  );
  assert.equal(session.hookRepairs, 0);
  const duration = (text: string) => Number(/duration=([\d.]+)s/.exec(text)?.[1]);
  const hookAfter = await ovs.ofctl('-O', 'OpenFlow14', 'dump-flows', br.name);
  assert.ok(duration(hookAfter) > duration(hookBefore), 'the hook was reinstalled');
  await br.set({ cache_max_flows: 0 });
  await br.sink.waitForRecords(1);
  await second.waitForRecords(1);
});
