// A switch that sends echo requests as fast as it can and reads no reply, over a real socket that reads into one memory.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OPENFLOW_CONNECTION_DEFAULTS, OpenFlowConnection } from '../../src/node-openflow/index.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { dial } from '../../src/runtime/endpoint.ts';
import { ReadMemory } from '../../src/runtime/read-memory.ts';
import { waitFor } from '../support/wait.ts';
import { hexOf } from './vectors/messages.ts';

const REQUESTS = 50_000;
const BATCH = 100;
const ECHO_REQUEST = `0402006c00000007${'00'.repeat(100)}`;
const ECHO_BYTES = ECHO_REQUEST.length / 2;
const HELLO = hexOf('0400001000000001', '0001000800000012');
const READ_BYTES = 65_536;
const { replyBytesMax } = OPENFLOW_CONNECTION_DEFAULTS;

/** Sends the requests as far as the other side reads them. */
async function flood(socket: Socket): Promise<void> {
  const batch = Buffer.from(ECHO_REQUEST.repeat(BATCH), 'hex');
  for (let sent = 0; sent < REQUESTS; sent += BATCH) {
    if (!socket.write(batch)) {
      await once(socket, 'drain');
    }
  }
}

test('stops reading from a switch that floods echo requests and does not read, and answers all of them later', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'flood-'));
  const path = join(folder, 'br0.mgmt');
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const readMemory = new ReadMemory(READ_BYTES);
  const [[ofswitch], stream] = await Promise.all([
    once(server, 'connection') as Promise<[Socket]>,
    dial({ kind: 'unix', path }, { clock: systemClock, readMemory }),
  ]);
  t.after(async () => {
    stream.destroy();
    ofswitch.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  const connection = new OpenFlowConnection(stream, { source: readMemory });
  ofswitch.write(Buffer.from(HELLO, 'hex'));
  await connection.ready;
  let backlog = 0;
  const flooding = flood(ofswitch);
  await waitFor(
    () => {
      const { readPauses, sendBacklogBytes } = connection.status();
      backlog = Math.max(backlog, sendBacklogBytes);
      return readPauses > 0;
    },
    { what: 'reading is stopped' },
  );
  backlog = Math.max(backlog, connection.status().sendBacklogBytes);
  assert.ok(backlog <= replyBytesMax + READ_BYTES, `${backlog} bytes of replies wait`);
  assert.ok(connection.receivedBytes < REQUESTS * ECHO_BYTES, 'it stopped before the end of the flood');
  ofswitch.resume();
  await flooding;
  await waitFor(() => connection.receivedBytes === ofswitch.bytesWritten, {
    what: 'all is read',
    timeoutMs: 20_000,
  });
  const { sentMessages } = connection.status();
  assert.equal(sentMessages, REQUESTS + 1, 'a hello and all replies');
});
