// The commands of the control socket, run as an operator does, with ovs-appctl by the socket's path and by name; and
// `ovs-ipfix status`, which uses the same socket.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { JsonFramer, type JsonObject } from '../../src/ovsdb-client/index.ts';
import type { StatusDocument } from '../../src/report/status-document.ts';
import { Daemon } from '../support/daemon.ts';
import { diagnose, found, lacks } from '../support/doctor.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus, setIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram, type ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const LAUNCHER = join(DAEMON_FILE, '..', 'ovs-ipfix-pidfile');

let ovs: Ovs;
let daemon: Daemon;
let logFile: string;

before(async () => {
  ovs = await startOvs();
  logFile = join(ovs.rundir, 'ovs-ipfix.log');
  daemon = await startByName(ovs, ['--log-file', logFile]);
});

after(() =>
  endInOrder(
    () => daemon.stop(),
    () => ovs.stop(),
  ),
);

/** Starts the daemon as the systemd unit does: the launcher takes the lock and becomes the daemon. */
async function startByName(on: Ovs, args: readonly string[]): Promise<Daemon> {
  const command = [LAUNCHER, pidFile(on), process.execPath, DAEMON_FILE, 'run', '--db', on.dbEndpoint];
  const program = await BackgroundProgram.start('perl', [...command, '--pidfile', ...args], {
    environment: on.environment,
  });
  const started = new Daemon(on, program);
  await started.waitForReady();
  return started;
}

function pidFile(on: Ovs): string {
  return join(on.rundir, 'ovs-ipfix.pid');
}

/** Runs a command by the daemon's name, as an operator does. */
function appctl(...command: readonly string[]): Promise<string> {
  return ovs.appctl('-t', 'ovs-ipfix', ...command);
}

function refused(sentence: RegExp): (error: ProgramError) => boolean {
  return (error) => {
    assert.equal(error.exitCode, 2);
    assert.match(error.stderr, sentence);
    return true;
  };
}

/** Runs a command as `ovs-appctl --format json` of OVS 3.4 does: `set-options`, then the command. */
async function asJson(method: string, ...params: readonly string[]): Promise<unknown> {
  const socket = connect(daemon.controlPath);
  const framer = new JsonFramer({ messageBytesMax: 1 << 24, depthMax: 32 });
  const replies: JsonObject[] = [];
  socket.on('data', (chunk: Buffer) => framer.push(chunk, (reply) => replies.push(reply)));
  socket.write(JSON.stringify({ id: 0, method: 'set-options', params: ['--format', 'json'] }));
  socket.write(JSON.stringify({ id: 1, method, params }));
  await waitFor(async () => replies.length === 2, { what: `two replies to ${method}` });
  socket.destroy();
  assert.deepEqual(replies[0], { id: 0, result: '', error: null });
  assert.equal(replies[1]?.['error'], null);
  return replies[1]?.['result'];
}

test(
  'ovs-appctl finds the daemon by name, because its pid file is locked',
  tier('ovs', 'daemon'),
  async () => {
    assert.equal(await appctl('version'), await daemon.appctl('version'));
    assert.equal(readFileSync(pidFile(ovs), 'utf8'), `${daemon.pid}\n`);
    // The process holds the lock, so another daemon does not get it.
    const command = [LAUNCHER, pidFile(ovs), process.execPath, DAEMON_FILE, 'run', '--db', ovs.dbEndpoint];
    await assert.rejects(
      runProgram('perl', command, { environment: ovs.environment }),
      (error: ProgramError) => {
        assert.match(
          error.stderr,
          new RegExp(`The process ${daemon.pid} has the pid file .*: a daemon runs already`, 'u'),
        );
        return true;
      },
    );
    assert.equal(readFileSync(pidFile(ovs), 'utf8'), `${daemon.pid}\n`);
  },
);

test('list-commands shows all commands', tier('ovs', 'daemon'), async () => {
  const names = (await appctl('list-commands'))
    .split('\n')
    .slice(1, -1)
    .map((line) => line.trim().split(' ')[0]);
  assert.deepEqual(names, [
    'caches',
    'collectors',
    'conditions',
    'coverage/show',
    'exit',
    'exporters',
    'flows',
    'flush',
    'interfaces',
    'list-commands',
    'memory/show',
    'readopt',
    'ready',
    'sampling',
    'set-options',
    'status',
    'top',
    'version',
    'vlog/list',
    'vlog/reopen',
    'vlog/set',
  ]);
});

