// Targets that are files: a real daemon and vswitchd, and tshark and ipfixDump, which read each file by itself.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { framePcap } from '../support/collectors.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { namesIn, readFileRecords, readFiles } from '../support/file-collector.ts';
import { ethernet, ipv4, udp, udpFrame } from '../support/frames.ts';
import { createIpfixRow, daemonStatus } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { runForOutput, runProgram } from '../support/process.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

let ovs: Ovs;
let folder: string;
let daemon: Daemon | undefined;

before(async () => {
  // vswitchd does not know files.
  ovs = await startOvs({
    allowedWarnings: [
      /socket_util\|ERR\|file:.*: bad port number/u,
      /couldn't open connection to collector (file|tcp):/u,
      /\|ipfix\|WARN\|/u,
      /dns_resolve\|ERR\|/u,
    ],
  });
});
after(() => ovs.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-targets-'));
  await ovs.vsctl('--if-exists', 'del-br', 'br0');
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
});
afterEach(async () => {
  await daemon?.kill();
  daemon = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function start(...options: readonly string[]): Promise<Daemon> {
  daemon = await startDaemon(ovs, { arguments: options });
  return daemon;
}

let nextPort = 1;
/** Injects frames of new flows. */
async function inject(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const ports = { source: nextPort, destination: 53 };
    nextPort += 1;
    await ovs.inject('p1', ethernet({}, ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, udp(ports))));
  }
}

async function collectorOf(running: Daemon, index = 0) {
  const status = await daemonStatus(running);
  const collector = status.bridges[0]?.sampling?.exporter?.collectors[index];
  assert.ok(collector !== undefined, 'the bridge has the collector');
  return collector;
}

const written = (running: Daemon, count: number, index = 0) =>
  waitFor(async () => (await collectorOf(running, index)).recordsSent === count, {
    what: `${count} records are written`,
  });

/** Returns the source ports that tshark reads in a file. */
async function portsByTshark(path: string): Promise<readonly string[]> {
  const fields = ['-T', 'fields', '-e', 'cflow.srcport', '-E', 'separator=,'];
  const output = await runProgram('tshark', ['-n', '-r', path, ...fields], { timeoutMs: 60_000 });
  return output.split(/[\s,]+/u).filter((word) => word !== '');
}

const numbers = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => String(first + index));

test(
  'each file is read by tshark and ipfixDump with every record, and the last one is complete after a stop',
  tier('ovs', 'daemon', 'tshark', 'fixbuf'),
  async () => {
    const first = nextPort;
    await createIpfixRow(ovs, 'br0', ['file:%Y%m%d%H%M%S.ipfix'], { sampling: 1 });
    const running = await start('--file-targets', folder);
    await inject(5);
    await written(running, 5);
    await waitFor(() => namesIn(folder).every((name) => !name.endsWith('.part')), {
      what: 'the time is over',
    });
    await inject(5);
    await written(running, 10);
    await running.stop();
    const names = namesIn(folder);
    assert.ok(
      names.length >= 2 && names.every((name) => /^\d{14}(?:-\d+)?\.ipfix$/u.test(name)),
      names.join(' '),
    );
    const ports: string[] = [];
    let dumped = 0;
    for (const name of names) {
      const path = join(folder, name);
      ports.push(...(await portsByTshark(path)));
      const { stdout, stderr } = await runForOutput('ipfixDump', ['--in', path], { timeoutMs: 60_000 });
      assert.equal(stderr, '');
      dumped += stdout.match(/sourceTransportPort : \d+/gu)?.length ?? 0;
      assert.deepEqual(readFileRecords(path).problems, []);
    }
    assert.deepEqual(ports, numbers(first, 10));
    assert.equal(dumped, 10);
    assert.match(
      running.log.trimEnd().split('\n').at(-1) ?? '',
      /stopped; nothing is exported now to file:%Y%m%d%H%M%S\.ipfix, because only ovs-ipfix/u,
    );
  },
);

test('what a dead daemon was writing is completed by the next one, and nothing is written twice', async () => {
  await createIpfixRow(ovs, 'br0', ['file:all.ipfix'], { sampling: 1 });
  const first = await start('--file-targets', folder);
  await inject(5);
  await written(first, 5);
  await first.kill();
  assert.deepEqual(namesIn(folder), ['.all.ipfix.part']);
  const second = await start('--file-targets', folder);
  assert.deepEqual(
    await waitFor(() => namesIn(folder)[0] === 'all.ipfix' && namesIn(folder), { what: 'it is complete' }),
    ['all.ipfix'],
  );
  await inject(3);
  await written(second, 3);
  assert.match(await second.appctl('status'), /file:all\.ipfix open: \d+ messages, 3 records, 0 files/u);
  await second.stop();
  assert.deepEqual(namesIn(folder), ['all-2.ipfix', 'all.ipfix']);
  assert.deepEqual(
    namesIn(folder).map((name) => readFileRecords(join(folder, name)).records.length),
    [3, 5],
  );
});

