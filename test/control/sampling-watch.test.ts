// The samplability of a bridge over time, and the ownership of its rows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfiguration } from '../../src/config/configuration.ts';
import { type AdoptionRules, desiredRows, notAdopted, planOwnership } from '../../src/control/ownership.ts';
import { HAND_BACK_MS, type Samplability, SamplingWatch } from '../../src/control/sampling-watch.ts';
import { runScript, type ScriptEvent } from '../support/event-script.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { StateTrace } from '../support/state-tables.ts';

/** Runs a script about one bridge; each change of the state must be reported once. */
async function watch(events: (watch: SamplingWatch) => readonly ScriptEvent[]): Promise<string[]> {
  const clock = new ManualClock();
  const trace = new StateTrace('sampling-watch.ts');
  let changeCount = 0;
  const sampling: SamplingWatch = new SamplingWatch({
    clock,
    onChange: (isDecisive) => {
      changeCount += 1;
      const before = trace.states.at(-1);
      trace.note(sampling.state);
      assert.equal(isDecisive, before === 'impossible' || sampling.state === 'impossible');
    },
  });
  trace.note(sampling.state);
  const printed = await runScript(clock, () => [sampling.state], events(sampling));
  assert.deepEqual([trace.undocumented, trace.states.at(-1)], [[], sampling.state]);
  assert.equal(changeCount, trace.states.length - 1);
  return printed;
}

test('a bridge that is not sampled for thirty seconds becomes impossible, until it is sampled', async () => {
  assert.equal(HAND_BACK_MS, 30_000);
  const printed = await watch((sampling) => [
    { atMs: 0, what: 'start' },
    { atMs: 20_000, what: 'missing', act: () => sampling.update('missing') },
    { atMs: 29_999, what: 'still missing', act: () => sampling.update('missing') },
    { atMs: 30_000, what: 'thirty seconds' },
    { atMs: 90_000, what: 'missing again', act: () => sampling.update('missing') },
    { atMs: 90_001, what: 'installed', act: () => sampling.update('installed') },
    { atMs: 900_000, what: 'much later' },
  ]);
  assert.deepEqual(printed, [
    '0 ms: start',
    '  pending',
    '20000 ms: missing',
    '29999 ms: still missing',
    '30000 ms: thirty seconds',
    '  impossible',
    '90000 ms: missing again',
    '90001 ms: installed',
    '  sampled',
    '900000 ms: much later',
  ]);
});

test('a bridge that was sampled becomes impossible only after thirty seconds without sampling', async () => {
  const printed = await watch((sampling) => [
    { atMs: 1000, what: 'installed', act: () => sampling.update('installed') },
    { atMs: 50_000, what: 'restart of Open vSwitch', act: () => sampling.update('missing') },
    { atMs: 79_000, what: 'installed again', act: () => sampling.update('installed') },
    { atMs: 80_000, what: 'the connection is lost', act: () => sampling.update('missing') },
    { atMs: 100_000, what: 'an attempt fails', act: () => sampling.update('missing') },
    { atMs: 109_999, what: 'just before' },
    { atMs: 110_000, what: 'thirty seconds after the loss' },
  ]);
  assert.deepEqual(printed, [
    '1000 ms: installed',
    '  sampled',
    '50000 ms: restart of Open vSwitch',
    '  pending',
    '79000 ms: installed again',
    '  sampled',
    '80000 ms: the connection is lost',
    '  pending',
    '100000 ms: an attempt fails',
    '109999 ms: just before',
    '110000 ms: thirty seconds after the loss',
    '  impossible',
  ]);
});

test('a bridge stays pending while its flows are being rewritten, however long that takes', async () => {
  const rewriting = (sampling: SamplingWatch) =>
    Array.from({ length: 20 }, (_, index) => ({
      atMs: 10_000 * index,
      what: 'rewriting',
      act: () => sampling.update('rewriting flows'),
    }));
  const printed = await watch((sampling) => [
    ...rewriting(sampling),
    { atMs: 219_999, what: 'no progress' },
    { atMs: 220_000, what: 'thirty seconds without progress' },
  ]);
  assert.deepEqual(
    printed.filter((line) => !line.endsWith('rewriting')),
    ['  pending', '219999 ms: no progress', '220000 ms: thirty seconds without progress', '  impossible'],
  );
  const again = await watch((sampling) => [
    { atMs: 0, what: 'installed', act: () => sampling.update('installed') },
    { atMs: 1000, what: 'a user has changed many flows', act: () => sampling.update('rewriting flows') },
    { atMs: 300_000, what: 'still rewriting', act: () => sampling.update('rewriting flows') },
  ]);
  assert.deepEqual(
    again.filter((line) => line.startsWith('  ')),
    ['  sampled'],
  );
});

