// The hook in a real bridge: it is installed over every OpenFlow version, reinstalled when another client removes it, does
// not change the user's forwarding, and is removed with the daemon.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { waitFor } from '../support/wait.ts';

const ALL = ['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'];

let ovs: Ovs;
let sink: FlowRecordSink;

before(async () => {
  // A bridge that allows OpenFlow 1.5 only refuses the first hello, which offers the preferred versions.
  ovs = await startOvs({
    allowedWarnings: [/version negotiation failed/u, /connection dropped \(Protocol error\)/u],
  });
  sink = await FlowRecordSink.open();
});
after(async () => {
  await sink.close();
  await ovs.stop();
});

/** Adds a bridge with two ports and an uncached IPFIX row. */
async function addSampledBridge(name: string, protocols: readonly string[] = ALL): Promise<void> {
  await ovs.addBridge(name, { protocols });
  await ovs.addDummyPort(name, `${name}-1`);
  await ovs.addDummyPort(name, `${name}-2`);
  await createIpfixRow(ovs, name, [sink.target], { sampling: 1, obs_domain_id: 1 });
}

async function removeBridge(name: string): Promise<void> {
  await ovs.vsctl('del-br', name);
}

const dumpFlows = (bridge: string, version = 'OpenFlow10') =>
  ovs.ofctl('-O', version, '--no-stats', 'dump-flows', bridge);
const isHooked = async (bridge: string, version?: string) =>
  (await dumpFlows(bridge, version)).includes('id=18768');

async function waitForHook(bridge: string, version?: string): Promise<void> {
  await waitFor(() => isHooked(bridge, version), { what: `bridge ${bridge} is hooked` });
}

async function statusOf(daemon: Daemon, bridge: string) {
  const status = JSON.parse(await daemon.appctl('status', 'json'));
  return status.bridges.find((each: { bridge: string }) => each.bridge === bridge);
}

const frame = (port: number) =>
  ethernet({}, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source: port, destination: 53 })));

for (const version of ['OpenFlow13', 'OpenFlow14', 'OpenFlow15']) {
  test(`a bridge that allows only ${version} is hooked with a meter, sampled, repaired and left clean`, async (t) => {
    await addSampledBridge('br0', [version]);
    t.after(() => removeBridge('br0'));
    const flows = await dumpFlows('br0', version);
    const daemon = await startDaemon(ovs);
    const meters = await ovs.ofctl('-O', version, 'dump-meters', 'br0');
    assert.match(meters, /meter=65000 pktps burst stats.*type=drop rate=5000 burst_size=100/su);
    sink.clear();
    await ovs.inject('br0-1', frame(1), frame(2));
    await sink.waitForPackets(2);
    await ovs.ofctl('-O', version, 'del-flows', 'br0');
    await waitForHook('br0', version);
    await ovs.deleteMeters('br0', version);
    await waitFor(
      async () => (await ovs.ofctl('-O', version, 'dump-meters', 'br0')).includes('meter=65000'),
      {
        what: 'the meter is back',
      },
    );
    await waitForHook('br0', version);
    await daemon.waitForReady();
    await ovs.inject('br0-1', frame(3));
    await sink.waitForPackets(3);
    assert.ok((await statusOf(daemon, 'br0')).session.hookRepairs >= 2);
    sink.expectNewSession();
    await daemon.stop();
    assert.equal(await dumpFlows('br0', version), flows.replace(/^.*priority=0 .*\n/mu, ''));
    assert.equal((await ovs.ofctl('-O', version, 'dump-meters', 'br0')).includes('meter='), false);
  });
}

test('a bridge that allows only OpenFlow 1.0 has no meters, which is refused unless it is allowed', async (t) => {
  await addSampledBridge('br0', ['OpenFlow10']);
  await ovs.vsctl('set', 'Bridge', 'br0', 'external_ids:ovs-ipfix-sampler=packet-in');
  t.after(() => removeBridge('br0'));
  const refusing = await startDaemon(ovs, { waitForReady: false });
  await waitFor(async () => (await refusing.appctl('status')).includes('no-meters'), {
    what: 'the condition is shown',
  });
  await refusing.waitForRefusal(/no OpenFlow meters/u);
  assert.equal(await isHooked('br0'), false);
  sink.expectNewSession();
  await refusing.stop();

  const allowing = await startDaemon(ovs, { arguments: ['--unmetered', 'allow'] });
  sink.clear();
  await ovs.inject('br0-1', frame(1), frame(2));
  await sink.waitForPackets(2);
  await ovs.ofctl('del-flows', 'br0');
  await waitForHook('br0');
  sink.expectNewSession();
  await allowing.stop();
  assert.equal(await isHooked('br0'), false);
});

