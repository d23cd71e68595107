import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition } from '../../src/config/condition.ts';
import { CONDITIONS_LISTED_MAX, listConditions } from '../../src/control/condition-list.ts';
import { CONDITIONS_LOGGED_MAX, ConditionLog } from '../../src/control/condition-log.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function condition(index: number, severity: Condition['severity'] = 'warning'): Condition {
  return { code: 'bad-value', severity, where: `Row ${index}`, message: 'It is bad.', action: 'Correct it.' };
}

const conditions = (count: number) => Array.from({ length: count }, (_, index) => condition(index));

test('lists conditions up to the limit as they are, and beyond it errors first, with the number of the others', () => {
  const full = conditions(CONDITIONS_LISTED_MAX);
  assert.deepEqual(listConditions(full), { conditions: full, conditionsOmitted: 0 });
  const error = condition(-1, 'error');
  const { conditions: listed, conditionsOmitted } = listConditions([...full, condition(-2), error]);
  assert.deepEqual([listed.length, conditionsOmitted], [CONDITIONS_LISTED_MAX, 2]);
  assert.deepEqual(listed.slice(0, 2), [error, full[0]]);
});

function conditionLog() {
  const lines: string[] = [];
  const log = new Log({ clock: new ManualClock(), destination: (line) => lines.push(line) });
  return { lines, log: new ConditionLog(log.logger('control')) };
}

test('logs a number of new conditions at a time, and counts the others', () => {
  const { lines, log } = conditionLog();
  log.update(conditions(CONDITIONS_LOGGED_MAX));
  assert.equal(lines.length, CONDITIONS_LOGGED_MAX);
  log.update(conditions(2 * CONDITIONS_LOGGED_MAX + 1));
  assert.equal(lines.length, 2 * CONDITIONS_LOGGED_MAX + 1);
  assert.match(lines.at(-1) ?? '', /1 more conditions; see "ovs-ipfix status"/u);
});

test('logs a condition once, and again when it recurs', () => {
  const { lines, log } = conditionLog();
  const one = condition(1);
  log.update([one]);
  log.update([{ ...one }]);
  assert.equal(lines.length, 1);
  log.update([]);
  log.update([one]);
  assert.equal(lines.length, 2);
});
