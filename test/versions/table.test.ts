import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Check } from './checks.ts';
import { OVS_DIFFERENCES } from './differences.ts';
import { compatibilityTable, type SuiteResult, unusedDifferences } from './table.ts';

const CHECKS: readonly Check[] = [
  { title: 'One', files: ['test/one.ts'] },
  { title: 'Two', files: ['test/two.ts'], only: { suites: ['new'], reason: 'It came later' } },
];
const passed = (file: string) => ({ kind: 'test', file, name: 'x', result: 'passed' }) as const;
const monitor = { kind: 'note', file: '/x/test/one.ts', text: 'OVS difference: flow-monitor' } as const;
const old: SuiteResult = { suite: 'old', version: '2.15.0', lines: [passed('/x/test/one.ts'), monitor] };
const recent: SuiteResult = {
  suite: 'new',
  version: '4.0.0',
  lines: [
    passed('/x/test/one.ts'),
    { kind: 'test', file: '/x/test/one.ts', name: 'y', result: 'skipped', reason: 'no root' },
    passed('/x/test/two.ts'),
    { kind: 'test', file: '/x/test/two.ts', name: 'z', result: 'failed', reason: 'broken' },
  ],
};
const away: SuiteResult = { suite: 'away', skipped: 'the mirror does not have it', lines: [] };

test('the table shows what passed, failed and was not run with the reason, and lists differences', () => {
  const { what, reason } = OVS_DIFFERENCES['flow-monitor'];
  assert.deepEqual(compatibilityTable(CHECKS, [old, recent, away]).split('\n'), [
    '|  | 2.15.0 (old) | 4.0.0 (new) | ? (away) |',
    '| --- | --- | --- | --- |',
    '| One | passes [1] | passes [2] | not run [3] |',
    '| Two | not run [4] | **fails** | not run [3] |',
    '',
    '| note | |',
    '| --- | --- |',
    `| [1] | Before OVS 3.0: ${what} ${reason} |`,
    '| [2] | A test was skipped: no root. |',
    '| [3] | away: the mirror does not have it |',
    '| [4] | It came later. |',
    '',
  ]);
});

test('a check without any result fails', () => {
  assert.match(compatibilityTable(CHECKS, [{ ...old, lines: [] }]), /\| One \| \*\*fails\*\* \|/u);
});

test('reports a difference that no test of a version has used', () => {
  const others = Object.keys(OVS_DIFFERENCES).filter((name) => name !== 'flow-monitor');
  assert.deepEqual(unusedDifferences(old), others);
  assert.deepEqual(unusedDifferences(recent), []);
});