test('without a folder the row says why, and the other collectors get their records', async (t) => {
  const stream = await StreamSink.open();
  t.after(() => stream.close());
  await createIpfixRow(ovs, 'br0', ['file:a.ipfix', stream.target], { sampling: 1 });
  daemon = await startDaemon(ovs, { waitForReady: false });
  const running = daemon;
  await running.waitForRefusal(/no folder for files, so nothing is written to file:a\.ipfix/u, 15_000);
  await waitFor(
    async () => {
      await inject(1);
      return stream.records.length > 0;
    },
    { what: 'a record has arrived' },
  );
  const { conditions } = await daemonStatus(running);
  assert.deepEqual(
    conditions.map(({ code }) => code),
    ['file-targets-off'],
  );
  await running.stop();
});

test('a row cannot make the daemon write elsewhere', async () => {
  const victim = join(folder, 'victim');
  const inside = await mkdtemp(join(folder, 'inside-'));
  await writeFile(victim, 'as it was');
  await symlink(victim, join(inside, 'a.ipfix'));
  await symlink(join(folder, 'new'), join(inside, '.a.ipfix.part'));
  const bad = ['file:../victim.ipfix', `file:${folder}/x.ipfix`, 'file:inside/x.ipfix', 'file:x'];
  await createIpfixRow(ovs, 'br0', [...bad, 'file:a.ipfix'], { sampling: 1 });
  const running = await start('--file-targets', inside);
  await inject(2);
  await written(running, 2);
  const { conditions } = await daemonStatus(running);
  assert.deepEqual(
    conditions.map(({ code }) => code),
    bad.map(() => 'bad-target'),
  );
  await running.stop();
  assert.deepEqual(
    namesIn(folder).filter((name) => !name.startsWith('inside-')),
    ['victim'],
  );
  assert.equal(await readFile(victim, 'utf8'), 'as it was');
  assert.deepEqual(namesIn(inside), ['.a.ipfix.part', 'a-2.ipfix', 'a.ipfix']);
});

test(
  'a full disk is reported and does not affect another collector, and what waits is written when there is space',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const disk = await SmallDisk.mount(join(folder, 'disk'), 512 * 1024);
    t.after(() => disk.unmount());
    const stream = await StreamSink.open();
    t.after(() => stream.close());
    await createIpfixRow(ovs, 'br0', ['file:all.ipfix', stream.target], { sampling: 1 });
    const first = nextPort;
    const limits = ['--file-bytes', '131072', '--file-targets-bytes', '262144'];
    daemon = await startDaemon(ovs, {
      arguments: ['--file-targets', disk.folder, ...limits],
      executor: ['nsenter', ...disk.arguments],
    });
    const running = daemon;
    await inject(3);
    await written(running, 3);
    await disk.fill();
    const full = await waitFor(
      async () => {
        await inject(10);
        const collector = await collectorOf(running);
        return (collector.errors['ENOSPC'] ?? 0) > 0 && collector;
      },
      { what: 'the disk is full' },
    );
    assert.equal(full.lastError, 'the disk is full (ENOSPC)');
    assert.equal(full.recordsLost, 0);
    const count = nextPort - first;
    await waitFor(() => stream.records.length === count, { what: 'the other collector has all' });
    await disk.free();
    await written(running, count);
    await running.stop();
    assert.equal(readFiles(disk.outside).records.length, count);
    assert.deepEqual(readFiles(disk.outside).problems, []);
  },
);

test('replay writes a file', tier('daemon', 'fixbuf'), async () => {
  const capture = join(folder, 'frames.pcap');
  const frames = Array.from({ length: 30 }, (_, index) => {
    const frame = udpFrame({});
    frame.writeUInt32BE(0x0a00_0000 + index, 26);
    return frame;
  });
  await writeFile(capture, framePcap(frames));
  const args = ['replay', '--to', 'file:out.ipfix', '--file-targets', folder, '--format', 'json', capture];
  const summary = JSON.parse(await runProgram(process.execPath, [DAEMON_FILE, ...args]));
  assert.equal(summary.records.forcedEnd, 30);
  const { stdout, stderr } = await runForOutput('ipfixDump', ['--in', join(folder, 'out.ipfix')]);
  assert.equal(stderr, '');
  assert.equal(stdout.match(/sourceIPv4Address : /gu)?.length, 30);
});
