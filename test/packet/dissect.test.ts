import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyWordCount, templateWithId } from '../../src/ipfix/record-layout.ts';
import { dissectExtended } from '../../src/packet/dissect-extended.ts';
import { FrameFault } from '../../src/packet/flow-key.ts';
import { assertAgrees, assertExtendedAgrees, dissected, keyHex, usedKey } from './compared-dissectors.ts';
import { isServiceTagged, VECTOR_OBSERVATION_POINT_ID as POINT, recordVectors } from './record-vectors.ts';

for (const vector of recordVectors.filter((vector) => !isServiceTagged(vector))) {
  test(`reproduces the record of 2013: ${vector.desc}`, () => {
    const frame = Buffer.from(vector.frame, 'hex');
    const key = dissected(frame);
    assert.equal(keyHex(key), vector.key);
    assert.equal(key.templateId, vector.templateId);
    assert.equal(key.isIp, vector.octetDeltaSumOfSquares !== undefined);
    if (key.isIp) {
      assert.equal(frame.length - key.ethernetHeaderLength, vector.minimumIpTotalLength);
    }
    assertAgrees(frame, POINT);
  });
}

test('takes a tag of TPID 0x88a8 for a VLAN tag, unlike the exporter of 2013', () => {
  const vectors = recordVectors.filter(isServiceTagged);
  assert.ok(vectors.length > 0);
  for (const vector of vectors) {
    const frame = Buffer.from(vector.frame, 'hex');
    const asCustomerTag = Buffer.from(frame);
    asCustomerTag.writeUInt16BE(0x8100, 12);
    assert.ok(dissected(frame).templateId >= 262);
    assert.equal(keyHex(dissected(frame)), keyHex(dissected(asCustomerTag)));
    assert.notEqual(keyHex(dissected(frame)), vector.key);
  }
});

test('takes the customer tag inside a service tag for the type', () => {
  const frame = Buffer.from(`${'02'.repeat(12)}88a860c88100a06408004500${'00'.repeat(40)}`, 'hex');
  const key = dissected(frame);
  assert.equal(key.templateId, 262);
  assert.equal(keyHex(key).slice(32), '81001200c800c803');
});

test('agrees with the plain dissector on every truncation of every vector', () => {
  for (const { frame } of recordVectors) {
    const bytes = Buffer.from(frame, 'hex');
    for (let size = 0; size <= Math.min(bytes.length, 200); size += 1) {
      assertAgrees(bytes.subarray(0, size), POINT);
    }
  }
});

test('dissects a frame shorter than an Ethernet header to zeros, with a fault', () => {
  const key = dissected(Buffer.alloc(13, 0xff));
  assert.equal(keyHex(key), `00000016${'00'.repeat(14)}0e`);
  assert.equal(key.templateId, 256);
  assert.equal(key.faults, FrameFault.ethernet);
});

const ETHERNET = '020000000002020000000001';
const IPV6 = (next: string): string => `86dd600000000000${next}40${'fd'.repeat(32)}`;
const faultyFrames: readonly (readonly [string, string, number, number])[] = [
  ['an IPv4 header of 16 bytes', `080044${'11'.repeat(40)}`, FrameFault.ipHeader, 258],
  ['an IPv4 header past the end', `08004f${'11'.repeat(40)}`, FrameFault.ipHeader, 258],
  ['no IPv4 header at all', '0800', FrameFault.ipHeader, 258],
  ['an IPv6 header of 39 bytes', IPV6('11').slice(0, -2), FrameFault.ipHeader, 260],
  ['an IPv6 extension past the end', `${IPV6('00')}1105${'00'.repeat(20)}`, FrameFault.ipv6Extension, 260],
  [
    'an IPv6 authentication header past the end',
    `${IPV6('33')}1104${'00'.repeat(10)}`,
    FrameFault.ipv6Extension,
    260,
  ],
  ['7 bytes of a UDP header', `${IPV6('11')}${'11'.repeat(7)}`, FrameFault.transport, 261],
  ['a TCP data offset past the end', `${IPV6('06')}${'60'.repeat(20)}`, FrameFault.transport, 261],
  ['a TCP data offset of 4', `${IPV6('06')}${'40'.repeat(20)}`, FrameFault.transport, 261],
];
for (const [what, bytes, fault, templateId] of faultyFrames) {
  test(`reports a fault and keeps the record: ${what}`, () => {
    const key = dissected(Buffer.from(`${ETHERNET}${bytes}`, 'hex'));
    assert.equal(key.faults, fault);
    assert.equal(key.templateId, templateId);
  });
}

