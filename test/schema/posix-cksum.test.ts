// Compares the checksum with cksum(1).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { posixCksum } from '../../src/schema/posix-cksum.ts';
import { runProgram } from '../support/process.ts';

test('returns the known checksums of known texts', () => {
  assert.equal(posixCksum(Buffer.from('')), '4294967295 0');
  assert.equal(posixCksum(Buffer.from('123456789')), '930766865 9');
});

test('agrees with cksum(1) for any size', async () => {
  // The size is part of the sum: sizes of one, two and three bytes, and with a zero byte.
  for (const size of [1, 255, 256, 257, 65_535, 65_536, 70_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 197 + (index >> 8)) & 0xff);
    assert.equal(posixCksum(bytes), (await runProgram('cksum', [], { input: bytes })).trim(), `size ${size}`);
  }
});
