import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { test } from 'node:test';
import { udpFrame } from '../support/frames.ts';
import { startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

test('a private OVS receives injected frames, one by one and by the thousand', tier('ovs'), async () => {
  const ovs = await startOvs();
  await ovs.addBridge('br0', { protocols: ['OpenFlow10', 'OpenFlow15'] });
  assert.equal(await ovs.addDummyPort('br0', 'p1', 7), 7);
  await ovs.addDummyPort('br0', 'p2', 8);
  const frame = udpFrame({});
  await ovs.inject('p1', frame, frame.toString('hex'));
  assert.equal(await ovs.receivedPackets('br0', 'p1'), 2);
  const frames = Array.from({ length: 3000 }, (_, index) => udpFrame({ sourcePort: index + 1 }));
  await ovs.injectMany('br0', 'p1', frames);
  await ovs.injectMany('br0', 'p1', frames.slice(0, 10));
  assert.equal(await ovs.receivedPackets('br0', 'p1'), 3012);
  assert.match(await ovs.ofctl('-O', 'OpenFlow15', 'dump-ports', 'br0', 'p2'), /tx pkts=3012/);
  await ovs.stop();
  await assert.rejects(access(ovs.rundir), { code: 'ENOENT' });
});

test('both servers can be killed, and restart with what they had', tier('ovs'), async () => {
  const ovs = await startOvs();
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  await ovs.restartVswitchd('SIGKILL');
  await ovs.injectMany('br0', 'p1', [udpFrame({})]);
  await ovs.restartOvsdbServer('SIGKILL');
  assert.equal((await ovs.vsctl('list-ports', 'br0')).trim(), 'p1');
  const { vswitchdPid } = ovs;
  await ovs.stop();
  assert.throws(() => process.kill(vswitchdPid, 0), { code: 'ESRCH' });
});

async function provokeWarning(allowed: RegExp[]): Promise<void> {
  const ovs = await startOvs({ allowedWarnings: allowed });
  await ovs.addBridge('br0');
  // vswitchd warns of a port whose device does not exist.
  await ovs.vsctl('--no-wait', 'add-port', 'br0', 'p1', '--', 'set', 'Interface', 'p1', 'type=no-such-type');
  await waitFor(async () => (await ovs.log('ovs-vswitchd')).includes('|WARN|'), { what: 'OVS warns' });
  await ovs.stop();
}

test('an unannounced warning fails the stop; an announced one does not', tier('ovs'), async () => {
  await assert.rejects(provokeWarning([]), /OVS has warned:\n.*\|WARN\|.*no-such-type/);
  await provokeWarning([/no-such-type/, /could not open network device p1/]);
});

test('the schema has the columns of the cache or lacks them, as requested', tier('ovs'), async () => {
  for (const cacheColumns of [true, false]) {
    const ovs = await startOvs({ cacheColumns });
    const columns = await ovs.run('ovsdb-client', 'list-columns', ovs.dbEndpoint, 'Open_vSwitch', 'IPFIX');
    assert.equal(columns.includes('cache_max_flows'), cacheColumns);
    await ovs.abandon();
  }
});

test('real interfaces work in a separate namespace', tier('ovs', 'namespaces'), async () => {
  const ovs = await startOvs({ mode: 'netdev' });
  await ovs.addBridge('br0');
  await ovs.inNamespace('ip', 'address', 'add', '10.9.9.1/24', 'dev', 'br0');
  await ovs.inNamespace('ip', 'link', 'set', 'br0', 'up');
  await ovs.inNamespace('ping', '-c', '1', '-W', '2', '10.9.9.1');
  await ovs.stop();
});
