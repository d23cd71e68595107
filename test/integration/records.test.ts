// Frames of the 2013 exporter, through a real Open vSwitch and the daemon: each record must be the same as that exporter's
// (test/vectors/record-vectors.json).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServiceTagged, type RecordVector, recordVectors } from '../packet/record-vectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, rawEthernetPayload, udpFrame } from '../support/frames.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { type RawRecord, rawRecords } from '../support/raw-records.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';

/** Size in bytes of times, counts and the end reason, which follow the key of every record. */
const COMMON_SIZE = 4 + 4 + 8 + 8 + 1;
/** Size in bytes of the sums and extremes of IP lengths, which follow in records of IP. */
const IP_SIZE = 3 * 8;
const ACTIVE_TIMEOUT = 2;

test(
  'frames of the 2013 exporter have its records, reserved addresses included',
  tier('ovs', 'daemon'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const bytes = await UdpSink.open();
    atEnd(() => bytes.close());
    const strict = await FlowRecordSink.open();
    atEnd(() => strict.close());
    await ovs.addBridge('br0');
    await ovs.addDummyPort('br0', 'p1');
    await createIpfixRow(ovs, 'br0', [bytes.target, strict.target], {
      sampling: 1,
      obs_domain_id: 11,
      obs_point_id: 22,
      'external_ids:ovs-ipfix-record-format': 'original',
    });
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());

    const vectors = recordVectors.flatMap((vector) => {
      if (isServiceTagged(vector)) {
        return [{ ...vector, ...SERVICE_TAGGED }];
      }
      return isDoubleTagged(vector) ? [vector, withServiceTag(vector)] : [vector];
    });
    await ovs.inject('p1', ...vectors.map((vector) => vector.frame));
    await strict.waitForRecords(vectors.length);
    await bytes.waitUntil(
      (datagrams) => rawRecords(datagrams).length >= vectors.length,
      'all records are there',
    );

    const records = rawRecords(bytes.datagrams);
    assert.equal(records.length, vectors.length);
    // Records come in the order of their frames, because nothing is cached.
    for (const [index, vector] of vectors.entries()) {
      await t.test(vector.desc, () => assertIsRecordOf(vector, records[index]));
    }
  },
);

test(
  'a frame that OVS consumes, such as LLDP where it is enabled, is not sampled; elsewhere it is',
  tier('ovs', 'daemon'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs();
    atEnd(() => ovs.stop());
    const sink = await FlowRecordSink.open();
    atEnd(() => sink.close());
    await ovs.addBridge('br0');
    await ovs.addDummyPort('br0', 'plain');
    await ovs.addDummyPort('br0', 'lldp');
    await ovs.vsctl('set', 'Interface', 'lldp', 'lldp:enable=true');
    await createIpfixRow(ovs, 'br0', [sink.target], { sampling: 1 });
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.stop());

    const nearestBridge = '01:80:c2:00:00:0e';
    const lldp = ethernet({ destination: nearestBridge }, rawEthernetPayload(0x88cc, lldpUnit));
    const marker = udpFrame({ sourcePort: 4242 });
    await ovs.inject('plain', lldp);
    await ovs.inject('lldp', lldp, marker);
    const records = await sink.waitForPackets(2);
    assert.deepEqual(
      records.map(({ fields }) => fields['sourceTransportPort'] ?? fields['ethernetType']),
      [0x88cc, 4242],
    );
  },
);

/** Chassis by MAC address, port by MAC address, time to live, end (IEEE 802.1AB). */
const lldpUnit = Buffer.from('020704020000000001040703020000000001060200780000', 'hex');

function assertIsRecordOf(expected: RecordVector, record: RawRecord | undefined): void {
  assert.ok(record !== undefined);
  const keySize = expected.key.length / 2;
  const isIp = expected.octetDeltaSumOfSquares !== undefined;
  assert.equal(record.templateId, expected.templateId);
  assert.equal(record.observationDomainId, 11);
  assert.equal(record.bytes.toString('hex', 0, keySize), expected.key);
  assert.equal(record.bytes.length, keySize + COMMON_SIZE + (isIp ? IP_SIZE : 0));

  const startDelta = record.bytes.readUInt32BE(keySize);
  const endDelta = record.bytes.readUInt32BE(keySize + 4);
  assert.equal(startDelta, endDelta);
  assert.ok(endDelta < 2_000_000, `a record that leaves at once lies ${endDelta} µs back`);
  assert.equal(record.bytes.readBigUInt64BE(keySize + 8), BigInt(expected.packetDeltaCount));
  assert.equal(record.bytes.readBigUInt64BE(keySize + 16), BigInt(expected.layer2OctetDeltaCount));
  assert.equal(record.bytes.readUInt8(keySize + 24), ACTIVE_TIMEOUT);
  if (isIp) {
    const at = keySize + COMMON_SIZE;
    assert.equal(record.bytes.readBigUInt64BE(at), BigInt(expected.octetDeltaSumOfSquares ?? 0));
    assert.equal(record.bytes.readBigUInt64BE(at + 8), BigInt(expected.minimumIpTotalLength ?? 0));
    assert.equal(record.bytes.readBigUInt64BE(at + 16), BigInt(expected.maximumIpTotalLength ?? 0));
  }
}

/**
 * A tag of TPID 0x88a8 has been a VLAN tag since OVS 2.8, so this frame of 2013 is one of VLAN 200, priority 3, with IPv4
 * and UDP inside; written down by hand from the frame.
 */
const SERVICE_TAGGED: Pick<
  RecordVector,
  'templateId' | 'key' | 'octetDeltaSumOfSquares' | 'minimumIpTotalLength' | 'maximumIpTotalLength'
> = {
  templateId: 265,
  key: '0000001602000000000102000000000208001200c800c8030440110000000a0000010a00000203e807d0',
  octetDeltaSumOfSquares: 86 * 86,
  minimumIpTotalLength: 86,
  maximumIpTotalLength: 86,
};

function isDoubleTagged(vector: RecordVector): boolean {
  return vector.frame.startsWith('8100', 24) && vector.frame.startsWith('8100', 32);
}

/** Returns the vector with a service tag around a customer tag: the record is that of two customer tags. */
function withServiceTag(vector: RecordVector): RecordVector {
  const { frame } = vector;
  return {
    ...vector,
    desc: `${vector.desc}, outer tag 0x88a8`,
    frame: `${frame.slice(0, 24)}88a8${frame.slice(28)}`,
  };
}
