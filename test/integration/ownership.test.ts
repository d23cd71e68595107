// Who exports, vswitchd or the daemon: rows are adopted and released in a real database beside a real vswitchd, whose own
// exporter is recognised by its messages.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { RECORD_FORMATS, type RecordFormat } from '../../src/ipfix/record-layout.ts';
import { startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow, type RowColumns } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram } from '../support/process.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

/** Bytes of our record of a UDP packet over IPv4, with the headers of message and set; those of vswitchd are longer. */
const ORIGINAL_SIZE = 16 + 4 + 19 + 6 + 8 + 4 + 25 + 24;
const OUR_SIZES: Readonly<Record<RecordFormat, number>> = {
  original: ORIGINAL_SIZE,
  extended: ORIGINAL_SIZE + 4 + 5 + 1 + 8 + 4 + 16,
};

let ovs: Ovs;
let sink: UdpSink;
let other: UdpSink;

before(async () => {
  // An invalid target of a test, which vswitchd 2.15 tries to resolve before the row is adopted.
  ovs = await startOvs({ allowedWarnings: [/dns_resolve\|ERR\|1\.2\.3: failed to resolve/u] });
  sink = await UdpSink.open();
  other = await UdpSink.open();
});
after(() =>
  endInOrder(
    () => sink.close(),
    () => other.close(),
    () => ovs.stop(),
  ),
);
beforeEach(async () => {
  await ovs.vsctl('--if-exists', 'del-br', 'br0');
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  sink.clear();
  other.clear();
});

const setRow = (targets: readonly string[], columns: RowColumns = {}) =>
  createIpfixRow(ovs, 'br0', targets, { sampling: 1, ...columns });

const rowUuid = async () => (await ovs.vsctl('get', 'Bridge', 'br0', 'ipfix')).trim();
const rowText = () => ovs.vsctl('--columns=targets,external_ids,sampling,obs_domain_id', 'list', 'IPFIX');

let nextPort = 1;
/** Injects a frame of a new flow; vswitchd exports it if the row has targets, the daemon if it has adopted the row. */
async function inject(): Promise<void> {
  const ports = { source: nextPort, destination: 53 };
  nextPort += 1;
  await ovs.inject('p1', ethernet({}, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp(ports))));
}

/** Returns the exporter, which it recognises by the size of a message with one record. */
async function exporterOf(
  collector: UdpSink,
  format: RecordFormat = 'extended',
): Promise<'ours' | 'vswitchd'> {
  collector.clear();
  await inject();
  const isData = (datagram: Buffer) => datagram.readUInt16BE(16) >= 256;
  await collector.waitUntil((datagrams) => datagrams.some(isData), 'a data record has arrived');
  const data = collector.datagrams.find(isData);
  return data?.length === OUR_SIZES[format] ? 'ours' : 'vswitchd';
}

for (const format of RECORD_FORMATS) {
  test(`a row of the format ${format} is adopted when the daemon starts, and restored when it stops`, async () => {
    await setRow([sink.target], {
      obs_domain_id: 5,
      'external_ids:owner': 'me',
      'external_ids:ovs-ipfix-record-format': format,
    });
    const before = await rowText();
    assert.equal(await exporterOf(sink, format), 'vswitchd');
    const daemon = await startDaemon(ovs);
    assert.equal(await exporterOf(sink, format), 'ours');
    const adopted = await rowText();
    assert.match(adopted, /targets *: \[\]/u);
    assert.match(adopted, /ovs-ipfix-state=adopted/u);
    assert.match(adopted, /owner=me/u);
    await daemon.stop();
    assert.equal(await rowText(), before);
    assert.equal(await exporterOf(sink, format), 'vswitchd');
  });
}

test('targets that the user sets on an adopted row are adopted immediately', async () => {
  await setRow([sink.target]);
  const daemon = await startDaemon(ovs);
  assert.equal(await exporterOf(sink), 'ours');
  await ovs.vsctl('set', 'IPFIX', await rowUuid(), `targets="${other.target}"`);
  await waitFor(async () => (await rowText()).includes(`ovs-ipfix-targets="${other.target}"`), {
    what: 'the row is adopted again',
  });
  await daemon.waitForReady();
  assert.equal(await exporterOf(other), 'ours');
  sink.clear();
  assert.equal(await exporterOf(other), 'ours');
  assert.equal(sink.datagrams.length, 0);
  await daemon.stop();
  assert.match(await rowText(), new RegExp(`targets *: \\["${other.target}"\\]`, 'u'));
});

