// Records of packets that came out of tunnels, through a real Open vSwitch in user space: what packet-ins say of a tunnel is in
// the records, and tshark decodes it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tsharkText } from '../support/collectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, rawIpPayload, udp, udpFrame } from '../support/frames.ts';
import { createIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { differs } from '../versions/differences.ts';

const MAC = 'aa:55:aa:55:00:00';
const OUTER = { source: '192.0.2.92', destination: '192.0.2.88' };
const INNER = udpFrame({ sourcePort: 1000 });

/** The inner frame behind a header of a tunnel over UDP. */
function overUdp(port: number, header: string): Buffer {
  const payload = Buffer.concat([Buffer.from(header, 'hex'), INNER]);
  return outer(ipv4(OUTER, udp({ source: 12_345, destination: port }, payload)));
}

function outer(payload: Parameters<typeof ethernet>[1]): Buffer {
  return ethernet({ source: '02:00:00:00:00:99', destination: MAC }, payload);
}

/** Each kind of tunnel: its port, a frame, and the elements of its record. */
const TUNNELS = [
  {
    port: 'vxlan',
    options: ['type=vxlan', 'options:key=flow'],
    frame: overUdp(4789, '0800000000007b00'),
    expected: { tunnelType: 1, key: '0000007b', tunnelProtocolIdentifier: 17, port: 4789 },
  },
  {
    port: 'geneve',
    options: ['type=geneve', 'options:key=flow', 'options:dst_port=16081'],
    frame: overUdp(16_081, '0000655800007c00'),
    expected: { tunnelType: 7, key: '0000007c', tunnelProtocolIdentifier: 17, port: 16_081 },
  },
  {
    port: 'gre',
    options: ['type=gre', 'options:key=flow'],
    frame: outer(
      ipv4(OUTER, rawIpPayload(47, Buffer.concat([Buffer.from('200065580000007d', 'hex'), INNER]))),
    ),
    expected: { tunnelType: 2, key: '0000007d', tunnelProtocolIdentifier: 47, port: 0 },
  },
] as const;

test(
  'records have type, key, addresses, protocol and port of the tunnel that a packet came out of',
  tier('ovs', 'daemon', 'namespaces', 'tshark'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs({ mode: 'netdev' });
    atEnd(() => ovs.stop());
    if (differs(t, 'geneve-flows')) {
      ovs.allowWarnings(/failed to put\[modify\] \(No such file or directory\).*tp_dst=16081/u);
    }
    await ovs.addBridge('under');
    await ovs.addDummyPort('under', 'wire');
    await ovs.vsctl('set', 'Bridge', 'under', `other-config:hwaddr="${MAC}"`);
    await ovs.ofctl('add-flow', 'under', 'actions=normal');
    await ovs.addBridge('over');
    await ovs.addDummyPort('over', 'local');
    for (const { port, options } of TUNNELS) {
      await ovs.vsctl(
        'add-port',
        'over',
        port,
        '--',
        'set',
        'Interface',
        port,
        'options:remote_ip=flow',
        ...options,
      );
    }
    await ovs.inNamespace('ip', 'address', 'add', '192.0.2.88/24', 'dev', 'under');
    await ovs.inNamespace('ip', 'link', 'set', 'under', 'up');
    const sink = await FlowRecordSink.open();
    atEnd(() => sink.close());
    const raw = await UdpSink.open();
    atEnd(() => raw.close());
    await createIpfixRow(ovs, 'over', [sink.target, raw.target], {
      sampling: 1,
      'external_ids:ovs-ipfix-record-format': 'extended',
      'external_ids:ovs-ipfix-options': 'tunnel',
    });
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());
    await waitForHook(daemon, 'over');
    await waitForBridge(daemon, 'over', 'has its ports', ({ interfaces }) => interfaces.count === 5);
    for (const [index, { frame }] of TUNNELS.entries()) {
      await ovs.inject('wire', frame);
      await waitForBridge(daemon, 'over', 'sampled', ({ exporter }) => exporter.samples === index + 1);
    }
    await ovs.inject('local', INNER);
    await daemon.stop();
    const records = await sink.waitForRecords(TUNNELS.length + 1);
    for (const [index, { port, expected }] of TUNNELS.entries()) {
      const { templateId, fields } = records[index]!;
      assert.equal(templateId, 549, port);
      assert.equal(fields['sourceIPv4Address'], '10.0.0.1', port);
      assert.equal(fields['tunnelType'], expected.tunnelType, port);
      assert.equal((fields['tunnelKey'] as Buffer).toString('hex'), expected.key, port);
      assert.equal(fields['tunnelSourceIPv4Address'], OUTER.source, port);
      assert.equal(fields['tunnelDestinationIPv4Address'], OUTER.destination, port);
      assert.equal(fields['tunnelProtocolIdentifier'], expected.tunnelProtocolIdentifier, port);
      assert.equal(fields['tunnelSourceTransportPort'], 0, port);
      assert.equal(fields['tunnelDestinationTransportPort'], expected.port, port);
    }
    const last = records[TUNNELS.length]!;
    assert.equal(last.templateId, 549);
    assert.equal(last.fields['tunnelType'], 0);
    assert.equal(last.fields['tunnelSourceIPv4Address'], '0.0.0.0');
    await raw.waitUntil((all) => all.length >= sink.messages.length, 'all messages');
    const text = await tsharkText(raw.datagrams);
    assert.doesNotMatch(text, /Malformed|\[Expert Info/u);
    assert.equal(text.match(/^\s+Flow \d+$/gmu)?.length, TUNNELS.length + 1);
  },
);