test('a stopped watch reports nothing', async () => {
  const printed = await watch((sampling) => [
    { atMs: 0, what: 'stopped', act: () => sampling.stop() },
    { atMs: 60_000, what: 'installed', act: () => sampling.update('installed') },
  ]);
  assert.deepEqual(printed, ['0 ms: stopped', '  pending', '60000 ms: installed']);
});

const HELD = '127.0.0.1:4739';
const ADOPTED = { 'ovs-ipfix-targets': HELD, 'ovs-ipfix-state': 'adopted' };

/** Makes a configuration in which bridges br0 and br1 share one row. */
function sharedRow(isAdopted: boolean) {
  const columns = {
    targets: isAdopted ? [] : [HELD],
    external_ids: new Map(isAdopted ? Object.entries(ADOPTED) : []),
    cache_active_timeout: 1,
    cache_max_flows: 1,
  };
  return readConfiguration(
    {
      bridges: ['br0', 'br1'].map((name) => ({ uuid: name, columns: { name, ipfix: { uuid: 'row' } } })),
      ipfix: new Map([['row', { uuid: 'row', columns }]]),
      collectorSets: [],
      controllers: new Map(),
    },
    1400,
  );
}

const rules = (br0: Samplability, br1: Samplability): AdoptionRules => ({
  policy: 'all',
  samplability: (bridge) => (bridge === 'br0' ? br0 : br1),
});

test('a row is adopted when all its bridges are sampled, and released when one is impossible', () => {
  const kinds = (isAdopted: boolean, br0: Samplability, br1: Samplability) =>
    planOwnership(sharedRow(isAdopted), rules(br0, br1), []).map(({ kind, targets }) => [kind, ...targets]);
  assert.deepEqual(kinds(false, 'sampled', 'sampled'), [['adopt']]);
  assert.deepEqual(kinds(false, 'sampled', 'pending'), []);
  assert.deepEqual(kinds(false, 'pending', 'pending'), []);
  assert.deepEqual(kinds(false, 'sampled', 'impossible'), []);
  assert.deepEqual(kinds(true, 'sampled', 'pending'), []);
  assert.deepEqual(kinds(true, 'pending', 'pending'), []);
  assert.deepEqual(kinds(true, 'sampled', 'impossible'), [['release', HELD]]);
});

test('bridges are programmed before their row is adopted, but not for a row that another bridge prevents', () => {
  const desired = (isAdopted: boolean, br0: Samplability, br1: Samplability) => {
    const isDesired = desiredRows(sharedRow(isAdopted), rules(br0, br1));
    return [isDesired('br0', 'row'), isDesired('br1', 'row')];
  };
  assert.deepEqual(desired(false, 'pending', 'pending'), [true, true]);
  assert.deepEqual(desired(false, 'sampled', 'pending'), [true, true]);
  // br1 is still tried; br0 is not hooked for a row that stays with ovs-vswitchd.
  assert.deepEqual(desired(false, 'sampled', 'impossible'), [false, true]);
  assert.deepEqual(desired(true, 'sampled', 'impossible'), [true, true]);
});

test('a row that stays with ovs-vswitchd because a bridge cannot be sampled is reported', () => {
  const reported = (isAdopted: boolean, br0: Samplability, br1: Samplability) =>
    notAdopted(sharedRow(isAdopted), rules(br0, br1)).map(({ code, message }) => `${code}: ${message}`);
  assert.deepEqual(reported(false, 'sampled', 'impossible'), [
    'row-not-adopted: ovs-vswitchd exports for it, because bridge br1 cannot be sampled.',
  ]);
  assert.deepEqual(reported(false, 'sampled', 'pending'), []);
  assert.deepEqual(reported(true, 'sampled', 'impossible'), []);
});
