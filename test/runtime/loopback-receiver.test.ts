// The receiver on loopback with real sockets: whom it receives from, and what it does with others.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { LoopbackReceiver, SENDER_LOOKUP_MS } from '../../src/runtime/loopback-receiver.ts';
import { UdpPeerTable, udpPeersByPort } from '../../src/runtime/udp-peers.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';

const isOwnUser = (userId: number) => userId === process.getuid?.();

type AtEnd = ReturnType<typeof lastFirst>;

async function openReceiver(atEnd: AtEnd, isTrusted = isOwnUser, peers = new UdpPeerTable()) {
  const clock = new ManualClock(0);
  const texts: string[] = [];
  const others = { count: 0 };
  const receiver = new LoopbackReceiver({
    onDatagram: (bytes, size) => texts.push(bytes.toString('utf8', 0, size)),
    onOtherSender: () => {
      others.count += 1;
    },
    clock,
    isTrusted,
    peers,
  });
  await receiver.start();
  atEnd(() => receiver.stop());
  return { receiver, texts, others, clock };
}

async function openSender(atEnd: AtEnd, port: number | undefined, isConnected = true) {
  const socket: Socket = createSocket('udp4');
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= new Promise<void>((resolve) => socket.close(() => resolve())));
  atEnd(close);
  // The kernel refuses what arrives at a socket that is connected to another one.
  socket.on('error', (error: NodeJS.ErrnoException) => assert.equal(error.code, 'ECONNREFUSED'));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  if (isConnected) {
    socket.connect(port ?? 0, '127.0.0.1');
    await once(socket, 'connect');
  }
  const send = (text: string) => (isConnected ? socket.send(text) : socket.send(text, port, '127.0.0.1'));
  return { send, close, port: socket.address().port };
}

test('receives from a connected socket of a trusted user, and shows its port', async (t) => {
  const atEnd = lastFirst(t);
  const { receiver, texts } = await openReceiver(atEnd);
  const sender = await openSender(atEnd, receiver.port);
  assert.deepEqual(udpPeersByPort().get(receiver.port ?? 0), [
    { port: sender.port, userId: process.getuid?.() },
  ]);
  sender.send('one');
  sender.send('two');
  await waitFor(() => texts.length === 2, { what: 'both datagrams have arrived' });
  const { received, refused, senderPort, receiveBufferBytes } = receiver.status();
  assert.deepEqual({ received, refused, senderPort }, { received: 2, refused: 0, senderPort: sender.port });
  assert.ok(receiveBufferBytes > 0);
});

test('refuses sockets that are not connected to it, and those of other users', async (t) => {
  const atEnd = lastFirst(t);
  const { receiver, texts, clock } = await openReceiver(atEnd, () => false);
  const unconnected = await openSender(atEnd, receiver.port, false);
  const stranger = await openSender(atEnd, receiver.port);
  unconnected.send('from nowhere');
  await waitFor(() => receiver.status().refused === 1, { what: 'the first is refused' });
  clock.advance(SENDER_LOOKUP_MS * 1000);
  stranger.send('of another user');
  await waitFor(() => receiver.status().refused === 2, { what: 'the second is refused' });
  assert.deepEqual([texts, receiver.status().senderPort], [[], undefined]);
});

test('others that send do not delay the sender', async (t) => {
  const atEnd = lastFirst(t);
  const { receiver, texts, clock } = await openReceiver(atEnd);
  const sender = await openSender(atEnd, receiver.port);
  const stranger = await openSender(atEnd, receiver.port, false);
  for (let round = 1; round <= 5; round += 1) {
    stranger.send('from nowhere');
    await waitFor(() => receiver.status().refused === round, { what: `the stranger is refused (${round})` });
    clock.advance(SENDER_LOOKUP_MS * 1000);
  }
  stranger.send('just before');
  await waitFor(() => receiver.status().refused === 6, { what: 'the stranger is refused again' });
  sender.send('mine');
  await waitFor(() => texts.length === 1, { what: 'the datagram of the sender has arrived' });
});

test('receives from one sender only, until it is reset', async (t) => {
  const atEnd = lastFirst(t);
  const { receiver, texts, others, clock } = await openReceiver(atEnd);
  const first = await openSender(atEnd, receiver.port);
  const second = await openSender(atEnd, receiver.port);
  first.send('first');
  await waitFor(() => texts.length === 1, { what: 'the first has arrived' });
  second.send('too early');
  first.send('still the first');
  await waitFor(() => texts.length === 2, { what: 'the first has arrived again' });
  receiver.reset();
  // A socket reports that it was refused instead of sending once more.
  await waitFor(
    () => {
      second.send('second');
      return texts.includes('second');
    },
    { what: 'the second has arrived' },
  );
  assert.deepEqual([...new Set(texts)], ['first', 'still the first', 'second']);
  assert.equal(receiver.status().senderPort, second.port);
  assert.equal(others.count, 1);
  await second.close();
  const third = await openSender(atEnd, receiver.port);
  receiver.expectOther();
  await waitFor(
    () => {
      clock.advance(SENDER_LOOKUP_MS * 1000);
      third.send('third');
      return texts.includes('third');
    },
    { what: 'the third has arrived' },
  );
  assert.equal(others.count, 1, 'another sender was expected');
});

test('accepts another sender after a reset at any time, also while the socket is being connected', async (t) => {
  const atEnd = lastFirst(t);
  const { receiver, texts, clock } = await openReceiver(atEnd);
  for (let round = 0; round < 20; round += 1) {
    const sender = await openSender(atEnd, receiver.port);
    await waitFor(
      () => {
        clock.advance(SENDER_LOOKUP_MS * 1000);
        sender.send(`round ${round}`);
        return texts.at(-1) === `round ${round}`;
      },
      { what: `round ${round} has arrived` },
    );
    assert.equal(receiver.status().senderPort, sender.port);
    await sender.close();
    receiver.reset();
  }
  assert.equal(receiver.status().errors, 0);
});

test('receivers that share the table of sockets read it once for all senders that were there', async (t) => {
  const atEnd = lastFirst(t);
  const peers = new UdpPeerTable();
  const open = () => openReceiver(atEnd, isOwnUser, peers);
  const receivers = [await open(), await open(), await open()];
  const senders = [];
  for (const { receiver } of receivers) {
    senders.push(await openSender(atEnd, receiver.port));
  }
  for (const { send } of senders) {
    send('first');
  }
  await waitFor(() => receivers.every(({ texts }) => texts.length === 1), { what: 'all have arrived' });
  assert.equal(peers.readings, 1);
  // One that was not there then is found as well.
  const late = await open();
  const sender = await openSender(atEnd, late.receiver.port);
  sender.send('first');
  await waitFor(() => late.texts.length === 1, { what: 'the first datagram of a new sender' });
  assert.equal(peers.readings, 2);
});

test('goes on where a sender cannot be looked up, as without a free file descriptor, and counts it', async (t) => {
  const atEnd = lastFirst(t);
  let isFailing = true;
  const { receiver, texts, clock } = await openReceiver(atEnd, (userId) => {
    if (isFailing) {
      throw new Error('EMFILE: too many open files');
    }
    return isOwnUser(userId);
  });
  const sender = await openSender(atEnd, receiver.port);
  sender.send('one');
  await waitFor(() => receiver.status().refused === 1, { what: 'the datagram is refused' });
  assert.equal(receiver.status().errors, 1);
  isFailing = false;
  clock.advance(SENDER_LOOKUP_MS * 1000);
  sender.send('two');
  await waitFor(() => texts.length === 1, { what: 'the next one is received' });
  assert.equal(receiver.status().errors, 1);
});
