// What the parser of JSON with positions refuses, and where it says that the error is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JSON_DEPTH_MAX, JsonTextError, parseJsonText } from '../../src/schema/json-text.ts';
import { attempt } from '../support/attempt.ts';

test('refuses each shorter prefix', () => {
  const text = '{"a": [1, {"b": "c"}], "d": null}';
  for (let length = 0; length < text.length; length += 1) {
    assert.throws(() => parseJsonText(text.slice(0, length)), JsonTextError, text.slice(0, length));
  }
});

test('reports the line and the column of an error', () => {
  const fault = attempt(() => parseJsonText('{"a": 1,\n "b": x}'));
  assert.ok(fault instanceof JsonTextError);
  assert.deepEqual([fault.line, fault.column], [2, 7]);
  assert.match(fault.message, /line 2, column 7: expected a value/u);
});

test('limits the depth of nesting', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(parseJsonText(nested(JSON_DEPTH_MAX)).kind, 'array');
  assert.throws(() => parseJsonText(nested(JSON_DEPTH_MAX + 1)), /nested deeper than 64 levels/u);
});
