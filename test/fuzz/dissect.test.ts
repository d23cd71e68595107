import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { RandomSource } from '../../src/flow/random.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { KEY_SIZES } from '../flow/flow-samples.ts';
import { naiveDissect } from '../packet/naive-dissector.ts';
import { recordVectors } from '../packet/record-vectors.ts';

const FRAME_COUNT = 1_000_000;
/** One frame in so many is passed to the plain dissector as well, which is slow. */
const COMPARED_ONE_IN = 20;
/** Values with a meaning somewhere in a header, which random bytes hit too rarely. */
const TELLING_BYTES = [
  0x00, 0x06, 0x08, 0x11, 0x2b, 0x2c, 0x33, 0x3c, 0x45, 0x60, 0x81, 0x86, 0x88, 0xa8, 0xaa, 0xdd, 0xff,
];

test('dissects a million random and mutated frames, each to a key of the size of its template', () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
  const random = new RandomSource(seed);
  const below = (limit: number): number => (random.next() >>> 0) % limit;
  const originals = recordVectors.map((vector) => Buffer.from(vector.frame, 'hex').subarray(0, 160));
  const memory = Buffer.alloc(256);
  const key = new FlowKey();
  const seen = new Set<number>();
  for (let round = 0; round < FRAME_COUNT; round += 1) {
    const start = below(8);
    let size = below(161);
    if (round % 8 === 0) {
      for (let at = 0; at < size; at += 4) {
        memory.writeInt32LE(random.next(), start + at);
      }
    } else {
      const original = originals[below(originals.length)] ?? memory;
      original.copy(memory, start);
      size = below(3) === 0 ? Math.min(size, original.length) : original.length;
      for (let change = below(4); change > 0; change -= 1) {
        const value = below(2) === 0 ? TELLING_BYTES[below(TELLING_BYTES.length)] : below(256);
        memory[start + 12 + below(60)] = value ?? 0;
      }
    }
    try {
      dissect(memory, start, start + size, random.next() >>> 0, key);
      assert.equal(key.size, KEY_SIZES.get(key.templateId));
      if (round % COMPARED_ONE_IN === 0) {
        const naive = naiveDissect(memory.subarray(start, start + size), key.bytes.readUInt32BE(0));
        assert.equal(key.bytes.toString('hex', 0, key.size), naive.key);
      }
    } catch (error) {
      const frame = memory.toString('hex', start, start + size);
      throw new Error(`FUZZ_SEED=${seed}, frame ${round}: ${frame}`, { cause: error });
    }
    seen.add(key.templateId);
  }
  assert.equal(seen.size, KEY_SIZES.size, `FUZZ_SEED=${seed}: every template was met`);
});
