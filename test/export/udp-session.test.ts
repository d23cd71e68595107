import assert from 'node:assert/strict';
import { Socket } from 'node:dgram';
import { test } from 'node:test';
import type { SourceAddresses } from '../../src/export/collector-session.ts';
import { type ResolvedAddress, UdpSession, type UdpSessionOptions } from '../../src/export/udp-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';
import { CountingListener, numberedMessage, targetAt, testSessionContract } from './session-contract.ts';

testSessionContract({
  name: 'UDP',
  isReliable: false,
  hosts: ['127.0.0.1', '::1', 'localhost'],
  openCollector: async (host, port) => {
    const [resolved] = await lookupOn(host);
    assert.ok(resolved);
    const { address } = resolved;
    const sink = await UdpSink.open({ host: address, port: port ?? 0 });
    return { port: sink.port, messages: sink.datagrams, close: () => sink.close() };
  },
  openSession: (target, listener) =>
    new UdpSession(target, listener, { clock: systemClock, log: silentLogger, lookup: lookupOn }),
});

/** Resolves to this machine; the name is on IPv4, whatever the machine's resolver says. */
async function lookupOn(host: string): Promise<readonly ResolvedAddress[]> {
  return host === 'localhost'
    ? [{ address: '127.0.0.1', family: 4 }]
    : [{ address: host, family: host.includes(':') ? 6 : 4 }];
}

/** A session with a clock and a resolver that the test controls. */
function manualSession(
  port: number,
  options: Partial<UdpSessionOptions> = {},
  host = 'collector.example',
  source?: SourceAddresses,
) {
  const clock = new ManualClock();
  const listener = new CountingListener();
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message), limited: () => log };
  const answers: (ResolvedAddress | readonly ResolvedAddress[] | Error)[] = [];
  let lookupCount = 0;
  const lookup = async () => {
    const answer = answers[Math.min(lookupCount, answers.length - 1)];
    lookupCount += 1;
    if (answer === undefined || answer instanceof Error) {
      throw answer ?? new Error('no answer');
    }
    return 'address' in answer ? [answer] : answer;
  };
  let reportCount = 0;
  const onAddress = () => {
    reportCount += 1;
  };
  const target = { ...targetAt(host, port), source };
  const session = new UdpSession(target, listener, { clock, log, lookup, onAddress }, options);
  return {
    clock,
    listener,
    warnings,
    answers,
    session,
    lookupCount: () => lookupCount,
    reports: () => reportCount,
  };
}

const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND collector.example'), { code: 'ENOTFOUND' });
const loopback: ResolvedAddress = { address: '127.0.0.1', family: 4 };

test('resolves a name again with a growing backoff, and counts messages of the meantime as lost', async () => {
  const sink = await UdpSink.open();
  const { clock, listener, warnings, answers, session, lookupCount } = manualSession(sink.port);
  answers.push(notFound, notFound, notFound, loopback);
  session.start();
  assert.ok(session.send(numberedMessage(1), 16, 2), 'waits for the first answer');
  await clock.advanceMs(0);
  assert.equal(session.status().state, 'backoff');
  assert.equal(session.send(numberedMessage(2), 16, 3), false);
  assert.deepEqual([session.status().messagesLost, session.status().recordsLost], [2, 5]);
  await clock.advanceMs(1000);
  await clock.advanceMs(1999);
  assert.equal(lookupCount(), 2);
  await clock.advanceMs(1);
  assert.equal(lookupCount(), 3);
  assert.equal(session.status().errors['ENOTFOUND'], 3);
  assert.equal(listener.restartCount, 2, 'before each attempt but the first');
  await clock.advanceMs(4000);
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  session.send(numberedMessage(7), 16, 1);
  await sink.waitForCount(1);
  assert.equal(sink.datagrams[0]?.readUInt32BE(8), 7);
  assert.equal(warnings.length, 3);
  assert.match(warnings[0] ?? '', /^collector collector\.example:\d+: .*\(ENOTFOUND\), retrying in 1 s$/);
  await session.stop();
  assert.equal(clock.pendingCount, 0);
  await sink.close();
});

