// The encoded templates against the bytes that the exporter of 2013 sent.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encodeTemplateSets } from '../../src/ipfix/template-sets.ts';

const [run] = JSON.parse(
  readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
) as { datagrams: string[] }[];
const templateMessage = Buffer.from(run?.datagrams[0] ?? '', 'hex');

test('encodes all templates in one set, byte for byte as the exporter of 2013', () => {
  assert.deepEqual(encodeTemplateSets('original', 1400), [templateMessage.subarray(16)]);
  assert.equal(
    encodeTemplateSets('original', templateMessage.length).length,
    1,
    'the smallest message that has room for all',
  );
});

test('splits the templates into several sets for small messages, in the same order', () => {
  for (const messageBytesMax of [256, 300, 512, templateMessage.length - 1]) {
    const sets = encodeTemplateSets('original', messageBytesMax);
    assert.ok(sets.length > 1);
    for (const set of sets) {
      assert.ok(set.length <= messageBytesMax - 16);
      assert.deepEqual([set.readUInt16BE(0), set.readUInt16BE(2)], [2, set.length]);
    }
    assert.deepEqual(Buffer.concat(sets.map((set) => set.subarray(4))), templateMessage.subarray(20));
  }
});

test('encodes the templates of the format extended in one message of 1,728 bytes, or in two of 1,316 and 432', () => {
  const messageSizes = (messageBytesMax: number) =>
    encodeTemplateSets('extended', messageBytesMax).map((set) => set.length + 16);
  assert.deepEqual(messageSizes(1728), [1728]);
  assert.deepEqual(messageSizes(1400), [1316, 432]);
  const [first = Buffer.alloc(0)] = encodeTemplateSets('extended', 1400);
  // The template for other frames, from the description: element and size of each field.
  const fields =
    '008a0004 00380006 00500006 01000002 00f00001 009e0004 009f0004 00020008 01600008 00880001 ' +
    '000a0004 000e0004 003d0001 00010008 00220004 00980008 00990008';
  assert.equal(first.toString('hex', 0, 8 + 4 * 17), `0002051402000011${fields.replaceAll(' ', '')}`);
});
