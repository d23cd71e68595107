// `ovs-ipfix replay` as a program: what collectors receive for a capture, and the summary that it prints.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { writeCapture } from '../bench/replay/capture-file.ts';
import { pcapFile, pcapngBlocks, type TestPacket } from '../support/captures.ts';
import { ipfixDump, startNfcapd } from '../support/collectors.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { BackgroundProgram, runForOutput, runProgram } from '../support/process.ts';
import { type ReplaySummary, runReplay } from '../support/replay.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const SECOND = 1_000_000;
const BEGIN = 1_700_000_000 * SECOND;

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replay-'));
});

after(() => rm(folder, { recursive: true, force: true }));

async function fileOf(name: string, bytes: Uint8Array): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return file;
}

async function flowSink(context: TestContext): Promise<FlowRecordSink> {
  const sink = await FlowRecordSink.open();
  context.after(() => sink.close());
  return sink;
}

/** Runs it to its end; fails unless it exits with 0. */
async function replay(file: string, ...args: readonly string[]): Promise<ReplaySummary> {
  const text = await runProgram(
    process.execPath,
    [DAEMON_FILE, 'replay', file, '--format', 'json', ...args],
    { timeoutMs: 60_000 },
  );
  return JSON.parse(text) as ReplaySummary;
}

/** Returns frames of some flows in turn, a millisecond apart. */
function mixed(count: number, flowCount: number): TestPacket[] {
  return Array.from({ length: count }, (_, index) => ({
    frame: udpFrame({ sourcePort: 1 + (index % flowCount), dataBytes: 18 + (index % 700) }),
    micros: BEGIN + index * 1000,
  }));
}

const sum = (values: readonly (number | undefined)[]): number =>
  values.reduce((total: number, value) => total + (value ?? 0), 0);

test('the records count every packet and octet of the capture', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const packets = mixed(5000, 1500);
  const file = await fileOf('all.pcap', pcapFile(packets));
  const summary = await replay(file, '--to', sink.target, '--observation-domain-id', '7');
  const records = await sink.waitForRecords(1500);
  const octets = sum(packets.map(({ frame }) => frame.length));
  assert.equal(sum(records.map(({ fields }) => Number(fields['packetDeltaCount']))), 5000);
  assert.equal(sum(records.map(({ fields }) => Number(fields['layer2OctetDeltaCount']))), octets);
  assert.ok(records.every(({ observationDomainId }) => observationDomainId === 7));
  assert.deepEqual([summary.packets, summary.octets, summary.packetsInFlows], [5000, octets, 5000]);
  assert.deepEqual(summary.records, { activeTimeout: 0, forcedEnd: 1500, lackOfResources: 0 });
  assert.deepEqual(summary.shortfalls, []);
});

test('active timeouts follow the time of the capture', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  // A packet a second: the flow ends 10 s after its first packet, and the next packet starts another.
  const packets = Array.from({ length: 26 }, (_, index) => ({
    frame: udpFrame({ sourcePort: 9 }),
    micros: BEGIN + index * SECOND + 250_000,
  }));
  const file = await fileOf('timeout.pcap', pcapFile(packets));
  await replay(file, '--to', sink.target, '--cache-active-timeout', '10');
  const records = await sink.waitForRecords(3);
  assert.deepEqual(
    records.map(({ fields, exportTimeSeconds }) => [
      Number(fields['packetDeltaCount']),
      fields['flowEndReason'],
      exportTimeSeconds - BEGIN / SECOND,
      Number(fields['flowStartDeltaMicroseconds']),
      Number(fields['flowEndDeltaMicroseconds']),
    ]),
    [
      [10, 2, 11, 10_750_000, 1_750_000],
      [10, 2, 21, 10_750_000, 1_750_000],
      [6, 4, 26, 5_750_000, 750_000],
    ],
  );
});