test('--adopt=marked adopts only a marked row, and --adopt=none only a native one', async () => {
  await setRow([sink.target]);
  const marked = await startDaemon(ovs, { arguments: ['--adopt', 'marked'] });
  assert.equal(await exporterOf(sink), 'vswitchd');
  await ovs.vsctl('set', 'IPFIX', await rowUuid(), 'external_ids:ovs-ipfix=adopt');
  await waitFor(async () => (await rowText()).includes('ovs-ipfix-state=adopted'), {
    what: 'the row is adopted',
  });
  await marked.waitForReady();
  assert.equal(await exporterOf(sink), 'ours');
  await marked.stop();

  await ovs.vsctl('clear', 'IPFIX', await rowUuid(), 'targets', 'external_ids');
  await ovs.vsctl('set', 'IPFIX', await rowUuid(), `external_ids:ovs-ipfix-targets="${sink.target}"`);
  const native = await rowText();
  const none = await startDaemon(ovs, { arguments: ['--adopt', 'none'] });
  assert.equal(await exporterOf(sink), 'ours');
  await none.stop();
  assert.equal(await rowText(), native);
});

test('a bad target is written to the row as a condition, which is removed when the target is fixed', async () => {
  ovs.allowWarnings(/(collectors|dns_resolve).*\|WARN\|.*1\.2\.3/u);
  await setRow([sink.target, '1.2.3:99']);
  const before = await rowText();
  const daemon = await startDaemon(ovs);
  assert.equal(await exporterOf(sink), 'ours');
  assert.match(await rowText(), /ovs-ipfix-problem=.*1\.2\.3:99.*bad-target/u);
  assert.match(await daemon.appctl('status'), /bad-target/u);
  await ovs.vsctl('set', 'IPFIX', await rowUuid(), `targets="${sink.target}"`);
  await waitFor(async () => !(await rowText()).includes('ovs-ipfix-problem'), {
    what: 'the condition is gone',
  });
  await ovs.vsctl('set', 'IPFIX', await rowUuid(), `targets="${sink.target}","1.2.3:99"`);
  await waitFor(async () => (await rowText()).includes('ovs-ipfix-problem'), {
    what: 'the condition is back',
  });
  await daemon.stop();
  assert.equal(await rowText(), before);
});

test('after SIGKILL the next daemon continues with the row, and release restores everything', async () => {
  await setRow([sink.target], { obs_domain_id: 6 });
  const before = await rowText();
  const first = await startDaemon(ovs);
  await first.kill();
  const second = await startDaemon(ovs);
  assert.equal(await exporterOf(sink), 'ours');
  assert.equal((await rowText()).match(/127\.0\.0\.1/gu)?.length, 1);
  await second.kill();
  assert.match(await ovs.ofctl('dump-flows', 'br0'), /id=18768/u);
  const said = await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint);
  assert.match(said, new RegExp(`^1 IPFIX row changed, ${1 + ovs.otherBridgeCount} bridges? cleaned`, 'u'));
  assert.equal(await rowText(), before);
  assert.doesNotMatch(await ovs.ofctl('dump-flows', 'br0'), /id=18768/u);
  assert.doesNotMatch(await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=/u);
  assert.match(
    await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint),
    /^0 IPFIX rows changed/u,
  );
  assert.equal(await exporterOf(sink), 'vswitchd');
});

test('release beside a running daemon ends its export until it is restarted', async () => {
  await setRow([sink.target]);
  const before = await rowText();
  const daemon = await startDaemon(ovs);
  await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint);
  await daemon.waitForRefusal(/lock of the active daemon was taken/u);
  assert.equal(await rowText(), before);
  assert.equal(await exporterOf(sink), 'vswitchd');
  await daemon.stop();
  assert.equal(await rowText(), before);
});

