// A database that ovsdb-server cannot write because its file system is full: the daemon says so, goes on exporting, tries again,
// and hands rows back only when there is space.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const frame = ethernet(
  {},
  ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp({ source: 1, destination: 2 })),
);

/** Bytes of the file system, of which the database needs some 20,000 at first. */
const DISK_BYTES = 512 * 1024;
/** The longest pause of the daemon between two attempts, on a busy machine. */
const RETRY_MS_MAX = 10_000;
const FAILURES_MIN = 4;

async function addSampledBridge(ovs: Ovs, sink: FlowRecordSink, name: string): Promise<void> {
  await ovs.addBridge(name);
  await ovs.addDummyPort(name, `${name}-1`);
  await createIpfixRow(ovs, name, [sink.target], { sampling: 1 });
}

async function stateOf(ovs: Ovs, bridge: string): Promise<string> {
  const row = (await ovs.vsctl('get', 'Bridge', bridge, 'ipfix')).trim();
  return (await ovs.vsctl('--if-exists', 'get', 'IPFIX', row, 'external_ids:ovs-ipfix-state')).trim();
}

test(
  'goes on exporting beside a database that is full, says so, and adopts rows when there is space',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const ovs = await startOvs({ databaseBytes: DISK_BYTES });
    const sink = await FlowRecordSink.open();
    await addSampledBridge(ovs, sink, 'br0');
    const daemon = await startDaemon(ovs);
    t.after(() =>
      endInOrder(
        () => daemon.kill(),
        () => sink.close(),
        () => ovs.stop(),
      ),
    );
    // The daemon finds a new row and no space to adopt it.
    daemon.signal('SIGSTOP');
    await addSampledBridge(ovs, sink, 'br1');
    await ovs.fillDatabase();
    daemon.signal('SIGCONT');
    const full = await waitFor(
      async () => {
        const status = await daemonStatus(daemon);
        return status.rows.failureCount >= FAILURES_MIN && status;
      },
      { what: `${FAILURES_MIN} attempts to adopt the row` },
    );
    const condition = full.conditions.find(({ code }) => code === 'database-unwritable');
    assert.match(condition?.message ?? '', /^ovsdb-server cannot write it \(.*No space left on device\)/u);
    assert.match(condition?.action ?? '', /^Free space in the file system of the database/u);
    assert.equal(full.rows.state, 'backoff');
    await daemon.waitForRefusal(/IPFIX rows are being adopted/u);
    await ovs.inject('br0-1', frame, frame);
    await sink.waitForPackets(2);
    await ovs.freeDatabase();
    await daemon.waitForReady(RETRY_MS_MAX);
    const { conditions, rows } = await daemonStatus(daemon);
    assert.deepEqual([conditions, rows.lastError], [[], undefined]);
    assert.equal(await stateOf(ovs, 'br1'), 'adopted');
    await ovs.inject('br1-1', frame);
    await sink.waitForPackets(3);
    await daemon.stop();
    assert.equal(await stateOf(ovs, 'br0'), '');
  },
);

test(
  'a stop beside a full database leaves the rows adopted, says so, and release hands them back later',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const ovs = await startOvs({ databaseBytes: DISK_BYTES });
    const sink = await FlowRecordSink.open();
    await addSampledBridge(ovs, sink, 'br0');
    const { environment } = ovs;
    const command = [DAEMON_FILE, 'run', '--db', ovs.dbEndpoint];
    const program = await BackgroundProgram.start(process.execPath, command, { environment });
    t.after(() =>
      endInOrder(
        async () => void (await program.stop('SIGKILL')),
        () => sink.close(),
        () => ovs.stop(),
      ),
    );
    await waitFor(async () => (await stateOf(ovs, 'br0')) === 'adopted', { what: 'the row is adopted' });
    await ovs.fillDatabase();
    const { exitCode } = await program.stop('SIGTERM', RETRY_MS_MAX);
    assert.equal(exitCode, 1);
    assert.match(
      program.stderr,
      /IPFIX rows could not be handed back: .*No space left on device.*; run "ovs-ipfix release"/u,
    );
    assert.equal(await stateOf(ovs, 'br0'), 'adopted');
    await ovs.freeDatabase();
    await ovs.run(process.execPath, DAEMON_FILE, 'release', '--db', ovs.dbEndpoint);
    assert.equal(await stateOf(ovs, 'br0'), '');
  },
);
