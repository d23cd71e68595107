// The OpenFlow versions that controllers and platforms allow on their bridges: with each of them a bridge is sampled as a whole
// and by `sample` actions, through a meter, and is restored. The versions may be set again at any time, as Antrea's agent does
// at each start.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { createIpfixRow, waitForHook } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { sampleAction, udpTo } from '../support/sampled-flows.ts';
import { tier } from '../support/tiers.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';

const NEEDS = tier('ovs', 'daemon');

const ALL = ['OpenFlow10', 'OpenFlow13', 'OpenFlow15'];
const PROTOCOLS: readonly [who: string, protocols: readonly string[]][] = [
  ['the default, as on br-int of OVN', []],
  ['Antrea', ['OpenFlow10', 'OpenFlow15']],
  ['Neutron', ['OpenFlow10', 'OpenFlow13', 'OpenFlow14']],
  ['controllers that allow no OpenFlow 1.0', ['OpenFlow13', 'OpenFlow14', 'OpenFlow15']],
  ['a controller of OpenFlow 1.3', ['OpenFlow13']],
];

let ovs: Ovs;
let bridgeSink: FlowRecordSink;
let setSink: FlowRecordSink;
const { makeFlows, startDaemon } = withSampledFlows(
  (running) => {
    ({
      ovs,
      sinks: [bridgeSink, setSink],
    } = running);
  },
  {
    ovs: { allowedWarnings: [/version negotiation failed/u, /connection dropped \(Protocol error\)/u] },
    ...NEEDS,
  },
);

async function sampleTwice(): Promise<void> {
  bridgeSink.clear();
  setSink.clear();
  await ovs.inject('p1', udpTo(1), udpTo(2));
  await bridgeSink.waitForPackets(2);
  const [record] = await setSink.waitForPackets(1);
  assert.equal(record?.fields['observationPointId'], 9);
}

for (const [who, protocols] of PROTOCOLS) {
  const list = protocols.join(', ');
  test(`protocols of ${who}: ${list === '' ? 'all versions' : list}`, NEEDS, async () => {
    const bed = await makeFlows(protocols.length === 0 ? ALL : protocols);
    await ovs.vsctl('set', 'Bridge', 'br0', `protocols=[${protocols.join(',')}]`);
    const version = protocols.at(-1) ?? 'OpenFlow15';
    await createIpfixRow(ovs, 'br0', [bridgeSink.target], { sampling: 1 });
    await bed.addSet(1, setSink.target);
    await bed.add([`priority=5,udp,tp_dst=1,actions=${sampleAction(1)},output:2`], version);
    const before = await bed.dump(version);

    const daemon = await startDaemon();
    await sampleTwice();
    const meters = await bed.ofctl('-O', version, 'dump-meters', 'br0');
    assert.equal(meters.match(/meter=6500[01] /gu)?.length, 2, meters);
    // The same again, and by a change to another value.
    for (const value of [protocols, ['OpenFlow13'], protocols]) {
      await ovs.vsctl('set', 'Bridge', 'br0', `protocols=[${value.join(',')}]`);
    }
    await daemon.waitForReady(15_000);
    await waitForHook(daemon, 'br0');
    await bed.waitForDaemonActions(2, 20_000, version);
    await sampleTwice();

    await daemon.stop();
    assert.equal(await bed.dump(version), before);
    assert.doesNotMatch(await bed.ofctl('-O', version, 'dump-meters', 'br0'), /meter=/u);
  });
}
