import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CaptureReader } from '../../src/capture/capture-reader.ts';
import { CaptureError } from '../../src/capture/captured-packet.ts';
import { pcapFile, pcapngBlocks, type TestPacket } from '../support/captures.ts';

interface Seen {
  readonly frame: string;
  readonly originalLength: number;
  readonly micros: number;
}

/** Reads a file in pieces of these sizes, the last of which is repeated. */
function readPieces(
  file: Buffer,
  sizes: readonly number[],
  reader = new CaptureReader(),
): { seen: Seen[]; fault: string | undefined } {
  const seen: Seen[] = [];
  let at = 0;
  try {
    for (let piece = 0; at < file.length; piece += 1) {
      const begin = reader.makeRoom();
      const size = Math.min(sizes[Math.min(piece, sizes.length - 1)] ?? 1, reader.memory.length - begin);
      assert.ok(size > 0, 'there is always room');
      const copied = file.copy(reader.memory, begin, at, at + size);
      at += copied;
      reader.filled(copied);
      while (reader.next()) {
        const { packet } = reader;
        seen.push({
          frame: packet.bytes.toString('hex', packet.start, packet.end),
          originalLength: packet.originalLength,
          micros: packet.timeMicros[0] ?? Number.NaN,
        });
      }
    }
    reader.finish();
    return { seen, fault: undefined };
  } catch (error) {
    if (!(error instanceof CaptureError)) {
      throw error;
    }
    return { seen, fault: error.message };
  }
}

const frame = (size: number, fill: number): Buffer => Buffer.alloc(size, fill);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const MICROS = 1_700_000_000_123_456;

const packets: readonly TestPacket[] = [
  { frame: frame(60, 1), micros: MICROS },
  { frame: frame(96, 2), micros: MICROS + 5, originalLength: 1514 },
  { frame: frame(0, 3), micros: MICROS + 4, originalLength: 60 },
  { frame: frame(1514, 4), micros: MICROS + 1_000_000 },
];
const expected: readonly Seen[] = packets.map(({ frame: bytes, micros = 0, originalLength }) => ({
  frame: hex(bytes),
  originalLength: originalLength ?? bytes.length,
  micros,
}));

for (const bigEndian of [false, true]) {
  for (const nanoseconds of [false, true]) {
    const name = `pcap, ${bigEndian ? 'big' : 'little'}-endian, ${nanoseconds ? 'nano' : 'micro'}seconds`;
    const file = pcapFile(packets, { bigEndian, nanoseconds });
    test(`${name}: reads each packet, from a whole file and byte by byte`, () => {
      assert.deepEqual(readPieces(file, [file.length]), { seen: expected, fault: undefined });
      assert.deepEqual(readPieces(file, [1]), { seen: expected, fault: undefined });
    });
  }
}

test('pcap: reads the same from a file in any two pieces', () => {
  const file = pcapFile(packets.slice(0, 2));
  for (let cut = 1; cut < file.length; cut += 1) {
    assert.deepEqual(readPieces(file, [cut, file.length]), { seen: expected.slice(0, 2), fault: undefined });
  }
});

test('pcap: reads files that follow one another, each with its byte order, unit of time and link type', () => {
  const ip = Buffer.concat([Buffer.of(0x45), frame(39, 5)]);
  const files = [
    pcapFile(packets),
    pcapFile(packets, { bigEndian: true, nanoseconds: true }),
    pcapFile([]),
    pcapFile([{ frame: ip, micros: MICROS }], { linkType: 101 }),
    pcapFile(packets),
  ];
  const withoutAddresses = { frame: `${'0'.repeat(24)}0800${hex(ip)}`, originalLength: 54, micros: MICROS };
  const all = [...expected, ...expected, withoutAddresses, ...expected];
  const file = Buffer.concat(files);
  for (const size of [file.length, 1, 7]) {
    assert.deepEqual(readPieces(file, [size]), { seen: all, fault: undefined });
  }
  const cut = readPieces(file.subarray(0, (files[0]?.length ?? 0) + 20), [7]);
  assert.deepEqual(cut.seen, expected);
  assert.match(cut.fault ?? '', /At byte 1758 .*truncated within a record/u);
});

