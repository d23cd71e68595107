import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Endpoint } from '../../src/runtime/endpoint.ts';
import {
  ConnectionKeeper,
  type KeeperOptions,
  type KeptSession,
  type SessionEnd,
} from '../../src/runtime/keeper.ts';
import { Log, silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';

/** A session that the test controls. */
class FakeSession implements KeptSession {
  receivedBytes = 0;
  probeCount = 0;
  answersProbes = true;
  endsOnClose = true;
  closedWith: Error | undefined | 'open' = 'open';
  end: (end: SessionEnd) => void = () => {};
  readonly ended: Promise<SessionEnd>;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  probe(): Promise<void> {
    this.probeCount += 1;
    return this.answersProbes ? Promise.resolve() : new Promise(() => {});
  }

  close(reason?: Error): void {
    this.closedWith = reason;
    if (this.endsOnClose) {
      this.end({ error: reason });
    }
  }
}

const TCP: Endpoint[] = [
  { kind: 'tcp', host: 'a', port: 1 },
  { kind: 'tcp', host: 'b', port: 2 },
];

function keep(options: Partial<KeeperOptions<FakeSession>> = {}) {
  const clock = new ManualClock();
  const events: string[] = [];
  const sessions: FakeSession[] = [];
  const streams: PassThrough[] = [];
  const startMicros = clock.monotonicMicros();
  const note = (event: string) => events.push(`${(clock.monotonicMicros() - startMicros) / 1000}: ${event}`);
  const keeper = new ConnectionKeeper<FakeSession>({
    name: 'ovsdb',
    endpoints: TCP.slice(0, 1),
    clock,
    log: silentLogger,
    dial: async (endpoint) => {
      note(`dial ${endpoint.kind === 'unix' ? endpoint.path : endpoint.host}`);
      const stream = new PassThrough();
      streams.push(stream);
      return stream;
    },
    open: async () => {
      const session = new FakeSession();
      sessions.push(session);
      return session;
    },
    onUp: () => note('up'),
    onDown: (_session, reason) => note(`down (${reason?.message})`),
    ...options,
  });
  return { clock, keeper, events, sessions, streams };
}

test('connects, and reconnects after the session has ended', async () => {
  const { clock, keeper, events, sessions, streams } = keep();
  assert.equal(keeper.status().state, 'stopped');
  keeper.start();
  await clock.advanceMs(0);
  assert.equal(keeper.session, sessions[0]);
  assert.equal(keeper.status().state, 'up');
  assert.equal(keeper.status().endpoint, 'tcp:a:1');
  await clock.advanceMs(2500);
  sessions[0]?.end({ error: new Error('reset by peer') });
  await clock.advanceMs(0);
  assert.equal(keeper.session, undefined);
  assert.deepEqual(
    { ...keeper.status(), upMs: undefined },
    {
      name: 'ovsdb',
      state: 'backoff',
      endpoint: 'tcp:a:1',
      upCount: 1,
      failureCount: 0,
      upMs: undefined,
      lastError: 'reset by peer',
      lastErrorCode: undefined,
    },
  );
  assert.equal(streams[0]?.destroyed, true);
  await clock.advanceMs(1000);
  assert.deepEqual(events, ['0: dial a', '0: up', '2500: down (reset by peer)', '3500: dial a', '3500: up']);
  await keeper.stop();
  assert.equal(clock.pendingCount, 0);
});

test('tries endpoints in turn with growing backoff, and counts failures until a session is up', async () => {
  let failing = 4;
  const { clock, keeper, events } = keep({
    endpoints: TCP,
    open: async () => {
      failing -= 1;
      if (failing >= 0) {
        throw Object.assign(new Error('bad hello'), { code: 'BAD_HELLO' });
      }
      return new FakeSession();
    },
  });
  keeper.start();
  await clock.advanceMs(14_999);
  assert.equal(keeper.status().failureCount, 4);
  assert.equal(keeper.status().lastError, 'bad hello');
  assert.equal(keeper.status().lastErrorCode, 'BAD_HELLO');
  await clock.advanceMs(1);
  assert.deepEqual(events, [
    '0: dial a',
    '1000: dial b',
    '3000: dial a',
    '7000: dial b',
    '15000: dial a',
    '15000: up',
  ]);
  assert.equal(keeper.status().failureCount, 0);
  await keeper.stop();
});

test('aborts an attempt whose handshake never ends, and closes a session that results from it later', async () => {
  const late: FakeSession[] = [];
  const finish: ((session: FakeSession) => void)[] = [];
  const { clock, keeper, streams, events } = keep({
    open: () =>
      new Promise((resolve) => {
        finish.push(resolve);
      }),
  });
  keeper.start();
  await clock.advanceMs(0);
  assert.equal(keeper.status().state, 'opening');
  await clock.advanceMs(10_000);
  assert.equal(keeper.status().state, 'backoff');
  assert.equal(keeper.status().lastError, 'ovsdb did not become ready in time');
  assert.equal(streams[0]?.destroyed, true);
  late.push(new FakeSession());
  finish[0]?.(late[0] as FakeSession);
  await clock.advanceMs(0);
  assert.equal(late[0]?.closedWith, undefined);
  assert.equal(keeper.session, undefined);
  assert.deepEqual(events, ['0: dial a']);
  await keeper.stop();
});

test('probes a silent peer but not one that sends, and disconnects one that does not answer', async () => {
  const { clock, keeper, sessions, events } = keep();
  keeper.start();
  await clock.advanceMs(4900);
  const session = sessions[0] as FakeSession;
  session.receivedBytes += 8;
  await clock.advanceMs(100);
  assert.equal(session.probeCount, 0);
  await clock.advanceMs(5000);
  assert.equal(session.probeCount, 1);
  assert.equal(keeper.status().state, 'up');
  session.answersProbes = false;
  await clock.advanceMs(5000);
  assert.equal(session.probeCount, 2);
  assert.equal(keeper.status().state, 'probing');
  await clock.advanceMs(5000);
  assert.equal(session.closedWith instanceof Error, true);
  assert.equal(events.at(-1), '20000: down (ovsdb has not answered a probe in time)');
  await clock.advanceMs(1000);
  assert.equal(keeper.session, sessions[1]);
  await keeper.stop();
});

test('stop closes the session, waits for its end, and makes no further attempt', async () => {
  const { clock, keeper, sessions, events, streams } = keep();
  keeper.start();
  await clock.advanceMs(0);
  const session = sessions[0] as FakeSession;
  session.endsOnClose = false;
  let stopped = false;
  const stopping = keeper.stop().then(() => {
    stopped = true;
    return stopped;
  });
  await clock.advanceMs(10);
  assert.equal(stopped, false);
  session.end({});
  await stopping;
  assert.equal(streams[0]?.destroyed, true);
  await clock.advanceMs(60_000);
  assert.deepEqual(events, ['0: dial a', '0: up', '0: down (undefined)']);
  assert.equal(keeper.status().state, 'stopped');
});

test('stop waits for a limited time for a session that does not end', async () => {
  const { clock, keeper, sessions, streams } = keep();
  keeper.start();
  await clock.advanceMs(0);
  (sessions[0] as FakeSession).endsOnClose = false;
  const stopping = keeper.stop();
  await clock.advanceMs(1000);
  await stopping;
  assert.equal(streams[0]?.destroyed, true);
});

test('stop during an attempt prevents its session', async () => {
  for (const turns of [0, 1, 2, 3, 4]) {
    const { clock, keeper, events, streams } = keep();
    keeper.start();
    for (let turn = 0; turn < turns; turn += 1) {
      await Promise.resolve();
    }
    await keeper.stop();
    const before = events.filter((event) => event.endsWith('up')).length;
    await clock.advanceMs(60_000);
    assert.equal(events.filter((event) => event.endsWith('up')).length, before);
    assert.ok(streams.every((stream) => stream.destroyed));
    assert.equal(keeper.session, undefined);
  }
});

test('reconnects immediately when told to', async () => {
  const { clock, keeper, events } = keep();
  keeper.start();
  await clock.advanceMs(100);
  keeper.reconnectNow();
  await clock.advanceMs(0);
  assert.deepEqual(events, [
    '0: dial a',
    '0: up',
    '100: down (ovsdb was told to reconnect)',
    '100: dial a',
    '100: up',
  ]);
  await keeper.stop();
});

test('connects immediately to a unix socket that appears', async (t: TestContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'keeper-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'run', 'br0.mgmt');
  let upCount = 0;
  const keeper = new ConnectionKeeper<FakeSession>({
    name: 'bridge br0',
    endpoints: [{ kind: 'unix', path }],
    clock: systemClock,
    log: silentLogger,
    open: async (stream) => {
      const session = new FakeSession();
      stream.on('close', () => session.end({ error: new Error('closed') }));
      stream.on('error', () => {});
      stream.resume();
      return session;
    },
    onUp: () => {
      upCount += 1;
    },
    // With this backoff only the watch can be quick.
    reconnect: { backoffMinMs: 60_000, backoffMaxMs: 60_000 },
  });
  t.after(() => keeper.stop());
  await mkdir(join(folder, 'run'));
  keeper.start();
  await waitFor(() => keeper.status().state === 'backoff', { what: 'the first attempt has failed' });
  for (const round of [1, 2, 3]) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      server.once('stop', () => socket.destroy());
    }).listen(path);
    await once(server, 'listening');
    await waitFor(() => upCount === round, { what: `connection ${round}`, timeoutMs: 500 });
    const closed = once(server, 'close');
    server.close();
    server.emit('stop');
    await closed;
    await waitFor(() => keeper.status().state === 'backoff', { what: 'the end is noticed' });
  }
});

