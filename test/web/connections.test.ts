import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { Report } from '../../src/report/report.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { Log } from '../../src/runtime/log.ts';
import { WEB_CONNECTIONS_MAX, WebServer } from '../../src/web/server.ts';
import { waitFor } from '../support/wait.ts';

test('closes one connection more than the limit, counts it and logs it', async (t) => {
  const lines: string[] = [];
  const server = new WebServer({
    listen: { host: '127.0.0.1', port: 0 },
    token: undefined,
    folder: tmpdir(),
    // Nothing is asked for.
    report: {} as Report,
    clock: systemClock,
    log: new Log({ clock: systemClock, destination: (line) => lines.push(line) }).logger('web'),
  });
  const { port } = await server.start();
  t.after(() => server.stop());
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  for (let count = 0; count < WEB_CONNECTIONS_MAX; count += 1) {
    await open();
  }
  assert.equal(server.status().connectionsRefused, 0);
  const more = await open();
  await waitFor(() => server.status().connectionsRefused === 1 && more.closed, { what: 'it is closed' });
  assert.ok(lines.some((line) => line.includes(`refused: ${WEB_CONNECTIONS_MAX} are open`)));
});