test(
  'the messages are the same from pcap, pcapng, compressed, and from a pipe',
  tier('daemon', 'tshark'),
  async (t) => {
    const file = await fileOf('same.pcap', pcapFile(mixed(4000, 200)));
    const next = join(folder, 'same.pcapng');
    await runProgram('editcap', ['-F', 'pcapng', file, next]);
    const packed = await fileOf('same.pcap.gz', gzipSync(await readFile(file)));
    const flags = ['--cache-active-timeout', '1', '--cache-max-flows', '250'];
    const seen: string[][] = [];
    for (const run of [
      (to: string) => replay(file, '--to', to, ...flags),
      (to: string) => replay(file, '--to', to, ...flags),
      (to: string) => replay(next, '--to', to, ...flags),
      (to: string) => replay(packed, '--to', to, ...flags),
      (to: string) =>
        runProgram('sh', [
          '-c',
          `cat ${file} | ${process.execPath} ${DAEMON_FILE} replay - --to ${to} ${flags.join(' ')} --format json`,
        ]).then((text) => JSON.parse(text) as ReplaySummary),
    ]) {
      const sink = await UdpSink.open();
      t.after(() => sink.close());
      const { records } = await run(sink.target);
      assert.ok(records.activeTimeout > 100 && records.forcedEnd > 0);
      const first = seen[0];
      await waitFor(() => sink.datagrams.length >= (first?.length ?? 10), { what: 'all messages are there' });
      seen.push(sink.datagrams.map((datagram) => datagram.toString('hex')));
    }
    for (const other of seen.slice(1)) {
      assert.deepEqual(other, seen[0]);
    }
  },
);

test(
  'octets are those of whole frames, also if the capture has truncated frames',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const whole = udpFrame({ sourcePort: 9, dataBytes: 1000 });
    const packets = [64, 34, 10].map((size, index) => ({
      frame: whole.subarray(0, size),
      originalLength: whole.length,
      micros: BEGIN + index,
    }));
    const summary = await replay(await fileOf('snap.pcap', pcapFile(packets)), '--to', sink.target);
    const records = await sink.waitForRecords(3);
    assert.ok(records.every(({ fields }) => Number(fields['layer2OctetDeltaCount']) === whole.length));
    assert.deepEqual([summary.octets, summary.octetsCaptured], [3 * whole.length, 108]);
    assert.deepEqual(summary.malformed, { ethernet: 1, ipHeader: 0, ipv6Extension: 0, transport: 1 });
  },
);

test('a packet out of order does not set the time back', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const at = (seconds: number) => ({ frame: udpFrame({ sourcePort: 9 }), micros: BEGIN + seconds * SECOND });
  const file = await fileOf('order.pcap', pcapFile([at(5), at(3), at(6)]));
  const summary = await replay(file, '--to', sink.target);
  const [record] = await sink.waitForRecords(1);
  assert.equal(summary.outOfOrder, 1);
  assert.equal(Number(record?.fields['flowStartDeltaMicroseconds']), SECOND);
});

test('a damaged file is exported up to the damage, which is reported; exit 1', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const bytes = pcapFile(mixed(100, 10));
  const cut = await runReplay(await fileOf('cut.pcap', bytes.subarray(0, -5)), '--to', sink.target);
  await sink.waitForPackets(99);
  assert.equal(cut.exitCode, 1);
  assert.match(
    cut.summary?.shortfalls[0] ?? '',
    /^At byte \d+ of the capture: the file is truncated within a record/u,
  );
  assert.deepEqual([cut.summary?.packets, cut.summary?.packetsInFlows], [99, 99]);
  const make = pcapngBlocks(false);
  const wifi = Buffer.concat([make.section(), make.interface(127), make.packet(Buffer.alloc(60), 1n)]);
  const other = await runReplay(await fileOf('wifi.pcapng', wifi), '--to', sink.target);
  assert.deepEqual([other.exitCode, other.summary?.packets], [1, 0]);
  assert.deepEqual(other.summary?.skipped, [{ linkType: 127, packets: 1 }]);
  assert.match(
    other.summary?.shortfalls[0] ?? '',
    /^Packets skipped because link type 127 \(.*\) is not supported: 1\. Capture /u,
  );
  const packed = gzipSync(bytes);
  const broken = await runReplay(await fileOf('cut.gz', packed.subarray(0, 600)), '--to', sink.target);
  assert.equal(broken.exitCode, 1);
  assert.match(broken.summary?.faults[0] ?? '', /cut\.gz" cannot be read: /u);
});

test('invalid files and flags are refused with a sentence', tier('daemon'), async () => {
  const file = await fileOf('ok.pcap', pcapFile(mixed(1, 1)));
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[join(folder, 'none.pcap'), '--to', '127.0.0.1:9'], /none\.pcap" cannot be opened: /u],
    [[file, '--to', 'collector:port'], /--to: "collector:port" has the port "port"/u],
    [[file], /required option '--to/u],
    [[file, '--to', '127.0.0.1:9', '--cache-active-timeout', '4201'], /--cache-active-timeout: "4201"/u],
    [[file, '--to', '127.0.0.1:9', '--speed', 'fast'], /--speed: "fast" is not one of max and recorded/u],
  ];
  for (const [args, message] of cases) {
    const [name = '', ...rest] = args;
    const { exitCode, stderr, summary } = await runReplay(name, ...rest);
    assert.equal(exitCode, 1, args.join(' '));
    assert.match(stderr, message);
    assert.equal(summary, undefined);
  }
});

