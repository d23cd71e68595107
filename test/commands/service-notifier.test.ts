// The notifications to systemd. Node.js cannot open the datagram socket of systemd, so a systemd-notify first on PATH writes down
// its arguments; the test does not show that the real one accepts them.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ServiceNotifier } from '../../src/commands/service-notifier.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait.ts';

function setUp(context: TestContext, environment: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'ovs-ipfix-notify-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const heard = join(folder, 'heard');
  writeFileSync(heard, '');
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\nprintf '%s|' "$@" >>'${heard}'\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const clock = new ManualClock();
  const faults: string[] = [];
  let state = 'The database is away.';
  const notifier = new ServiceNotifier({
    environment: { PATH: `${folder}:${process.env['PATH']}`, ...environment },
    pid: 4711,
    clock,
    state: () => state,
    onFault: (sentence) => faults.push(sentence),
  });
  return {
    clock,
    faults,
    notifier,
    heard: () => readFileSync(heard, 'utf8'),
    become: (next: string) => {
      state = next;
    },
  };
}

test('notifies systemd of the start, of a new state and of the stop, and pings its watchdog', async (t) => {
  const environment = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '4711' };
  const { clock, faults, notifier, heard, become } = setUp(t, environment);
  await notifier.start();
  assert.equal(heard(), 'READY=1|STATUS=The database is away.|');
  await clock.advanceMs(10_000);
  await waitFor(() => Promise.resolve(heard().endsWith('|WATCHDOG=1|')), { what: 'a sign of life' });
  become('Ready.');
  await clock.advanceMs(10_000);
  await waitFor(() => Promise.resolve(heard().endsWith('|WATCHDOG=1|STATUS=Ready.|')), {
    what: 'the new state',
  });
  await notifier.stop();
  assert.match(heard(), /\|STOPPING=1\|STATUS=[^|]+\|$/u);
  assert.deepEqual(faults, []);
});

test('sends nothing without NOTIFY_SOCKET', async (t) => {
  const { notifier, heard } = setUp(t, { WATCHDOG_USEC: '30000000' });
  await notifier.start();
  await notifier.stop();
  assert.equal(heard(), '');
});

test('reports a missing systemd-notify once', async (t) => {
  const { notifier, faults } = setUp(t, { NOTIFY_SOCKET: '/run/x', PATH: '/nowhere' });
  await notifier.start();
  await notifier.stop();
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /^systemd-notify READY=1 .*failed: .*ENOENT/u);
});