test('release takes the lock for good: a standby daemon exports, and the previous holder does not', async () => {
  await setRow([sink.target]);
  const first = await startDaemon(ovs);
  const second = await startDaemon(ovs, { waitForReady: false });
  await second.waitForRefusal(/Another ovs-ipfix has the lock/u);
  await ovs.run(process.execPath, DAEMON_FILE, 'release', ovs.dbEndpoint);
  await second.waitForReady();
  assert.equal(await exporterOf(sink), 'ours');
  await second.stop();
  // The lock is free now, and the previous holder does not request it.
  await first.waitForRefusal(/lock of the active daemon was taken/u);
  assert.equal(await exporterOf(sink), 'vswitchd');
  const third = await startDaemon(ovs);
  assert.equal(await exporterOf(sink), 'ours');
  await third.stop();
  await first.stop();
});

test("release --unless-held, the unit's, takes nothing from a daemon that runs or has taken over", async () => {
  await setRow([sink.target]);
  const before = await rowText();
  const release = () => ovs.run(process.execPath, DAEMON_FILE, 'release', '--unless-held', ovs.dbEndpoint);
  const nothing = 'Nothing changed: another ovs-ipfix holds the lock of the active daemon.\n';
  const first = await startDaemon(ovs);
  const second = await startDaemon(ovs, { waitForReady: false });
  await second.waitForRefusal(/Another ovs-ipfix has the lock/u);
  assert.equal(await release(), nothing);
  assert.equal(await exporterOf(sink), 'ours');
  await first.kill();
  assert.equal(await release(), nothing);
  await second.waitForReady();
  assert.equal(await exporterOf(sink), 'ours');
  await second.kill();
  assert.match(await release(), /^1 IPFIX row changed/u);
  assert.equal(await rowText(), before);
  assert.doesNotMatch(await ovs.ofctl('dump-flows', 'br0'), /id=18768/u);
});

test('a second daemon exports after the first one has stopped', async () => {
  await setRow([sink.target]);
  const first = await startDaemon(ovs);
  const second = await startDaemon(ovs, { waitForReady: false });
  await second.waitForRefusal(/Another ovs-ipfix has the lock/u);
  assert.equal(await exporterOf(sink), 'ours');
  await first.stop();
  await second.waitForReady();
  assert.equal(await exporterOf(sink), 'ours');
  await second.stop();
});

test('a daemon whose lock was taken leaves everything to the new holder, and is the standby', async () => {
  await setRow([sink.target]);
  const daemon = await startDaemon(ovs);
  const standby = await startDaemon(ovs, { waitForReady: false });
  await standby.waitForRefusal(/Another ovs-ipfix has the lock/u);
  const adopted = await rowText();
  const hook = async () => {
    const flows = await ovs.ofctl('dump-flows', '--no-stats', 'br0');
    return flows.split('\n').find((line) => line.includes('id=18768'));
  };
  const installed = await hook();
  assert.ok(installed);
  await inject();
  const thief = await BackgroundProgram.start('ovsdb-client', ['steal', ovs.dbEndpoint, 'ovs_ipfix'], {
    environment: ovs.environment,
  });
  await daemon.waitForRefusal(/Another ovs-ipfix has the lock/u);
  await waitFor(async () => JSON.parse(await daemon.appctl('status', 'json')).bridges.length === 0, {
    what: 'nothing is exported',
  });
  assert.equal(await hook(), installed);
  assert.match(await ovs.ofctl('-O', 'OpenFlow13', 'dump-meters', 'br0'), /meter=65000/u);
  assert.equal(await rowText(), adopted);
  await thief.stop();
  await standby.waitForReady();
  await daemon.waitForRefusal(/Another ovs-ipfix has the lock/u);
  assert.equal(await exporterOf(sink), 'ours');
  await standby.kill();
  await daemon.waitForReady();
  assert.equal(await exporterOf(sink), 'ours');
  await daemon.stop();
});

test('release without a database reports it and fails', async () => {
  await assert.rejects(
    ovs.run(process.execPath, DAEMON_FILE, 'release', `unix:${ovs.rundir}/absent.sock`),
    /could not be reached: [^\n]*absent\.sock[^.\n]*\.(?:\n|$)/u,
  );
});
