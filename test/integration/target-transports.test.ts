// Targets with a transport in rows: the daemon exports to them beside a real vswitchd, which cannot, and a release says so.

import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createTlsBench } from '../support/collector-tls.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose, found } from '../support/doctor.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram, runProgram } from '../support/process.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

let ovs: Ovs;
let sink: UdpSink;
let stream: StreamSink;
let daemon: Daemon | undefined;

before(async () => {
  // vswitchd does not know transports.
  ovs = await startOvs({
    allowedWarnings: [
      /couldn't open connection to collector (tcp|udp|tls):/u,
      /\|ipfix\|WARN\|/u,
      /dns_resolve\|ERR\|/u,
    ],
  });
  sink = await UdpSink.open();
});
after(() =>
  endInOrder(
    () => sink.close(),
    () => ovs.stop(),
  ),
);
beforeEach(async () => {
  stream = await StreamSink.open();
  await ovs.vsctl('--if-exists', 'del-br', 'br0');
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  sink.clear();
});
afterEach(async () => {
  await daemon?.kill();
  daemon = undefined;
  await stream.close();
});

const setRow = (...targets: readonly string[]) => createIpfixRow(ovs, 'br0', targets, { sampling: 1 });
const rowText = () => ovs.vsctl('--columns=targets,external_ids', 'list', 'IPFIX');

async function start(...options: readonly string[]): Promise<Daemon> {
  daemon = await startDaemon(ovs, { arguments: options });
  return daemon;
}

let nextPort = 1;
/** Injects a frame of a new flow. */
async function inject(): Promise<void> {
  const ports = { source: nextPort, destination: 53 };
  nextPort += 1;
  await ovs.inject('p1', ethernet({}, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp(ports))));
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

test('a row with targets over UDP and TCP: the first goes back at a stop, the other stays held and is named', async () => {
  await setRow(sink.target, stream.target);
  const running = await start();
  for (let count = 0; count < 20; count += 1) {
    await inject();
  }
  await waitFor(() => stream.records.length === 20, { what: 'all records have arrived over TCP' });
  assert.deepEqual([stream.problems, stream.connectionCount], [[], 1]);
  await running.stop();
  assert.match(await rowText(), new RegExp(`targets +: \\["${sink.target}"\\]`, 'u'));
  assert.match(
    await rowText(),
    new RegExp(`external_ids +: \\{ovs-ipfix-targets="${stream.target}"\\}`, 'u'),
  );
  assert.match(
    lastLine(running.log),
    new RegExp(`stopped; nothing is exported now to ${stream.target}, because only ovs-ipfix`, 'u'),
  );
  await start();
  await inject();
  await waitFor(() => stream.records.length === 21, { what: 'the held target is used again' });
  assert.deepEqual(stream.problems, []);
});

test('a row with a target over TCP alone is exported under every policy, and stays as it is', async () => {
  await setRow(stream.target);
  const before = await rowText();
  const running = await start('--adopt', 'none');
  await inject();
  await waitFor(() => stream.records.length === 1, { what: 'the record has arrived' });
  assert.equal(await rowText(), before);
  await running.stop();
  assert.equal(await rowText(), before);
});

test('a row over TLS has the files of the folder that it names', async () => {
  const bench = await createTlsBench();
  const folder = join(bench.folder.path, 'blue');
  await mkdir(folder);
  await copyFile(bench.ca.cert, join(folder, 'ca.crt'));
  await copyFile(bench.client.cert, join(folder, 'tls.crt'));
  await copyFile(bench.client.key, join(folder, 'tls.key'));
  const secure = await StreamSink.open({ tls: bench.serverOptions });
  await createIpfixRow(ovs, 'br0', [secure.target], { sampling: 1, 'external_ids:ovs-ipfix-tls': 'blue' });
  const running = await start('--tls-dir', bench.folder.path);
  await inject();
  await waitFor(() => secure.records.length === 1, { what: 'the record has arrived' });
  assert.deepEqual(secure.problems, []);
  await running.stop();
  await secure.close();
});

