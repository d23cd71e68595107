// `ovs-ipfix doctor --before-start`: what it foresees is what a start does, and it changes nothing itself.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { diagnose, found, lacks } from '../support/doctor.ts';
import { createCollectorSet, createIpfixRow, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

async function ownOvs(t: TestContext): Promise<Ovs> {
  const own = await startOvs({ allowedWarnings: [/collector/] });
  t.after(() => own.stop());
  return own;
}

/** Everything that a daemon changes: the tables, the flows and the meters of a bridge. */
async function contentOf(own: Ovs, bridge: string): Promise<readonly string[]> {
  const looks: readonly (() => Promise<string>)[] = [
    () => own.run('ovsdb-client', 'dump', own.dbEndpoint, 'Open_vSwitch', '--format=csv'),
    () => own.ofctl('--no-stats', 'dump-flows', bridge),
    () => own.ofctl('-O', 'OpenFlow15', 'dump-meters', bridge),
    () => own.ofctl('-O', 'OpenFlow15', 'dump-groups', bridge),
  ];
  const texts: string[] = [];
  for (const look of looks) {
    texts.push((await look()).replaceAll(/xid=0x[0-9a-f]+|cur_cfg[^,]*/gu, ''));
  }
  return texts;
}

const BEFORE_START = ['--before-start'];

test(
  'says what a start would take over, change and cost, and changes nothing',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await ownOvs(t);
    const { environment } = own;
    await own.addBridge('brf');
    found(await diagnose(environment, BEFORE_START), 'start-idle', /ovs-ipfix/u);

    const sink = await UdpSink.open();
    t.after(() => sink.close());
    const row = await createIpfixRow(own, 'brf', [sink.target], {
      obs_domain_id: 4,
      sampling: 64,
      cache_active_timeout: 60,
      cache_max_flows: 1000,
    });
    await createCollectorSet(own, 'brf', 1, sink.target);
    await own.vsctl('set', 'Bridge', 'brf', 'external_ids:ovs-ipfix-sampler=packet-in');
    const sample = 'sample(probability=9,collector_set_id=1,obs_domain_id=7,obs_point_id=9)';
    await own.ofctl('add-flow', 'brf', `table=3,ip,actions=${sample}`);
    await own.ofctl('add-flow', 'brf', `table=4,ip,actions=${sample},NORMAL`);
    // The switch has its own exporter now; what it sends is counted before and after.
    const before = await contentOf(own, 'brf');
    const datagrams = sink.datagrams.length;
    const plan = await diagnose(environment, BEFORE_START);
    assert.deepEqual(await contentOf(own, 'brf'), before);
    assert.equal(sink.datagrams.length, datagrams, 'collectors are not asked');
    assert.equal(plan.exitCode, 0, JSON.stringify(plan.findings));
    lacks(plan, 'daemon-away');

    const taken = found(plan, 'start-takes-over', new RegExp(`^IPFIX row ${row} of bridge brf$`, 'u'));
    assert.ok(taken.message.includes(`exports it to ${sink.target} now`), taken.message);
    found(plan, 'start-takes-over', /of collector sets of bridge brf$/u);
    const changed = found(plan, 'start-changes-records', /^Collector 127\.0\.0\.1:\d+$/u);
    assert.match(changed.message, /records of the format extended\./u);
    const costs = found(plan, 'start-costs', /^Bridge brf$/u).message;
    assert.match(
      costs,
      /^1 in 64 packets: one flow in table 0, and the switch copies up to 5000 packets\/s .* meter 65000/u,
    );
    assert.match(
      costs,
      /Collector set 1: one more action behind each sample action in 2 flows, and meter 65001/u,
    );

    const others = await diagnose(environment, [...BEFORE_START, '--adopt', 'none']);
    lacks(others, 'start-takes-over');
    found(others, 'start-leaves', new RegExp(`^IPFIX row ${row} `, 'u'));

    const daemon = await startDaemon(own);
    await waitForHook(daemon, 'brf');
    await waitFor(async () => (await own.vsctl('get', 'IPFIX', row, 'targets')).trim() === '[]', {
      what: 'the column is empty, as foreseen',
    });
    const beside = await diagnose(environment, BEFORE_START);
    found(beside, 'start-stands-by', /ovs-ipfix/u);
    lacks(beside, 'start-takes-over');
    await daemon.stop();
  },
);

test('names what would keep a bridge from being exported', tier('ovs', 'daemon'), async (t) => {
  const own = await ownOvs(t);
  await own.addBridge('brg');
  await createIpfixRow(own, 'brg', ['127.0.0.1:4739'], { obs_domain_id: 4 });
  await own.vsctl('set', 'Bridge', 'brg', 'external_ids:ovs-ipfix-sampler=packet-in');
  await own.ofctl('add-flow', 'brg', 'priority=65535,reg11=0/0x80000000,actions=NORMAL');
  const plan = await diagnose(own.environment, BEFORE_START);
  found(plan, 'hook-slot-in-use', /^Bridge brg$/u);
  assert.notEqual(plan.exitCode, 0);
});