test('pcap: reads the whole packets of a truncated file, and reports where it ends', () => {
  const file = pcapFile(packets.slice(0, 2));
  for (let size = 0; size < file.length; size += 1) {
    const { seen, fault } = readPieces(file.subarray(0, size), [file.length]);
    const wholeCount = [24 + 76, file.length].filter((end) => size >= end).length;
    assert.deepEqual(seen, expected.slice(0, wholeCount));
    const isWhole = size === 24 || size === 24 + 76;
    if (isWhole) {
      assert.equal(fault, undefined);
    } else if (size < 4) {
      assert.match(fault ?? '', /is not a capture file/u);
    } else {
      assert.match(fault ?? '', /truncated within a record/u, `${size}`);
    }
  }
});

test('pcap: reports another link type, another file and an invalid length, with the offset', () => {
  const wrong = (file: Buffer) => readPieces(file, [file.length]).fault;
  assert.match(
    wrong(pcapFile(packets, { linkType: 127 })) ?? '',
    /At byte 0 .*link type 127 \(IEEE 802\.11 with radiotap header\) is not supported\. .*without monitor mode/u,
  );
  assert.match(wrong(pcapFile(packets, { linkType: 9999 })) ?? '', /link type 9999 is not supported/u);
  assert.match(
    wrong(pcapFile(packets, { minorVersion: 2 })) ?? '',
    /pcap version 2\.2 is not supported\. Convert the file: editcap/u,
  );
  assert.match(wrong(Buffer.from('GIF89a......')) ?? '', /begins with 47494638/u);
  const file = pcapFile(packets.slice(0, 2));
  file.writeUInt32LE(262_145, 24 + 76 + 8);
  assert.match(wrong(file) ?? '', /At byte 100 .*262145 captured bytes/u);
  assert.deepEqual(readPieces(file, [file.length]).seen, expected.slice(0, 1));
  file.fill(0, 24 + 76);
  assert.match(wrong(file) ?? '', /At byte 100 .*zeros are in place of a record/u);
  assert.deepEqual(readPieces(file, [file.length]).seen, expected.slice(0, 1));
});

test('reads a packet of the largest size; the memory is never too small', () => {
  const large = { frame: frame(262_144, 9), micros: MICROS };
  const file = pcapFile([large, large, large]);
  const memorySize = new CaptureReader().memory.length;
  assert.ok(memorySize > 262_144 + 16);
  const { seen, fault } = readPieces(file, [memorySize]);
  assert.deepEqual([seen.length, fault], [3, undefined]);
});

for (const bigEndian of [false, true]) {
  test(`pcapng, ${bigEndian ? 'big' : 'little'}-endian: reads all kinds of packet blocks, with other blocks between them`, () => {
    const make = pcapngBlocks(bigEndian);
    const file = Buffer.concat([
      make.section(),
      make.other(4, 40),
      make.interface(1, 96),
      make.interface(1, 0, make.timeResolution(9), make.timeOffset(100n)),
      make.packet(frame(61, 1), BigInt(MICROS)),
      make.other(0x0bad, 700_000),
      make.packet(frame(60, 2), BigInt(MICROS) * 1000n + 999n, 1, 1514),
      make.simplePacket(frame(96, 3), 200),
      make.obsoletePacket(frame(60, 4), BigInt(MICROS) + 7n),
    ]);
    const all: Seen[] = [
      { frame: hex(frame(61, 1)), originalLength: 61, micros: MICROS },
      { frame: hex(frame(60, 2)), originalLength: 1514, micros: MICROS + 100_000_000 },
      { frame: hex(frame(96, 3)), originalLength: 200, micros: MICROS + 100_000_000 },
      { frame: hex(frame(60, 4)), originalLength: 60, micros: MICROS + 7 },
    ];
    assert.deepEqual(readPieces(file, [file.length]), { seen: all, fault: undefined });
    assert.deepEqual(readPieces(file, [7]), { seen: all, fault: undefined });
  });
}

