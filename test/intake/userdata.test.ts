import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bridgeUserdata,
  idsFromFields,
  KIND_BRIDGE,
  KIND_SAMPLE_FIELDS,
  KIND_UNKNOWN,
  sampleUserdata,
  unresolvedFields,
  userdataCollectorSet,
  userdataDomainId,
  userdataKind,
  userdataPointId,
  userdataProbability,
} from '../../src/intake/userdata.ts';
import {
  type FieldBits,
  type MatchField,
  PacketInView,
  type SampleAction,
} from '../../src/node-openflow/index.ts';

const sample: SampleAction = {
  type: 'sample',
  probability: 655,
  collectorSetId: 9,
  observationDomainId: 7,
  observationPointId: 8,
  samplingPort: 0xffff_ffff,
  direction: 0,
};

test('reads the ids of a hook from its userdata, at any offset of a message', () => {
  const userdata = bridgeUserdata(0xffff_fffe, 456);
  assert.equal(userdata.toString('hex'), '01010000fffffffe000001c8');
  const message = Buffer.concat([Buffer.from('junk'), userdata, Buffer.from('more')]);
  assert.equal(userdataKind(message, 4, 16), KIND_BRIDGE);
  assert.equal(userdataDomainId(message, 4), 0xffff_fffe);
  assert.equal(userdataPointId(message, 4), 456);
});

test('reads probability, set and ids of a sample action from its userdata', () => {
  const userdata = sampleUserdata(sample);
  assert.equal(userdata.toString('hex'), '0102028f000000070000000800000009');
  assert.equal(userdataKind(userdata, 0, 16), 2);
  assert.equal(userdataProbability(userdata, 0), 655);
  assert.equal(userdataCollectorSet(userdata, 0), 9);
});

test('does not know userdata of another size, version or kind', () => {
  const userdata = bridgeUserdata(1, 2);
  assert.equal(userdataKind(userdata, 0, 11), KIND_UNKNOWN);
  assert.equal(userdataKind(userdata, 0, 0), KIND_UNKNOWN);
  assert.equal(userdataKind(Buffer.concat([userdata, Buffer.alloc(4)]), 0, 16), KIND_UNKNOWN);
  for (const [offset, value] of [
    [0, 2],
    [1, 2],
    [1, 0],
    [1, 4],
  ] as const) {
    const changed = Buffer.from(userdata);
    changed[offset] = value;
    assert.equal(userdataKind(changed, 0, 12), KIND_UNKNOWN);
  }
});

/** Returns a packet-in of a `sample4` action with these ids; metadata and frame are hex, written by hand from ovs-fields(7). */
function packetIn(ids: Partial<SampleAction>, metadata: string, frame = ''): PacketInView {
  const userdata = sampleUserdata({ ...sample, type: 'sample4', ...ids });
  const view = new PacketInView();
  const parts = [userdata, bytesOf(metadata), bytesOf(frame)] as const;
  view.bytes = Buffer.concat(parts);
  view.userdataEnd = userdata.length;
  view.metadataStart = userdata.length;
  view.metadataEnd = userdata.length + parts[1].length;
  view.packetStart = view.metadataEnd;
  view.packetEnd = view.bytes.length;
  return view;
}

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const bits = (field: MatchField['field'], offset = 0, bitCount = 32) => ({ field, offset, bitCount });

/** in_port 7 (OXM), reg0, reg2 and reg3 (NXM), as in OpenFlow 1.0 to 1.4; reg1 is 0 and absent. */
const REGISTERS = '80000004 00000007 00010004 11223344 00010404 00000abc 00010604 fedc0001';

test('reads an id of a register from the metadata, and keeps an id that is a number', () => {
  const view = packetIn({ observationDomainId: bits('reg2', 4, 8), observationPointId: 77 }, REGISTERS);
  assert.equal(userdataKind(view.bytes, 0, view.userdataEnd), KIND_SAMPLE_FIELDS);
  assert.deepEqual(idsFromFields(view), { domainId: 0xab, pointId: 77 });
});

