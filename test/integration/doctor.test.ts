// Each finding of the doctor, provoked for real; and that it finds nothing where nothing is wrong.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Finding } from '../../src/commands/doctor/finding.ts';
import { checkClock } from '../../src/commands/doctor/host-checks.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, setIpfixRow } from '../support/ipfix-rows.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

let ovs: Ovs;
let daemon: Daemon;

before(async () => {
  ovs = await startOvs({
    allowedWarnings: [/collector|no-such-host\.invalid|reset by peer|bad port number/],
  });
  daemon = await startDaemon(ovs);
});

after(() =>
  endInOrder(
    () => daemon.stop(),
    () => ovs.stop(),
  ),
);

interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
}

/** Runs it as an operator would. */
async function doctor(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Diagnosis> {
  const command = [DAEMON_FILE, 'doctor', '--format', 'json', ...args];
  const options = { environment: { ...ovs.environment, ...environment }, timeoutMs: 20_000 };
  const { stdout, exitCode } = await runProgram(process.execPath, command, options).then(
    (said) => ({ stdout: said, exitCode: 0 }),
    (error: unknown) => {
      if (!(error instanceof ProgramError) || error.stdout === '') throw error;
      return { stdout: error.stdout, exitCode: error.exitCode ?? -1 };
    },
  );
  const { schema, version, findings } = JSON.parse(stdout) as {
    schema: string;
    version: number;
    findings: Finding[];
  };
  assert.deepEqual([schema, version], ['ovs-ipfix/doctor', 1]);
  return { findings, exitCode };
}

/** The finding of a code about a place; it must be there, and have something to say and to do. */
function found({ findings }: Diagnosis, code: string, where: RegExp): Finding {
  const one = findings.find((each) => each.code === code && where.test(each.where));
  assert.ok(one, `${code} about ${where} among ${JSON.stringify(findings, undefined, 1)}`);
  assert.match(one.message, /\.$/u);
  assert.match(one.remedy, /\.$/u);
  return one;
}

function lacks({ findings }: Diagnosis, code: string): void {
  assert.deepEqual(
    findings.filter((each) => each.code === code),
    [],
  );
}

async function emptyFolder(t: { after: (end: () => Promise<void>) => void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a healthy system has nothing worse than a note', tier('ovs', 'daemon'), async (t) => {
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
  assert.match(text, /\n?0 errors, 0 warnings, \d+ notes\n$/u);
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
});

test(
  'problems of rows, targets that are dead, and rows that nobody uses',
  tier('ovs', 'daemon'),
  async (t) => {
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
      { what: 'the caching trap is found', timeoutMs: 20_000 },
    );
    found(diagnosis, 'bad-target', new RegExp(br.row, 'u'));
    found(diagnosis, 'collector-refuses', new RegExp(`127\\.0\\.0\\.1:${port}`, 'u'));
    found(diagnosis, 'collector-unknown', /no-such-host\.invalid/u);
    // A row that is no root goes when nothing refers to it, unless the database's garbage collection leaves it.
    if ((await ovs.vsctl('--columns=_uuid', 'list', 'IPFIX')).includes(spare)) {
      found(diagnosis, 'row-unused', new RegExp(spare, 'u'));
      await ovs.vsctl('destroy', 'IPFIX', spare);
    }
    assert.equal(diagnosis.exitCode, 4);
    await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
  },
);

test('one collector for two things that it cannot tell apart', tier('ovs', 'daemon'), async (t) => {
  const one = await exportingBridge(t, ovs, daemon, { obs_domain_id: 7 });
  await ovs.addBridge('twin');
  await createIpfixRow(ovs, 'twin', [one.sink.target], { obs_domain_id: 7 });
  const create = `-- --id=@br get Bridge ${one.name} -- --id=@i create IPFIX targets="${one.sink.target}"`;
  const use = '-- create Flow_Sample_Collector_Set bridge=@br id=1 ipfix=@i';
  await ovs.vsctl(...`${create} ${use}`.split(' '));
  await daemon.waitForReady();
  const diagnosis = await doctor();
  found(diagnosis, 'domain-shared', /observation domain 7/u);
  found(diagnosis, 'double-export', new RegExp(`Bridge ${one.name}, collector set 1`, 'u'));
  assert.equal(diagnosis.exitCode, 3);
  await ovs.vsctl('del-br', 'twin');
});

