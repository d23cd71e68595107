import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretWord } from '../../src/runtime/secret-word.ts';

test('a secret word is any number of 32 bits, another one each time', () => {
  const words = Array.from({ length: 64 }, () => secretWord());
  assert.equal(new Set(words).size, words.length);
  assert.ok(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32));
  // Each bit is 0 in one of them and 1 in another; by chance not, once in 2^58.
  assert.equal(words.reduce((all, word) => all | word, 0) >>> 0, 0xffff_ffff);
  assert.equal(words.reduce((all, word) => all & word, 0xffff_ffff) >>> 0, 0);
});
