import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { keySize, templateWithId } from '../../src/ipfix/record-layout.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { FlowKey, FrameFault } from '../../src/packet/flow-key.ts';
import { naiveDissect } from './naive-dissector.ts';
import { isServiceTagged, VECTOR_OBSERVATION_POINT_ID as POINT, recordVectors } from './record-vectors.ts';

/** A key full of other bytes: what a dissection does not write shows. */
function usedKey(): FlowKey {
  const key = new FlowKey();
  key.bytes.fill(0xee);
  key.faults = 0xee;
  key.protocol = 0xee;
  return key;
}

function keyHex(key: FlowKey): string {
  return key.bytes.toString('hex', 0, key.size);
}

function dissected(frame: Buffer, point = POINT): FlowKey {
  const key = usedKey();
  dissect(frame, 0, frame.length, point, key);
  return key;
}

function assertAgrees(frame: Buffer, point: number): void {
  // The frame lies between other bytes, which must not affect the key.
  const around = Buffer.concat([Buffer.alloc(3, 0x45), frame, Buffer.alloc(64, 0x45)]);
  const key = usedKey();
  dissect(around, 3, 3 + frame.length, point, key);
  const naive = naiveDissect(frame, point);
  assert.equal(keyHex(key), naive.key, frame.toString('hex'));
  assert.equal(key.templateId, naive.templateId, frame.toString('hex'));
  assert.equal(key.size, keySize(key.templateId));
  assert.equal(key.isIp, key.size > 24);
  assert.equal(key.ethernetHeaderLength, key.bytes[18]);
  for (let at = key.size; at % 4 !== 0; at += 1) {
    assert.equal(key.bytes[at], 0, 'the last word is filled up with zeros');
  }
}

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

/** Parts of generated frames, which pass the first header more often than random bytes. */
const piece = fc.oneof(
  fc.constantFrom('0800', '86dd', '8100', '88a8', '8847', '0028', 'aaaa03000000', '0800450000', '86dd60'),
  fc.constantFrom('06', '11', '00', '2b', '2c', '33', '3c', '3b', '50', '60', '45', '4f'),
  fc.uint8Array({ minLength: 1, maxLength: 2 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  fc.constantFrom(8, 20, 32).map((size) => '01'.repeat(size)),
);
const generatedFrame = fc
  .tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), fc.array(piece, { maxLength: 20 }))
  .map(([addresses, pieces]) => Buffer.concat([addresses, Buffer.from(pieces.join(''), 'hex')]));

/** Packets with well-formed headers, chained by their next-header fields, then truncated. */
const chainedFrame = fc
  .record({
    tag: fc.constantFrom('', '8100e123', '88a80000'),
    chain: fc.array(fc.constantFrom(0, 43, 44, 51, 60), { maxLength: 4 }),
    lengths: fc.array(fc.nat({ max: 2 }), { minLength: 4, maxLength: 4 }),
    fragmentOffsets: fc.array(fc.constantFrom(0, 0, 1, 6, 8, 0xfff8), { minLength: 4, maxLength: 4 }),
    last: fc.constantFrom(6, 17, 58, 50, 59, 132),
    trailer: fc.uint8Array({ maxLength: 40 }),
    cut: fc.nat({ max: 12 }),
  })
  .map(({ tag, chain, lengths, fragmentOffsets, last, trailer, cut }) => {
    const extensions = chain.map((protocol, index) => {
      const next = chain[index + 1] ?? last;
      const length = lengths[index] ?? 0;
      const size = protocol === 44 ? 8 : protocol === 51 ? (length + 2) * 4 : (length + 1) * 8;
      const bytes = Buffer.alloc(size, 0x77);
      bytes[0] = next;
      bytes[1] = length;
      bytes.writeUInt16BE(fragmentOffsets[index] ?? 0, 2);
      return bytes;
    });
    const first = (chain[0] ?? last).toString(16).padStart(2, '0');
    const start = Buffer.from(`${ETHERNET}${tag}86dd6a5fffff0000${first}40${'fd'.repeat(32)}`, 'hex');
    const frame = Buffer.concat([start, ...extensions, trailer]);
    return frame.subarray(0, frame.length - cut);
  });

test('agrees with the plain dissector on generated frames', () => {
  const frame = fc.oneof(generatedFrame, chainedFrame);
  fc.assert(
    fc.property(frame, fc.nat({ max: 0xffff_ffff }), (frame, point) => assertAgrees(frame, point)),
    { numRuns: 20_000 },
  );
});

test('agrees with the plain dissector on vectors with a few changed bytes', () => {
  const frames = recordVectors.map((vector) => Buffer.from(vector.frame, 'hex').subarray(0, 128));
  const change = fc.tuple(fc.nat({ max: 127 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...frames),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 128 }),
      (original, changes, cut) => {
        const frame = Buffer.from(original);
        for (const [at, value] of changes) {
          if (at < frame.length) {
            frame[at] = value;
          }
        }
        assertAgrees(frame.subarray(0, Math.max(0, frame.length - (cut > 96 ? cut - 96 : 0))), 0);
      },
    ),
    { numRuns: 10_000 },
  );
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
