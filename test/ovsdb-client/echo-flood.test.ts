// A server that sends echo requests as fast as it can and reads no reply, over a real socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OVSDB_CLIENT_DEFAULTS, OvsdbClient } from '../../src/ovsdb-client/index.ts';
import { waitFor } from '../support/wait.ts';

const REQUESTS = 50_000;
const BATCH = 100;
const TEXT = 'x'.repeat(100);
const { replyBytesMax } = OVSDB_CLIENT_DEFAULTS;
/** What one read from the socket may bring, and the replies to it. */
const CHUNK_BYTES_MAX = 2 * 65_536;

/** Sends the requests as far as the client reads them. */
async function flood(socket: Socket): Promise<void> {
  const batch = `{"method":"echo","params":["${TEXT}"],"id":1}`.repeat(BATCH);
  for (let sent = 0; sent < REQUESTS; sent += BATCH) {
    if (!socket.write(batch)) {
      await once(socket, 'drain');
    }
  }
}

test('stops reading from a server that floods echo requests and does not read, and answers all of them later', async (t) => {
  const server = createServer();
  const folder = await mkdtemp(join(tmpdir(), 'flood-'));
  const path = join(folder, 'db.sock');
  server.listen(path);
  await once(server, 'listening');
  const [[flooder], stream] = await Promise.all([
    once(server, 'connection') as Promise<[Socket]>,
    new Promise<Socket>((resolve) => {
      const socket = connect(path, () => resolve(socket));
    }),
  ]);
  t.after(async () => {
    stream.destroy();
    flooder.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  let backlog = 0;
  const client = new OvsdbClient(stream);
  stream.on('data', () => {
    backlog = Math.max(backlog, stream.writableLength);
  });
  const flooding = flood(flooder);
  await waitFor(() => client.readPauses > 0, { what: 'the client stops reading' });
  assert.ok(client.receivedBytes < REQUESTS * TEXT.length, 'it stopped before the end of the flood');
  let replies = 0;
  flooder.on('data', (chunk: Buffer) => {
    replies += chunk.toString('latin1').split('"result"').length - 1;
  });
  await flooding;
  const isLast = () => stream.writableLength === 0 && flooder.bytesRead === stream.bytesWritten;
  await waitFor(() => client.receivedBytes === flooder.bytesWritten && isLast(), {
    what: 'all replies',
    timeoutMs: 20_000,
  });
  assert.ok(backlog <= replyBytesMax + CHUNK_BYTES_MAX, `${backlog} bytes of replies waited`);
  assert.ok(replies > REQUESTS * 0.99, `${replies} replies, but for those split between two reads`);
  assert.equal(client.end, undefined);
});