test('the tables show counts of sampled, cached and exported packets', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
  await br.sample(udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 1 }), udpFrame({ sourcePort: 2 }));
  const line = async (command: string) =>
    (await appctl(command)).split('\n').find((each) => each.startsWith(`${br.name} `));

  assert.match(String(await line('exporters')), /^br\d+ +3 +2 +0 +0 +1 of 1 open$/u);
  assert.match(String(await line('caches')), /^br\d+ +2 +100 +60 s +\d+ KiB +2 +1$/u);
  assert.match(String(await line('collectors')), /^br\d+ +127\.0\.0\.1:\d+ +open +0 +0 +0 +0 +0$/u);
  await waitFor(async () => /^br\d+ +1 +3 +3 +0 +0 +3 +1 +1\.00$/u.test(String(await line('sampling'))), {
    what: 'the meter has been read',
  });
  assert.equal(await appctl('conditions'), 'no conditions\n');
  for (const command of ['exporters', 'caches', 'collectors', 'sampling', 'status', 'memory/show']) {
    for (const text of (await appctl(command)).split('\n')) {
      assert.ok(text.length <= (command === 'memory/show' ? 200 : 80), `${command}: ${text}`);
    }
  }

  // No row of it is folded.
  assert.doesNotMatch(await appctl('sampling'), /^ {4}/mu);

  assert.equal(await appctl('flush', br.name), '2 flows sent\n');
  await br.sink.waitForPackets(3);
  assert.match(String(await line('exporters')), /^br\d+ +3 +0 +2 +1 +1 of 1 open$/u);
  assert.match(await appctl('caches'), /^ {4}0 active timeout, 0 lack of resources, 2 forced end$/mu);
  await assert.rejects(
    appctl('flush', 'missing'),
    refused(/Nothing is exported for bridge missing; exporters: .*bridge br/u),
  );
});

test(
  'flows lists the largest first, applies a filter, and prints how many match',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
    await br.sample(
      udpFrame({ sourcePort: 1001 }),
      udpFrame({ sourcePort: 1002 }),
      udpFrame({ sourcePort: 1002 }),
      udpFrame({ sourcePort: 1002 }),
      udpFrame({ sourcePort: 1003 }),
      udpFrame({ sourcePort: 1003 }),
    );
    const flows = (...words: readonly string[]) => appctl('flows', `bridge=${br.name}`, ...words);
    const all = await flows();
    assert.match(all, /^3 of 3 flows that match, of 3 in the caches, by octets\n/u);
    assert.deepEqual(
      [...all.matchAll(/:(\d+) >/gu)].map(([, port]) => Number(port)),
      [1002, 1003, 1001],
    );
    assert.match(await flows('top=1'), /^1 of 3 flows that match, of 3 in the caches/u);
    assert.match(
      await flows('sport=1003', 'proto=udp'),
      /^1 of 1 flow that matches, of 3 in the caches.*\n[^]*:1003 >/u,
    );
    assert.match(await flows('proto=tcp'), /^0 of 0 flows that match, of 3/u);
    await assert.rejects(flows('colour=red'), refused(/"colour=red" is not a valid filter; write ip= src=/u));
    await assert.rejects(flows('src=10.0.0.300'), refused(/"10\.0\.0\.300" is not a valid IP address/u));
    await assert.rejects(flows('top=101'), refused(/"top=101": "101" is not a whole number from 0 to 100/u));

    const json = (await asJson('flows', `bridge=${br.name}`, 'top=1')) as {
      rows: { values: Record<string, unknown> }[];
    };
    const { values } = json.rows[0] ?? { values: {} };
    assert.equal(values['sourceTransportPort'], 1002);
    assert.equal(values['packetDeltaCount'], 3);
    assert.equal(values['bridge'], br.name);
    assert.equal('flowEndReason' in values, false);
  },
);

test('replies have a JSON format for programs', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
  await br.sample(udpFrame({}));
  const status = (await asJson('status')) as StatusDocument;
  assert.equal(status.schema, 'ovs-ipfix/status');
  const exporters = (await asJson('exporters')) as { label: string; exporter: { samples: number } }[];
  assert.equal(exporters.find(({ label }) => label === br.name)?.exporter.samples, 1);
  assert.deepEqual(await asJson('ready'), { 'reply-format': 'plain', reply: 'ready' });
  assert.deepEqual(await asJson('conditions'), []);
});

