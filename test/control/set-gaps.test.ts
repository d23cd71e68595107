// The gaps of collector sets: when they begin and end, and what log and status say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTLE_MS } from '../../src/control/gap-record.ts';
import { type ExportedSet, SetGaps } from '../../src/control/set-gaps.ts';
import { Log } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function setUp(previousEndMicros = (nowMicros: number) => nowMicros) {
  const clock = new ManualClock();
  const lines: string[] = [];
  let writtenMicros = 0;
  const gaps = new SetGaps({
    bridge: 'br0',
    clock,
    log: new Log({ clock, destination: (line) => lines.push(line) }).logger('bridge'),
    writtenMicros: () => writtenMicros,
    previousEndMicros: previousEndMicros(clock.monotonicMicros()),
  });
  const pass = (ms: number) => clock.advance(ms * 1000);
  const write = () => {
    writtenMicros = clock.monotonicMicros();
  };
  const recent = (id: number) =>
    gaps.status(id)?.recent.map(({ cause, milliseconds }) => `${cause} ${milliseconds}`);
  return { gaps, lines, pass, write, recent };
}

const set = (collectorSetId: number, isReachable = true, isRedirected = false): ExportedSet => ({
  collectorSetId,
  isReachable,
  isRedirected,
  isTakenOver: false,
});

/** Sets 1 and 2 whose samples arrive, without gaps in the log. */
function collected(isRedirected = false) {
  const started = setUp();
  started.gaps.configure([set(1, true, isRedirected), set(2, true, isRedirected)]);
  started.gaps.installed();
  started.pass(SETTLE_MS);
  started.pass(1000);
  started.lines.length = 0;
  return started;
}

test('a lost connection is one gap of all sets and one line, from the last but one check to the datapath', () => {
  const { gaps, lines, pass, recent } = collected();
  pass(100);
  gaps.disconnected();
  pass(200);
  gaps.installed();
  pass(SETTLE_MS - 1);
  assert.deepEqual(lines, []);
  pass(1);
  // Checks at 1000 and 750 ms; the settling time of the start was before.
  assert.match(
    lines.join(),
    /^[^,]*\|bridge\|WARN\|bridge br0: 2 collector sets not sampled for \d+ ms from [^ ]*Z: the connection to the bridge was lost$/u,
  );
  const [start, gap] = recent(1) ?? [];
  assert.equal(start, `start ${SETTLE_MS}`);
  const milliseconds = Number(gap?.replace('connection ', ''));
  assert.ok(milliseconds >= 300 + SETTLE_MS + 250 && milliseconds <= 300 + SETTLE_MS + 500, gap);
  assert.deepEqual(recent(2), recent(1));
  assert.equal(gaps.status(1)?.count, 2);
  assert.equal(gaps.status(1)?.seconds, (SETTLE_MS + milliseconds) / 1000);
});

test('a connection that is lost again before the datapath has followed prolongs the gap', () => {
  const { gaps, lines, pass } = collected();
  gaps.disconnected();
  gaps.installed();
  pass(SETTLE_MS - 1);
  gaps.disconnected();
  pass(SETTLE_MS);
  gaps.installed();
  pass(SETTLE_MS - 1);
  assert.deepEqual(lines, []);
  pass(1);
  assert.equal(lines.length, 1);
});

test('a set that is adopted later has a gap since its row was written, which leaves the others alone', () => {
  const { gaps, lines, pass, recent, write } = collected();
  write();
  pass(7);
  gaps.configure([set(1), set(2), { ...set(3), isTakenOver: true }]);
  pass(SETTLE_MS);
  assert.deepEqual(recent(3), [`take-over ${7 + SETTLE_MS}`]);
  assert.match(lines.join(), /\|INFO\|bridge br0: collector set 3 not sampled for 37 ms .*taken over/u);
  assert.equal(recent(1)?.length, 1);
});

test('a set that is added with a row that was written long ago has a gap from then on', () => {
  const { gaps, lines, pass, recent, write } = collected();
  write();
  pass(60_000);
  gaps.configure([set(1), set(2), set(3)]);
  pass(SETTLE_MS);
  assert.deepEqual(recent(3), [`added ${SETTLE_MS}`]);
  assert.match(
    lines.join(),
    /set 3 not sampled for 30 ms .*it was added, and its row was the daemon's already/u,
  );
  assert.equal(recent(1)?.length, 1);
});

test('sets of the previous daemon have a gap since its end, until the row has the socket of this one', () => {
  const { gaps, pass, recent } = setUp((nowMicros) => nowMicros - 400_000);
  gaps.configure([set(1, false, true)]);
  pass(100);
  gaps.installed();
  pass(1000);
  assert.deepEqual(recent(1), []);
  gaps.configure([set(1, true, true)]);
  pass(SETTLE_MS);
  assert.deepEqual(recent(1), [`start ${1500 + SETTLE_MS}`]);
});

test('a row that does not have the socket any more is a gap by itself', () => {
  const { gaps, lines, pass, recent } = collected(true);
  gaps.configure([set(1, false, true), set(2, true, true)]);
  pass(50);
  gaps.configure([set(1, true, true), set(2, true, true)]);
  pass(SETTLE_MS);
  assert.match(recent(1)?.[1] ?? '', /^redirection /u);
  assert.equal(recent(2)?.length, 1);
  assert.match(lines.join(), /collector set 1 not sampled .*its row had not been redirected to the daemon/u);
});

test('a hand-back at a stop is a gap: from the removal of the flows on, or of a redirected set from the writing on', () => {
  for (const isRedirected of [false, true]) {
    const { gaps, lines, pass, write } = collected(isRedirected);
    gaps.leave('handed back');
    gaps.disconnected();
    pass(800);
    write();
    pass(5);
    gaps.endNow();
    const [, milliseconds = '0'] =
      /2 collector sets not sampled for (\d+) ms .* handed back/u.exec(lines.join()) ?? [];
    const leastMs = (isRedirected ? 5 : 805) + SETTLE_MS;
    const mostMs = isRedirected ? leastMs : leastMs + 500;
    assert.ok(Number(milliseconds) >= leastMs && Number(milliseconds) <= mostMs, lines.join());
  }
});

test('what another daemon takes over is not a gap of this one, and a removed set has none', () => {
  const { gaps, lines, pass } = collected();
  gaps.disconnected();
  gaps.leave('left to another');
  pass(1000);
  gaps.configure([]);
  assert.deepEqual(lines, []);
  assert.equal(gaps.status(1), undefined);
});

test('a gap that is open when the bridge ends is one until then', () => {
  const { gaps, lines, pass } = collected();
  gaps.disconnected();
  pass(1000);
  gaps.leave('ended');
  assert.match(
    lines.join(),
    /2 collector sets not sampled for \d{4} ms .* the connection to the bridge was lost/u,
  );
});
