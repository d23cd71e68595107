import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/runtime/clock.ts';
import { dial } from '../../src/runtime/endpoint.ts';
import { ReadMemory } from '../../src/runtime/read-memory.ts';
import { waitFor } from '../support/wait.ts';

/** Dials a socket with a receive buffer; returns both, and the peer's end. */
async function dialled(context: TestContext, readMemory: ReadMemory) {
  const folder = await mkdtemp(join(tmpdir(), 'read-memory-'));
  const path = join(folder, 'socket');
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const stream = await dial({ kind: 'unix', path }, { clock: systemClock, readMemory });
  const [peer] = await accepted;
  context.after(async () => {
    stream.destroy();
    peer.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  return { stream, peer };
}

test('delivers everything that a socket reads in one buffer, bytes before the receiver was set included', async (t) => {
  const readMemory = new ReadMemory(1024);
  const { stream, peer } = await dialled(t, readMemory);
  const sent = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index & 0xff));
  peer.write(sent.subarray(0, 700));
  // Once the peer's bytes have been sent, they have been read here, and wait for a receiver.
  await waitFor(() => peer.writableLength === 0, { what: 'the first bytes are on their way' });
  const memories = new Set<Buffer>();
  const received: Buffer[] = [];
  const count = () => received.reduce((sum, { length }) => sum + length, 0);
  readMemory.receive((bytes, end) => {
    memories.add(bytes);
    received.push(Buffer.from(bytes.subarray(0, end)));
  });
  await waitFor(() => count() === 700, { what: 'the first bytes are there' });
  const memoriesBefore = memories.size;
  peer.write(sent.subarray(700));
  await waitFor(() => count() === sent.length, { what: 'all bytes are there' });
  assert.deepEqual(Buffer.concat(received), sent);
  assert.ok(memories.size <= memoriesBefore + 1, `${memories.size} memories for ${received.length} reads`);
  assert.ok(received.length >= 10, 'no read is larger than the memory');
  peer.end();
  await once(stream, 'end');
});

test('copies bytes that arrived before the receiver, so that later reads do not overwrite them', () => {
  const readMemory = new ReadMemory(8);
  const { buffer, callback } = readMemory.onread;
  for (const text of ['early', 'bird']) {
    buffer.fill(0);
    callback(buffer.write(text));
  }
  const texts: string[] = [];
  readMemory.receive((bytes, end) => texts.push(bytes.toString('utf8', 0, end)));
  callback(buffer.write('late'));
  assert.deepEqual(texts, ['early', 'bird', 'late']);
});
