// When the work of a bridge that its datapath samples is due.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BURST_MS } from '../../src/control/probability-control.ts';
import { REST_DATAGRAMS_MAX, SamplingTick } from '../../src/control/sampling-tick.ts';
import { phaseOf } from '../../src/runtime/phase.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NAME = 'br0';

/** Ticks that may rest, of a clock; `elapsed` has the length of each period. */
function setUp() {
  const clock = new ManualClock();
  const elapsed: number[] = [];
  let mayRest = true;
  let readings = 0;
  const ticks = new SamplingTick(clock, () => {
    elapsed.push(Math.round(ticks.next(mayRest)));
    readings += ticks.takeReading() ? 1 : 0;
  });
  ticks.start(NAME);
  const pass = (ms: number) => {
    for (let step = 0; step < ms; step += 1) {
      clock.advance(1000);
    }
  };
  pass(1000 - phaseOf(NAME, 500));
  assert.equal(elapsed.length, 1, 'the first period is shorter, by the phase of the name');
  elapsed.length = 0;
  readings = 0;
  const rest = (may: boolean) => {
    mayRest = may;
  };
  return { ticks, elapsed, pass, rest, readings: () => readings };
}

test('the work is due once a second while nothing asks for more, and counters are read each second in any case', () => {
  const { ticks, elapsed, pass, rest, readings } = setUp();
  pass(3000);
  assert.deepEqual(elapsed, [1000, 1000, 1000]);
  rest(false);
  ticks.hurry();
  pass(3000);
  assert.equal(elapsed.length, 3 + 3000 / BURST_MS);
  assert.equal(readings(), 6);
});

test('many datagrams end a rest at once, and few do not', () => {
  const { ticks, elapsed, pass } = setUp();
  pass(400);
  for (let count = 1; count < REST_DATAGRAMS_MAX; count += 1) {
    ticks.noteDatagram();
  }
  assert.deepEqual(elapsed, []);
  ticks.noteDatagram();
  assert.deepEqual(elapsed, [400]);
  pass(BURST_MS);
  assert.deepEqual(elapsed, [400, BURST_MS], 'the burst is measured');
  pass(500);
  assert.deepEqual(elapsed, [400, BURST_MS, 500], 'then it rests until the next reading');
});

test('nothing is due after the end', () => {
  const { ticks, elapsed, pass } = setUp();
  ticks.stop();
  assert.equal(ticks.isRunning, false);
  for (let count = 0; count <= REST_DATAGRAMS_MAX; count += 1) {
    ticks.noteDatagram();
  }
  ticks.hurry();
  pass(3000);
  assert.deepEqual(elapsed, []);
});
