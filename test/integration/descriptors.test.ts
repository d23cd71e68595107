// A daemon without a free file descriptor: connections to its control socket have taken all. It goes on exporting, counts what
// failed, and everything works again when they are closed.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { startDaemon } from '../support/daemon.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus } from '../support/ipfix-rows.ts';
import { startOvs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import { runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const UNCACHED = { cache_active_timeout: 0, cache_max_flows: 0 };
/** File descriptors that the daemon has left before the connections come. */
const SPARE = 8;
/** Fewer than the control socket allows. */
const CONNECTIONS = 24;

/** Asks over a connection that is open already. */
async function askOver(socket: Socket, method: string, ...params: readonly string[]): Promise<string> {
  assert.ok(!socket.destroyed, 'the daemon has closed the connection');
  let said = '';
  let failed = () => {};
  const answer = new Promise<string>((resolve, reject) => {
    failed = () => reject(new Error('the daemon has closed the connection'));
    socket.once('close', failed);
    socket.on('data', (chunk) => {
      said += String(chunk);
      if (said.endsWith('}')) {
        try {
          resolve((JSON.parse(said) as { result: string }).result);
        } catch {
          // An inner object ends here, and the answer goes on.
        }
      }
    });
  });
  socket.write(JSON.stringify({ id: 1, method, params }));
  return answer.finally(() => {
    socket.removeAllListeners('data');
    socket.off('close', failed);
  });
}

test(
  'a daemon without file descriptors goes on exporting, and recovers',
  tier('ovs', 'daemon'),
  async (t) => {
    const ovs = await startOvs({ allowedWarnings: [/collector/u] });
    t.after(() => ovs.stop());
    const daemon = await startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0'] });
    t.after(() => daemon.kill());
    const br = await exportingBridge(t, ovs, daemon, UNCACHED);
    const descriptors = async () => (await readdir(`/proc/${daemon.pid}/fd`)).length;
    const open = async () => {
      const socket = connect(daemon.controlPath);
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      await new Promise<void>((resolve) => socket.once('connect', resolve));
      return socket;
    };
    const first = await open();
    await askOver(first, 'version');
    const { hostname, port } = new URL(await pageAddress(daemon));
    const browser = connect(Number(port), hostname);
    t.after(() => browser.destroy());
    await new Promise<void>((resolve) => {
      browser.once('connect', resolve);
    });
    await waitFor(async () => (await daemonStatus(daemon)).web?.connections === 1, {
      what: 'the page is open',
    });
    const limit = (await descriptors()) + SPARE;
    await runProgram('prlimit', ['--pid', String(daemon.pid), `--nofile=${limit}:${limit}`]);
    const others = await Promise.all(Array.from({ length: CONNECTIONS }, open));
    await waitFor(async () => (await descriptors()) >= limit - 1, { what: 'all descriptors are used' });

    const statusOver = async () => JSON.parse(await askOver(first, 'status', 'json')) as StatusDocument;
    const failed = await waitFor(
      async () => {
        const { program } = await statusOver();
        return program.systemErrors.count > 0 && program;
      },
      { what: 'an error is counted', timeoutMs: 15_000 },
    );
    assert.match(String(failed.systemErrors.last), /EMFILE|too many open files/u);
    assert.ok(failed.residentBytes > 0, 'the last reading is shown');
    // Counters are read every 5 and every 10 seconds: the tasks that read them have failed, and go on.
    const untilSeconds = failed.upSeconds + 11;
    await waitFor(async () => (await statusOver()).program.upSeconds > untilSeconds, {
      what: 'periodic tasks have run',
      timeoutMs: 30_000,
    });
    // The stream of a file that cannot be opened fails where no part of the daemon waits for it.
    browser.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await waitFor(async () => (await statusOver()).program.systemErrors.calls['open'] === 1, {
      what: 'the file of the page cannot be opened',
    });
    await br.inject(udpFrame({ sourcePort: 7 }), udpFrame({ sourcePort: 8 }));
    await br.sink.waitForPackets(2);

    for (const socket of others) {
      socket.destroy();
    }
    await daemon.waitForReady();
    const { program } = await daemonStatus(daemon);
    await br.inject(udpFrame({ sourcePort: 9 }));
    await br.sink.waitForPackets(3);
    assert.equal((await daemonStatus(daemon)).program.systemErrors.count, program.systemErrors.count);
    await daemon.stop();
  },
);
