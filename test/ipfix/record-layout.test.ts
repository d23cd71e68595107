import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  KEY_SIZE_MAX,
  keySize,
  Layer2,
  Layer3,
  Layer4,
  offsetBehindKey,
  RECORD_SIZE_MAX,
  TEMPLATES,
  templateId,
  templateWithId,
} from '../../src/ipfix/record-layout.ts';

// Written from the description of the wire format: id, layers, and the sizes of the parts of the key.
const templates: readonly (readonly [number, Layer2, Layer3, Layer4, readonly number[]])[] = [
  [256, Layer2.untagged, Layer3.other, Layer4.other, [19]],
  [258, Layer2.untagged, Layer3.ipv4, Layer4.other, [19, 6, 8]],
  [259, Layer2.untagged, Layer3.ipv4, Layer4.tcpUdp, [19, 6, 8, 4]],
  [260, Layer2.untagged, Layer3.ipv6, Layer4.other, [19, 6, 36]],
  [261, Layer2.untagged, Layer3.ipv6, Layer4.tcpUdp, [19, 6, 36, 4]],
  [262, Layer2.vlan, Layer3.other, Layer4.other, [19, 5]],
  [264, Layer2.vlan, Layer3.ipv4, Layer4.other, [19, 5, 6, 8]],
  [265, Layer2.vlan, Layer3.ipv4, Layer4.tcpUdp, [19, 5, 6, 8, 4]],
  [266, Layer2.vlan, Layer3.ipv6, Layer4.other, [19, 5, 6, 36]],
  [267, Layer2.vlan, Layer3.ipv6, Layer4.tcpUdp, [19, 5, 6, 36, 4]],
];

for (const [id, layer2, layer3, layer4, parts] of templates) {
  test(`template ${id} has the id and the key size of its layers`, () => {
    assert.equal(templateId(layer2, layer3, layer4), id);
    assert.equal(
      keySize(id),
      parts.reduce((sum, size) => sum + size),
    );
    assert.equal(templateWithId(id).isIp, layer3 !== Layer3.other);
  });
}

test('the template ids are 256 to 267, and the longest key is KEY_SIZE_MAX', () => {
  assert.equal(Math.min(...templates.map(([id]) => id)), 256);
  assert.equal(Math.max(...templates.map(([id]) => id)), 267);
  assert.equal(Math.max(...templates.map(([id]) => keySize(id))), KEY_SIZE_MAX);
});

test('templates have the ids and sizes of the flow key and of the aggregated part', () => {
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

test('fields follow each other without a gap', () => {
  for (const template of TEMPLATES) {
    let end = 0;
    for (const field of template.fields) {
      assert.equal(field.offset, end);
      end += field.size;
    }
    assert.equal(end, template.recordSize);
  }
});

test('an id that is not ours has no template', () => {
  for (const id of [0, 255, 257, 263, 268]) {
    assert.throws(() => templateWithId(id), /is not one of our templates/);
  }
  for (const template of TEMPLATES) {
    assert.equal(templateWithId(template.id), template);
  }
});

test('the offset behind the key is the same in every template that has the element', () => {
  for (const { fields, keySize: size } of TEMPLATES) {
    for (const { element, offset } of fields.filter((field) => field.offset >= size)) {
      assert.equal(offset - size, offsetBehindKey(element.name));
    }
  }
  assert.throws(() => offsetBehindKey('ipTTL'), /is not aggregated/);
});
