import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  NAME_CHARACTERS_MAX,
  originalName,
  safeLines,
  safeName,
  safeText,
  shownName,
} from '../../src/runtime/safe-text.ts';

const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
/** Texts with many of the characters that matter. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '\\',
      'x',
      'u',
      '1',
      'b',
      '2',
      '0',
      'e',
      '\u001b',
      '\u0000',
      '\n',
      '\u009b',
      '\u202e',
      '\u2028',
      'ä',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

test('escapes control characters, line breaks and bidirectional controls, and nothing else', () => {
  assert.equal(safeText('\u001b[31mweb\u0007\n\t\u007f\u009b'), '\\x1b[31mweb\\x07\\x0a\\x09\\x7f\\x9b');
  assert.equal(safeText('web\u202e1\u2028'), 'web\\u202e1\\u2028');
  assert.equal(safeText('Büro 7 – DOMAIN\\web-1 "x" <b>'), 'Büro 7 – DOMAIN\\web-1 "x" <b>');
  assert.equal(safeText('a\\x1b'), 'a\\x1b');
  assert.equal(safeName('a\\x1b\u001b'), 'a\\x5cx1b\\x1b');
});

test('leaves nothing unsafe in any text, and two names never become the same', () => {
  fc.assert(
    fc.property(text, (name) => {
      const safe = safeName(name);
      assert.doesNotMatch(safe, UNSAFE);
      assert.equal(originalName(safe), name);
      assert.doesNotMatch(safeText(name), UNSAFE);
      assert.equal(safeText(safe), safe);
      assert.doesNotMatch(safeLines(name).replaceAll(/[\n\t]/gu, ''), UNSAFE);
    }),
  );
});

test('cuts off a long name', () => {
  const longest = 'a'.repeat(NAME_CHARACTERS_MAX);
  assert.equal(shownName(longest), longest);
  assert.equal(shownName(`${longest}b`), `${longest}...`);
  assert.equal(shownName('\u001b'), '\\x1b');
});
