import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText } from '../../src/report/status-text.ts';
import { bytesText, countText, foldText, TABLE_WIDTH, textTable } from '../../src/report/text-table.ts';

test('aligns numbers right, and folds the last column when it is too long', () => {
  const columns = [
    { head: 'NAME', align: 'left' },
    { head: 'COUNT', align: 'right' },
    { head: 'NOTE', align: 'left' },
  ] as const;
  assert.deepEqual(textTable(columns, [['a', '7', 'x']]), ['NAME  COUNT  NOTE', 'a         7  x']);
  const long = 'y'.repeat(70);
  assert.deepEqual(textTable(columns, [['a', '7', long]]), [
    'NAME  COUNT  NOTE',
    'a         7',
    `    ${long}`,
  ]);
});

test('folds long text at words, within the width', () => {
  const text = `  ${'word '.repeat(60).trim()}`;
  const lines = foldText(text);
  assert.ok(lines.length > 1 && lines.every((line) => line.length <= TABLE_WIDTH));
  assert.ok(lines[0]?.startsWith('  word') && lines[1]?.startsWith('      word'));
  assert.equal(lines.map((line) => line.trim()).join(' '), text.trim());
  assert.deepEqual(foldText('x'.repeat(100)), ['x'.repeat(100)]);
});

test('formats bytes and durations in few characters', () => {
  assert.deepEqual([0, 999, 1000, 1_048_576, 5e12].map(bytesText), [
    '0 B',
    '999 B',
    '0.977 KiB',
    '1.00 MiB',
    '4.55 TiB',
  ]);
  assert.deepEqual([0, 59, 60, 3599, 3600, 86_400, 90_061].map(durationText), [
    '0 s',
    '59 s',
    '1 min 0 s',
    '59 min 59 s',
    '1 h 0 min',
    '1 d 0 h',
    '1 d 1 h',
  ]);
});

test('formats counts in at most six characters, exact below 100,000', () => {
  const counts = [0, 99_999, 100_000, 999_499, 999_500, 1_234_567, 2 ** 53, 10n ** 15n];
  assert.deepEqual(counts.map(countText), ['0', '99999', '100k', '999k', '1.00M', '1.23M', '9.01P', '1.00P']);
});
