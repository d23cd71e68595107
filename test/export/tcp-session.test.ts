import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { TcpSession, type TcpSessionOptions } from '../../src/export/tcp-session.ts';
import { StreamFramer } from '../../src/ipfix/stream-framer.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
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

async function openPair(context: TestContext, options: Partial<TcpSessionOptions> = {}) {
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

test('loses and counts the newest message when the backlog is full', async (t) => {
  const { collector, session } = await openPair(t, { sendBacklogMax: 10 });
  collector.connections[0]?.pause();
  assert.equal(fill(session, 50), 10);
  const { errors, messagesLost, recordsLost } = session.status();
  assert.deepEqual([errors['BACKLOG'], messagesLost, recordsLost], [40, 40, 80]);
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

test('connects again when the collector closes, and loses what waited', async (t) => {
  const { collector, listener, session } = await openPair(t);
  collector.connections[0]?.pause();
  fill(session, 400);
  collector.connections[0]?.resetAndDestroy();
  await waitFor(() => session.status().messagesLost > 0, { what: 'the loss is counted' });
  await waitFor(() => session.status().connectionCount === 2, { what: 'there is another connection' });
  assert.equal(listener.restartCount, 1);
  const before = session.status();
  assert.equal(before.messagesSent + before.messagesLost, 400);
  collector.messages.length = 0;
  assert.ok(session.send(numberedMessage(7), 16, 1));
  await waitFor(() => collector.messages[0]?.readUInt32BE(8) === 7, { what: 'the next message arrives' });
});