test('the messages of a turn are sent together, so that a collector is not woken for each', async (t) => {
  const sink = await UdpSink.open();
  const { session, answers } = manualSession(sink.port);
  answers.push(loopback);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  const { mock } = t.mock.method(Socket.prototype, 'send');
  const sentAfter = (count: number): number => {
    for (let index = 0; index < count; index += 1) {
      session.send(numberedMessage(index), 16, 1);
    }
    return mock.callCount();
  };
  assert.deepEqual([sentAfter(31), sentAfter(1), sentAfter(40)], [0, 32, 64]);
  await new Promise<void>((resolve) => process.nextTick(resolve));
  assert.equal(mock.callCount(), 72);
  await sink.waitForCount(72);
  assert.equal(session.status().messagesSent, 72);
  await session.stop();
  await sink.close();
});

test('limits the backoff to its maximum', async () => {
  const { clock, answers, session, lookupCount } = manualSession(9, { retryMaxMs: 3000 });
  answers.push(notFound);
  session.start();
  await clock.advanceMs(1000 + 2000 + 3000 + 3000);
  assert.equal(lookupCount(), 5);
  await session.stop();
});

test('resolves a name again at intervals, and reconnects when its address has changed', async () => {
  const first = await UdpSink.open();
  const moved = await UdpSink.open({ host: '127.0.0.2', port: first.port });
  const { clock, listener, answers, session, lookupCount } = manualSession(first.port);
  answers.push(loopback, loopback, notFound, { address: '127.0.0.2', family: 4 });
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  await clock.advanceMs(300_000);
  assert.deepEqual([lookupCount(), listener.restartCount], [2, 0]);
  await clock.advanceMs(300_000);
  assert.deepEqual(
    [session.status().address, session.status().state],
    ['127.0.0.1', 'open'],
    'keeps the last address',
  );
  await clock.advanceMs(300_000);
  await waitFor(() => session.status().address === '127.0.0.2', { what: 'the session uses the new address' });
  assert.deepEqual([listener.restartCount, session.status().connectionCount], [1, 2]);
  session.send(numberedMessage(5), 16, 1);
  await moved.waitForCount(1);
  assert.equal(first.datagrams.length, 0);
  await session.stop();
  await Promise.all([first.close(), moved.close()]);
});

/** Sends a message each 10 ms until the session uses the address; returns how many. */
async function sendUntil(session: UdpSession, address: string): Promise<number> {
  let sent = 0;
  await waitFor(
    () => {
      session.send(numberedMessage(sent), 16, 1);
      sent += 1;
      return session.status().address === address && session.status().state === 'open';
    },
    { what: `the session uses ${address}` },
  );
  return sent;
}

test('goes on to the next address of a name after an error, IPv6 and IPv4', async () => {
  const sink = await UdpSink.open({ host: '127.0.0.1' });
  const listener = new CountingListener();
  let lookupCount = 0;
  const lookup = async () => {
    lookupCount += 1;
    return [{ address: '::1', family: 6 }, loopback];
  };
  const session = new UdpSession(targetAt('collector.example', sink.port), listener, {
    clock: systemClock,
    log: silentLogger,
    lookup,
  });
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  assert.equal(session.status().address, '::1');
  await sendUntil(session, '127.0.0.1');
  assert.deepEqual(
    [lookupCount, listener.restartCount],
    [3, 1],
    'at the start, after the error, and to connect',
  );
  const before = sink.datagrams.length;
  session.send(numberedMessage(1), 16, 1);
  await sink.waitForCount(before + 1);
  await session.stop();
  await sink.close();
});

test('resolves a name again at once after an error, and reaches a collector that has moved', async () => {
  const first = await UdpSink.open({ host: '127.0.0.1' });
  const moved = await UdpSink.open({ host: '127.0.0.2', port: first.port });
  const { clock, answers, session } = manualSession(first.port);
  answers.push(loopback, { address: '127.0.0.2', family: 4 });
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  await first.close();
  session.send(numberedMessage(1), 16, 1);
  await waitFor(() => session.status().errors['ECONNREFUSED'], { what: 'the refusal is known' });
  await clock.advanceMs(0);
  await waitFor(() => session.status().address === '127.0.0.2', { what: 'the new address is used' });
  session.send(numberedMessage(2), 16, 1);
  await moved.waitForCount(1);
  await session.stop();
  await moved.close();
});

test('resolves a name for errors no more often than the pause allows', async () => {
  const closed = await UdpSink.open();
  const { port } = closed;
  await closed.close();
  const { clock, answers, session, lookupCount } = manualSession(port);
  answers.push(loopback);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  const refuse = async (count: number) => {
    await waitFor(
      () => {
        session.send(numberedMessage(1), 16, 1);
        return (session.status().errors['ECONNREFUSED'] ?? 0) >= count;
      },
      { what: `${count} refusals` },
    );
    await clock.advanceMs(0);
  };
  await refuse(3);
  assert.equal(lookupCount(), 2, 'at once');
  await refuse(6);
  await clock.advanceMs(998);
  assert.equal(lookupCount(), 2, 'not within the pause');
  await clock.advanceMs(2);
  assert.equal(lookupCount(), 3);
  await session.stop();
});