test('pcapng: reads each section with its own byte order and interfaces', () => {
  const little = pcapngBlocks(false);
  const big = pcapngBlocks(true);
  const first = [little.section(), little.interface(), little.packet(frame(60, 1), 5n)];
  const second = [
    big.section(),
    big.interface(1, 0, big.timeResolution(0x80 | 20)),
    big.packet(frame(60, 2), 3n << 20n),
  ];
  const { seen, fault } = readPieces(Buffer.concat([...first, ...second]), [1000]);
  assert.equal(fault, undefined);
  assert.deepEqual(
    seen.map(({ micros }) => micros),
    [5, 3_000_000],
  );
  const orphan = Buffer.concat([...first, big.section(), big.packet(frame(60, 3), 1n)]);
  assert.match(readPieces(orphan, [1000]).fault ?? '', /interface 0, which has no description/u);
});

test('pcapng: reads times exactly to the microsecond in every resolution', () => {
  const make = pcapngBlocks(false);
  for (const [resolution, perSecond] of [
    [6, 10n ** 6n],
    [9, 10n ** 9n],
    [12, 10n ** 12n],
    [3, 10n ** 3n],
    [0, 1n],
    [0x80 | 10, 1n << 10n],
  ] as const) {
    const seconds = 1_700_000_000n;
    const units = seconds * perSecond + (perSecond * 3n) / 4n;
    if (units >= 1n << 64n) {
      continue;
    }
    const file = Buffer.concat([
      make.section(),
      make.interface(1, 0, make.timeResolution(resolution)),
      make.packet(frame(60, 1), units),
    ]);
    const exact = Number((units * 1_000_000n) / perSecond);
    assert.equal(readPieces(file, [999]).seen[0]?.micros, exact, `resolution ${resolution}`);
  }
});

test('pcapng: a time past what a number can tell apart is the last one', () => {
  const make = pcapngBlocks(false);
  for (const units of [(1n << 64n) - 1n, 1n << 63n, 1n << 60n]) {
    const file = Buffer.concat([make.section(), make.interface(1), make.packet(frame(60, 1), units)]);
    assert.equal(readPieces(file, [999]).seen[0]?.micros, Number.MAX_SAFE_INTEGER);
  }
});

test('the length of a frame with an added header has 32 bits', () => {
  const file = pcapFile([{ frame: frame(20, 0x45), micros: MICROS, originalLength: 0xffff_ffff }], {
    linkType: 101,
  });
  assert.equal(readPieces(file, [file.length]).seen[0]?.originalLength, 0xffff_ffff);
});

test('pcapng: reports damaged blocks with their offset, and reads what precedes them', () => {
  const make = pcapngBlocks(false);
  const start = Buffer.concat([make.section(), make.interface(), make.packet(frame(60, 1), 1n)]);
  const after = (bytes: Uint8Array) => readPieces(Buffer.concat([start, bytes]), [10_000]);
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [changed(make.packet(frame(60, 2), 1n), 4, 13), /block length 13 /u],
    [changed(make.packet(frame(60, 2), 1n), 4, 400_000), /block length 400000/u],
    [changed(make.packet(frame(60, 2), 1n), 88, 60), /differs from the length at the end/u],
    [changed(make.packet(frame(60, 2), 1n), 20, 100), /100 captured bytes, but its block has 60/u],
    [make.packet(frame(60, 2), 1n, 5), /interface 5/u],
    [make.packet(frame(60, 2), 1n).subarray(0, 50), /truncated within a record/u],
    [changed(make.section(), 8, 5), /byte-order magic/u],
    [make.section(2), /pcapng version 2\.0 is not supported/u],
    [Buffer.from('0a0d0d0a100000004d3c2b1a10000000', 'hex'), /the block of a section is too short/u],
    // A block that is skipped, whose length would skip what follows.
    [changed(make.other(0x0bad, 40), 48, 12), /differs from the length at the end/u],
    [make.simplePacket(frame(60, 2), 100), /100 captured bytes, but its block has 60/u],
    [make.interface(1, 0, Buffer.from('0900c80009000000', 'hex')), /option 9 of an interface .* 200 bytes/u],
    [make.interface(1, 0, Buffer.from('0900020009000000', 'hex')), /option 9 of an interface .* 2 bytes/u],
    [make.interface(1, 0, Buffer.from('0e00040009000000', 'hex')), /option 14 of an interface .* 4 bytes/u],
    [changed(make.packet(frame(60, 2), 1n), 4, 0), /block length 0 is not valid/u],
  ];
  for (const [bytes, message] of cases) {
    const { seen, fault } = after(bytes);
    assert.match(fault ?? '', message);
    assert.match(fault ?? '', new RegExp(`^At byte ${start.length} `, 'u'));
    assert.equal(seen.length, 1);
  }
});

