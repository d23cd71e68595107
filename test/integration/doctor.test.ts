// Provokes each finding of the doctor, and checks that a healthy system has none.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkClock } from '../../src/commands/doctor/host-checks.ts';
import { copyProgram } from '../support/copied-program.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose, emptyFolder, found, lacks } from '../support/doctor.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, setIpfixRow } from '../support/ipfix-rows.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { Ovs } from '../support/ovs.ts';
import { type ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

let ovs: Ovs;
let daemon: Daemon;

withDaemon(
  (running) => {
    ({ ovs, daemon } = running);
  },
  {
    ovs: { allowedWarnings: [/collector|no-such-host\.invalid|reset by peer|bad port number/] },
    skip: tier('ovs', 'daemon').skip,
  },
);

/** Runs the doctor beside the Open vSwitch of this file. */
const doctor = (args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) =>
  diagnose({ ...ovs.environment, ...environment }, args);

test('finds nothing worse than a note in a healthy system', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, {
    cache_active_timeout: 60,
    cache_max_flows: 100,
    obs_domain_id: 1,
  });
  t.after(() => ovs.vsctl('clear', 'Bridge', br.name, 'ipfix'));
  const diagnosis = await doctor();
  assert.deepEqual(
    diagnosis.findings.filter(({ severity }) => severity !== 'note'),
    [],
  );
  assert.equal(diagnosis.exitCode, 0);
  const text = await runProgram(process.execPath, [DAEMON_FILE, 'doctor'], { environment: ovs.environment });
  assert.match(text, /\n?0 errors, 0 warnings, \d+ notes?\n$/u);
  for (const line of text.split('\n')) {
    assert.ok(line.length <= 80, line);
  }
});

test('reports conditions of rows, targets that refuse, and unused rows', tier('ovs', 'daemon'), async (t) => {
  const refusing = createSocket('udp4');
  await new Promise<void>((resolve) => {
    refusing.bind(0, '127.0.0.1', resolve);
  });
  const { port } = refusing.address();
  refusing.close();
  const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, obs_domain_id: 2 });
  await setIpfixRow(ovs, br.row, {
    targets: `["127.0.0.1:${port}","no-such-host.invalid","127.0.0.1:99999"]`,
  });
  const spare = (await ovs.vsctl('create', 'IPFIX', 'targets="127.0.0.1:4739"')).trim();
  const diagnosis = await waitFor(
    async () => {
      const seen = await doctor();
      return seen.findings.some(({ code }) => code === 'caching-disabled') && seen;
    },
    { what: 'the disabled cache is found', timeoutMs: 20_000 },
  );
  found(diagnosis, 'bad-target', new RegExp(br.row, 'u'));
  found(diagnosis, 'collector-refuses', new RegExp(`127\\.0\\.0\\.1:${port}`, 'u'));
  found(diagnosis, 'collector-unknown', /no-such-host\.invalid/u);
  // The database removes an unreferenced row of a table that is not a root, unless its garbage collection has not run.
  if ((await ovs.vsctl('--columns=_uuid', 'list', 'IPFIX')).includes(spare)) {
    found(diagnosis, 'row-unused', new RegExp(spare, 'u'));
    await ovs.vsctl('destroy', 'IPFIX', spare);
  }
  assert.equal(diagnosis.exitCode, 4);
  await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
});

test(
  'reports a collector that gets two exports that it cannot tell apart',
  tier('ovs', 'daemon'),
  async (t) => {
    const one = await exportingBridge(t, ovs, daemon, { obs_domain_id: 7 });
    await ovs.addBridge('second');
    await createIpfixRow(ovs, 'second', [one.sink.target], { obs_domain_id: 7 });
    const create = `-- --id=@br get Bridge ${one.name} -- --id=@i create IPFIX targets="${one.sink.target}"`;
    const use = '-- create Flow_Sample_Collector_Set bridge=@br id=1 ipfix=@i';
    await ovs.vsctl(...`${create} ${use}`.split(' '));
    await daemon.waitForReady();
    const diagnosis = await doctor();
    found(diagnosis, 'domain-shared', /observation domain 7/u);
    found(diagnosis, 'double-export', new RegExp(`Bridge ${one.name}, collector set 1`, 'u'));
    assert.equal(diagnosis.exitCode, 3);
    await ovs.vsctl('del-br', 'second');
  },
);

