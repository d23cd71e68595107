// The checksum against cksum(1) itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { posixCksum } from '../../src/schema/posix-cksum.ts';
import { runProgram } from '../support/process.ts';

test('known texts have their known sums', () => {
  assert.equal(posixCksum(Buffer.from('')), '4294967295 0');
  assert.equal(posixCksum(Buffer.from('123456789')), '930766865 9');
});

test('cksum(1) says the same, whatever the size', async () => {
  // Sizes whose own bytes take part in the sum: one byte, two, three, and those with a zero among them.
  for (const size of [1, 255, 256, 257, 65_535, 65_536, 70_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 197 + (index >> 8)) & 0xff);
    assert.equal(posixCksum(bytes), (await runProgram('cksum', [], { input: bytes })).trim(), `size ${size}`);
  }
});