test('connects to an address that the system has a route to', async () => {
  const sink = await UdpSink.open();
  const { answers, session } = manualSession(sink.port);
  // 255.255.255.255 is refused by the system without SO_BROADCAST.
  answers.push([{ address: '255.255.255.255', family: 4 }, loopback]);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  assert.equal(session.status().address, '127.0.0.1');
  await session.stop();
  await sink.close();
});

test('never resolves an address again', async () => {
  const { clock, answers, session } = manualSession(9, {}, '127.0.0.1');
  answers.push(loopback);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  assert.equal(clock.pendingCount, 0);
  await session.stop();
});

test('drops and counts the newest messages when the backlog is full', async () => {
  const sink = await UdpSink.open();
  const { answers, session, warnings } = manualSession(sink.port, { sendBacklogMax: 3 });
  answers.push(loopback);
  session.start();
  const accepted = [1, 2, 3, 4, 5].map((serial) => session.send(numberedMessage(serial), 16, 10));
  assert.deepEqual(accepted, [true, true, true, false, false]);
  assert.deepEqual([session.backlogCount, session.status().errors['BACKLOG']], [3, 2]);
  await sink.waitForCount(3);
  await waitFor(() => session.backlogCount === 0, { what: 'the backlog is empty' });
  assert.ok(session.send(numberedMessage(6), 16, 10));
  await sink.waitForCount(4);
  assert.deepEqual(
    sink.datagrams.map((datagram) => datagram.readUInt32BE(8)),
    [1, 2, 3, 6],
  );
  const { messagesSent, recordsSent, recordsLost } = session.status();
  assert.deepEqual([messagesSent, recordsSent, recordsLost], [4, 40, 20]);
  assert.equal(warnings.length, 0);
  await session.stop();
  await sink.close();
});

test('counts a message that is too long for UDP, says what to do, and sends the next ones', async () => {
  const sink = await UdpSink.open();
  const { answers, session, warnings, listener } = manualSession(sink.port);
  answers.push(loopback);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  session.send(numberedMessage(1, 65_535), 65_535, 500);
  session.send(numberedMessage(2), 16, 1);
  await sink.waitForCount(1);
  assert.equal(sink.datagrams[0]?.readUInt32BE(8), 2);
  const { errors, recordsLost, recordsSent } = session.status();
  assert.deepEqual([errors, recordsLost, recordsSent], [{ EMSGSIZE: 1 }, 500, 1]);
  assert.match(
    warnings[0] ?? '',
    /too long for the network path \(EMSGSIZE\), size 65535; lower --message-bytes-max$/,
  );
  assert.equal(listener.doubtCount, 0);
  await session.stop();
  await sink.close();
});

test('loses no message of a collector while another one is dead', async () => {
  const sink = await UdpSink.open();
  const closed = await UdpSink.open();
  const deadPort = closed.port;
  await closed.close();
  const dead = manualSession(deadPort);
  const alive = manualSession(sink.port);
  for (const { answers, session } of [dead, alive]) {
    answers.push(loopback);
    session.start();
  }
  for (let serial = 0; serial < 500; serial += 1) {
    for (const { session } of [dead, alive]) {
      session.send(numberedMessage(serial), 16, 1);
    }
  }
  await sink.waitForCount(500);
  assert.equal(alive.session.status().messagesLost, 0);
  await waitFor(() => dead.session.status().errors['ECONNREFUSED'], { what: 'the refusal is counted' });
  const { messagesSent, messagesLost, backlogCount } = dead.session.status();
  assert.equal(messagesSent + messagesLost + backlogCount, 500, 'each message is accounted for');
  assert.ok(dead.listener.doubtCount > 0);
  await Promise.all([dead.session.stop(), alive.session.stop()]);
  await sink.close();
});

