// Findings of the doctor that need their own Open vSwitch: without a daemon, with a killed one, with one of another version.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { version } from '../../src/commands/version.ts';
import { changeProgram, copyProgram } from '../support/copied-program.ts';
import { Daemon, startDaemon } from '../support/daemon.ts';
import { type Diagnosis, diagnose, emptyFolder, found, lacks } from '../support/doctor.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { bridgeStatus, createCollectorSet, createIpfixRow, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** Fails unless the finding about ovs-vswitchd is the first, and its consequences are not reported. */
function assertOneCause(diagnosis: Diagnosis, code: string): void {
  found(diagnosis, code, /^ovs-vswitchd/u);
  assert.equal(diagnosis.findings[0]?.code, code);
  for (const consequence of [
    'bridge-unreachable',
    'check-failed',
    'vswitchd-behind',
    'row-not-adopted',
    'daemon-not-ready',
  ]) {
    lacks(diagnosis, consequence);
  }
}

async function ownOvs(t: TestContext): Promise<Ovs> {
  const own = await startOvs({ allowedWarnings: [/collector|reset by peer|no-controller/] });
  t.after(() => own.stop());
  return own;
}

test('reports a daemon of another version, and a meter that drops', tier('ovs', 'daemon'), async (t) => {
  const folder = await emptyFolder(t);
  // A daemon that ends after its OVS could not release its rows.
  const daemons: Daemon[] = [];
  t.after(() => Promise.all(daemons.map((each) => each.stop())));
  const own = await ownOvs(t);
  // The same program with another version number.
  const program = await copyProgram(folder);
  await changeProgram(
    program,
    new RegExp(`(version: ?)"${version.replaceAll('.', '\\.')}"`, 'u'),
    '$1"0.0.1"',
  );
  const older = await BackgroundProgram.start(process.execPath, [program, 'run', '--db', own.dbEndpoint], {
    environment: own.environment,
  });
  const daemonOfOwn = new Daemon(own, older);
  daemons.push(daemonOfOwn);
  await daemonOfOwn.waitForReady();
  const br = await exportingBridge(t, own, daemonOfOwn);
  const other = found(await diagnose(own.environment), 'daemon-other-version', /pid/u);
  assert.match(other.message, /version 0\.0\.1/u);

  // The meter drops, and later packets represent what it has dropped: no packet is missing.
  await own.vsctl(
    'set',
    'Bridge',
    br.name,
    'external_ids:ovs-ipfix-max-rate=1',
    'external_ids:ovs-ipfix-sampler=packet-in',
  );
  const dropped = async () => (await bridgeStatus(daemonOfOwn, br.name))?.sampler.droppedByMeter ?? 0;
  await waitFor(
    async () => {
      await br.inject(...Array.from({ length: 300 }, () => udpFrame({})));
      return (await dropped()) > 0;
    },
    { what: 'the meter drops', timeoutMs: 10_000 },
  );
  lacks(await diagnose(own.environment), 'packets-missing');
  const isMissing = async () => {
    const { findings } = await diagnose(own.environment);
    return findings.find(({ code }) => code === 'packets-missing');
  };
  const missing = await waitFor(isMissing, { what: 'packets are missing', timeoutMs: 30_000 });
  assert.match(missing.message, /^[\d,]+ packets? (?:is|are) missing .* the meter dropped \d+/u);
  assert.match(missing.action, /^Raise external_ids:ovs-ipfix-max-rate/u);
});

