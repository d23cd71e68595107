// The parser of JSON with positions, compared with JSON.parse on generated texts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type JsonPart, JsonTextError, parseJsonText } from '../../src/schema/json-text.ts';
import { attempt } from '../support/attempt.ts';

const SEED = 4739;

/** Checks that the text of each part, parsed by JSON.parse, is the value at that position. */
function checkPositions(text: string, part: JsonPart, json: unknown): void {
  assert.deepEqual(JSON.parse(text.slice(part.start, part.end)), json);
  if (part.kind === 'object') {
    for (const { name, start, keyEnd, value } of part.members) {
      assert.equal(JSON.parse(text.slice(start, keyEnd)), name);
      checkPositions(text, value, (json as Record<string, unknown>)[name]);
    }
  } else if (part.kind === 'array') {
    part.items.forEach((item, index) => checkPositions(text, item, (json as unknown[])[index]));
  }
}

test('returns the position of each part of any JSON', () => {
  const space = fc.constantFrom('', ' ', '\n', '\r\n', '\t', 2, 7);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), space, (json, indentation) => {
      const text = ` ${JSON.stringify(json, undefined, indentation)}\n`;
      checkPositions(text, parseJsonText(text), JSON.parse(text));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test('accepts exactly the texts that JSON.parse accepts, except those with duplicate members', () => {
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
        assert.ok(
          expected instanceof Error || found.message.includes('duplicate'),
          `${text}: ${found.message}`,
        );
      } else {
        taken += 1;
        assert.ok(!(expected instanceof Error), text);
        checkPositions(text, found, expected);
      }
    }),
    { seed: SEED, numRuns: 20_000 },
  );
  assert.ok(taken > 500, `only ${taken} texts were JSON`);
});
