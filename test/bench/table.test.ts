// The tables of the benchmark, and the medians and ratios in them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratioSummary, summary } from './row.ts';
import { meetsGoal, shown, tablesText } from './table.ts';

test('a summary has the median of the rounds, in whatever order they came, and their spread', () => {
  assert.deepEqual(summary([5, 1, 9, 3, 7]), { value: 5, spread: [1, 9] });
  assert.deepEqual(summary([2]), { value: 2, spread: [2, 2] });
  assert.ok(Number.isNaN(summary([]).value));
});

test('a ratio is of the figures of one round, not of two medians', () => {
  assert.deepEqual(ratioSummary([1, 4, 9], [2, 4, 3]), { value: 1, spread: [0.5, 3] });
  assert.throws(() => ratioSummary([1, 2], [1]), /2 rounds of one figure and 1 of the other/u);
});

test('a goal is compared with the value, and a text without a number is not', () => {
  assert.equal(meetsGoal(0.4, '<= 0.40'), true);
  assert.equal(meetsGoal(0.401, '<= 0.40'), false);
  assert.equal(meetsGoal(12, '>= 12'), true);
  assert.equal(meetsGoal(11.9, '>= 12'), false);
  assert.equal(meetsGoal(5, '< 5'), false);
  assert.equal(meetsGoal(5, '> 5'), false);
  assert.equal(meetsGoal(0, '0'), true);
  assert.equal(meetsGoal(0.07, '0'), false);
  assert.equal(meetsGoal(1, 'as with nothing'), undefined);
});

test('values have three digits or more', () => {
  assert.deepEqual([0.314, 31.41, 314.1, 3141.4].map(shown), ['0.31', '31.4', '314', '3141']);
});

test('rows without columns come first, and each part with columns has a table of its own', () => {
  const text = tablesText([
    { part: 'core', what: 'hash', value: 14, unit: 'ns', spread: [13, 20], goal: '<= 15', note: 'ten words' },
    { part: 'replay', what: 'softflowd / ours', column: '1k', value: 4.4, unit: 'ratio', spread: [4, 5] },
    { part: 'replay', what: 'ours', column: '1k', value: 80, unit: 'ns/packet' },
    { part: 'large', what: 'longest pause', column: 'typescript', value: 9, unit: 'ms', goal: '<= 20' },
    { part: 'replay', what: 'ours', column: '1M', value: 300, unit: 'ns/packet', goal: '<= 299' },
  ]);
  assert.equal(
    text,
    [
      'part  what  median  unit  spread      goal   note',
      'core  hash    14.0  ns    13.0..20.0  <= 15  ten words',
      '',
      'replay            1k                 1M',
      'softflowd / ours  4.40 (4.00..5.00)',
      'ours, ns/packet   80.0               300 misses <= 299',
      '',
      'large              typescript',
      'longest pause, ms  9.00 <= 20',
      '',
    ].join('\n'),
  );
});