test('every field of the status document is in the manual', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
  await br.sample(udpFrame({}));
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'status.md'), 'utf8');
  const table = page.slice(page.indexOf('### `status json`'), page.indexOf('## Log'));
  const names = new Set([...table.matchAll(/[a-z][A-Za-z0-9]+/gu)].map(([name]) => name));
  const unknown = fieldNames(await daemonStatus(daemon)).filter((name) => !names.has(name));
  assert.deepEqual([...new Set(unknown)], []);
});

/** Returns the names of all fields, without keys that are values: error codes and collector set ids. */
function fieldNames(value: unknown): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(fieldNames);
  }
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([name, field]) =>
    ['errors', 'flowsBySet', 'groupsBySet'].includes(name) ? [name] : [name, ...fieldNames(field)],
  );
}

test('a bad row is among the conditions, with what to do', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon);
  await setIpfixRow(ovs, br.row, { 'external_ids:ovs-ipfix-no-such-key': 'true' });
  const said = await waitFor(
    async () => {
      const text = await appctl('conditions');
      return text.includes('unknown-key') && text;
    },
    { what: 'the condition is shown' },
  );
  assert.match(said, new RegExp(`^warning unknown-key: .*${br.row}`, 'mu'));
  await ovs.vsctl('remove', 'IPFIX', br.row, 'external_ids', 'ovs-ipfix-no-such-key');
  await waitFor(async () => (await appctl('conditions')) === 'no conditions\n', {
    what: 'no condition is left',
  });
});

test('vlog commands list and set levels by module', tier('ovs', 'daemon'), async () => {
  const level = async (module: string) =>
    (await appctl('vlog/list'))
      .split('\n')
      .find((line) => line.startsWith(`${module} `))
      ?.trim()
      .split(/ +/u);
  assert.deepEqual(await level('bridge'), ['bridge', 'OFF', 'OFF', 'INFO']);
  assert.equal(await appctl('vlog/set', 'bridge:file:dbg', 'collector:warn'), '');
  assert.deepEqual(await level('bridge'), ['bridge', 'OFF', 'OFF', 'DBG']);
  assert.deepEqual(await level('collector'), ['collector', 'OFF', 'OFF', 'WARN']);
  assert.equal(await appctl('vlog/set', 'info'), '');
  assert.deepEqual(await level('bridge'), ['bridge', 'OFF', 'OFF', 'INFO']);
  await assert.rejects(
    appctl('vlog/set', 'foo'),
    refused(/There is no module "foo"; the modules are bridge, collector,/u),
  );
  await assert.rejects(
    appctl('vlog/set', 'syslog:dbg'),
    refused(/Nothing is logged to syslog, only to file\./u),
  );
});

test(
  'vlog/reopen starts a new log file after logrotate has moved the old one',
  tier('ovs', 'daemon'),
  async () => {
    renameSync(logFile, `${logFile}.1`);
    assert.equal(await appctl('vlog/reopen'), '');
    assert.ok(existsSync(logFile));
    const before = readFileSync(`${logFile}.1`, 'utf8');
    await ovs.addBridge('rotated');
    const row = await ovs.vsctl(
      '--',
      'set',
      'Bridge',
      'rotated',
      'ipfix=@i',
      '--',
      '--id=@i',
      'create',
      'IPFIX',
      'targets="127.0.0.1:9"',
    );
    await waitFor(async () => readFileSync(logFile, 'utf8').includes('bridge rotated: sampling started'), {
      what: 'the new file has the new lines',
    });
    assert.equal(readFileSync(`${logFile}.1`, 'utf8'), before);
    await ovs.vsctl('clear', 'Bridge', 'rotated', 'ipfix', '--', 'destroy', 'IPFIX', row.trim());
  },
);

test('memory/show and coverage/show print counters', tier('ovs', 'daemon'), async (t) => {
  const br: ExportingBridge = await exportingBridge(t, ovs, daemon, {
    cache_active_timeout: 60,
    cache_max_flows: 100,
  });
  const total = async () =>
    Number(/^sample_kept .* total: (\d+)$/mu.exec(await appctl('coverage/show'))?.[1] ?? 0);
  const before = await total();
  await br.sample(udpFrame({}), udpFrame({}));
  assert.equal((await total()) - before, 2);
  assert.match(
    await appctl('memory/show'),
    /^bridges:\d+ exporters:\d+ collectors:\d+ flows:\d+ cache-bytes:\d+ /u,
  );
});

