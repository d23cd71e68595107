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
  assert.deepEqual(encodeTemplateSets(1400), [templateMessage.subarray(16)]);
  assert.equal(
    encodeTemplateSets(templateMessage.length).length,
    1,
    'the smallest message that has room for all',
  );
});

test('splits the templates into several sets for small messages, in the same order', () => {
  for (const messageBytesMax of [256, 300, 512, templateMessage.length - 1]) {
    const sets = encodeTemplateSets(messageBytesMax);
    assert.ok(sets.length > 1);
    for (const set of sets) {
      assert.ok(set.length <= messageBytesMax - 16);
      assert.deepEqual([set.readUInt16BE(0), set.readUInt16BE(2)], [2, set.length]);
    }
    assert.deepEqual(Buffer.concat(sets.map((set) => set.subarray(4))), templateMessage.subarray(20));
  }
});