test(
  'flows that use the mark, by whatever name, and keys that this Open vSwitch reads the wrong way round',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 8 });
    lacks(await doctor(), 'mark-in-use');
    for (const flow of [
      'table=7,priority=3,reg11=0x80000000/0x80000000,actions=drop',
      'table=7,priority=3,ip,actions=load:1->NXM_NX_REG11[31]',
      'table=7,priority=3,ip,actions=set_field:0x80000000/0xf0000000->xreg5',
      'table=7,priority=3,ip,actions=move:NXM_NX_XXREG2[31]->NXM_NX_REG0[0]',
    ]) {
      await ovs.ofctl('add-flow', br.name, flow);
      const diagnosis = await doctor();
      assert.match(
        found(diagnosis, 'mark-in-use', new RegExp(br.name, 'u')).message,
        /^1 flows .* table 7 with priority 3/u,
        flow,
      );
      await ovs.ofctl('del-flows', br.name, 'table=7');
    }
    await ovs.ofctl(
      'add-flow',
      br.name,
      'table=7,ip,actions=load:1->NXM_NX_REG11[0],load:1->NXM_NX_REG10[31]',
    );
    lacks(await doctor(), 'mark-in-use');
    await setIpfixRow(ovs, br.row, { 'other_config:enable-input-sampling': 'true' });
    const diagnosis = await doctor();
    lacks(diagnosis, 'mark-in-use');
    const version = (await ovs.vsctl('get', 'Open_vSwitch', '.', 'ovs_version')).replaceAll('"', '').trim();
    if (/^(?:2|3\.[01])\./u.test(version))
      found(diagnosis, 'sampling-keys-inverted', new RegExp(br.row, 'u'));
    else lacks(diagnosis, 'sampling-keys-inverted');
    await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
  },
);

test('records that were lost', tier('ovs', 'daemon'), async (t) => {
  const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 3 });
  await setIpfixRow(ovs, br.row, { targets: '["no-such-host.invalid"]' });
  await br.sample(udpFrame({}), udpFrame({}));
  found(await doctor(), 'records-lost', /no-such-host\.invalid/u);
  await ovs.vsctl('clear', 'Bridge', br.name, 'ipfix');
});

test(
  'a second daemon, a dead one’s socket, and one that does not answer',
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
    await rm(second.controlPath);
    const waiting = await startDaemon(ovs, { waitForReady: false });
    t.after(() => waiting.kill());
    await waiting.waitForRefusal(/Another ovs-ipfix has the lock/u, 20_000);
    found(
      await doctor(['--unixctl', waiting.controlPath]),
      'daemon-not-ready',
      new RegExp(String(waiting.pid), 'u'),
    );
    await waiting.stop();
  },
);

