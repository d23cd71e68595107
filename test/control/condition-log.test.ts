import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition } from '../../src/config/condition.ts';
import { ConditionLog } from '../../src/control/condition-log.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function condition(severity: Condition['severity'], where: string): Condition {
  return { code: 'bad-value', severity, where, message: 'It is wrong.', action: 'Correct it.' };
}

test('logs a condition once, at the level of its severity, and again when it recurs', () => {
  const lines: string[] = [];
  const log = new Log({ clock: new ManualClock(), destination: (line) => lines.push(line) });
  const conditions = new ConditionLog(log.logger('control'));
  const [wrong, doubtful] = [condition('error', 'row 1'), condition('warning', 'row 2')];
  conditions.update([wrong, doubtful]);
  conditions.update([wrong, doubtful]);
  conditions.update([doubtful]);
  conditions.update([wrong, doubtful]);
  assert.deepEqual(
    lines.map((line) => line.split('|').slice(3).join(' ')),
    ['ERR row 1', 'WARN row 2', 'ERR row 1'].map((begin) => `${begin}: It is wrong. Correct it. (bad-value)`),
  );
});