test('combines registers of 64 and 128 bits from those of 32 bits, which are absent when they are 0', () => {
  const ids = (domain: FieldBits, point: FieldBits, metadata = REGISTERS) =>
    idsFromFields(packetIn({ observationDomainId: domain, observationPointId: point }, metadata));
  // OVN takes the point of new connections from the lowest 32 bits of xxreg0, which are reg3.
  assert.deepEqual(ids(bits('xxreg0'), bits('xxreg0', 96)), { domainId: 0xfedc_0001, pointId: 0x1122_3344 });
  assert.deepEqual(ids(bits('xxreg0', 16), bits('xxreg0', 64)), { domainId: 0x0abc_fedc, pointId: 0 });
  assert.deepEqual(ids(bits('xreg0', 32), bits('xreg0')), { domainId: 0x1122_3344, pointId: 0 });
  assert.deepEqual(ids(bits('xreg1', 16), bits('xreg1', 40, 8)), { domainId: 0x0abc_fedc, pointId: 0x0a });
  assert.deepEqual(ids(bits('xreg7'), bits('xxreg3')), { domainId: 0, pointId: 0 });
  // OpenFlow 1.5: xreg0 with a mask of its upper half, xreg1 whole.
  const of15 = '80010110 1122334400000000 ffffffff00000000 80010208 00000abcfedc0001';
  assert.deepEqual(ids(bits('xxreg0'), bits('reg0'), of15), { domainId: 0xfedc_0001, pointId: 0x1122_3344 });
  assert.deepEqual(ids(bits('reg3'), bits('xreg1', 32), of15), { domainId: 0xfedc_0001, pointId: 0x0abc });
});

test('reads the input port by its name in the metadata, reserved ports as well', () => {
  const ids = (metadata: string) =>
    idsFromFields(
      packetIn(
        { observationDomainId: bits('in_port', 0, 16), observationPointId: bits('in_port_oxm') },
        metadata,
      ),
    );
  assert.deepEqual(ids(REGISTERS), { domainId: 7, pointId: 7 });
  assert.deepEqual(ids('80000004fffffffe'), { domainId: 0xfffe, pointId: 0xffff_fffe });
  assert.deepEqual(ids('00000002fffe'), { domainId: 0xfffe, pointId: 0xffff_fffe });
});

test('reads connection tracking, tunnel and metadata fields from the metadata', () => {
  const metadata = [
    '0001d810 99aabbcc000000000000000000000001', // ct_label
    '0001d604 dead0001', // ct_mark
    '80000408 123456789abcdef0', // metadata
    '00012008 0000000000abcdef', // tun_id
    '00014204 cafe0002', // pkt_mark
  ].join(' ');
  const id = (field: FieldBits) => idsFromFields(packetIn({ observationPointId: field }, metadata)).pointId;
  assert.equal(id(bits('ct_label', 96)), 0x99aa_bbcc);
  assert.equal(id(bits('ct_label')), 1);
  assert.equal(id(bits('ct_mark')), 0xdead_0001);
  assert.equal(id(bits('metadata', 32)), 0x1234_5678);
  assert.equal(id(bits('tun_id', 0, 24)), 0xab_cdef);
  assert.equal(id(bits('pkt_mark', 1, 31)), 0x657f_0001);
});

test('reads header fields from the frame', () => {
  const frame =
    // Ethernet with VLAN 0x789 and priority 5, IPv4 with TOS 0xb9 and TTL 7, UDP.
    '020000000002 020000000001 8100a789 0800 45b9001c 00004000 07110000 0a010203 c000024d 04578123 00080000';
  const id = (field: FieldBits) => idsFromFields(packetIn({ observationPointId: field }, '', frame)).pointId;
  assert.equal(id(bits('eth_src')), 1);
  assert.equal(id(bits('vlan_vid', 0, 12)), 0x789);
  assert.equal(id(bits('vlan_pcp', 0, 3)), 5);
  assert.equal(id(bits('eth_type', 0, 16)), 0x0800);
  assert.equal(id(bits('ip_dscp', 0, 6)), 0x2e);
  assert.equal(id(bits('tcp_flags', 0, 12)), 0);
});

test('reports as unresolved only fields that packet-ins do not contain', () => {
  const unresolved = (
    domain: SampleAction['observationDomainId'],
    point: SampleAction['observationPointId'],
  ) =>
    unresolvedFields({ ...sample, type: 'sample4', observationDomainId: domain, observationPointId: point });
  assert.deepEqual(unresolved(1, 2), []);
  assert.deepEqual(unresolved(bits('xxreg0'), bits('tcp_dst', 0, 16)), []);
  assert.deepEqual(unresolved(bits('dp_hash', 0, 16), bits('reg1')), ['obs_domain_id=dp_hash[0..15]']);
  const header = { classId: 1, fieldId: 126, experimenter: 0 };
  assert.deepEqual(unresolved(7, { field: 'unknown', header, width: 4, offset: 0, bitCount: 8 }), [
    'obs_point_id=unknown (class 1, field 126)[0..7]',
  ]);
});
