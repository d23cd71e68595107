import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SampleProbabilities } from '../../src/control/sample-probabilities.ts';
import type { Action } from '../../src/node-openflow/index.ts';
import { sample } from '../support/scripted-bridge.ts';

const action = (collectorSetId: number, probability: number): Action => ({
  ...sample(collectorSetId),
  probability,
});

test('has the probabilities of actions at any depth, by set, as long as a flow has them', () => {
  const probabilities = new SampleProbabilities();
  const set = probabilities.ofSet(1);
  probabilities.update('a', [{ type: 'clone', actions: [action(1, 32_768)] }, action(2, 655)]);
  probabilities.update('b', [action(1, 32_768)]);
  assert.equal(set.probability(7, 8, 1), 32_768);
  assert.equal(probabilities.ofSet(2).probability(7, 8, 100), 655);
  probabilities.update('a', [action(1, 40_000)]);
  assert.equal(set.probability(7, 8, 1), 0, 'flows differ');
  assert.equal(probabilities.ofSet(2).probability(7, 8, 100), 0);
  probabilities.delete('b');
  assert.equal(set.probability(7, 8, 1), 40_000);
});

test('keeps what it knows until flows are read again', () => {
  const probabilities = new SampleProbabilities();
  probabilities.update('a', [action(1, 32_768)]);
  probabilities.outdate();
  assert.equal(probabilities.ofSet(1).probability(7, 8, 1), 32_768);
  probabilities.update('b', [action(2, 655)]);
  assert.equal(probabilities.ofSet(1).probability(7, 8, 1), 0);
});
