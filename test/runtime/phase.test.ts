import assert from 'node:assert/strict';
import { test } from 'node:test';
import { phaseOf } from '../../src/runtime/phase.ts';

test('names have phases of their own, all over the range, which do not change', () => {
  const phases = Array.from({ length: 300 }, (_, index) => phaseOf(`br${index}`, 500));
  const tenths = new Set(phases.map((ms) => Math.floor(ms / 50)));
  assert.equal(tenths.size, 10);
  assert.ok(new Set(phases).size > 150);
  assert.equal(phaseOf('br0', 500), phases[0]);
});
