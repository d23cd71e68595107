// Gaps of collector sets on a real Open vSwitch: what the log and the status say of a take-over, a restart of
// ovs-vswitchd, and a restart of the daemon.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { daemonStatus } from '../support/ipfix-rows.ts';
import { createSets, OwnedRows } from '../support/many-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const SETS = 3;
/** On a busy machine. */
const READY_MS_MAX = 20_000;

let ovs: Ovs;
let sink: UdpSink;
let owned: OwnedRows;

const { skip } = tier('ovs', 'daemon');

beforeEach(async (t) => {
  if (skip !== false) {
    return;
  }
  ovs = await startOvs();
  sink = await UdpSink.open();
  owned = await OwnedRows.follow(ovs);
  await ovs.addBridge('br0');
  (t as { after(end: () => Promise<void>): void }).after(() =>
    endInOrder(
      async () => owned.close(),
      () => sink.close(),
      () => ovs.stop(),
    ),
  );
});

/** Waits until each set has so many gaps, all of them ended; returns those of each set. */
async function waitForGaps(daemon: Daemon, count: number) {
  return waitFor(
    async () => {
      const { bridges } = await daemonStatus(daemon);
      const gaps = bridges[0]?.flowSampling.map((set) => set.gaps) ?? [];
      return gaps.length === SETS && gaps.every((gap) => gap?.count === count) && gaps;
    },
    { what: `${count} gaps of each set`, timeoutMs: READY_MS_MAX },
  );
}

for (const sampler of ['packet-in', 'datapath']) {
  test(`each time without samples of the sets is a gap with its cause (${sampler})`, { skip }, async () => {
    await ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
    const daemon = await startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX });
    await createSets(ovs, 'br0', SETS, sink.target);
    await waitFor(() => owned.count === SETS, { what: 'all rows are managed', timeoutMs: READY_MS_MAX });
    await waitForGaps(daemon, 1);
    await ovs.killVswitchd('SIGTERM');
    await ovs.startVswitchd();
    await daemon.waitForReady(READY_MS_MAX);
    for (const gaps of await waitForGaps(daemon, 2)) {
      assert.deepEqual(
        gaps?.recent.map(({ cause }) => cause),
        ['take-over', 'connection'],
      );
    }
    assert.match(
      daemon.log,
      /3 collector sets not sampled for \d+ ms .*: its row was taken over from ovs-vswitchd/u,
    );
    assert.match(
      daemon.log,
      /3 collector sets not sampled for \d+ ms .*: the connection to the bridge was lost/u,
    );
    await daemon.kill();
    const later = await startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX });
    const [gaps] = await waitForGaps(later, 1);
    assert.equal(gaps?.recent[0]?.cause, 'start');
    await later.stop();
    assert.match(
      later.log,
      /3 collector sets not sampled for \d+ ms .*: its row was handed back to ovs-vswitchd/u,
    );
  });
}

test('what is added with a row that is adopted already has a gap since then, not since the adoption', {
  skip,
}, async () => {
  const daemon = await startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX });
  const row = (
    await ovs.vsctl(
      '--',
      '--id=@i',
      'create',
      'IPFIX',
      `targets="${sink.target}"`,
      '--',
      'set',
      'Bridge',
      'br0',
      'ipfix=@i',
    )
  ).trim();
  const bridge = async () => (await daemonStatus(daemon)).bridges[0];
  const causes = async () => (await bridge())?.gaps.recent.map(({ cause }) => cause).join();
  await waitFor(async () => (await causes()) === 'take-over', { what: 'the bridge is exported' });
  const addSet = ['--', 'create', 'Flow_Sample_Collector_Set', 'bridge=@b', 'id=7', `ipfix=${row}`];
  await ovs.vsctl('--', '--id=@b', 'get', 'Bridge', 'br0', ...addSet);
  const causesOfSet = async () => (await bridge())?.flowSampling[0]?.gaps?.recent.map(({ cause }) => cause);
  await waitFor(async () => (await causesOfSet())?.join() === 'added', { what: 'the set is exported' });
  // The set uses the row meanwhile, so that it stays adopted.
  await ovs.vsctl('clear', 'Bridge', 'br0', 'ipfix');
  await waitFor(async () => (await bridge())?.sampling === undefined, { what: 'the bridge is not exported' });
  await ovs.vsctl('set', 'Bridge', 'br0', `ipfix=${row}`);
  await waitFor(async () => (await causes()) === 'take-over,added', { what: 'the bridge is exported again' });
  await daemon.stop();
});
