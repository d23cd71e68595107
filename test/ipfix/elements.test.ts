import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ELEMENTS, elementNamed, findElement } from '../../src/ipfix/elements.ts';

test('the table of elements has each number and each name once', () => {
  assert.equal(new Set(ELEMENTS.map((element) => element.name)).size, ELEMENTS.length);
  assert.equal(new Set(ELEMENTS.map(({ id, enterprise }) => `${enterprise}/${id}`)).size, ELEMENTS.length);
  assert.equal(findElement(352)?.name, 'layer2OctetDeltaCount');
  assert.equal(findElement(893, 6876)?.name, 'tunnelSourceIPv4Address');
  assert.equal(findElement(893), undefined);
  assert.throws(() => elementNamed('noSuchElement'), /"noSuchElement" is not in the table/);
});