test('logs the first failed attempt, then one line a minute, and always the connection that follows', async () => {
  const lines: string[] = [];
  const logClock = new ManualClock();
  const log = new Log({ clock: logClock, destination: (line) => lines.push(line) }).logger('x');
  let isFailing = true;
  const { clock, keeper, sessions } = keep({
    log,
    reconnect: { backoffMaxMs: 1000 },
    dial: async () => {
      if (isFailing) {
        throw new Error('connect ENOENT \u001b[31m/nowhere\nready');
      }
      return new PassThrough();
    },
  });
  keeper.start();
  for (let second = 0; second <= 600; second += 1) {
    await clock.advanceMs(1000);
    await logClock.advanceMs(1000);
  }
  const said = lines.map((line) => line.split('|').slice(3).join('|'));
  assert.equal(
    said[0],
    'INFO|ovsdb: connection attempt failed (connect ENOENT \\x1b[31m/nowhere\\x0aready); retrying in 1 s',
  );
  assert.match(said[1] ?? '', /^WARN\|ovsdb: \d+ connection attempts failed/u);
  assert.ok(said.length >= 10 && said.length <= 11, said.join('\n'));
  isFailing = false;
  await clock.advanceMs(1000);
  assert.match(lines.at(-1) ?? '', /ovsdb: connected to tcp:a:1$/u);
  // An outage that begins is logged again at once.
  isFailing = true;
  sessions[0]?.end({ error: new Error('reset by peer') });
  await clock.advanceMs(2000);
  assert.deepEqual(
    lines.slice(-2).map((line) => /connection lost|connection attempt failed/u.exec(line)?.[0]),
    ['connection lost', 'connection attempt failed'],
  );
  await keeper.stop();
});
