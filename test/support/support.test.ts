// The parts of test/support that need no other program.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { endInOrder } from './end-in-order.ts';
import { targetsArgument } from './ipfix-rows.ts';
import { ManualClock } from './manual-clock.ts';
import { tsharkTime } from './shown-flows.ts';
import { UdpSink } from './udp-sink.ts';
import { waitFor } from './wait.ts';

test('the manual clock fires timers in the order of their times, each at its time', () => {
  const clock = new ManualClock();
  const startMicros = clock.monotonicMicros();
  const seen: string[] = [];
  const note = (name: string) => () =>
    seen.push(`${name} at ${(clock.monotonicMicros() - startMicros) / 1000}`);
  clock.setTimer(note('late'), 20);
  clock.setTimer(() => {
    note('early')();
    clock.setTimer(note('made on the way'), 3);
  }, 10);
  clock.setTimer(note('cancelled'), 15).cancel();
  clock.setTimer(note('same time'), 20);
  clock.advance(19_999);
  assert.deepEqual(seen, ['early at 10', 'made on the way at 13']);
  clock.stepWall(-3_600_000_000);
  clock.advance(1);
  assert.deepEqual(seen.slice(2), ['late at 20', 'same time at 20']);
  assert.equal(clock.wallMicros(), 1_704_067_200_000_000 + 20_000 - 3_600_000_000);
  assert.equal(clock.pendingCount, 0);
});

test('a wait that times out reports its condition and the last value', async () => {
  let looks = 0;
  const look = () => {
    looks += 1;
    return looks > 3 ? 'there' : undefined;
  };
  const value = await waitFor(look, { what: 'it comes' });
  assert.equal(value, 'there');
  await assert.rejects(
    waitFor(() => false, { what: 'the sky falls', timeoutMs: 20 }),
    { message: 'Waited 20 ms for this: the sky falls. Seen last: false' },
  );
  await assert.rejects(
    waitFor(() => Promise.reject(new Error('no sky')), { what: 'the sky falls', timeoutMs: 20 }),
    /Seen last: no sky/,
  );
});

test('the UDP sink stores datagrams in order, over IPv4 and IPv6', async () => {
  for (const host of ['127.0.0.1', '::1']) {
    const sink = await UdpSink.open({ host });
    const socket = createSocket(host === '::1' ? 'udp6' : 'udp4');
    for (const text of ['one', 'two', 'three']) {
      socket.send(text, sink.port, host);
    }
    const datagrams = await sink.waitForCount(3);
    assert.deepEqual(datagrams.map(String), ['one', 'two', 'three']);
    assert.match(sink.target, host === '::1' ? /^\[::1\]:\d+$/ : /^127\.0\.0\.1:\d+$/);
    socket.close();
    await sink.close();
    await sink.close();
  }
});

test('all ends run in order even if one fails, and the first failure is reported', async () => {
  const ended: string[] = [];
  const end = (name: string) => async () => void ended.push(name);
  const fail = (name: string) => async () => {
    ended.push(name);
    throw new Error(name);
  };
  await endInOrder(end('a'), end('b'));
  await assert.rejects(endInOrder(fail('c'), end('d'), fail('e')), /^Error: c$/u);
  assert.deepEqual(ended, ['a', 'b', 'c', 'd', 'e']);
});

test('a row without targets is written with an empty set', () => {
  assert.equal(targetsArgument([]), 'targets=[]');
  assert.equal(targetsArgument(['127.0.0.1:1', '[::1]:2']), 'targets="127.0.0.1:1","[::1]:2"');
});

test('a time is expected from tshark with the day of the month as tshark writes it', () => {
  assert.equal(tsharkTime('2026-12-01T02:28:35.479'), 'Dec  1, 2026 02:28:35.479000000 UTC');
  assert.equal(tsharkTime('2027-01-31T23:59:59.000'), 'Jan 31, 2027 23:59:59.000000000 UTC');
});
