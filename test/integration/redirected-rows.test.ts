// The rows of redirected collector sets: edits of their users, kills, changes of the sampler, and many of them at once.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { diagnose } from '../support/doctor.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import type { Ovs } from '../support/ovs.ts';
import { CACHED, setRows, waitForRedirection, withRedirectedSets } from '../support/redirected-sets.ts';
import {
  type SampledFlows,
  sampleAction as sample,
  sampledBridgeOf,
  udpTo,
} from '../support/sampled-flows.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

let ovs: Ovs;
let sink: FlowRecordSink;
let other: FlowRecordSink;
let bed: SampledFlows;
const { run } = withRedirectedSets((running) => {
  ({ ovs, sink, other, bed } = running);
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
  await waitFor(async () => (await setRows(ovs))[0]?.includes('"cache_max_flows",["set",[]]'), {
    what: 'the columns are moved to the keys again',
  });
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await other.waitForPackets(3);
  assert.equal(sink.records.length, 0);
  await running.stop();
  const [after = ''] = await setRows(ovs);
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
  await waitFor(async () => (await setRows(ovs))[0]?.includes('"targets",["set",[]]'), { what: 'no target' });
  assert.match((await setRows(ovs))[0] ?? '', /"cache_max_flows",1000\],\["external_ids",\["map",\[\]\]/u);
});

test('takes redirected rows over after SIGKILL; the doctor finds them and release hands them back', async () => {
  await bed.addSet(1, sink.target, ...CACHED);
  await bed.addSet(2, other.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},${sample(2)}`]);
  const flows = await bed.dump();
  const before = await setRows(ovs);
  const first = await run();
  await waitForRedirection(first, 2);
  const redirected = await setRows(ovs);
  await first.kill();
  assert.deepEqual(await setRows(ovs), redirected, 'rows stay redirected');
  const next = await run();
  await waitForRedirection(next, 2);
  const again = await setRows(ovs);
  assert.notDeepEqual(again, redirected, 'the sockets are others');
  assert.deepEqual(
    new Set(again.map((text) => /ovs-ipfix-targets","([^"]*)"/u.exec(text)?.[1])),
    new Set([sink.target, other.target]),
  );
  await ovs.inject('p1', udpTo(1));
  await other.waitForPackets(1);
  await next.kill();
  const { findings } = await diagnose({ ...process.env, ...ovs.environment } as Record<string, string>);
  const held = findings.filter(({ code }) => code === 'held-without-daemon');
  assert.equal(held.length, 2);
  assert.match(held[0]?.action ?? '', /release/u);
  await ovs.run(process.execPath, DAEMON_FILE, 'release', '--db', ovs.dbEndpoint);
  assert.deepEqual(await setRows(ovs), before);
  assert.equal(await bed.dump(), flows);
});

test('redirects 250 sets in two transactions, and hands them back in one', async (t) => {
  const count = 250;
  const commands = Array.from({ length: count }, (_, index) => [
    `--id=@i${index} create IPFIX targets="127.0.0.1:${20_000 + index}" cache_active_timeout=60 cache_max_flows=100`,
    `create Flow_Sample_Collector_Set id=${index + 1} bridge=@b ipfix=@i${index}`,
  ]).flat();
  await ovs.vsctl(...`--id=@b get Bridge br0 -- ${commands.join(' -- ')}`.split(' '));
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  const before = await setRows(ovs);
  const started = process.hrtime.bigint();
  const running = await run();
  const readyMs = Number(process.hrtime.bigint() - started) / 1e6;
  await waitForRedirection(running, count);
  const stopped = process.hrtime.bigint();
  await running.stop();
  t.diagnostic(
    `ready after ${readyMs.toFixed(0)} ms, stopped after ${(Number(process.hrtime.bigint() - stopped) / 1e6).toFixed(0)} ms`,
  );
  assert.deepEqual(await setRows(ovs), before);
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
  const before = await setRows(ovs);
  const running = await run();
  await waitForRedirection(running);
  const set = (sampler: string) =>
    ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
  await set('packet-in');
  await bed.waitForDaemonActions(1);
  await waitFor(async () => (await setRows(ovs))[0]?.includes('"ovs-ipfix-state","adopted"'), {
    what: 'adopted',
  });
  assert.match((await setRows(ovs))[0] ?? '', /"cache_max_flows",1000/u);
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
  assert.deepEqual(await setRows(ovs), before);
});

test('removes the actions that a daemon of an earlier version has left, and redirects its adopted rows', async () => {
  await bed.addSet(1, sink.target);
  await bed.add([`priority=5,udp,actions=${sample(1)},NORMAL`]);
  const flows = await bed.dump();
  const before = await setRows(ovs);
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
  assert.deepEqual(await setRows(ovs), before);
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
  const before = await setRows(ovs);
  await bed.add([`priority=5,udp,actions=${sample(1)}`]);
  const running = await run({ arguments: ['--adopt', 'none'] });
  await waitForRedirection(running);
  await ovs.inject('p1', udpTo(1));
  await sink.waitForPackets(1);
  await running.stop();
  assert.deepEqual(await setRows(ovs), before);
});