test('reports no fault for a well-formed frame, including a later fragment', () => {
  for (const size of [0, 20]) {
    const fragment = `0800450000640007${(size / 4).toString(16).padStart(4, '0')}4011000001010101020202020035003500080000`;
    const key = dissected(Buffer.from(`${ETHERNET}${fragment}`, 'hex'));
    assert.equal(key.faults, 0);
    assert.equal(key.templateId, 259);
    assert.equal(key.protocol, 17);
    assert.equal(keyHex(key).slice(-8), size === 0 ? '00350035' : '00000000');
  }
});

test('dissects IP inside LLC and SNAP as IP, tagged or not', () => {
  const udp = '450000200007000040110000010101010202020200350036000c000061626364';
  const plain = dissected(Buffer.from(`${ETHERNET}0028aaaa030000000800${udp}`, 'hex'));
  assert.equal(plain.templateId, 259);
  assert.equal(keyHex(plain).slice(32, 38), '08000e');
  assert.equal(keyHex(plain).slice(-8), '00350036');
  const tagged = dissected(Buffer.from(`${ETHERNET}8100000a0028aaaa030000000800${udp}`, 'hex'));
  assert.equal(tagged.templateId, 265);
  assert.equal(keyHex(tagged).slice(-8), '00350036');
});

const IPV4 = (protocol: string, fragment = '0000', length = '0028'): string =>
  `08004500${length}0007${fragment}40${protocol}00000101010102020202`;
const TCP = '00500051000000010000000250120000000000000000';
// Written by hand: protocol and header, then template, end of the leading part, trailing part, flags and length.
const extendedFrames: readonly (readonly [string, string, number, string, number[], number, number])[] = [
  ['TCP', `${IPV4('06')}${TCP}`, 517, '00500051', [9], 0x12, 40],
  ['TCP with a tag', `8100e00a${IPV4('06')}${TCP}`, 529, '00500051', [9], 0x12, 40],
  ['UDP', `${IPV4('11')}0035003600080000`, 517, '00350036', [9], 0, 40],
  ['SCTP', `${IPV4('84')}0b590b5a0000000100000000`, 517, '0b590b5a', [9], 0, 40],
  ['SCTP in IPv6', `${IPV6('84')}0b590b5a0000000100000000`, 521, '0b590b5a', [9], 0, 0],
  ['an echo request', `${IPV4('01')}0800f7ff00000000`, 518, '02020202', [9, 0x0800], 0, 40],
  ['an unreachable port', `${IPV4('01', '2000')}0303f7ff00000000`, 518, '02020202', [9, 0x0303], 0, 40],
  ['a neighbor solicitation', `${IPV6('3a')}87000000`, 522, '00000000', [9, 0x8700], 0, 0],
  ['ICMPv6 with a tag', `81000001${IPV6('3a')}01040000`, 534, '00000000', [9, 0x0104], 0, 0],
  ['ICMP in IPv6', `${IPV6('01')}0800f7ff00000000`, 520, '00000000', [9], 0, 0],
  ['ICMPv6 in IPv4', `${IPV4('3a')}8700f7ff00000000`, 516, '02020202', [9], 0, 40],
  ['GRE', `${IPV4('2f')}0000080000000000`, 516, '02020202', [9], 0, 40],
  ['a later fragment of TCP', `${IPV4('06', '0007')}${TCP}`, 517, '00000000', [9], 0, 40],
  ['a later fragment of SCTP', `${IPV4('84', '2007')}${TCP}`, 517, '00000000', [9], 0, 40],
  ['a later fragment of ICMP', `${IPV4('01', '0007')}${TCP}`, 518, '02020202', [9, 0], 0, 40],
  ['a length of 0', `${IPV4('11', '0000', '0000')}0035003600080000`, 517, '00350036', [9], 0, 0],
  ['ARP', `0806${'01'.repeat(28)}`, 512, '08060e', [9], 0, 0],
];
for (const [what, bytes, templateId, keyEnd, trailing, flags, length] of extendedFrames) {
  test(`dissects for the format extended: ${what}`, () => {
    const frame = Buffer.from(`${ETHERNET}${bytes}`, 'hex');
    const key = usedKey();
    dissectExtended(frame, 0, frame.length, POINT, 9, key);
    const leadingWords = Math.ceil(key.size / 4);
    assert.equal(key.templateId, templateId);
    assert.equal(keyHex(key).slice(-keyEnd.length), keyEnd);
    assert.deepEqual([...key.words.subarray(leadingWords, keyWordCount(templateId))], trailing);
    assert.deepEqual([key.tcpControlBits, key.ipTotalLength, key.faults], [flags, length, 0]);
    assertExtendedAgrees(frame, 0, frame, POINT);
  });
}

