// Settings of rows that are reported or that determine who exports, and a database that is a relay, with a real Open vSwitch.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose, found, lacks } from '../support/doctor.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, daemonStatus, setIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram, type ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { differs, ovsVersion, unlessDiffers } from '../versions/differences.ts';

const needs = tier('ovs', 'daemon');
/** flowDirection (61) of samples at output. */
const EGRESS = 1;

let ovs: Ovs;

before(async () => {
  if (needs.skip !== false) {
    return;
  }
  ovs = await startOvs({ allowedWarnings: [/collector/] });
  // As started by ovs-ctl(8).
  await ovs.vsctl('set', 'Open_vSwitch', '.', `ovs_version=${ovsVersion().join('.')}.0`);
});

after(async () => {
  if (needs.skip === false) {
    await ovs.stop();
  }
});

const conditionsOf = async (daemon: Daemon, code: string) =>
  (await daemonStatus(daemon)).conditions.filter((condition) => condition.code === code);

const waitForCondition = (daemon: Daemon, code: string) =>
  waitFor(async () => (await conditionsOf(daemon, code))[0] ?? false, { what: `the condition ${code}` });

const column = async (row: string, name: string) => (await ovs.vsctl('get', 'IPFIX', row, name)).trim();

test('a row that disables input sampling is left to ovs-vswitchd, which exports output', needs, async (t) => {
  const disable = differs(t, 'sampling-keys') ? 'true' : 'false';
  const sink = await FlowRecordSink.open();
  t.after(() => sink.close());
  await ovs.addBridge('output');
  await ovs.addDummyPort('output', 'o1');
  await ovs.addDummyPort('output', 'o2');
  const row = await createIpfixRow(ovs, 'output', [sink.target], {
    sampling: 1,
    'other_config:enable-input-sampling': disable,
  });
  const daemon = await startDaemon(ovs);
  t.after(() => daemon.kill());
  const condition = await waitForCondition(daemon, 'input-sampling-disabled');
  assert.ok(condition.where.includes(row));
  assert.equal(await column(row, 'targets'), `["${sink.target}"]`);
  await ovs.inject('o1', udpFrame({}));
  // ovs-vswitchd exports statistics of its exporter as well.
  const directions = () => sink.records.flatMap(({ fields }) => fields['flowDirection'] ?? []);
  await waitFor(() => directions().length > 0, { what: 'a record of a flow' });
  assert.deepEqual(new Set(directions()), new Set([EGRESS]));

  await ovs.vsctl('remove', 'IPFIX', row, 'other_config', 'enable-input-sampling');
  await waitFor(async () => (await column(row, 'targets')) === '[]', { what: 'the row is adopted' });
  assert.deepEqual(await conditionsOf(daemon, 'input-sampling-disabled'), []);
  await setIpfixRow(ovs, row, { 'other_config:enable-input-sampling': disable });
  await waitFor(async () => (await column(row, 'targets')) !== '[]', { what: 'the row is handed back' });
  await daemon.stop();
  await ovs.vsctl('del-br', 'output');
});

test('settings that are not supported are reported in status and in the row', needs, async (t) => {
  const daemon = await startDaemon(ovs);
  t.after(() => daemon.kill());
  const br = await exportingBridge(t, ovs, daemon, { obs_domain_id: 11 });
  assert.deepEqual(await conditionsOf(daemon, 'setting-not-supported'), []);
  await br.set({ 'other_config:virtual_obs_id': 'vm-7', 'other_config:enable-tunnel-sampling': 'true' });
  await waitFor(async () => (await conditionsOf(daemon, 'setting-not-supported')).length === 2, {
    what: 'both',
  });
  await waitFor(async () => /virtual_obs_id/u.test(await column(br.row, 'external_ids')), {
    what: 'the condition is in the row',
  });
  found(await diagnose(ovs.environment), 'setting-not-supported', /virtual_obs_id/u);
  await ovs.vsctl('clear', 'IPFIX', br.row, 'other_config');
  await waitFor(async () => (await conditionsOf(daemon, 'setting-not-supported')).length === 0, {
    what: 'none',
  });
  await daemon.stop();
  await ovs.vsctl('del-br', br.name);
});

test(
  'a domain that ovs-vswitchd exports to the same collector is reported by daemon and doctor',
  needs,
  async (t) => {
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    for (const name of ['ours', 'theirs']) {
      await ovs.addBridge(name);
    }
    const ours = await createIpfixRow(ovs, 'ours', [sink.target], { 'external_ids:ovs-ipfix': 'adopt' });
    const theirs = await createIpfixRow(ovs, 'theirs', [sink.target]);
    const daemon = await startDaemon(ovs, { arguments: ['--adopt', 'marked'] });
    t.after(() => daemon.kill());
    const condition = await waitForCondition(daemon, 'domain-shared-with-vswitchd');
    assert.match(condition.where, new RegExp(ours, 'u'));
    assert.match(condition.message, /for bridge theirs/u);
    found(await diagnose(ovs.environment), 'domain-shared-with-vswitchd', new RegExp(ours, 'u'));
    await setIpfixRow(ovs, theirs, { obs_domain_id: 9 });
    await waitFor(async () => (await conditionsOf(daemon, 'domain-shared-with-vswitchd')).length === 0, {
      what: 'no condition',
    });
    lacks(await diagnose(ovs.environment), 'domain-shared-with-vswitchd');
    await daemon.stop();
    for (const name of ['ours', 'theirs']) {
      await ovs.vsctl('del-br', name);
    }
  },
);

test(
  'a database that is a relay is reported as the cause by daemon, doctor and release',
  unlessDiffers(needs, 'relay'),
  async (t) => {
    const socket = join(ovs.rundir, 'relay.sock');
    const server = await BackgroundProgram.start(
      'ovsdb-server',
      [
        `relay:Open_vSwitch:${ovs.dbEndpoint}`,
        `--remote=punix:${socket}`,
        '-vconsole:off',
        '-vsyslog:off',
        '--no-chdir',
      ],
      { environment: ovs.environment },
    );
    t.after(() => server.stop('SIGTERM'));
    const endpoint = `unix:${socket}`;
    const select = '["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[],"columns":["_uuid"]}]';
    await waitFor(
      async () =>
        (await runProgram('ovsdb-client', ['--timeout=1', 'transact', endpoint, select])).includes('_uuid'),
      { what: 'the relay answers' },
    );
    const daemon = await startDaemon(ovs, { arguments: ['--db', endpoint], waitForReady: false });
    t.after(() => daemon.kill());
    await daemon.waitForRefusal(/is a relay, .* connect to the real ovsdb-server/u);
    const condition = await waitForCondition(daemon, 'database-is-relay');
    assert.equal(condition.where, `OVS database ${endpoint}`);
    await daemon.stop();
    const diagnosis = await diagnose(ovs.environment, [endpoint]);
    assert.equal(found(diagnosis, 'database-is-relay', /relay\.sock/u).severity, 'error');
    const release = await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', endpoint], {
      environment: ovs.environment,
    }).then(
      () => undefined,
      (error: ProgramError) => error,
    );
    assert.match(release?.stderr ?? '', /is a relay/u);
    // With the relay's source among the methods, the source is used.
    const both = await startDaemon(ovs, { arguments: ['--db', `${endpoint},${ovs.dbEndpoint}`] });
    assert.deepEqual(await conditionsOf(both, 'database-is-relay'), []);
    await both.stop();
  },
);