test('pcapng: skips and counts packets of a link type that is not read, and reads those of other interfaces', () => {
  const make = pcapngBlocks(false);
  const file = Buffer.concat([
    make.section(),
    make.interface(127),
    make.interface(1),
    make.packet(frame(61, 1), 1n, 0),
    make.packet(frame(62, 2), 2n, 1),
    make.packet(frame(63, 3), 3n, 0),
    make.packet(frame(64, 4), 4n, 1),
  ]);
  for (const size of [file.length, 1]) {
    const reader = new CaptureReader();
    const { seen, fault } = readPieces(file, [size], reader);
    assert.equal(fault, undefined);
    assert.deepEqual(
      seen.map(({ originalLength }) => originalLength),
      [62, 64],
    );
    assert.deepEqual([...reader.skipped], [[127, 2]]);
    assert.equal(reader.packetNumber, 4, 'numbers are those of the file');
  }
});

const ipv4 = Buffer.from('450000200001000040110000c0000201c000020203e80035000c000061626364', 'hex');
const ipv6 = Buffer.concat([Buffer.from('6000000000003b40', 'hex'), Buffer.alloc(32, 7)]);
const withHeader = (header: string, packet: Buffer): Buffer =>
  Buffer.concat([Buffer.from(header, 'hex'), packet]);
const ethernet = (type: string, packet: Buffer): string => `${'00'.repeat(12)}${type}${hex(packet)}`;

const LINK_HEADERS: readonly (readonly [
  name: string,
  linkType: number,
  header: string,
  type: string,
  packet: Buffer,
])[] = [
  ['Linux cooked', 113, '00000001000602000000000100000800', '0800', ipv4],
  ['Linux cooked, IPv6', 113, '000403040006000000000000000086dd', '86dd', ipv6],
  ['Linux cooked, VLAN tag', 113, '00000001000602000000000100008100', '8100', withHeader('00070800', ipv4)],
  ['Linux cooked, netlink', 113, '00000338000000000000000000000000', '0000', ipv4],
  ['Linux cooked 2', 276, '0800000000000001000100060200000000010000', '0800', ipv4],
  ['Linux cooked 2, netlink', 276, '0800000000000001033800060200000000010000', '0000', ipv4],
  ['raw, IPv4', 101, '', '0800', ipv4],
  ['raw, IPv6', 101, '', '86dd', ipv6],
  ['raw, neither', 101, '', '0000', Buffer.alloc(40, 0x77)],
  ['raw IPv4', 228, '', '0800', ipv4],
  ['raw IPv6', 229, '', '86dd', ipv6],
  ['BSD loopback, little-endian', 0, '02000000', '0800', ipv4],
  ['BSD loopback, big-endian', 0, '00000002', '0800', ipv4],
  ['BSD loopback, IPv6 of macOS', 0, '1e000000', '86dd', ipv6],
  ['BSD loopback, IPv6 of FreeBSD', 0, '1c000000', '86dd', ipv6],
  ['BSD loopback, another family', 0, '07000000', '0000', ipv4],
  ['OpenBSD loopback, IPv6', 108, '00000018', '86dd', ipv6],
];
for (const [name, linkType, header, type, packet] of LINK_HEADERS) {
  test(`link type ${linkType} (${name}): its packets get an Ethernet header without addresses`, () => {
    const captured = withHeader(header, packet);
    const one = { frame: ethernet(type, packet), originalLength: 14 + packet.length, micros: MICROS };
    const twice = [
      { frame: captured, micros: MICROS },
      { frame: captured, micros: MICROS },
    ];
    const file = pcapFile(twice, { linkType });
    for (const size of [file.length, 1]) {
      assert.deepEqual(readPieces(file, [size]), { seen: [one, one], fault: undefined });
    }
    const make = pcapngBlocks(false);
    const simple = [make.section(), make.interface(linkType), make.simplePacket(captured)];
    const { seen, fault } = readPieces(Buffer.concat([...simple, make.simplePacket(captured)]), [1]);
    assert.equal(fault, undefined);
    assert.deepEqual(
      seen.map((each) => [each.frame, each.originalLength]),
      [one, one].map((each) => [each.frame, each.originalLength]),
    );
  });
}