test('a fault of TLS is a condition of the row until the collector can be verified, and the doctor knows it', async () => {
  const bench = await createTlsBench();
  const other = await bench.folder.authority('other');
  const folder = join(bench.folder.path, 'red');
  await mkdir(folder);
  await copyFile(other.cert, join(folder, 'ca.crt'));
  await copyFile(bench.client.cert, join(folder, 'tls.crt'));
  await copyFile(bench.client.key, join(folder, 'tls.key'));
  const secure = await StreamSink.open({ tls: bench.serverOptions });
  await createIpfixRow(ovs, 'br0', [secure.target], { sampling: 1, 'external_ids:ovs-ipfix-tls': 'red' });
  const running = await start('--tls-dir', bench.folder.path);
  await inject();
  const problem = async () => (await rowText()).includes('collector-tls-fault');
  await waitFor(problem, { what: 'the row says that TLS fails' });
  assert.match(await running.appctl('status'), /signed by the CA of .*red\/ca\.crt; its records wait/u);
  const byDaemon = await diagnose(ovs.environment);
  found(byDaemon, 'collector-tls-fault', /^IPFIX row /u);
  const byDoctor = await diagnose(ovs.environment, ['--tls-dir', bench.folder.path]);
  found(byDoctor, 'collector-tls-refused', /^Collector tls:/u);
  const bound = await diagnose(ovs.environment, ['--source-address', '192.0.2.77']);
  assert.match(
    found(bound, 'collector-refuses', /^Collector tls:/u).message,
    /this host does not have the source address 192\.0\.2\.77/u,
  );
  await copyFile(bench.ca.cert, join(folder, 'ca.crt'));
  await waitFor(() => secure.records.length === 1, { what: 'the record has arrived', timeoutMs: 20_000 });
  await waitFor(async () => !(await problem()), { what: 'the condition is gone' });
  await running.stop();
  await secure.close();
});

test('a collector process that is stopped for a while gets every record', async () => {
  const args = [DAEMON_FILE, 'collect', '--listen', '127.0.0.1:0', '--format', 'json'];
  const collector = await BackgroundProgram.start(process.execPath, args, { environment: ovs.environment });
  const port = await waitFor(() => /127\.0\.0\.1:(\d+)/u.exec(collector.stderr + collector.stdout)?.[1], {
    what: 'it listens',
  });
  await setRow(`tcp:127.0.0.1:${port}`, stream.target);
  const running = await start();
  await inject();
  const recordCount = () =>
    collector.stdout.split('\n').filter((line) => line.includes('"destinationTransportPort"')).length;
  await waitFor(() => recordCount() === 1, { what: 'the first record has arrived' });
  collector.signal('SIGSTOP');
  for (let count = 0; count < 30; count += 1) {
    await inject();
  }
  await waitFor(() => stream.records.length === 31, { what: 'the other collector has them' });
  assert.equal(recordCount(), 1);
  collector.signal('SIGCONT');
  await waitFor(() => recordCount() === 31, { what: 'all records have arrived' });
  assert.deepEqual(stream.problems, []);
  await running.stop();
  await collector.stop('SIGTERM');
  assert.match(collector.stderr + collector.stdout, /31 records in \d+ messages, 0 problems|"records":31/u);
});

test('a stop says how many records waited for a collector that is gone', async () => {
  await setRow(stream.target);
  const running = await start();
  await stream.close();
  for (let count = 0; count < 5; count += 1) {
    await inject();
  }
  const waiting = async () => {
    const status = JSON.parse(await running.appctl('status', 'json'));
    return status.bridges[0]?.sampling?.exporter?.collectors[0]?.backlogCount ?? 0;
  };
  await waitFor(async () => (await waiting()) > 0, { what: 'records wait' });
  const startMs = performance.now();
  await running.kill('SIGTERM');
  const { exitCode } = await running.exited;
  assert.equal(exitCode, 1);
  assert.ok(performance.now() - startMs < 5000);
  assert.match(running.log, /closed, and 5 records still waited: they are lost/u);
  assert.match(lastLine(running.log), /5 records still waited for a collector: they are lost/u);
});

test('release names the collectors that get nothing in its last line', async () => {
  await setRow(sink.target, stream.target);
  await (await start()).kill();
  const output = await runProgram(process.execPath, [DAEMON_FILE, 'release', '--db', ovs.dbEndpoint], {
    environment: ovs.environment,
  });
  assert.equal(
    lastLine(output),
    `Nothing is exported now to ${stream.target}, because only ovs-ipfix exports to them.`,
  );
});
