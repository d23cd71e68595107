import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { CONNECTION_CLOSE_MS_MAX, type ReliableSessionOptions } from '../../src/export/reliable-session.ts';
import { TcpSession } from '../../src/export/tcp-session.ts';
import {
  MESSAGE_OVERHEAD_BYTES,
  QUEUE_RESERVE_BYTES,
  QueueMemory,
} from '../../src/export/waiting-messages.ts';
import { StreamFramer } from '../../src/ipfix/stream-framer.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';
import { CountingListener, numberedMessage, targetAt, testSessionContract } from './session-contract.ts';

/** A collector over TCP that may stop reading and close connections. */
async function openCollector(host: string, port = 0) {
  const messages: Buffer[] = [];
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    const framer = new StreamFramer();
    socket.on('data', (chunk) => framer.push(chunk, (message) => messages.push(Buffer.from(message))));
    socket.on('error', () => {});
  });
  server.listen(port, host === 'localhost' ? '127.0.0.1' : host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    connections,
    close: async () => {
      for (const socket of connections) {
        socket.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}

testSessionContract({
  name: 'TCP',
  isReliable: true,
  hosts: ['127.0.0.1', '::1', 'localhost'],
  openCollector,
  openSession: (target, listener) =>
    new TcpSession(target, listener, { clock: systemClock, log: silentLogger }, { retryMinMs: 20 }),
});

async function openPair(context: TestContext, options: Partial<ReliableSessionOptions> = {}) {
  const collector = await openCollector('127.0.0.1');
  const listener = new CountingListener();
  const parts = { clock: systemClock, log: silentLogger };
  const session = new TcpSession(targetAt('127.0.0.1', collector.port), listener, parts, {
    retryMinMs: 20,
    drainMs: 200,
    ...options,
  });
  session.start();
  await waitFor(() => session.status().state === 'open' && collector.connections[0], {
    what: 'the session is open',
  });
  context.after(async () => {
    await session.stop();
    await collector.close();
  });
  return { collector, listener, session };
}

/** Sends more than sockets hold, to a collector that does not read; returns how many messages were accepted. */
function fill(session: TcpSession, count: number): number {
  let taken = 0;
  for (let serial = 0; serial < count; serial += 1) {
    if (session.send(numberedMessage(serial, 60_000), 60_000, 2)) {
      taken += 1;
    }
  }
  return taken;
}

test('loses nothing of a collector that reads slowly', async (t) => {
  const { collector, session } = await openPair(t);
  collector.connections[0]?.pause();
  assert.equal(fill(session, 400), 400);
  await waitFor(() => session.backlogCount > 0, { what: 'sockets are full' });
  assert.equal(session.status().messagesLost, 0);
  collector.connections[0]?.resume();
  await waitFor(() => collector.messages.length === 400, { what: 'all messages have arrived' });
  assert.deepEqual(
    collector.messages.map((message) => message.readUInt32BE(8)),
    Array.from({ length: 400 }, (_, serial) => serial),
  );
  await waitFor(() => session.backlogCount === 0, { what: 'nothing waits' });
  const { messagesSent, recordsSent, octetsSent, recordsLost } = session.status();
  assert.deepEqual([messagesSent, recordsSent, octetsSent, recordsLost], [400, 800, 24_000_000, 0]);
});

test('loses and counts the newest message when the queue is full', async (t) => {
  const { collector, session } = await openPair(t, { queueBytesMax: 10 * (60_000 + MESSAGE_OVERHEAD_BYTES) });
  collector.connections[0]?.pause();
  assert.equal(fill(session, 50), 10);
  const { errors, messagesLost, recordsLost, recordsLostBy, backlogBytes } = session.status();
  assert.deepEqual([errors['BACKLOG'], messagesLost, recordsLost], [40, 40, 80]);
  assert.deepEqual(recordsLostBy, { queueFull: 80, notConnected: 0, sendError: 0, stop: 0 });
  assert.equal(backlogBytes, 602_000);
});

test('a collector that does not read has failed when its queue is full, until half of it is sent', async (t) => {
  const { collector, session } = await openPair(t, { queueBytesMax: 10 * (60_000 + MESSAGE_OVERHEAD_BYTES) });
  collector.connections[0]?.pause();
  assert.equal(session.health, 'works');
  await waitFor(() => fill(session, 10) === 0, { what: 'sockets and queue are full' });
  assert.deepEqual([session.status().state, session.health], ['open', 'failed']);
  collector.connections[0]?.resume();
  await waitFor(() => session.health === 'works', { what: 'it works again' });
});

test('shares the memory of the queues with other sessions, and returns it', async () => {
  const size = QUEUE_RESERVE_BYTES - MESSAGE_OVERHEAD_BYTES;
  const queueMemory = new QueueMemory(QUEUE_RESERVE_BYTES);
  const parts = { clock: systemClock, log: silentLogger, queueMemory };
  const sessions = [1, 2].map(() => new TcpSession(targetAt('127.0.0.1', 9), new CountingListener(), parts));
  const accepted = [0, 1, 0, 1].map((index) => sessions[index]?.send(numberedMessage(0, size), size, 1));
  assert.deepEqual(accepted, [true, true, true, false]);
  assert.equal(queueMemory.bytes, QUEUE_RESERVE_BYTES);
  await Promise.all(sessions.map((session) => session.stop()));
  assert.equal(queueMemory.bytes, 0);
});

test('stops without waiting for a collector that accepts nothing, and counts what is lost', async (t) => {
  const { collector, session } = await openPair(t);
  collector.connections[0]?.pause();
  fill(session, 400);
  await session.stop();
  const { state, messagesSent, messagesLost } = session.status();
  assert.equal(state, 'closed');
  assert.ok(messagesLost > 0);
  assert.equal(messagesSent + messagesLost, 400);
});

test('sends on the next connection what the kernel had not taken, and counts the rest as of unknown delivery', async (t) => {
  const { collector, listener, session } = await openPair(t);
  collector.connections[0]?.pause();
  assert.equal(fill(session, 400), 400);
  await waitFor(() => collector.messages.length < session.status().messagesSent, { what: 'sockets fill' });
  const handed = await settled(() => session.status().messagesSent);
  collector.connections[0]?.resetAndDestroy();
  await waitFor(() => session.status().messagesSent === 400, { what: 'everything is sent' });
  await waitFor(() => collector.messages.at(-1)?.readUInt32BE(8) === 399, {
    what: 'the last one has arrived',
  });
  const serials = collector.messages.map((message) => message.readUInt32BE(8));
  assert.deepEqual(
    serials.filter((serial) => serial >= handed),
    Array.from({ length: 400 - handed }, (_, index) => handed + index),
    'each of those that were not handed over has arrived once',
  );
  const missing = 400 - serials.length;
  const { recordsLost, recordsDeliveryUnknown, connectionCount } = session.status();
  assert.ok(missing > 0 && recordsDeliveryUnknown >= 2 * missing);
  assert.deepEqual([recordsLost, connectionCount, listener.restartCount], [0, 2, 1]);
  assert.ok(recordsDeliveryUnknown <= 2 * handed);
});

test('only the newest records are of unknown delivery when the collector closes in order', async (t) => {
  const { collector, session } = await openPair(t);
  const clock = new ManualClock();
  const timed = new TcpSession(targetAt('127.0.0.1', collector.port), new CountingListener(), {
    clock,
    log: silentLogger,
  });
  timed.start();
  await waitFor(() => timed.status().state === 'open', { what: 'the session is open' });
  for (const count of [100, 10, 1]) {
    for (let serial = 0; serial < count; serial += 1) {
      timed.send(numberedMessage(serial), 16, 1);
    }
    const before = collector.messages.length;
    await waitFor(() => collector.messages.length >= Math.max(before, count), { what: 'they have arrived' });
    await waitFor(() => timed.backlogCount === 0, { what: 'all is written' });
    clock.advance(1_500_000);
  }
  collector.connections.at(-1)?.end();
  await waitFor(() => timed.status().state === 'backoff', { what: 'the end is noticed' });
  assert.equal(timed.status().recordsDeliveryUnknown, 1);
  assert.equal(timed.status().recordsSent, 111);
  await timed.stop();
  assert.equal(session.status().recordsDeliveryUnknown, 0);
});

test('keeps everything while no collector listens, and sends it at once when a stop finds one', async () => {
  const gone = await openCollector('127.0.0.1');
  const { port } = gone;
  await gone.close();
  const parts = { clock: systemClock, log: silentLogger };
  const session = new TcpSession(targetAt('127.0.0.1', port), new CountingListener(), parts, {
    retryMinMs: 60_000,
    retryMaxMs: 60_000,
  });
  session.start();
  await waitFor(() => session.status().state === 'backoff', { what: 'the attempt has failed' });
  assert.equal(fill(session, 40), 40);
  const collector = await openCollector('127.0.0.1', port);
  assert.equal(await session.stop(), 0);
  await waitFor(() => collector.messages.length === 40, { what: 'all have arrived' });
  assert.equal(session.status().messagesLost, 0);
  await collector.close();
});

test('a stop without a collector counts what waited as lost', async () => {
  const gone = await openCollector('127.0.0.1');
  await gone.close();
  const parts = { clock: systemClock, log: silentLogger };
  const session = new TcpSession(targetAt('127.0.0.1', gone.port), new CountingListener(), parts);
  session.start();
  assert.equal(fill(session, 5), 5);
  assert.equal(await session.stop(), 10);
  const { recordsLostBy, recordsSent, backlogCount, backlogBytes } = session.status();
  assert.deepEqual([recordsLostBy.stop, recordsSent, backlogCount, backlogBytes], [10, 0, 0, 0]);
});

test('an attempt that the kernel refuses at once is a failed one, from a timer as well', async () => {
  const parts = { clock: systemClock, log: silentLogger };
  // TCP has no broadcast, and 192.0.2.0/24 is of documents: without a route, or an address, connecting fails the same way.
  const noRoute = targetAt('255.255.255.255', 4739);
  const noAddress = { ...targetAt('127.0.0.1', 4739), source: { ipv4: '192.0.2.77' } };
  for (const [target, code] of [
    [noRoute, 'ENETUNREACH'],
    [noAddress, 'EADDRNOTAVAIL'],
  ] as const) {
    const session = new TcpSession(target, new CountingListener(), parts, { retryMinMs: 5, retryMaxMs: 5 });
    session.start();
    await waitFor(() => session.status().errors[code]! >= 3, { what: `${code} is counted` });
    assert.deepEqual(Object.keys(session.status().errors), [code]);
    await session.stop();
  }
});

test('sends nothing to an address of a family without a source address', async () => {
  const collector = await openCollector('127.0.0.1');
  const target = { ...targetAt('127.0.0.1', collector.port), source: { ipv6: '::1' } };
  const session = new TcpSession(target, new CountingListener(), { clock: systemClock, log: silentLogger });
  session.start();
  await waitFor(() => session.status().state !== 'connecting', { what: 'the attempt has ended' });
  const { state, lastError, lastErrorCode } = session.status();
  assert.deepEqual([state, lastErrorCode], ['backoff', 'EAFNOSUPPORT']);
  assert.match(lastError ?? '', /no source address is an IPv4 address, as 127\.0\.0\.1 needs/u);
  await session.stop();
  assert.equal(collector.connections.length, 0);
  await collector.close();
});

test('the messages of a slice are handed over together, and in turns of the event loop', async (t) => {
  const { collector, session } = await openPair(t);
  const sender = session as unknown as { handTo(socket: Socket, messages: readonly Buffer[]): void };
  const batches = t.mock.method(sender, 'handTo');
  for (let serial = 0; serial < 100; serial += 1) {
    session.send(numberedMessage(serial, 100), 100, 1);
  }
  await waitFor(() => collector.messages.length === 100, { what: 'all have arrived' });
  const sizes = batches.mock.calls.map(({ arguments: [, messages] }) => messages.length);
  assert.deepEqual(sizes, [64, 36]);
  assert.deepEqual([session.status().messagesSent, session.backlogCount], [100, 0]);
});

/** A connection that takes everything and never ends, as of TLS whose last record finds no room in the kernel. */
class EndlessSession extends TcpSession {
  isCut = false;

  protected override async openSocket(use: (socket: Socket) => void): Promise<void> {
    const socket = new Duplex({
      read: () => {},
      write: (_chunk, _encoding, done) => done(),
      final: () => {},
      destroy: (error, done) => {
        this.isCut = true;
        done(error);
      },
    });
    use(Object.assign(socket, { destroySoon: () => socket.end() }) as unknown as Socket);
    socket.emit('connect');
  }
}

test('a connection that does not end is cut after a time, and nothing is lost', async () => {
  const clock = new ManualClock();
  const parts = { clock, log: silentLogger };
  const session = new EndlessSession(targetAt('127.0.0.1', 9), new CountingListener(), parts);
  session.start();
  assert.equal(fill(session, 5), 5);
  await waitFor(() => session.backlogCount === 0, { what: 'all is written' });
  const stopping = session.stop();
  await clock.advanceMs(CONNECTION_CLOSE_MS_MAX - 1);
  assert.equal(session.isCut, false, 'the connection may end in order');
  await clock.advanceMs(1);
  assert.equal(await stopping, 0);
  const { state, recordsSent, recordsLost } = session.status();
  assert.deepEqual([session.isCut, state, recordsSent, recordsLost], [true, 'closed', 10, 0]);
});

/** Returns a value that has not changed for 100 ms. */
async function settled(read: () => number): Promise<number> {
  let value = Number.NaN;
  let sinceMs = 0;
  await waitFor(
    () => {
      const nowMs = performance.now();
      if (read() !== value) {
        value = read();
        sinceMs = nowMs;
      }
      return nowMs - sinceMs > 100;
    },
    { what: 'a value does not change' },
  );
  return value;
}
