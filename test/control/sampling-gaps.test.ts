// The gaps of a bridge: when they begin and end, and what log and status say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExportBegin, SETTLE_MS } from '../../src/control/gap-record.ts';
import { SamplingGaps } from '../../src/control/sampling-gaps.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** An export that begins while this daemon is active, with a row that it had already. */
const BEGIN: ExportBegin = { isTakenOver: false, writtenMicros: 0, previousEndMicros: undefined };

function setUp() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = new Log({ clock, destination: (line) => lines.push(line) }).logger('bridge');
  const gaps = new SamplingGaps({ bridge: 'br0', clock, sampleClock: clock, log, previousGap: undefined });
  const pass = (ms: number) => clock.advance(ms * 1000);
  return { clock, gaps, lines, pass };
}

/** Gaps of a bridge whose hook was confirmed, and known to be installed a millisecond ago. */
function sampled() {
  const started = setUp();
  started.gaps.see('installed');
  started.gaps.expect({ ...BEGIN, previousEndMicros: started.clock.monotonicMicros() });
  started.pass(SETTLE_MS);
  started.gaps.see('installed');
  started.pass(1);
  started.gaps.see('installed');
  started.lines.length = 0;
  return started;
}

const milliseconds = ({ gaps }: { gaps: SamplingGaps }) =>
  gaps.status().recent.map(({ cause, milliseconds: ms }) => `${cause} ${ms}`);

test('a gap begins with the batch before the last one, which may have waited, and ends when the datapath has followed the hook', () => {
  const started = sampled();
  const { gaps, lines, pass } = started;
  pass(99);
  gaps.seen();
  pass(3);
  gaps.seen();
  gaps.seen();
  pass(2);
  gaps.see('missing');
  pass(10);
  gaps.see('installed');
  pass(SETTLE_MS - 1);
  assert.deepEqual(lines, []);
  pass(1);
  assert.deepEqual(milliseconds(started).slice(1), [`hook ${15 + SETTLE_MS}`]);
  assert.match(
    lines[0] ?? '',
    /\|bridge\|WARN\|bridge br0: not sampled for 45 ms from 2024-01-01T00:00:00\.130Z: the hook or its meter was removed or modified$/u,
  );
});

test('a gap begins with a proof that is later than the samples, and not with an earlier one', () => {
  const started = sampled();
  const { gaps, clock, pass } = started;
  pass(700);
  gaps.seen();
  const firstMicros = clock.monotonicMicros();
  pass(100);
  gaps.prove(clock.monotonicMicros());
  gaps.prove(firstMicros);
  pass(20);
  gaps.see('missing');
  gaps.see('installed');
  pass(SETTLE_MS);
  pass(5);
  gaps.seen();
  pass(1);
  gaps.seen();
  gaps.see('missing');
  gaps.see('installed');
  pass(SETTLE_MS);
  assert.deepEqual(milliseconds(started).slice(1), [`hook ${20 + SETTLE_MS}`, `hook ${1 + SETTLE_MS}`]);
});

test('a hook that is removed again before the datapath has followed prolongs the gap', () => {
  const started = sampled();
  const { gaps, pass } = started;
  gaps.see('disconnected');
  pass(50);
  gaps.see('installed');
  pass(SETTLE_MS - 10);
  gaps.see('missing');
  pass(20);
  gaps.see('installed');
  pass(SETTLE_MS);
  assert.deepEqual(milliseconds(started).slice(1), [`connection ${61 + 2 * SETTLE_MS}`]);
});

test('the time before the daemon exports is a gap: since the row was written, or the previous daemon has ended', () => {
  const started = setUp();
  const { gaps, clock, pass } = started;
  gaps.see('disconnected');
  gaps.see('installed');
  const writtenMicros = clock.monotonicMicros();
  pass(7);
  gaps.expect({ ...BEGIN, isTakenOver: true, writtenMicros });
  pass(SETTLE_MS);
  assert.deepEqual(milliseconds(started), [`take-over ${7 + SETTLE_MS}`]);
  assert.equal(gaps.status().count, 1);
  assert.equal(gaps.status().seconds, (7 + SETTLE_MS) / 1000);
});

test('an export that is added, with a row that was written long ago, has a gap from now on', () => {
  const started = setUp();
  const { gaps, pass } = started;
  gaps.see('installed');
  pass(60_000);
  gaps.expect(BEGIN);
  pass(SETTLE_MS);
  assert.deepEqual(milliseconds(started), [`added ${SETTLE_MS}`]);
});

test('a hand-back is a gap until the row is handed back, and no sight of the hook changes that', () => {
  const started = sampled();
  const { gaps, pass } = started;
  gaps.leave('handed back');
  gaps.see('disconnected');
  gaps.see('installed');
  pass(20);
  gaps.endNow();
  assert.deepEqual(milliseconds(started).slice(1), [`hand-back ${21 + SETTLE_MS}`]);
});

test('a row that is being adopted at a stop has a gap since it was written', () => {
  const started = setUp();
  const { gaps, clock, pass } = started;
  gaps.see('installed');
  const writtenMicros = clock.monotonicMicros();
  pass(4);
  gaps.leave('handed back', writtenMicros);
  pass(20);
  gaps.endNow();
  assert.deepEqual(milliseconds(started), [`hand-back ${24 + SETTLE_MS}`]);
});

test('a bridge for which the daemon does not export has no gaps', () => {
  const started = setUp();
  const { gaps, pass, lines } = started;
  gaps.see('installed');
  gaps.see('missing');
  pass(100);
  gaps.see('installed');
  gaps.leave('handed back');
  gaps.endNow();
  pass(SETTLE_MS);
  assert.deepEqual([gaps.status().count, lines], [0, []]);
});

test('a gap that another daemon ends is not reported, and that of a bridge or a row that ends is', () => {
  const left = sampled();
  left.gaps.see('disconnected');
  left.gaps.leave('left to another');
  left.pass(1000);
  assert.equal(left.gaps.status().count, 1);
  const deleted = setUp();
  deleted.gaps.expect({ ...BEGIN, previousEndMicros: deleted.clock.monotonicMicros() });
  deleted.pass(150);
  deleted.gaps.leave('ended');
  assert.deepEqual(milliseconds(deleted), ['start 150']);
  const lost = sampled();
  lost.gaps.see('disconnected');
  lost.pass(1000);
  lost.gaps.expectNothing();
  assert.deepEqual(milliseconds(lost).slice(1), ['connection 1001']);
});

test('the status has the last gaps only, and the sum of all', () => {
  const { gaps, pass } = sampled();
  for (let index = 0; index < 40; index += 1) {
    gaps.seen();
    pass(1);
    gaps.seen();
    gaps.see('missing');
    gaps.see('installed');
    pass(SETTLE_MS);
  }
  const { count, seconds, recent } = gaps.status();
  assert.equal(count, 41);
  assert.equal(recent.length, 16);
  assert.ok(Math.abs(seconds - (41 * SETTLE_MS + 40) / 1000) < 1e-9);
});
