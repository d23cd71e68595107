// Connections that say nothing do not keep an operator out: at the limit of the page's server and of the control socket, the oldest
// gives way.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { UNIXCTL_DEFAULTS } from '../../src/unixctl/server.ts';
import { WEB_CONNECTIONS_MAX } from '../../src/web/server.ts';
import { startDaemon } from '../support/daemon.ts';
import { daemonStatus } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

test(
  'idle connections lock no operator out of the page and the control socket',
  tier('ovs', 'daemon'),
  async (t) => {
    const ovs = await startOvs();
    t.after(() => ovs.stop());
    const daemon = await startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0'] });
    t.after(() => daemon.kill());
    const url = await pageAddress(daemon);
    const { hostname, port } = new URL(url);
    const sockets: Socket[] = [];
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const open = async (socket: Socket) => {
      socket.on('error', () => {});
      sockets.push(socket);
      await new Promise<void>((resolve) => socket.once('connect', resolve));
      return socket;
    };
    const web = async () => (await daemonStatus(daemon)).web;

    // A browser stays, however old it is.
    const browser = new WebSocket(`${url.replace('http', 'ws')}ws`);
    t.after(() => browser.close());
    await waitFor(async () => (await web())?.clients === 1, { what: 'the browser is connected' });
    for (let count = 0; count < WEB_CONNECTIONS_MAX; count += 1) {
      const socket = await open(connect(Number(port), hostname));
      // Some have begun a request.
      socket.write(count % 2 === 0 ? '' : 'GET / HTTP/1.1\r\n');
    }
    await waitFor(async () => (await web())?.connections === WEB_CONNECTIONS_MAX, {
      what: 'the limit is reached',
    });
    const evicted = (await web())?.evicted ?? 0;
    assert.ok(evicted >= 1, String(evicted));
    for (let count = 0; count < 3; count += 1) {
      const response = await fetch(`${url}status.json`, { headers: { connection: 'close' } });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    }
    assert.equal((await web())?.clients, 1);
    assert.ok(((await web())?.evicted ?? 0) > evicted);

    for (let count = 0; count < UNIXCTL_DEFAULTS.connectionsMax + 3; count += 1) {
      await open(connect(daemon.controlPath));
    }
    assert.equal(await daemon.appctl('ready'), 'ready\n');
    await daemon.stop();
  },
);