test(
  'reports flows that use the mark, by any name, and keys that this Open vSwitch inverts',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 8 });
    lacks(await doctor(), 'mark-in-use');
    const returning = 'table=9,priority=7,ip,actions=resubmit(,0)';
    for (const flow of [
      'table=7,priority=3,reg11=0x80000000/0x80000000,actions=drop',
      'table=7,priority=3,ip,actions=move:NXM_NX_XXREG2[31]->NXM_NX_REG0[0]',
      'table=7,priority=3,ip,actions=ct(zone=NXM_NX_REG11[16..31])',
    ]) {
      await ovs.ofctl('add-flow', br.name, flow);
      assert.match(
        found(await doctor(), 'mark-in-use', new RegExp(br.name, 'u')).message,
        /^1 flow matches or reads .* table 7 with priority 3/u,
        flow,
      );
      await ovs.ofctl('del-flows', br.name, 'table=7');
    }
    // OVN writes all of reg11 in table 0, which is harmless as long as no packet returns to that table.
    for (const flow of [
      'table=7,priority=3,ip,actions=load:1->NXM_NX_REG11[31]',
      'table=7,priority=3,ip,actions=load:5->NXM_NX_REG11[]',
      'table=7,priority=3,ip,actions=set_field:0x80000000/0xf0000000->xreg5',
      'table=7,priority=3,ip,actions=clone(move:NXM_NX_REG0[]->NXM_NX_XXREG2[0..31])',
    ]) {
      await ovs.ofctl('add-flow', br.name, flow);
      lacks(await doctor(), 'mark-in-use');
      await ovs.ofctl('add-flow', br.name, returning);
      const diagnosis = await doctor();
      assert.match(
        found(diagnosis, 'mark-in-use', new RegExp(br.name, 'u')).message,
        /^1 flow writes .* a flow in table 9 returns packets to table 0.* table 7 with priority 3/u,
        flow,
      );
      await ovs.ofctl('del-flows', br.name, 'table=7');
      await ovs.ofctl('del-flows', br.name, 'table=9');
    }
    await ovs.ofctl('add-flow', br.name, returning);
    await ovs.ofctl(
      'add-flow',
      br.name,
      'table=7,ip,actions=load:1->NXM_NX_REG11[0],load:1->NXM_NX_REG10[31]',
    );
    lacks(await doctor(), 'mark-in-use');
    await setIpfixRow(ovs, br.row, { 'other_config:enable-input-sampling': 'true' });
    const diagnosis = await doctor();
    lacks(diagnosis, 'mark-in-use');
    lacks(diagnosis, 'sampling-keys-inverted');
    await ovs.vsctl('set', 'Open_vSwitch', '.', 'ovs_version=3.1.0');
    await waitFor(
      async () => (await doctor()).findings.some(({ code }) => code === 'sampling-keys-inverted'),
      {
        what: 'the keys are found',
        timeoutMs: 20_000,
      },
    );
    await ovs.vsctl('clear', 'Open_vSwitch', '.', 'ovs_version');
    await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
  },
);

test('reports lost records', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 3 });
  await setIpfixRow(ovs, br.row, { targets: '["no-such-host.invalid"]' });
  await br.sample(udpFrame({}), udpFrame({}));
  found(await doctor(), 'records-lost', /no-such-host\.invalid/u);
  await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
});

test(
  'reports a second daemon, the socket of a dead one, and one that does not answer',
  tier('ovs', 'daemon'),
  async (t) => {
    const second = await startDaemon(ovs, { waitForReady: false });
    await second.waitForRefusal(/Another ovs-ipfix has the lock/u, 20_000);
    found(await doctor(), 'daemons-several', /ovs-ipfix/u);
    second.signal('SIGSTOP');
    const stopped = await doctor();
    second.signal('SIGCONT');
    found(stopped, 'daemon-silent', new RegExp(String(second.pid), 'u'));
    await second.kill();
    found(await doctor(), 'socket-left', new RegExp(String(second.pid), 'u'));
    // The next start removes it, and leaves those of living daemons.
    const waiting = await startDaemon(ovs, { waitForReady: false });
    t.after(() => waiting.kill());
    await waiting.waitForRefusal(/Another ovs-ipfix has the lock/u, 20_000);
    const both = await doctor();
    lacks(both, 'socket-left');
    found(both, 'daemons-several', /ovs-ipfix/u);
    found(
      await doctor(['--unixctl', waiting.controlPath]),
      'daemon-not-ready',
      new RegExp(String(waiting.pid), 'u'),
    );
    await waiting.stop();
  },
);

test(
  'a daemon that answers elsewhere is not taken for one that does not run',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 2 });
    t.after(() => ovs.vsctl('clear', 'Bridge', br.name, 'ipfix'));
    const elsewhere = await doctor(['--unixctl', '/nonexistent/ovs-ipfix.ctl']);
    assert.match(found(elsewhere, 'daemon-away', /ovs-ipfix/u).message, /one is active: it holds the lock/u);
    lacks(elsewhere, 'held-without-daemon');
    lacks(elsewhere, 'stale-state');
    await daemon.waitForReady();
  },
);

