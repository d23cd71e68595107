// The scanner against JSON.parse: it accepts the same texts, and knows where each part stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { JSON_DEPTH_MAX, type JsonPart, JsonTextError, parseJsonText } from '../../src/schema/json-text.ts';

const SEED = 4739;

/** Checks that each part, cut out, is the JSON that JSON.parse has in its place. */
function checkPlaces(text: string, part: JsonPart, json: unknown): void {
  assert.deepEqual(JSON.parse(text.slice(part.start, part.end)), json);
  if (part.kind === 'object') {
    for (const { name, start, keyEnd, value } of part.members) {
      assert.equal(JSON.parse(text.slice(start, keyEnd)), name);
      checkPlaces(text, value, (json as Record<string, unknown>)[name]);
    }
  } else if (part.kind === 'array') {
    part.items.forEach((item, index) => checkPlaces(text, item, (json as unknown[])[index]));
  }
}

test('each part of any JSON is found at its place', () => {
  const space = fc.constantFrom('', ' ', '\n', '\r\n', '\t', 2, 7);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), space, (json, indentation) => {
      const text = ` ${JSON.stringify(json, undefined, indentation)}\n`;
      checkPlaces(text, parseJsonText(text), JSON.parse(text));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test('what JSON.parse refuses is refused, and what it takes is taken, but for members that are there twice', () => {
  const base = '{"a":[1,-2.5e+3,true,null,"x\\u0041\\n\\"y"],"b":{"c":{},"d":[]},"e":false}';
  const character = fc.constantFrom(...Array.from('{}[]",:\\ \n\r\t0129.-+eEtfnaub\u0001é'));
  const edit = fc.record({
    at: fc.nat(base.length),
    cut: fc.nat(3),
    by: fc.string({ unit: character, maxLength: 3 }),
  });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 2 }), (edits) => {
      let text = base;
      for (const { at, cut, by } of edits) {
        text = text.slice(0, at) + by + text.slice(at + cut);
      }
      const expected = attempt(() => JSON.parse(text) as unknown);
      const found = attempt(() => parseJsonText(text));
      if (found instanceof Error) {
        assert.ok(found instanceof JsonTextError);
        assert.ok(expected instanceof Error || found.message.includes('twice'), `${text}: ${found.message}`);
      } else {
        taken += 1;
        assert.ok(!(expected instanceof Error), text);
        checkPlaces(text, found, expected);
      }
    }),
    { seed: SEED, numRuns: 20_000 },
  );
  assert.ok(taken > 500, `only ${taken} texts were JSON`);
});

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}

test('each shorter text is refused', () => {
  const text = '{"a": [1, {"b": "c"}], "d": null}';
  for (let length = 0; length < text.length; length += 1) {
    assert.throws(() => parseJsonText(text.slice(0, length)), JsonTextError, text.slice(0, length));
  }
});

test('an error says the line and the column', () => {
  const fault = attempt(() => parseJsonText('{"a": 1,\n "b": x}'));
  assert.ok(fault instanceof JsonTextError);
  assert.deepEqual([fault.line, fault.column], [2, 7]);
  assert.match(fault.message, /line 2, column 7: a value should stand here/u);
});

test('nesting has a limit', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(parseJsonText(nested(JSON_DEPTH_MAX)).kind, 'array');
  assert.throws(() => parseJsonText(nested(JSON_DEPTH_MAX + 1)), /nested deeper than 64 levels/u);
});