test('a packet that was cut off within its link header has an empty frame of the whole length', () => {
  const cut = { frame: Buffer.from('0000000100060200', 'hex'), originalLength: 48, micros: MICROS };
  const { seen } = readPieces(pcapFile([cut], { linkType: 113 }), [1000]);
  assert.deepEqual(seen, [{ frame: '', originalLength: 14 + 32, micros: MICROS }]);
});

test('a check sequence that the file declares is not part of the frame', () => {
  const whole = { frame: frame(64, 1), micros: MICROS };
  const snapped = { frame: frame(62, 1), originalLength: 200, micros: MICROS };
  const lengths = (file: Buffer) =>
    readPieces(file, [file.length]).seen.map((each) => [each.frame.length / 2, each.originalLength]);
  assert.deepEqual(lengths(pcapFile([whole, snapped], { linkType: 0x2400_0001 })), [
    [60, 60],
    [62, 196],
  ]);
  // Without the bit that declares it, the upper bits mean nothing.
  assert.deepEqual(lengths(pcapFile([whole], { linkType: 0x2000_0001 })), [[64, 64]]);
  const make = pcapngBlocks(true);
  for (const [declared, size] of [
    [32, 60],
    [4, 60],
    [16, 62],
    [0, 64],
  ] as const) {
    const file = [
      make.section(),
      make.interface(1, 0, make.checkSequence(declared)),
      make.packet(whole.frame, 1n),
    ];
    assert.deepEqual(lengths(Buffer.concat(file)), [[size, size]], `if_fcslen ${declared}`);
  }
});

test('reads the packets that were written, for any file of any format in any pieces', () => {
  const packet = fc.record({
    frame: fc.uint8Array({ maxLength: 300 }),
    extra: fc.nat(2000),
    micros: fc.integer({ min: 1, max: 4_000_000_000_000 }),
  });
  const style = fc.record({ bigEndian: fc.boolean(), nanoseconds: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(packet, { maxLength: 20 }),
      style,
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 10 }),
      (all, how, sizes) => {
        const written = all.map(({ frame: bytes, extra, micros }) => ({
          frame: bytes,
          originalLength: bytes.length + extra,
          micros,
        }));
        const { seen, fault } = readPieces(pcapFile(written, how), sizes);
        assert.equal(fault, undefined);
        assert.deepEqual(
          seen,
          written.map(({ frame: bytes, ...rest }) => ({ frame: hex(bytes), ...rest })),
        );
      },
    ),
  );
});

function changed(block: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(block);
  copy.writeUInt32LE(value, at);
  return copy;
}
