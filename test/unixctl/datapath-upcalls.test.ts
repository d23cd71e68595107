// What a datapath could not hand to ovs-vswitchd: readings over a restart of ovs-vswitchd.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log } from '../../src/runtime/log.ts';
import { DatapathUpcallsReader, UPCALLS_INTERVAL_MS } from '../../src/unixctl/datapath-upcalls.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ANSWER = (lost: number) => `system@ovs-system:
  lookups: hit:70 missed:50 lost:${lost}
  flows: 3
  masks: hit:90 total:2 hit/pkt:0.75
  port 0: ovs-system (internal)
netdev@ovs-netdev:
  lookups: hit:0 missed:0 lost:2
`;

test('counts from the first reading, also over a restart of ovs-vswitchd, and only while it is needed', async (t) => {
  const clock = new ManualClock();
  const lines: string[] = [];
  let answer: string | undefined;
  let isNeeded = false;
  let asked = 0;
  const reader = new DatapathUpcallsReader({
    clock,
    ask: async () => {
      asked += 1;
      if (answer === 'refused') {
        throw new Error('No daemon answers.');
      }
      return answer;
    },
    log: new Log({ clock, destination: (line) => lines.push(line), level: 'debug' }).logger('control'),
    isNeeded: () => isNeeded,
  });
  t.after(() => reader.stop());
  reader.start();
  const next = async (text: string | undefined) => {
    answer = text;
    await clock.advanceMs(UPCALLS_INTERVAL_MS);
    return reader.upcalls().map(({ lost }) => lost);
  };
  assert.deepEqual([await next(ANSWER(5)), asked], [[], 0], 'not needed');
  isNeeded = true;
  assert.deepEqual([await next(undefined), asked], [[], 1], 'ovs-vswitchd does not run');
  assert.deepEqual(await next(ANSWER(5)), [0, 0]);
  assert.deepEqual(
    reader.upcalls().map(({ datapath }) => datapath),
    ['system@ovs-system', 'netdev@ovs-netdev'],
  );
  assert.deepEqual(await next(ANSWER(12)), [7, 0]);
  assert.deepEqual(await next('refused'), [7, 0]);
  assert.match(lines.join(''), /upcalls that datapaths have lost: No daemon answers/u);
  assert.deepEqual(await next(ANSWER(3)), [0, 0], 'restarted');
  assert.deepEqual(await next(ANSWER(4)), [1, 0]);
  assert.equal(asked, 6);
});