test("changes of the hook by other clients are repaired, and users' flows are not changed", async (t) => {
  await addSampledBridge('br0');
  t.after(() => removeBridge('br0'));
  const daemon = await startDaemon(ovs);
  t.after(async () => {
    sink.expectNewSession();
    await daemon.stop();
  });
  const harm: readonly (readonly [what: string, harm: () => Promise<unknown>])[] = [
    ['deleted with all flows', () => ovs.ofctl('del-flows', 'br0')],
    [
      'deleted by table, priority and match',
      () => ovs.ofctl('--strict', 'del-flows', 'br0', 'priority=65535,reg11=0/0x80000000'),
    ],
    [
      'given other actions',
      () => ovs.ofctl('--strict', 'mod-flows', 'br0', 'priority=65535,reg11=0/0x80000000,actions=drop'),
    ],
    ['changed with all flows', () => ovs.ofctl('mod-flows', 'br0', 'actions=NORMAL')],
    [
      'its meter changed',
      () =>
        ovs.ofctl(
          '-O',
          'OpenFlow15',
          'mod-meter',
          'br0',
          'meter=65000,pktps,burst,stats,band=type=drop,rate=1,burst_size=100',
        ),
    ],
    ['its meter deleted', () => ovs.ofctl('-O', 'OpenFlow15', 'del-meter', 'br0', 'meter=65000')],
    ['fail mode changed', () => ovs.vsctl('set-fail-mode', 'br0', 'secure')],
    ['protocols changed', () => ovs.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow10,OpenFlow13')],
    [
      'a controller added and removed',
      async () => {
        await ovs.vsctl('set-controller', 'br0', 'ptcp:0:127.0.0.1');
        await ovs.vsctl('del-controller', 'br0');
      },
    ],
  ];
  await ovs.ofctl('add-flow', 'br0', 'priority=7,udp,actions=NORMAL');
  for (const [what, doHarm] of harm) {
    await t.test(what, async () => {
      await doHarm();
      await waitFor(
        async () => {
          const flows = await dumpFlows('br0');
          const meters = await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0');
          const hook = flows.split('\n').filter((line) => line.includes('reg11=0/0x80000000'));
          return hook.length === 1 && hook[0]!.includes('id=18768') && meters.includes('rate=5000');
        },
        { what: 'hook and meter are as they were' },
      );
      await daemon.waitForReady();
    });
  }
});

test('nearly every packet arrives while flows are deleted repeatedly', async (t) => {
  await addSampledBridge('br0');
  t.after(() => removeBridge('br0'));
  const daemon = await startDaemon(ovs);
  t.after(async () => {
    sink.expectNewSession();
    await daemon.stop();
  });
  sink.clear();
  // In portions, so that the switch's queue of 100 packet-ins does not overflow.
  const injected = (async () => {
    for (let portion = 0; portion < 50; portion += 1) {
      const frames = Array.from({ length: 80 }, (_, index) => frame(index));
      await ovs.injectMany('br0', 'br0-1', frames);
    }
  })();
  for (let round = 0; round < 5; round += 1) {
    await ovs.run('sh', '-c', 'echo "priority=0,actions=NORMAL" | ovs-ofctl replace-flows br0 -');
    await waitForHook('br0');
  }
  await injected;
  await daemon.waitForReady();
  await ovs.inject('br0-1', frame(9999));
  await waitFor(() => sink.records.at(-1)?.fields['sourceTransportPort'] === 9999, {
    what: 'the last packet has arrived',
  });
  const {
    session: { hookRepairs },
  } = await statusOf(daemon, 'br0');
  t.diagnostic(`${sink.packetCount} of 4001 packets arrived, ${hookRepairs} repairs`);
  assert.ok(hookRepairs >= 1 && hookRepairs <= 10, `${hookRepairs} repairs`);
  assert.ok(sink.packetCount > 3600 && sink.packetCount <= 4001, `${sink.packetCount} packets`);
});

test('the switch removes the hook of a dead daemon by its hard timeout, and continues forwarding', async (t) => {
  ovs.allowWarnings(/ovs_rcu.*\|WARN\|blocked \d+ ms/u);
  await addSampledBridge('br0');
  t.after(() => removeBridge('br0'));
  const daemon = await startDaemon(ovs);
  await daemon.kill();
  assert.equal(await isHooked('br0'), true);
  await ovs.appctl('time/stop');
  await ovs.appctl('time/warp', '31000', '1000');
  await waitFor(async () => !(await isHooked('br0')), { what: 'the hook is gone' });
  assert.match(await dumpFlows('br0'), /^\s*priority=0 actions=NORMAL\s*$/mu);
});