test(
  'reports rows of ovs-vswitchd, rows held for a dead daemon, and a switch that is not reachable',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await ownOvs(t);
    const environment = own.environment;
    await own.addBridge('brx');
    const row = await createIpfixRow(own, 'brx', ['127.0.0.1:4739'], { obs_domain_id: 4 });
    const none = await startDaemon(own, { arguments: ['--adopt', 'none'] });
    found(await diagnose(environment), 'row-of-vswitchd', new RegExp(row, 'u'));
    await none.stop();
    const killed = await startDaemon(own);
    await killed.kill();
    const held = await diagnose(environment);
    assert.match(found(held, 'held-without-daemon', new RegExp(row, 'u')).action, /"ovs-ipfix release"/u);
    lacks(held, 'bridge-unreachable');
    const elsewhere = await diagnose(environment, ['--openflow', 'unix:/nowhere/%b.mgmt']);
    found(elsewhere, 'bridge-unreachable', /Bridge brx/u);
    const pid = Number(await readFile(join(own.rundir, 'ovs-vswitchd.pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    await own.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'next_cfg=100000');
    const silent = await diagnose(environment).finally(() => process.kill(pid, 'SIGCONT'));
    assertOneCause(silent, 'vswitchd-silent');
    await own.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'cur_cfg=-1');
    found(await diagnose(environment), 'vswitchd-behind', /ovs-vswitchd/u);
    await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', own.dbEndpoint], { environment });
  },
);

test(
  'reports what keeps the hook out of a bridge, and stale state of a killed daemon',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await ownOvs(t);
    const { environment } = own;
    await own.addBridge('bry');
    await createIpfixRow(own, 'bry', ['127.0.0.1:4739'], { obs_domain_id: 4 });
    // The datapath would sample without meters, and needs no rewritten flows.
    await own.vsctl('set', 'Bridge', 'bry', 'external_ids:ovs-ipfix-sampler=packet-in');
    const about = async (code: string) => {
      const one = found(await diagnose(environment), code, /^Bridge bry$/u);
      return `${one.message} ${one.action}`;
    };
    const clean = await diagnose(environment);
    for (const code of ['no-meters', 'meter-in-use', 'hook-slot-in-use', 'stale-state']) {
      lacks(clean, code);
    }

    const mute = createServer(() => {});
    const socket = join(own.rundir, 'mute.bry');
    await new Promise<void>((resolve) => {
      mute.listen(socket, resolve);
    });
    t.after(() => void mute.close());
    const unanswered = await diagnose(environment, ['--openflow', `unix:${own.rundir}/mute.%b`]);
    assert.match(found(unanswered, 'check-failed', /^bridge bry$/u).message, /does not answer/u);

    await own.vsctl('set', 'Bridge', 'bry', 'protocols=OpenFlow10');
    assert.match(await about('no-meters'), /OpenFlow 1\.0.*"ovs-vsctl set Bridge bry protocols=/u);
    await own.vsctl('clear', 'Bridge', 'bry', 'protocols');

    // An obstacle to the hook is not reported where no row needs the hook.
    await own.addBridge('brz');
    await own.vsctl('set', 'Bridge', 'brz', 'protocols=OpenFlow10');
    lacks(await diagnose(environment), 'no-meters');
    await own.vsctl('del-br', 'brz');

    await own.vsctl('set-controller', 'bry', `unix:${own.rundir}/no-controller`);
    const isFailOpen = async () =>
      (await diagnose(environment)).findings.some(({ code }) => code === 'fail-open');
    await waitFor(isFailOpen, { what: 'fail-open is found', timeoutMs: 20_000 });
    await own.vsctl('del-controller', 'bry');

    await own.ofctl('-O', 'OpenFlow13', 'add-meter', 'bry', 'meter=65000 kbps band=type=drop rate=7');
    await own.ofctl('add-flow', 'bry', 'priority=65535,reg11=0/0x80000000,actions=NORMAL');
    assert.match(await about('meter-in-use'), /The meter 65000/u);
    assert.match(await about('hook-slot-in-use'), /cookie 0x0/u);
    await own.ofctl('--strict', 'del-flows', 'bry', 'priority=65535,reg11=0/0x80000000');
    await own.deleteMeters('bry', 'OpenFlow13');

    await createCollectorSet(own, 'bry', 1, '127.0.0.1:4739');
    await own.vsctl('set', 'Bridge', 'bry', 'protocols=OpenFlow10');
    assert.match(await about('flows-shown-in-part'), /does not show flows whole/u);
    await own.vsctl('clear', 'Bridge', 'bry', 'protocols');
    await own.ofctl(
      'add-flow',
      'bry',
      'table=3,ip,actions=sample(probability=9,collector_set_id=1,obs_domain_id=7,obs_point_id=9)',
    );
    const killed = await startDaemon(own);
    lacks(await diagnose(environment), 'stale-state');
    await killed.kill();
    assert.match(
      await about('stale-state'),
      /the hook, actions in 1 flow, meter 65000, meter 65001\..*"ovs-ipfix release"/u,
    );
    await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', own.dbEndpoint], { environment });
    lacks(await diagnose(environment), 'stale-state');
  },
);

test(
  'reports an ovs-vswitchd that does not run as one finding, with and without a daemon',
  tier('ovs', 'daemon'),
  async (t) => {
    const own = await ownOvs(t);
    own.allowWarnings(/\|WARN\|/u);
    const daemon = await startDaemon(own);
    t.after(() => daemon.kill());
    for (const name of ['bra', 'brb', 'brc']) {
      await own.addBridge(name);
      await createIpfixRow(own, name, ['127.0.0.1:4739'], { obs_domain_id: 4 });
      await waitForHook(daemon, name);
    }
    await own.killVswitchd();
    await daemon.waitForRefusal(/Bridge brc is not hooked/u);
    await waitFor(async () => (await daemon.appctl('conditions')).includes('bridge-unreachable'), {
      what: 'the daemon reports its bridges',
      timeoutMs: 20_000,
    });
    const beside = await diagnose(own.environment);
    assertOneCause(beside, 'vswitchd-away');
    assert.match(beside.findings[0]?.message ?? '', /\d+ findings that follow from it are left out/u);
    await daemon.kill();
    assertOneCause(await diagnose(own.environment), 'vswitchd-away');
    await own.startVswitchd();
  },
);
