// The daemon is ready only while nothing that it should export is left unexported: `ready`, the exit code of `status`, which is the
// health check of the image, and `ovs_ipfix_ready` agree. What is left to ovs-vswitchd on purpose is not a fault.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { addCollectorSet, createCollectorSet, createIpfixRow, setIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { pageAddress } from '../support/page.ts';
import { ProgramError, runProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const needs = tier('ovs', 'daemon');

/** Returns what the three ways of asking say of a daemon; fails unless they agree. */
async function readiness(ovs: Ovs, daemon: Daemon): Promise<'ready' | 'not ready'> {
  const said = await daemon.appctl('ready').catch((error: unknown) => String(error));
  const args = [DAEMON_FILE, 'status', '--unixctl', daemon.controlPath];
  const exitCode = await runProgram(process.execPath, args, { environment: ovs.environment }).then(
    () => 0,
    (error: unknown) => (error instanceof ProgramError ? error.exitCode : undefined),
  );
  const metrics = await (await fetch(`${await pageAddress(daemon)}metrics`)).text();
  const isReady = said === 'ready\n';
  assert.equal(exitCode, isReady ? 0 : 3, said);
  assert.match(metrics, new RegExp(`^ovs_ipfix_ready ${isReady ? 1 : 0}$`, 'mu'), said);
  return isReady ? 'ready' : 'not ready';
}

const startWithPage = (ovs: Ovs, ...args: readonly string[]) =>
  startDaemon(ovs, { arguments: ['--web', '127.0.0.1:0', ...args], waitForReady: false });

test(
  'a row that exports nothing makes the daemon not ready, unless it is not meant to be its own',
  needs,
  async (t) => {
    const ovs = await startOvs({ allowedWarnings: [/collector|bad port number/u] });
    t.after(() => ovs.stop());
    await ovs.addBridge('br0');
    const row = await createIpfixRow(ovs, 'br0', ['127.0.0.1:99999']);
    const daemon = await startWithPage(ovs);
    t.after(() => daemon.kill());
    await daemon.waitForRefusal(new RegExp(`IPFIX row ${row} .*has no valid target`, 'u'));
    assert.equal(await readiness(ovs, daemon), 'not ready');
    await setIpfixRow(ovs, row, { targets: '"127.0.0.1:4739"' });
    await daemon.waitForReady();
    assert.equal(await readiness(ovs, daemon), 'ready');

    // A collector set without a row, and one whose bridge is gone, for which no packet can be sampled.
    await addCollectorSet(ovs, 'br0', 1);
    await daemon.waitForRefusal(/Flow_Sample_Collector_Set 1 of bridge br0 .*It has no IPFIX row/u);
    assert.equal(await readiness(ovs, daemon), 'not ready');
    await ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
    await daemon.waitForReady();
    await ovs.addBridge('br1');
    await createCollectorSet(ovs, 'br1', 2, '127.0.0.1:4739');
    await daemon.waitForReady();
    await ovs.vsctl('del-br', 'br1');
    await waitFor(async () => (await daemon.appctl('conditions')).includes('dangling-reference'), {
      what: 'the bridge of the set is gone',
    });
    await daemon.waitForReady();
    assert.equal(await readiness(ovs, daemon), 'ready');
    await ovs.vsctl('--all', 'destroy', 'Flow_Sample_Collector_Set');
    await daemon.stop();

    await setIpfixRow(ovs, row, { targets: '"127.0.0.1:99999"' });
    const other = await startWithPage(ovs, '--adopt', 'marked');
    t.after(() => other.kill());
    await other.waitForReady();
    assert.equal(await readiness(ovs, other), 'ready');
    await setIpfixRow(ovs, row, { 'external_ids:ovs-ipfix': 'adopt' });
    await other.waitForRefusal(/has no valid target/u);
    assert.equal(await readiness(ovs, other), 'not ready');
    await other.stop();
  },
);

test(
  'a row that disables input sampling is not a fault, unless ovs-vswitchd has no targets for it either',
  needs,
  async (t) => {
    const ovs = await startOvs({ allowedWarnings: [/collector/u] });
    t.after(() => ovs.stop());
    await ovs.addBridge('br0');
    const key = { 'other_config:enable-input-sampling': 'false' };
    const row = await createIpfixRow(ovs, 'br0', ['127.0.0.1:4739'], key);
    const daemon = await startWithPage(ovs);
    t.after(() => daemon.kill());
    await waitFor(async () => (await daemon.appctl('conditions')).includes('input-sampling-disabled'), {
      what: 'the row is left to ovs-vswitchd',
    });
    assert.equal(await readiness(ovs, daemon), 'ready');
    await setIpfixRow(ovs, row, { targets: '[]', 'external_ids:ovs-ipfix-targets': '"127.0.0.1:4739"' });
    await daemon.waitForRefusal(/disables input sampling, and .* nothing is exported/u);
    assert.equal(await readiness(ovs, daemon), 'not ready');
    await daemon.stop();
  },
);