test('reports a collector that refuses as failing, until no error follows a message', async () => {
  const first = await UdpSink.open();
  const { port } = first;
  await first.close();
  const clock = new ManualClock();
  const session = new UdpSession(
    targetAt('127.0.0.1', port),
    new CountingListener(),
    { clock, log: silentLogger },
    { recoveryMs: 5000 },
  );
  session.start();
  const state = () => session.status().state;
  await waitFor(() => state() === 'open', { what: 'the session is open' });
  session.send(numberedMessage(1), 16, 1);
  await waitFor(() => state() === 'failing', { what: 'the refusal is known' });
  // Time alone proves nothing.
  await clock.advanceMs(60_000);
  assert.equal(state(), 'failing');

  const second = await UdpSink.open({ port });
  // The kernel reports the last refusal by not sending the next message.
  session.send(numberedMessage(2), 16, 1);
  session.send(numberedMessage(3), 16, 1);
  await second.waitForCount(1);
  await clock.advanceMs(4999);
  assert.equal(state(), 'failing');
  await clock.advanceMs(1);
  assert.equal(state(), 'open');
  await session.stop();
  await second.close();
});

test('stops within the drain time while the resolver does not answer', async () => {
  const clock = new ManualClock();
  const session = new UdpSession(
    targetAt('collector.example', 9),
    new CountingListener(),
    { clock, log: silentLogger, lookup: () => new Promise(() => {}) },
    { drainMs: 500 },
  );
  session.start();
  session.send(numberedMessage(1), 16, 4);
  const stopped = session.stop();
  await clock.advanceMs(499);
  assert.equal(session.status().state, 'closing');
  await clock.advanceMs(1);
  await stopped;
  assert.deepEqual([session.status().state, session.status().recordsLost], ['closed', 4]);
});

test('sends from the source address of the family, and skips addresses of a name without one', async () => {
  const sink = await UdpSink.open();
  const { session, answers } = manualSession(sink.port, {}, 'collector.example', { ipv4: '127.0.0.9' });
  answers.push([{ address: '::1', family: 6 }, loopback]);
  session.start();
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  assert.deepEqual([session.status().address, session.status().sourceAddress], ['127.0.0.1', '127.0.0.9']);
  session.send(numberedMessage(1), 16, 1);
  await sink.waitForCount(1);
  assert.match(sink.sources[0] ?? '', /^127\.0\.0\.9 /u);
  await session.stop();
  await sink.close();
});

for (const [source, code, text] of [
  [
    { ipv4: '192.0.2.77' },
    'EADDRNOTAVAIL',
    /does not have the source address 192\.0\.2\.77 \(EADDRNOTAVAIL\)$/u,
  ],
  [
    { ipv6: '::1' },
    'EAFNOSUPPORT',
    /no source address is an IPv4 address, as 127\.0\.0\.1 needs \(EAFNOSUPPORT\)$/u,
  ],
] as const) {
  test(`counts what is lost and tries again while the source address fails with ${code}`, async () => {
    const { clock, session, answers, reports } = manualSession(9, {}, 'collector.example', source);
    answers.push(loopback);
    session.start();
    assert.ok(session.send(numberedMessage(1), 16, 2));
    await waitFor(() => session.status().state === 'backoff', { what: 'the attempt has failed' });
    const { lastError, lastErrorCode, recordsLost, address } = session.status();
    assert.deepEqual([lastErrorCode, recordsLost, address], [code, 2, undefined]);
    assert.match(lastError ?? '', text);
    assert.equal(reports(), 1);
    await clock.advanceMs(1000);
    await waitFor(() => (session.status().errors[code] ?? 0) === 2, { what: 'the next attempt has failed' });
    assert.equal(reports(), 1, 'the same fault is reported once');
    await session.stop();
  });
}

test('counts what was sent shortly before an error, and while the collector fails, as unknown', async () => {
  const gone = await UdpSink.open();
  const { port } = gone;
  const { clock, session, answers } = manualSession(port);
  answers.push(loopback);
  session.start();
  assert.equal(session.health, 'unknown');
  await waitFor(() => session.status().state === 'open', { what: 'the session is open' });
  assert.equal(session.health, 'works');
  session.send(numberedMessage(1), 16, 5);
  await gone.waitForCount(1);
  await clock.advanceMs(10_000);
  session.send(numberedMessage(2), 16, 7);
  await gone.waitForCount(2);
  await gone.close();
  session.send(numberedMessage(3), 16, 11);
  await waitFor(() => session.health === 'failed', { what: 'the refusal has arrived' });
  assert.equal(session.status().recordsDeliveryUnknown, 18, 'those of 10 s ago have arrived');
  assert.ok(session.isConnected, 'messages are still sent');
  await session.stop();
});