test(
  'records to an unreachable collector are lost and counted; other collectors receive theirs',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const file = await fileOf('lost.pcap', pcapFile(mixed(100, 50)));
    const { exitCode, summary } = await runReplay(file, '--to', 'no-such-host.invalid', '--to', sink.target);
    await sink.waitForRecords(50);
    assert.equal(exitCode, 1);
    assert.equal(sum((summary?.collectors ?? []).map(({ recordsSent }) => recordsSent)), 50);
    assert.match(summary?.shortfalls[0] ?? '', /^50 records were not sent to no-such-host\.invalid:4739 /u);
  },
);

test('over TCP a collector gets everything, with the templates once', tier('daemon'), async (t) => {
  const file = join(folder, 'tcp.pcap');
  writeCapture(file, { packets: 12_000, flows: 10_000, distribution: 'uniform', seconds: 60, seed: 5 });
  const collect = await BackgroundProgram.start(process.execPath, [
    DAEMON_FILE,
    'collect',
    '--listen',
    '127.0.0.1:0',
    '--format',
    'json',
  ]);
  t.after(() => collect.stop());
  const port = await waitFor(() => /listening on \S*:(\d+) /u.exec(collect.stderr)?.[1], {
    what: 'the collector listens',
  });
  const summary = await replay(file, '--to', `tcp:127.0.0.1:${port}`, '--message-bytes-max', '60000');
  assert.deepEqual(
    summary.collectors.map(({ recordsSent, recordsLost }) => [recordsSent, recordsLost]),
    [[10_000, 0]],
  );
  await waitFor(() => collect.stdout.split('\n').length > 10_000, {
    what: 'all records are printed',
    timeoutMs: 20_000,
    intervalMs: 200,
  });
  await collect.stop('SIGINT');
  assert.match(collect.stderr, /10,000 records in \d+ messages, 0 problems/u);
  const packets = collect.stdout
    .trimEnd()
    .split('\n')
    .reduce((total, line) => total + (JSON.parse(line) as { packetDeltaCount: number }).packetDeltaCount, 0);
  assert.equal(packets, 12_000);
});

test('--speed recorded takes as long as the capture', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const packets = [0, 400_000, 800_000].map((later) => ({
    frame: udpFrame({ sourcePort: 9 }),
    micros: BEGIN + later,
  }));
  const file = await fileOf('slow.pcap', pcapFile(packets));
  const summary = await replay(file, '--to', sink.target, '--speed', 'recorded');
  const [record] = await sink.waitForRecords(1);
  assert.ok(summary.seconds >= 0.799, `${summary.seconds} s`);
  const lasted =
    Number(record?.fields['flowStartDeltaMicroseconds']) - Number(record?.fields['flowEndDeltaMicroseconds']);
  assert.ok(lasted >= 799_000 && lasted < 10 * SECOND, `${lasted} us`);
  // Times are those of the system clock.
  assert.ok((record?.exportTimeSeconds ?? 0) > BEGIN / SECOND + 10_000_000);
});

test('Ctrl-C ends reading, and what was read is exported', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const packets = [0, 3600].map((later) => ({
    frame: udpFrame({ sourcePort: 9 }),
    micros: BEGIN + later * SECOND,
  }));
  const file = await fileOf('endless.pcap', pcapFile(packets));
  const args = [
    DAEMON_FILE,
    'replay',
    file,
    '--to',
    sink.target,
    '--speed',
    'recorded',
    '--cache-max-flows',
    '0',
  ];
  const program = await BackgroundProgram.start(process.execPath, args);
  t.after(() => program.stop());
  await sink.waitForRecords(1);
  program.signal('SIGINT');
  const { exitCode } = await program.exited;
  assert.equal(exitCode, 0);
  assert.match(program.stdout, /packets {4}1, /u);
});

test('the summary accounts for a million flows', tier('daemon'), async (t) => {
  const file = join(folder, 'million.pcap');
  writeCapture(file, { packets: 1_200_000, flows: 1_000_000, distribution: 'uniform', seconds: 60, seed: 3 });
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  const to = ['--to', sink.target, '--cache-active-timeout', '4200'];
  const summary = await replay(file, ...to, '--message-bytes-max', '65000');
  assert.deepEqual([summary.packets, summary.packetsInFlows], [1_200_000, 1_200_000]);
  assert.deepEqual([summary.flows, summary.records.forcedEnd], [1_000_000, 1_000_000]);
  assert.deepEqual(
    summary.collectors.map(({ recordsSent, recordsLost }) => [recordsSent, recordsLost]),
    [[1_000_000, 0]],
  );
});