test('reports a fault for a truncated header of SCTP or ICMP in the format extended only', () => {
  for (const bytes of [
    `${IPV4('84')}${'11'.repeat(11)}`,
    `${IPV4('01')}${'11'.repeat(7)}`,
    `${IPV6('3a')}111111`,
  ]) {
    const frame = Buffer.from(`${ETHERNET}${bytes}`, 'hex');
    const key = usedKey();
    dissectExtended(frame, 0, frame.length, POINT, 9, key);
    assert.equal(key.faults, FrameFault.transport);
    assert.equal(dissected(frame).faults, 0);
    assertExtendedAgrees(frame, 0, frame, POINT);
  }
});
const TCP_HEADER = `04d2162e${'00'.repeat(8)}5000${'00'.repeat(6)}`;
const LAYERS_2 = [
  ['0800', 258, 259],
  ['86dd', 260, 261],
  ['810060640800', 264, 265],
  ['8100606486dd', 266, 267],
] as const;
/** Values of the elements of the frames below, as hex. */
const ELEMENT_VALUES: Readonly<Record<string, string>> = {
  observationPointId: '00000016',
  sourceMacAddress: '020000000001',
  destinationMacAddress: '020000000002',
  vlanId: '0064',
  dot1qVlanId: '0064',
  dot1qPriority: '03',
  ipTTL: '40',
  ipDiffServCodePoint: '2e',
  ipPrecedence: '05',
  ipClassOfService: 'b9',
  sourceIPv4Address: '0a000001',
  destinationIPv4Address: 'c0a80002',
  sourceIPv6Address: 'fd000000000000000000000000000001',
  destinationIPv6Address: 'fe000000000000000000000000000002',
  flowLabelIPv6: '000abcde',
  sourceTransportPort: '04d2',
  destinationTransportPort: '162e',
};

for (const [types, ...templates] of LAYERS_2) {
  for (const [hasPorts, id] of templates.entries()) {
    test(`writes each element of the key of template ${id} where the record layout has it`, () => {
      const protocol = hasPorts === 1 ? '06' : '2f';
      const isIpv4 = types.endsWith('0800');
      const ip = isIpv4
        ? `45b900280000000040${protocol}00000a000001c0a80002`
        : `6b9abcde0014${protocol}40${ELEMENT_VALUES['sourceIPv6Address']}${ELEMENT_VALUES['destinationIPv6Address']}`;
      const key = dissected(Buffer.from(`${ETHERNET}${types}${ip}${TCP_HEADER}`, 'hex'));
      const { fields, keySize: size } = templateWithId(id);
      const own: Record<string, string> = {
        ethernetType: types.slice(-4),
        ethernetHeaderLength: types.length > 4 ? '12' : '0e',
        ipVersion: isIpv4 ? '04' : '06',
        protocolIdentifier: protocol,
      };
      assert.equal(key.templateId, id);
      for (const { element, offset, size: bytes } of fields.filter((field) => field.offset < size)) {
        const expected = own[element.name] ?? ELEMENT_VALUES[element.name];
        assert.equal(key.bytes.toString('hex', offset, offset + bytes), expected, element.name);
      }
    });
  }
}
