// Captures with wrong bytes, of both formats and all link types: the reader reports a fault as a sentence, or returns packets
// whose bytes are in its memory and whose lengths are consistent. It never throws anything else, and never loops.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CaptureReader } from '../../src/capture/capture-reader.ts';
import { CaptureError } from '../../src/capture/captured-packet.ts';
import { pcapFile, pcapngBlocks } from '../support/captures.ts';

const SEED = 4739;
const RUNS = 40_000;
/** No file of the test has as many packets. */
const PACKETS_MAX = 100;
const LINK_TYPES = [0, 1, 101, 108, 113, 228, 229, 276, 0x2400_0001];

const frame = (size: number): Buffer => Buffer.alloc(size, size);

function pcapng(bigEndian: boolean): Buffer {
  const make = pcapngBlocks(bigEndian);
  const other = pcapngBlocks(!bigEndian);
  const options = [make.timeResolution(9), make.checkSequence(32), make.timeOffset(5n)];
  return Buffer.concat([
    make.section(),
    make.interface(1, 96, ...options),
    make.packet(frame(60), 5n),
    make.interface(276),
    make.packet(frame(70), 5n, 1),
    make.simplePacket(frame(60)),
    make.obsoletePacket(frame(50), 3n),
    make.other(5, 40),
    other.section(),
    other.interface(113),
    other.packet(frame(44), 9n),
  ]);
}

const FILES: readonly Buffer[] = [false, true].flatMap((bigEndian) => [
  pcapng(bigEndian),
  ...LINK_TYPES.map((linkType) =>
    pcapFile(
      [{ frame: frame(60), micros: 5 }, { frame: frame(3), originalLength: 90 }, { frame: frame(0) }],
      { linkType, bigEndian },
    ),
  ),
]);

/** Reads a file in pieces, and checks each packet. */
function readAll(file: Buffer, pieceSize: number): void {
  const reader = new CaptureReader();
  const { packet, memory } = reader;
  let packets = 0;
  for (let at = 0; at < file.length; ) {
    const begin = reader.makeRoom();
    const size = file.copy(memory, begin, at, at + pieceSize);
    reader.filled(size);
    at += size;
    while (reader.next()) {
      const { start, end, originalLength } = packet;
      packets += 1;
      assert.ok(packets <= PACKETS_MAX, 'it loops');
      assert.ok(start >= 0 && start <= end && end <= memory.length, `bytes ${start} to ${end}`);
      assert.ok(originalLength >= end - start, `${end - start} captured of ${originalLength}`);
      assert.ok(!Number.isNaN(packet.timeMicros[0]));
    }
  }
  reader.finish();
}

test('captures with wrong bytes are read up to a fault that is a sentence', () => {
  const byte = fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat({ max: 255 }));
  const changes = fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.constantFrom(...FILES),
      changes,
      fc.option(fc.nat(), { freq: 5 }),
      fc.integer({ min: 1, max: 300 }),
      (original, wrong, cut, pieceSize) => {
        const file = Buffer.from(original);
        for (const [at, value] of wrong) {
          file[at % file.length] = value;
        }
        const size = cut === null ? file.length : cut % file.length;
        try {
          readAll(file.subarray(0, size), pieceSize);
        } catch (error) {
          if (!(error instanceof CaptureError)) {
            throw error;
          }
          assert.match(error.message, /^At byte \d+ of the capture: .*\.$/u);
        }
      },
    ),
    { seed: SEED, numRuns: RUNS },
  );
});
