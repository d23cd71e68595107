import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isIpTemplate,
  KEY_SIZE_MAX,
  keySize,
  Layer2,
  Layer3,
  Layer4,
  templateId,
} from '../../src/packet/template-id.ts';

// Written down from the page about the wire format: id, layers, and the sizes of the parts that the key has.
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
  test(`template ${id} has the id and the key size that its layers give`, () => {
    assert.equal(templateId(layer2, layer3, layer4), id);
    assert.equal(
      keySize(id),
      parts.reduce((sum, size) => sum + size),
    );
    assert.equal(isIpTemplate(id), layer3 !== Layer3.other);
  });
}

test('the first and the last template and the longest key are what the limits say', () => {
  assert.equal(Math.min(...templates.map(([id]) => id)), 256);
  assert.equal(Math.max(...templates.map(([id]) => id)), 267);
  assert.equal(Math.max(...templates.map(([id]) => keySize(id))), KEY_SIZE_MAX);
});
