// A thousand collector sets of one bridge, created in one transaction beside a running daemon.

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

const SETS = 1000;
/** On a busy machine. */
const READY_MS_MAX = 60_000;
/** Writings of rows by the daemon: one, or two with a flush; and one more if notifications come in between. */
const WRITINGS_MAX = 3;

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

async function run(sampler: string): Promise<Daemon> {
  await ovs.vsctl('set', 'Bridge', 'br0', `external_ids:ovs-ipfix-sampler=${sampler}`);
  return startDaemon(ovs, { readyTimeoutMs: READY_MS_MAX });
}

for (const sampler of ['packet-in', 'datapath']) {
  test(`a thousand sets are exported after few transactions (${sampler})`, { skip }, async () => {
    const daemon = await run(sampler);
    const before = owned.updates;
    await createSets(ovs, 'br0', SETS, sink.target);
    await waitFor(() => owned.count === SETS, { what: 'all rows are managed', timeoutMs: READY_MS_MAX });
    await daemon.waitForReady(READY_MS_MAX);
    const { bridges, rows, conditionsOmitted } = await daemonStatus(daemon);
    const [{ flowSampling } = { flowSampling: [] }] = bridges;
    assert.deepEqual(
      [flowSampling.length, flowSampling.filter(({ exporter }) => exporter.state !== 'running')],
      [SETS, []],
    );
    assert.equal(rows.failureCount, 0);
    assert.equal(conditionsOmitted, 0);
    // One is that of the operator.
    const writings = owned.updates - before - 1;
    assert.ok(writings <= WRITINGS_MAX, `${writings} writings`);
    await daemon.stop();
    await waitFor(() => owned.count === 0, { what: 'all rows are handed back' });
    // One for all rows, and one for the own rows of the daemon.
    const endings = owned.updates - before - 1 - writings;
    assert.ok(endings <= 2, `${endings} writings at the end`);
  });
}
