import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  extendedTemplateId,
  isExtended,
  KEY_WORD_COUNT_MAX,
  keySize,
  keyWordCount,
  Layer2,
  Layer3,
  Layer4,
  layer3Of,
  layoutOfTemplate,
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
  [259, Layer2.untagged, Layer3.ipv4, Layer4.ports, [19, 6, 8, 4]],
  [260, Layer2.untagged, Layer3.ipv6, Layer4.other, [19, 6, 36]],
  [261, Layer2.untagged, Layer3.ipv6, Layer4.ports, [19, 6, 36, 4]],
  [262, Layer2.vlan, Layer3.other, Layer4.other, [19, 5]],
  [264, Layer2.vlan, Layer3.ipv4, Layer4.other, [19, 5, 6, 8]],
  [265, Layer2.vlan, Layer3.ipv4, Layer4.ports, [19, 5, 6, 8, 4]],
  [266, Layer2.vlan, Layer3.ipv6, Layer4.other, [19, 5, 6, 36]],
  [267, Layer2.vlan, Layer3.ipv6, Layer4.ports, [19, 5, 6, 36, 4]],
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

test('the template ids are 256 to 267, and the longest key has 70 bytes', () => {
  assert.equal(Math.min(...templates.map(([id]) => id)), 256);
  assert.equal(Math.max(...templates.map(([id]) => id)), 267);
  assert.equal(Math.max(...templates.map(([id]) => keySize(id))), 70);
  assert.ok(templates.every(([id]) => !isExtended(id) && keyWordCount(id) === Math.ceil(keySize(id) / 4)));
});

test('templates have the ids and sizes of the flow key and of the aggregated part', () => {
  const common = 19;
  const sizes = TEMPLATES.original.map(({ id, keySize, recordSize, isIp, isVlan }) => ({
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
  assert.equal(RECORD_SIZE_MAX, 152 + 5 + 18);
});

test('fields follow each other without a gap', () => {
  for (const template of Object.values(TEMPLATES).flat()) {
    let end = 0;
    for (const field of template.fields) {
      assert.equal(field.offset, end);
      end += field.size;
    }
    assert.equal(end, template.recordSize);
  }
});

test('an id that is not ours has no template', () => {
  for (const id of [0, 255, 257, 263, 268, 511, 513, 514, 515, 519, 523, 525, 527, 531, 535, 536, 0xffff]) {
    assert.throws(() => templateWithId(id), /is not one of our templates/);
  }
  for (const template of [...TEMPLATES.original, ...TEMPLATES.extended]) {
    assert.equal(templateWithId(template.id), template);
  }
});

test('the offset behind the key is the same in every template that has the element', () => {
  for (const { fields, keySize: size } of TEMPLATES.original) {
    for (const { element, offset } of fields.filter((field) => field.offset >= size)) {
      assert.equal(offset - size, offsetBehindKey(element.name));
    }
  }
  assert.throws(() => offsetBehindKey('ipTTL'), /is not aggregated/);
});

// Written from the description of the format `extended`: id, record size, bytes of the key's leading part and words of the key.
const extended: readonly (readonly [id: number, size: number, leading: number, words: number])[] = [
  [512, 81, 19, 5 + 1],
  [516, 119, 33, 9 + 1],
  [517, 124, 37, 10 + 1],
  [518, 121, 33, 9 + 2],
  [520, 147, 61, 16 + 1],
  [521, 152, 65, 17 + 1],
  [522, 149, 61, 16 + 2],
  [524, 81 + 5, 24, 6 + 1],
  [528, 119 + 5, 38, 10 + 1],
  [529, 124 + 5, 42, 11 + 1],
  [530, 121 + 5, 38, 10 + 2],
  [532, 147 + 5, 66, 17 + 1],
  [533, 152 + 5, 70, 18 + 1],
  [534, 149 + 5, 66, 17 + 2],
];

test('the format extended has 14 templates of these sizes, with 413 fields', () => {
  assert.deepEqual(
    TEMPLATES.extended.map(({ id, recordSize }) => [id, recordSize, keySize(id), keyWordCount(id)]),
    extended,
  );
  assert.equal(
    TEMPLATES.extended.reduce((sum, { fields }) => sum + fields.length, 0),
    413,
  );
  assert.equal(KEY_WORD_COUNT_MAX, 19 + 7);
  assert.ok(TEMPLATES.extended.every(({ id }) => isExtended(id)));
});

test('an extended record begins with the original one of the same layers, and ends with its own elements', () => {
  const original = (id: number) => TEMPLATES.original.find((template) => template.id === id)?.fields ?? [];
  for (const [layer2, layer3, layer4] of [
    [Layer2.untagged, Layer3.other, Layer4.other],
    [Layer2.vlan, Layer3.ipv4, Layer4.other],
    [Layer2.untagged, Layer3.ipv4, Layer4.ports],
    [Layer2.vlan, Layer3.ipv4, Layer4.icmp],
    [Layer2.untagged, Layer3.ipv6, Layer4.icmp],
    [Layer2.vlan, Layer3.ipv6, Layer4.ports],
  ] as const) {
    const first = templateId(layer2, layer3, layer4 === Layer4.icmp ? Layer4.other : layer4);
    assert.equal(layer3Of(first), layer3);
    const { fields, id } = templateWithId(extendedTemplateId(first, layer4));
    assert.equal(id, 512 + (layer2 * 3 + layer3) * 4 + layer4);
    const behind = fields.slice(original(first).length);
    assert.deepEqual(fields.slice(0, original(first).length), original(first));
    const icmp = layer3 === Layer3.ipv4 ? [32, 2] : [139, 2];
    const transport = [[], [[6, 1]], [icmp]][layer4] ?? [];
    assert.deepEqual(
      behind.map(({ element, size }) => [element.id, size]),
      [[10, 4], [14, 4], [61, 1], ...transport, [1, 8], [34, 4], [152, 8], [153, 8]],
    );
  }
});

test('the layout tunnel is the extended one with 7 elements in 18 bytes before the times', () => {
  const names = [
    ['tunnelType', 891, 1],
    ['tunnelKey', 892, 4],
    ['tunnelSourceIPv4Address', 893, 4],
    ['tunnelDestinationIPv4Address', 894, 4],
    ['tunnelProtocolIdentifier', 895, 1],
    ['tunnelSourceTransportPort', 896, 2],
    ['tunnelDestinationTransportPort', 897, 2],
  ];
  assert.equal(TEMPLATES.tunnel.length, 14);
  for (const [index, template] of TEMPLATES.tunnel.entries()) {
    const plain = TEMPLATES.extended[index]!;
    assert.equal(template.id, plain.id + 32);
    assert.equal(template.recordSize, plain.recordSize + 18);
    assert.equal(template.keySize, plain.keySize);
    assert.equal(keyWordCount(template.id), keyWordCount(plain.id) + 7);
    const added = template.fields.slice(plain.fields.length - 2, -2);
    assert.deepEqual(
      added.map(({ element, size }) => [element.name, element.id, size]),
      names,
    );
    assert.ok(added.every(({ element }) => element.enterprise === 6876));
    assert.deepEqual(
      template.fields.filter((field) => !added.includes(field)).map(({ element }) => element.id),
      plain.fields.map(({ element }) => element.id),
    );
    assert.equal(layoutOfTemplate(template.id), 'tunnel');
    assert.equal(layoutOfTemplate(plain.id), 'extended');
    assert.ok(isExtended(template.id));
  }
  assert.ok(TEMPLATES.original.every(({ id }) => layoutOfTemplate(id) === 'original'));
});
