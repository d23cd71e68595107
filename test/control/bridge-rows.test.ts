import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeConfig } from '../../src/config/configuration.ts';
import { runInTurn } from '../../src/control/bridge-rows.ts';

const CONFIGS = Array.from({ length: 20 }, (_, index) => ({ name: `br${index}` }) as BridgeConfig);

test('the sampling of many bridges begins in several turns, and what has not changed does not count', () => {
  const sampled = new Set<string>();
  const counts: number[] = [];
  let isDone = false;
  while (!isDone) {
    isDone = runInTurn(CONFIGS, ({ name }) => {
      const isNew = !sampled.has(name);
      sampled.add(name);
      return isNew;
    });
    counts.push(sampled.size);
  }
  assert.deepEqual(counts, [8, 16, 20]);
});

test('bridges that have not changed are all configured in one turn', () => {
  let count = 0;
  const isDone = runInTurn(CONFIGS, () => {
    count += 1;
    return false;
  });
  assert.deepEqual([isDone, count], [true, 20]);
});
