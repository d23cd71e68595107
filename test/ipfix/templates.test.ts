// The templates against the bytes that the exporter of 2013 sent, and against the sizes of wire-format.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ELEMENTS, elementNamed, findElement } from '../../src/ipfix/elements.ts';
import { encodeTemplateSets, RECORD_SIZE_MAX, TEMPLATES, templateWithId } from '../../src/ipfix/templates.ts';

const [run] = JSON.parse(
  readFileSync(new URL('../vectors/exact-messages.json', import.meta.url), 'utf8'),
) as { datagrams: string[] }[];
const templateMessage = Buffer.from(run?.datagrams[0] ?? '', 'hex');

test('all templates in one set are byte for byte what the exporter of 2013 sent', () => {
  assert.deepEqual(encodeTemplateSets(1400), [templateMessage.subarray(16)]);
  assert.equal(
    encodeTemplateSets(templateMessage.length).length,
    1,
    'the smallest message that has room for all',
  );
});

test('small messages get several sets, which have the same templates in the same order', () => {
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

test('the numbers and sizes are those of the flow key and of what is aggregated', () => {
  const common = 19;
  const sizes = TEMPLATES.map(({ id, keySize, recordSize, isIp, isVlan }) => ({
    id,
    keySize,
    aggregatedSize: recordSize - keySize,
    isIp,
    isVlan,
  }));
  const ip = { aggregatedSize: 49, isIp: true };
  const other = { aggregatedSize: 25, isIp: false };
  assert.deepEqual(sizes, [
    { id: 256, keySize: common, ...other, isVlan: false },
    { id: 258, keySize: common + 6 + 8, ...ip, isVlan: false },
    { id: 259, keySize: common + 6 + 8 + 4, ...ip, isVlan: false },
    { id: 260, keySize: common + 6 + 36, ...ip, isVlan: false },
    { id: 261, keySize: common + 6 + 36 + 4, ...ip, isVlan: false },
    { id: 262, keySize: common + 5, ...other, isVlan: true },
    { id: 264, keySize: common + 5 + 6 + 8, ...ip, isVlan: true },
    { id: 265, keySize: common + 5 + 6 + 8 + 4, ...ip, isVlan: true },
    { id: 266, keySize: common + 5 + 6 + 36, ...ip, isVlan: true },
    { id: 267, keySize: common + 5 + 6 + 36 + 4, ...ip, isVlan: true },
  ]);
  assert.equal(RECORD_SIZE_MAX, 70 + 49);
});

test('fields follow one another without a gap', () => {
  for (const template of TEMPLATES) {
    let end = 0;
    for (const field of template.fields) {
      assert.equal(field.offset, end);
      end += field.size;
    }
    assert.equal(end, template.recordSize);
  }
});

test('numbers between ours are no templates', () => {
  for (const id of [0, 255, 257, 263, 268]) {
    assert.throws(() => templateWithId(id), /No template of ours/);
  }
  for (const template of TEMPLATES) {
    assert.equal(templateWithId(template.id), template);
  }
});

test('no number and no name is twice in the table of elements', () => {
  assert.equal(new Set(ELEMENTS.map((element) => element.name)).size, ELEMENTS.length);
  assert.equal(new Set(ELEMENTS.map(({ id, enterprise }) => `${enterprise}/${id}`)).size, ELEMENTS.length);
  assert.equal(findElement(352)?.name, 'layer2OctetDeltaCount');
  assert.equal(findElement(893, 6876)?.name, 'tunnelSourceIPv4Address');
  assert.equal(findElement(893), undefined);
  assert.throws(() => elementNamed('noSuchElement'), /no element "noSuchElement"/);
});
