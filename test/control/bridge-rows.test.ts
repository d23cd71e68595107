import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeConfig } from '../../src/config/configuration.ts';
import { bridgesOfTurn } from '../../src/control/bridge-rows.ts';

test('the sampling of many bridges begins in several turns; those that are sampled are configured in each', () => {
  const configs = Array.from({ length: 40 }, (_, index) => ({ name: `br${index}` }) as BridgeConfig);
  const sampled = new Set<string>();
  const counts: number[] = [];
  while (sampled.size < configs.length) {
    const ofTurn = bridgesOfTurn(configs, (name) => sampled.has(name));
    counts.push(ofTurn.length);
    for (const { name } of ofTurn) {
      sampled.add(name);
    }
  }
  assert.deepEqual(counts, [16, 32, 40]);
});