test('reports a missing database, and one that does not answer', tier('ovs', 'daemon'), async (t) => {
  const folder = await emptyFolder(t);
  const none = await doctor([], { OVS_RUNDIR: folder });
  found(none, 'database-unreachable', /database/u);
  found(none, 'daemon-away', /ovs-ipfix/u);
  assert.equal(none.exitCode, 4);
  const mute = createServer(() => {});
  const path = join(folder, 'mute.sock');
  await new Promise<void>((resolve) => {
    mute.listen(path, resolve);
  });
  t.after(() => void mute.close());
  const started = performance.now();
  const silent = await doctor([`unix:${path}`]);
  assert.match(found(silent, 'database-unreachable', /database/u).message, /does not answer/u);
  assert.ok(performance.now() - started < 20_000);
  mute.close();
});

test(
  'names the missing permission, and takes no daemon that it may not ask for a dead one',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 9 });
    t.after(() => ovs.vsctl('clear', 'Bridge', br.name, 'ipfix'));
    const folder = await emptyFolder(t);
    await chmod(folder, 0o755);
    const program = await copyProgram(folder);
    const asOtherUser = async (...command: readonly string[]) => {
      const args = ['--reuid=65534', '--clear-groups', process.execPath, program, ...command];
      return runProgram('setpriv', args, { environment: ovs.environment }).then(
        (said) => said,
        (error: unknown) => `${(error as ProgramError).stdout}${(error as ProgramError).stderr}`,
      );
    };
    t.after(() => chmod(ovs.rundir, 0o700));
    for (const [mode, forbidden] of [
      [0o700, /daemon-forbidden: \S*\n? *You may not read this folder/u],
      [0o755, /daemon-forbidden: .*\n?.*\n +You may not connect to the daemon: you need write permission/u],
    ] as const) {
      await chmod(ovs.rundir, mode);
      const said = await asOtherUser('doctor');
      assert.match(said, forbidden);
      assert.match(said, /database-forbidden/u);
      assert.match(said, /as root, or as the user that[\s\S]*\(user\s+id\s+0\)/u);
      assert.doesNotMatch(said, /daemon-away|socket-left|"rm |held-without-daemon|No daemon/u);
    }
    assert.match(
      await asOtherUser('status'),
      /You may not connect to the daemon at .*: you need write permission/u,
    );
    const run = await asOtherUser('run', '--unixctl', daemon.controlPath);
    assert.match(run, /is that of another user, and you may not connect to it/u);
  },
);

test('reports a database without access rights', tier('ovs', 'daemon'), async (t) => {
  const folder = await emptyFolder(t);
  const program = await copyProgram(folder);
  const path = join(folder, 'db.sock');
  const server = createServer(() => {});
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  t.after(() => void server.close());
  await chmod(path, 0);
  await chmod(folder, 0o755);
  // Root may read everything, so another user runs it.
  const asOtherUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : ['env'];
  const [first, ...rest] = [...asOtherUser, process.execPath, program, 'doctor', '--db', `unix:${path}`];
  const failure = await runProgram(first, rest, { environment: { OVS_RUNDIR: folder } }).then(
    () => undefined,
    (error: ProgramError) => error,
  );
  assert.equal(failure?.exitCode, 4);
  assert.match(failure.stdout, /error database-forbidden: OVS database\n +You may not connect to it/u);
});

test('reports a clock that was never set', () => {
  const [one] = checkClock(new ManualClock(1_000_000_000_000));
  assert.equal(one?.code, 'clock-implausible');
  assert.match(one?.message ?? '', /1970-01-12/u);
});

test('reports a clock that no service synchronises', async (t) => {
  const root = await emptyFolder(t);
  const codes = () => checkClock(new ManualClock(Date.UTC(2026, 0) * 1000), root).map(({ code }) => code);
  assert.deepEqual(codes(), []);
  await mkdir(join(root, 'run/systemd/system'), { recursive: true });
  assert.deepEqual(codes(), ['clock-unsynchronised']);
  await mkdir(join(root, 'run/systemd/timesync'));
  await writeFile(join(root, 'run/systemd/timesync/synchronized'), '');
  assert.deepEqual(codes(), []);
});

test('refuses an invalid flag, and names an invalid certificate', tier('ovs', 'daemon'), async (t) => {
  const folder = await emptyFolder(t);
  await writeFile(join(folder, 'x.pem'), 'nothing');
  const pem = join(folder, 'x.pem');
  const diagnosis = await doctor(['ssl:127.0.0.1:1', '-p', pem, '-c', pem, '-C', pem]);
  found(diagnosis, 'database-unreachable', /database/u);
  await assert.rejects(doctor(['--format', 'xml']), /"xml" is not one of table and json/u);
});