test(
  'ovs-ipfix status finds the daemon, and exits with 0 only if it is ready',
  tier('ovs', 'daemon'),
  async () => {
    const status = (...args: readonly string[]) =>
      runProgram(process.execPath, [DAEMON_FILE, 'status', ...args], { environment: ovs.environment });
    const withoutCounts = (text: string) => text.replace(/\d+/gu, '#');
    assert.equal(withoutCounts(await status()), withoutCounts(await appctl('status')));
    const { schema, version, program } = JSON.parse(await status('--format', 'json')) as StatusDocument;
    assert.deepEqual([schema, version, program.pid], ['ovs-ipfix/status', 1, daemon.pid]);
    await assert.rejects(status('--unixctl', join(ovs.rundir, 'none.ctl')), (error: ProgramError) => {
      assert.equal(error.exitCode, 1);
      assert.match(error.stderr, /No daemon answers at .*none\.ctl.* Is it running\?\n$/u);
      return true;
    });
    const elsewhere = { ...ovs.environment, OVS_RUNDIR: join(ovs.rundir, '..') };
    await assert.rejects(
      runProgram(process.execPath, [DAEMON_FILE, 'status'], { environment: elsewhere }),
      (error: ProgramError) => {
        assert.match(error.stderr, /^ovs-ipfix: No daemon runs: .* Start it with "ovs-ipfix run"/u);
        return true;
      },
    );
  },
);

test(
  'status and doctor name the socket of another program that they are given',
  tier('ovs', 'daemon'),
  async () => {
    const socket = ovs.dbEndpoint.replace('unix:', '');
    const environment = ovs.environment;
    const status = runProgram(process.execPath, [DAEMON_FILE, 'status', '--unixctl', socket], {
      environment,
    });
    await assert.rejects(status, (error: ProgramError) => {
      assert.ok(error.stderr.includes(`ovs-ipfix: ${socket} is the socket of another program`), error.stderr);
      return true;
    });
    const { message } = found(await diagnose(environment, ['--unixctl', socket]), 'daemon-silent', /sock/u);
    assert.match(message, /another program/u);
  },
);

test('readopt adopts the rows again after release has taken the lock', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon);
  await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', ovs.dbEndpoint], {
    environment: ovs.environment,
  });
  await daemon.waitForRefusal(/The lock of the active daemon was taken by another client/u);
  const notReady = runProgram(process.execPath, [DAEMON_FILE, 'status'], { environment: ovs.environment });
  await assert.rejects(
    notReady,
    (error: ProgramError) => error.exitCode === 3 && error.stdout.includes('readopt'),
  );
  const diagnosis = await diagnose(ovs.environment, []);
  const { action } = found(diagnosis, 'daemon-not-ready', /ovs-ipfix/u);
  assert.match(action, /"ovs-appctl -t ovs-ipfix readopt"/u);
  lacks(diagnosis, 'row-of-vswitchd');
  assert.equal(await appctl('readopt'), '');
  await daemon.waitForReady();
  await br.sample(udpFrame({}));
});

test('exit ends the daemon as SIGTERM does, and the pid file is removed', tier('ovs', 'daemon'), async () => {
  assert.equal(await appctl('exit'), '');
  const { exitCode } = await daemon.exited;
  assert.equal(exitCode, 0);
  assert.equal(existsSync(pidFile(ovs)), false);
  assert.equal(existsSync(daemon.controlPath), false);
  daemon = await startByName(ovs, []);
});

test(
  'run --pidfile finds the launcher, and forwards signals and the exit code',
  tier('ovs', 'daemon'),
  async () => {
    await daemon.stop();
    const program = await BackgroundProgram.start(
      process.execPath,
      [DAEMON_FILE, 'run', '--db', ovs.dbEndpoint, '--pidfile'],
      { environment: ovs.environment },
    );
    assert.equal(
      await waitFor(() => appctl('ready').catch(() => false as const), {
        what: 'ready by name',
        timeoutMs: 20_000,
      }),
      'ready\n',
    );
    const { exitCode } = await program.stop('SIGTERM', 5000);
    assert.equal(exitCode, 0);
    assert.equal(existsSync(pidFile(ovs)), false);
    daemon = await startByName(ovs, []);
  },
);
