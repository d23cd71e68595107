// The dissector compared with a plain one on generated frames and on damaged vectors.

import { test } from 'node:test';
import * as fc from 'fast-check';
import { assertAgrees } from '../packet/compared-dissectors.ts';
import { recordVectors } from '../packet/record-vectors.ts';

const ETHERNET = '020000000002020000000001';

/** Parts of generated frames, which pass the first header more often than random bytes. */
const piece = fc.oneof(
  fc.constantFrom('0800', '86dd', '8100', '88a8', '8847', '0028', 'aaaa03000000', '0800450000', '86dd60'),
  fc.constantFrom('01', '84', '3a', '06', '11', '00', '2b', '2c', '33', '3c', '3b', '50', '60', '45', '4f'),
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
    last: fc.constantFrom(6, 17, 1, 58, 50, 59, 132),
    payloadLength: fc.constantFrom('0000', '0001', 'ffff', '0123'),
    trailer: fc.uint8Array({ maxLength: 40 }),
    cut: fc.nat({ max: 12 }),
  })
  .map(({ tag, chain, lengths, fragmentOffsets, last, payloadLength, trailer, cut }) => {
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
    const start = Buffer.from(
      `${ETHERNET}${tag}86dd6a5fffff${payloadLength}${first}40${'fd'.repeat(32)}`,
      'hex',
    );
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