test('nfcapd and ipfixDump read what is sent', tier('daemon', 'nfdump', 'fixbuf'), async (t) => {
  const file = await fileOf('referees.pcap', pcapFile(mixed(1000, 100)));
  const nfcapd = await startNfcapd(['-o', 'fmt:%pkt']);
  const sink = await UdpSink.open();
  t.after(() => sink.close());
  await replay(file, '--to', nfcapd.target, '--to', sink.target);
  const lines = (await nfcapd.stop()).split('\n').filter((line) => /^\s*\d+\s*$/u.test(line));
  assert.equal(lines.length, 100);
  assert.equal(sum(lines.map(Number)), 1000);
  const { text, warnings } = await ipfixDump(await sink.waitForCount(8));
  assert.equal(warnings, '');
  assert.equal(text.match(/--- data record/gu)?.length, 100);
});

test('the text of the summary fits 80 columns and reports what is missing', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const file = await fileOf('text.pcap', pcapFile(mixed(100, 10)));
  const { stdout } = await runForOutput(process.execPath, [DAEMON_FILE, 'replay', file, '--to', sink.target]);
  for (const line of stdout.split('\n')) {
    assert.ok(line.length <= 80, line);
  }
  assert.match(stdout, /^packets {4}100, \d+,\d+ octets/mu);
  assert.match(stdout, /^records {4}10: 0 active timeout/mu);
});

test('exports the extended format, from an interface that is not known', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const packets = [1, 2].map((port, index) => ({
    micros: BEGIN + index * SECOND,
    frame: udpFrame({ sourcePort: port }),
  }));
  const file = await fileOf('extended.pcap', pcapFile(packets));
  await replay(file, '--to', sink.target, '--record-format', 'extended');
  const records = await sink.waitForRecords(2);
  assert.deepEqual(
    records.map(({ templateId, fields }) => [
      templateId,
      fields['ingressInterface'],
      fields['flowStartMilliseconds'],
      fields['octetDeltaCount'],
    ]),
    [0, 1].map((index) => [517, 16_842_751, new Date(BEGIN / 1000 + index * 1000).toISOString(), 46]),
  );
});

test(
  '--source-address is where messages come from, over UDP and TCP; one that is not of this host loses all',
  tier('daemon'),
  async (t) => {
    const packets = [{ micros: BEGIN, frame: udpFrame({ sourcePort: 7 }) }];
    const file = await fileOf('source.pcap', pcapFile(packets));
    const sink = await UdpSink.open();
    t.after(() => sink.close());
    const peers: (string | undefined)[] = [];
    const server = createServer((socket) => {
      peers.push(socket.remoteAddress);
      socket.resume();
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const to = ['--to', sink.target, '--to', `tcp:127.0.0.1:${address.port}`];
    const { collectors } = await replay(file, ...to, '--source-address', '127.0.0.8');
    assert.deepEqual(
      collectors.map(({ recordsSent }) => recordsSent),
      [1, 1],
    );
    await sink.waitForCount(1);
    assert.match(sink.sources[0] ?? '', /^127\.0\.0\.8 /u);
    assert.deepEqual(peers, ['127.0.0.8']);
    const failed = await runReplay(file, ...to, '--source-address', '192.0.2.77');
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /this host does not have the source address 192\.0\.2\.77/u);
    assert.deepEqual(
      failed.summary?.collectors.map(({ recordsLost }) => recordsLost),
      [1, 1],
    );
  },
);

test('an error that nothing expects ends the program, whatever is open', async (t) => {
  const sink = await flowSink(t);
  const capture = await fileOf('error.pcap', pcapFile(mixed(2000, 10)));
  const broken = await fileOf(
    'broken-engine.cjs',
    Buffer.from(`const { Instance } = WebAssembly;
      WebAssembly.Instance = class extends Instance {
        get exports() {
          return { ...super.exports, addRecords: () => { throw new Error('the engine is broken'); } };
        }
      };`),
  );
  const program = await BackgroundProgram.start(process.execPath, [
    '--require',
    broken,
    DAEMON_FILE,
    'replay',
    capture,
    '--to',
    sink.target,
  ]);
  t.after(() => program.stop());
  const { exitCode } = await program.exited;
  assert.equal(exitCode, 1);
  assert.match(program.stderr, /^ovs-ipfix: .*the engine is broken/mu);
});
