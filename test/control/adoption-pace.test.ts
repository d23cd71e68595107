// When rows are written while bridges are being set up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdoptionPace } from '../../src/control/adoption-pace.ts';
import type { Samplability } from '../../src/control/sampling-watch.ts';
import { ManualClock } from '../support/manual-clock.ts';

const bridges = (count: number, samplability: Samplability) =>
  Array.from({ length: count }, () => ({ samplability }));

test('rows of many bridges that are set up one after the other are written together', () => {
  const clock = new ManualClock();
  const pace = new AdoptionPace(clock);
  const many = [...bridges(9, 'pending'), ...bridges(3, 'sampled')];
  assert.ok(pace.allows(many), 'the first are written at once');
  pace.written();
  clock.advance(199_999);
  assert.ok(!pace.allows(many));
  clock.advance(1);
  assert.ok(pace.allows(many));
});

test('rows are written at once where few bridges are being set up, whatever others there are', () => {
  const pace = new AdoptionPace(new ManualClock());
  pace.written();
  assert.ok(
    pace.allows([...bridges(8, 'pending'), ...bridges(100, 'sampled'), ...bridges(20, 'impossible')]),
  );
});