test('no database, and one that says nothing', tier('ovs', 'daemon'), async (t) => {
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
  'rows of ovs-vswitchd, rows that a dead daemon holds, and a switch that is away',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await startOvs({ allowedWarnings: [/collector|reset by peer/] });
    t.after(() => own.stop());
    const environment = own.environment;
    await own.addBridge('brx');
    const row = await createIpfixRow(own, 'brx', ['127.0.0.1:4739'], { obs_domain_id: 4 });
    const none = await startDaemon(own, { arguments: ['--adopt', 'none'] });
    found(await doctor([], environment), 'row-of-vswitchd', new RegExp(row, 'u'));
    await none.stop();
    const killed = await startDaemon(own);
    await killed.kill();
    const held = await doctor([], environment);
    assert.match(found(held, 'held-without-daemon', new RegExp(row, 'u')).remedy, /"ovs-ipfix release"/u);
    lacks(held, 'vswitchd-away');
    const elsewhere = await doctor(['--openflow', 'unix:/nowhere/%b.mgmt'], environment);
    found(elsewhere, 'vswitchd-away', /Bridge brx/u);
    const pid = Number(await readFile(join(own.rundir, 'ovs-vswitchd.pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    await own.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'next_cfg=100000');
    const behind = await doctor([], environment).finally(() => process.kill(pid, 'SIGCONT'));
    found(behind, 'vswitchd-behind', /ovs-vswitchd/u);
    await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', own.dbEndpoint], { environment });
  },
);

test(
  'what a daemon would meet in a bridge, and what a killed one has left there',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await startOvs({ allowedWarnings: [/collector|reset by peer/] });
    t.after(() => own.stop());
    const { environment } = own;
    await own.addBridge('bry');
    await createIpfixRow(own, 'bry', ['127.0.0.1:4739'], { obs_domain_id: 4 });
    const about = async (code: string) => {
      const one = found(await doctor([], environment), code, /^Bridge bry$/u);
      return `${one.message} ${one.remedy}`;
    };
    const clean = await doctor([], environment);
    for (const code of [
      'bridge-without-meters',
      'bridge-meter-taken',
      'hook-place-taken',
      'left-in-bridge',
    ]) {
      lacks(clean, code);
    }

    const mute = createServer(() => {});
    const socket = join(own.rundir, 'mute.bry');
    await new Promise<void>((resolve) => {
      mute.listen(socket, resolve);
    });
    t.after(() => void mute.close());
    const unanswered = await doctor(['--openflow', `unix:${own.rundir}/mute.%b`], environment);
    assert.match(found(unanswered, 'check-failed', /^bridge bry$/u).message, /does not answer/u);

    await own.vsctl('set', 'Bridge', 'bry', 'protocols=OpenFlow10');
    assert.match(
      await about('bridge-without-meters'),
      /OpenFlow 1\.0.*"ovs-vsctl set Bridge bry protocols=/u,
    );
    await own.vsctl('clear', 'Bridge', 'bry', 'protocols');

    await own.ofctl('-O', 'OpenFlow13', 'add-meter', 'bry', 'meter=65000 kbps band=type=drop rate=7');
    await own.ofctl('add-flow', 'bry', 'priority=65535,reg11=0/0x80000000,actions=NORMAL');
    assert.match(await about('bridge-meter-taken'), /The meter 65000/u);
    assert.match(await about('hook-place-taken'), /cookie 0x0/u);
    await own.ofctl('--strict', 'del-flows', 'bry', 'priority=65535,reg11=0/0x80000000');
    await own.ofctl('-O', 'OpenFlow13', 'del-meters', 'bry');

    await own.vsctl(
      '--',
      '--id=@br',
      'get',
      'Bridge',
      'bry',
      '--',
      '--id=@i',
      'create',
      'IPFIX',
      'targets="127.0.0.1:4739"',
      '--',
      'create',
      'Flow_Sample_Collector_Set',
      'bridge=@br',
      'id=1',
      'ipfix=@i',
    );
    await own.ofctl(
      'add-flow',
      'bry',
      'table=3,ip,actions=sample(probability=9,collector_set_id=1,obs_domain_id=7,obs_point_id=9)',
    );
    const killed = await startDaemon(own);
    lacks(await doctor([], environment), 'left-in-bridge');
    await killed.kill();
    assert.match(
      await about('left-in-bridge'),
      /the hook, actions in 1 flows, meter 65000, meter 65001\..*"ovs-ipfix release"/u,
    );
    await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', own.dbEndpoint], { environment });
    lacks(await doctor([], environment), 'left-in-bridge');
  },
);

test('a clock that nobody has set', () => {
  const [one] = checkClock(new ManualClock(1_000_000_000_000));
  assert.equal(one?.code, 'clock-implausible');
  assert.match(one?.message ?? '', /1970-01-12/u);
});

test('a clock that nobody looks after', async (t) => {
  const root = await emptyFolder(t);
  const codes = () => checkClock(new ManualClock(Date.UTC(2026, 0) * 1000), root).map(({ code }) => code);
  assert.deepEqual(codes(), []);
  await mkdir(join(root, 'run/systemd/system'), { recursive: true });
  assert.deepEqual(codes(), ['clock-unsynchronised']);
  await mkdir(join(root, 'run/systemd/timesync'));
  await writeFile(join(root, 'run/systemd/timesync/synchronized'), '');
  assert.deepEqual(codes(), []);
});

test('a bad flag is refused, and a certificate that is none is named', tier('ovs', 'daemon'), async (t) => {
  const folder = await emptyFolder(t);
  await writeFile(join(folder, 'x.pem'), 'nothing');
  const pem = join(folder, 'x.pem');
  const diagnosis = await doctor(['ssl:127.0.0.1:1', '-p', pem, '-c', pem, '-C', pem]);
  found(diagnosis, 'database-unreachable', /database/u);
  await assert.rejects(doctor(['--format', 'xml']), /"xml" is none of table and json/u);
});
