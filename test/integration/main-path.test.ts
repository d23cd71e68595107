// The main use: a row is written with ovs-vsctl, frames enter a real Open vSwitch, and records arrive at a UDP socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';

test('a row written as in the manual page exports flow records, and a stop restores OVS', async (t) => {
  const atEnd = lastFirst(t);
  const ovs = await startOvs();
  atEnd(() => ovs.stop());
  const sink = await FlowRecordSink.open();
  atEnd(() => sink.close());
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  await ovs.addDummyPort('br0', 'p2');
  const flowsBefore = await ovs.ofctl('-O', 'OpenFlow15', '--no-stats', 'dump-flows', 'br0');
  await createIpfixRow(ovs, 'br0', [sink.target], {
    sampling: 1,
    obs_domain_id: 123,
    obs_point_id: 456,
    cache_active_timeout: 60,
    cache_max_flows: 13,
  });
  const rowsBefore = await ovs.vsctl('list', 'IPFIX');

  const daemon = await startDaemon(ovs);
  atEnd(() => daemon.kill());
  const frame = ethernet(
    {},
    ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source: 1000, destination: 53 })),
  );
  await ovs.inject('p1', frame, frame, frame);
  await daemon.stop();

  const [record, ...more] = await sink.waitForPackets(3);
  assert.equal(more.length, 0);
  assert.equal(record?.observationDomainId, 123);
  assert.equal(record.fields['observationPointId'], 456);
  assert.equal(record.fields['sourceIPv4Address'], '10.0.0.1');
  assert.equal(record.fields['flowEndReason'], 4);
  assert.equal(await ovs.ofctl('-O', 'OpenFlow15', '--no-stats', 'dump-flows', 'br0'), flowsBefore);
  assert.equal((await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', 'br0')).includes('meter='), false);
  assert.equal(await ovs.vsctl('list', 'IPFIX'), rowsBefore);
});
