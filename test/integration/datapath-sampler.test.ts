// The datapath as the sampler of a bridge, on a real switch: what is exported, when `auto` chooses it, and where it cannot be had.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertExact,
  CACHED,
  datapathBridge,
  hookActions,
  Numbered,
  ownRows,
  sampledWhole,
  setSampler,
  startBoth,
} from '../support/datapath-bridge.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { createIpfixRow, daemonStatus, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

test(
  'has the datapath sample by the hook and own rows, and removes both',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    const status = await sampledWhole(daemon, br.name);
    const id = status.ownRows?.collectorSetId;
    assert.match(
      await hookActions(ovs, br.name),
      new RegExp(`^sample\\(probability=65535,collector_set_id=${id},`, 'u'),
    );
    assert.deepEqual(await ownRows(ovs), ['IPFIX', 'Flow_Sample_Collector_Set']);
    assert.equal(
      await ovs.vsctl('get', 'IPFIX', br.row, 'targets'),
      '[]\n',
      'the row of the user is adopted',
    );
    assert.equal(status.samplerChoice?.path, 'good');
    await waitFor(
      async () => !(await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name)).includes('meter='),
      { what: 'the unused meter is gone', timeoutMs: 10_000 },
    );
    await waitFor(
      async () => {
        const { upcalls } = await daemonStatus(daemon);
        return upcalls.some(({ datapath, lost }) => datapath.endsWith('@ovs-dummy') && lost === 0);
      },
      { what: 'ovs-vswitchd has said what its datapath lost', timeoutMs: 15_000 },
    );
    assert.doesNotMatch(await daemon.appctl('status'), /^ +(?:observed|packet-ins|samples) /mu);
    await daemon.stop();
    assert.deepEqual(await ownRows(ovs), []);
    assert.equal(await hookActions(ovs, br.name), 'no hook');
  },
);

test('the test packet of the path is not exported', tier('ovs', 'daemon'), async (t) => {
  const { ovs, daemon } = await startBoth(t);
  const sink = await FlowRecordSink.open();
  t.after(() => sink.close());
  // ovs-vswitchd samples every packet of these bridges until their rows are adopted.
  for (const name of ['br-a', 'br-b', 'br-c', 'br-d']) {
    await ovs.addBridge(name);
    await setSampler(ovs, name, 'datapath');
    await createIpfixRow(ovs, name, [sink.target], { sampling: 1 });
    await waitForBridge(
      daemon,
      name,
      'the path is good',
      ({ samplerChoice }) => samplerChoice?.path === 'good',
    );
  }
  assert.deepEqual(
    sink.records.map(({ fields }) => fields['ethernetType']),
    [],
  );
});

test(
  'exports every packet of N = 1 with its octets, over a restart of ovs-vswitchd',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    const numbered = new Numbered(br, ovs);
    await numbered.inject(2000);
    const before = await br.waitForStatus('all arrive', ({ datapath }) => (datapath?.selected ?? 0) >= 2000);
    assert.equal(before.datapath?.packets.lost, 0);
    assert.equal(before.datapath?.otherDomains, 0);
    await ovs.restartVswitchd();
    await waitForHook(daemon, br.name);
    await waitForBridge(
      daemon,
      br.name,
      'samples arrive from the new ovs-vswitchd',
      ({ datapath, samplerChoice }) =>
        samplerChoice?.path === 'good' && (datapath?.tests ?? 0) > (before.datapath?.tests ?? 0),
    );
    assert.match(await hookActions(ovs, br.name), /^sample\(probability=65535,/u);
    await numbered.inject(2000);
    await assertExact(br, numbered);
    const { datapath } = await br.waitForStatus('the status', () => true);
    assert.equal(datapath?.packets.lost, 0);
  },
);

test('samples a bridge that has no meters, over OpenFlow 1.0', tier('ovs', 'daemon'), async (t) => {
  const started = await startBoth(t);
  const { ovs, daemon } = started;
  const br = await datapathBridge(t, started);
  await ovs.vsctl('set', 'Bridge', br.name, 'protocols=OpenFlow10');
  await waitForBridge(
    daemon,
    br.name,
    'the datapath samples over OpenFlow 1.0',
    ({ session, samplerChoice }) =>
      session.protocol === 'OpenFlow 1.0' &&
      session.hook === 'installed' &&
      samplerChoice?.sampler === 'datapath',
  );
  const numbered = new Numbered(br, ovs);
  await numbered.inject(500);
  await assertExact(br, numbered);
});

test('auto leaves packet-ins when the meter drops', tier('ovs', 'daemon'), async (t) => {
  const started = await startBoth(t);
  const { ovs, daemon } = started;
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await ovs.vsctl(
    'set',
    'Bridge',
    br.name,
    'external_ids:ovs-ipfix-sampler=auto',
    'external_ids:ovs-ipfix-max-rate=100',
  );
  const waiting = await waitForBridge(
    daemon,
    br.name,
    'the packet rate is known',
    ({ samplerChoice }) => samplerChoice?.packetRate !== undefined,
  );
  assert.deepEqual([waiting.samplerChoice?.sampler, waiting.samplerChoice?.path], ['packet-in', 'untested']);
  assert.deepEqual(await ownRows(ovs), [], 'there are no own rows before they are needed');
  const numbered = new Numbered(br, ovs);
  const chosen = await waitFor(
    async () => {
      await numbered.inject(400);
      const { samplerChoice } = await br.waitForStatus('the status', () => true);
      return samplerChoice?.sampler === 'datapath' && samplerChoice;
    },
    { what: 'the datapath samples', timeoutMs: 15_000 },
  );
  assert.equal(chosen.reason, 'meter dropped');
  await waitFor(async () => (await hookActions(ovs, br.name)).startsWith('sample('), {
    what: 'the hook has the sample action',
  });
  assert.match(await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name), /meter=65000/u, 'it may return');
});

test(
  'uses packet-ins, with a condition, where ovs-vswitchd has another network namespace',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const { ovs, daemon } = await startBoth(t, { mode: 'netdev' });
    await ovs.addBridge('br0');
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    await createIpfixRow(ovs, 'br0', [sink.target]);
    await setSampler(ovs, 'br0', 'datapath');
    const { samplerChoice } = await waitForBridge(
      daemon,
      'br0',
      'the path has failed',
      (status) => status.samplerChoice?.path === 'failed',
    );
    assert.equal(samplerChoice?.sampler, 'packet-in');
    assert.match(await hookActions(ovs, 'br0'), /^controller\(/u);
    const { conditions } = await daemonStatus(daemon);
    const found = conditions.find(({ code }) => code === 'datapath-unreachable');
    assert.equal(found?.severity, 'warning');
    assert.match(found.action, /share its network namespace/u);
    await daemon.waitForReady();
  },
);
