// What `ovs-ipfix replay` reads: link types, damaged and compressed files, several files and folders, times, and the filter.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { pcapFile, pcapngBlocks, type TestPacket } from '../support/captures.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { runProgram } from '../support/process.ts';
import { runReplay } from '../support/replay.ts';
import { tier } from '../support/tiers.ts';

const SECOND = 1_000_000;
const BEGIN = 1_700_000_000 * SECOND;

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replay-captures-'));
});

after(() => rm(folder, { recursive: true, force: true }));

async function fileOf(name: string, bytes: Uint8Array | string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes);
  return file;
}

async function flowSink(context: TestContext): Promise<FlowRecordSink> {
  const sink = await FlowRecordSink.open();
  context.after(() => sink.close());
  return sink;
}

/** A packet of the flow with this source port. */
const packetAt = (seconds: number, sourcePort = 9): TestPacket => ({
  frame: udpFrame({ sourcePort, dataBytes: 18 }),
  micros: BEGIN + seconds * SECOND,
});

/** Returns how many bytes the beginning of a gzip file has. */
function unpackedSize(packed: Buffer): number {
  return gunzipSync(packed, { finishFlush: constants.Z_SYNC_FLUSH }).length;
}

test('a Linux cooked capture of version 2 gives records without MAC addresses', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const file = await fileOf(
    'cooked.pcap',
    'd4c3b2a1020004000000000000000000000004001401000000f15365000000003400000034000000' +
      '0800000000000001000100060200000000010000450000200001000040110000c0000201c000020203e80035000c000061626364',
  );
  const { exitCode, summary } = await runReplay(file, '--to', sink.target);
  const [record] = await sink.waitForRecords(1);
  assert.deepEqual([exitCode, summary?.packets, summary?.octets], [0, 1, 46]);
  assert.deepEqual(
    [
      'sourceMacAddress',
      'destinationMacAddress',
      'ethernetType',
      'sourceIPv4Address',
      'sourceTransportPort',
    ].map((name) => record?.fields[name]),
    ['00:00:00:00:00:00', '00:00:00:00:00:00', 0x0800, '192.0.2.1', 1000],
  );
});

test('what a damaged gzip file has before the damage counts', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const file = await fileOf(
    'checksum.pcap.gz',
    '1f8b0800000000000203bb7278d342260616060460616004511f835341941e143381384c60929183c19581' +
      '4101a4cc419081e100031323103331bf603065e06160484c4a4e010003b04a0f56000000',
  );
  const checksum = await runReplay(file, '--to', sink.target);
  assert.deepEqual([checksum.exitCode, checksum.summary?.packets], [1, 1]);
  assert.match(checksum.summary?.faults[0] ?? '', /checksum\.pcap\.gz" cannot be read: .*data check/u);
  // Packets that do not compress, so that the damage is where it is in the file.
  const noise = Array.from({ length: 2000 }, (_, index) => {
    const frame = Buffer.alloc(200, udpFrame({ sourcePort: 9, dataBytes: 18 }));
    for (let at = 42; at < frame.length; at += 1) {
      frame[at] = Math.imul(index * 200 + at, 2_654_435_761) >>> 24;
    }
    return { frame, micros: BEGIN + index };
  });
  const packed = gzipSync(pcapFile(noise));
  const whole = await runReplay(await fileOf('whole.pcap.gz', packed), '--to', sink.target);
  assert.deepEqual([whole.exitCode, whole.summary?.packets], [0, 2000]);
  const cutAt = Math.floor(packed.length / 2);
  const cut = await runReplay(await fileOf('cut.pcap.gz', packed.subarray(0, cutAt)), '--to', sink.target);
  assert.equal(cut.exitCode, 1);
  const packetsOf = (bytes: number) => Math.floor((unpackedSize(packed.subarray(0, bytes)) - 24) / 216);
  assert.equal(cut.summary?.packets, packetsOf(cutAt));
  const hit = Buffer.from(packed);
  hit.fill(0xff, cutAt, cutAt + 100);
  const damaged = await runReplay(await fileOf('hit.pcap.gz', hit), '--to', sink.target);
  assert.equal(damaged.exitCode, 1);
  const packets = damaged.summary?.packets ?? 0;
  assert.ok(
    packets >= packetsOf(cutAt - 4096),
    `${packets} packets, of ${packetsOf(cutAt)} before the damage`,
  );
  const last = Buffer.from(packed);
  last.writeUInt32LE(5, last.length - 4);
  const length = await runReplay(await fileOf('length.pcap.gz', last), '--to', sink.target);
  assert.deepEqual([length.exitCode, length.summary?.packets], [1, 2000]);
});

test('gzip files of several members and with zeros at the end are read', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const bytes = pcapFile([packetAt(0), packetAt(1), packetAt(2)]);
  const members = Buffer.concat([
    gzipSync(bytes.subarray(0, 60)),
    gzipSync(bytes.subarray(60)),
    Buffer.alloc(64),
  ]);
  const { exitCode, summary } = await runReplay(await fileOf('members.gz', members), '--to', sink.target);
  assert.deepEqual([exitCode, summary?.packets], [0, 3]);
});

test('captures one after another are read as one, by each engine', tier('daemon'), async (t) => {
  const times = Array.from({ length: 200 }, (_, index) => packetAt(index / 50, 1 + (index % 7)));
  const whole = await fileOf('whole.pcap', pcapFile(times));
  const joined = await fileOf(
    'joined.pcap',
    Buffer.concat([pcapFile(times.slice(0, 120)), pcapFile(times.slice(120))]),
  );
  for (const engine of ['wasm', 'typescript']) {
    const [one, two] = [await flowSink(t), await flowSink(t)];
    const expected = await runReplay(whole, '--to', one.target, '--engine', engine);
    const { exitCode, summary } = await runReplay(joined, '--to', two.target, '--engine', engine);
    assert.deepEqual([exitCode, summary?.packets, summary?.outOfOrder, summary?.warnings], [0, 200, 0, []]);
    assert.equal(expected.summary?.packets, 200);
    assert.deepEqual(await two.waitForRecords(7), await one.waitForRecords(7));
  }
});

test(
  'a file of a folder that cannot be read is missing and named, and the others are exported',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const mixed = join(folder, 'mixed');
    await mkdir(mixed);
    await writeFile(join(mixed, 'record'), pcapFile([packetAt(1), packetAt(2)]).subarray(0, -1));
    await writeFile(join(mixed, 'good.pcap'), pcapFile([packetAt(3)]));
    await writeFile(join(mixed, 'packed.xz'), Buffer.from('fd377a585a000004', 'hex'));
    const { exitCode, summary } = await runReplay(mixed, '--to', sink.target);
    assert.deepEqual([exitCode, summary?.packets], [1, 2]);
    await sink.waitForPackets(2);
    const faults = [...(summary?.faults ?? [])].sort();
    assert.equal(faults.length, 2);
    assert.match(faults[0] ?? '', /mixed\/record: At byte \d+ of the capture: the file is truncated/u);
    assert.match(faults[1] ?? '', /packed\.xz" is compressed by xz/u);
  },
);

test('other compressed files are refused with the command that unpacks them', tier('daemon'), async () => {
  for (const [name, magic, program] of [
    ['zstd', '28b52ffd00', 'zstd -dc'],
    ['xz', 'fd377a585a0000', 'xz -dc'],
    ['bzip2', '425a6839314159', 'bzip2 -dc'],
    ['lz4', '04224d1864', 'lz4 -dc'],
  ] as const) {
    const file = await fileOf(`it's ${name}`, magic);
    const { exitCode, stderr, summary } = await runReplay(file, '--to', '127.0.0.1:9');
    assert.deepEqual([exitCode, summary?.packets ?? 0], [1, 0]);
    const typed = `${program} '${file.replace("'", "'\\''")}' | ovs-ipfix replay - --to COLLECTOR.`;
    const said = stderr + (summary?.faults.join('') ?? '');
    assert.ok(said.includes(`is compressed by ${name}, which`) && said.includes(typed), said);
  }
});

test(
  'a file that is compressed twice is refused with the commands that unpack it',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const once = gzipSync(pcapFile([packetAt(0)]));
    for (const [name, bytes, pipeline] of [
      ['twice.gz', gzipSync(once), 'gzip -dc FILE | ovs-ipfix replay -'],
      [
        'xz.gz',
        gzipSync(Buffer.from('fd377a585a0000', 'hex')),
        'gzip -dc FILE | xz -dc | ovs-ipfix replay -',
      ],
    ] as const) {
      const file = await fileOf(name, bytes);
      const { exitCode, summary } = await runReplay(file, '--to', sink.target);
      assert.deepEqual([exitCode, summary?.packets], [1, 0]);
      const said = summary?.faults.join() ?? '';
      assert.ok(said.includes('is compressed twice') && said.includes(pipeline.replace('FILE', file)), said);
    }
  },
);

test('odd things in a folder are named, and none is lost silently', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const odd = join(folder, 'odd');
  await mkdir(join(odd, 'folder'), { recursive: true });
  await writeFile(join(odd, 'a.pcap'), pcapFile([packetAt(0), packetAt(1)]));
  await writeFile(join(odd, 'empty'), '');
  await runProgram('mkfifo', [join(odd, 'pipe')]);
  await symlink('nowhere', join(odd, 'dangling'));
  await symlink('loop', join(odd, 'loop'));
  const left = await runReplay(odd, '--to', sink.target);
  assert.deepEqual([left.exitCode, left.summary?.packets], [0, 2], left.stderr);
  assert.match(left.summary?.warnings.join() ?? '', /not captures: 4, the first is ".*dangling"/u);
  await writeFile(join(odd, 'folder', 'only.txt'), 'A text.');
  const other = await runReplay(join(odd, 'folder'), '--to', sink.target);
  assert.deepEqual([other.exitCode, other.summary?.packets], [1, 0]);
  assert.match(
    other.summary?.faults.join() ?? '',
    /only\.txt: At byte 0 .* neither pcap nor pcapng\. Convert a capture of another format: editcap/u,
  );
  await rm(join(odd, 'folder', 'only.txt'));
  // What is a capture by its format, and cannot be read, is missing.
  const damaged = gzipSync(pcapFile([packetAt(2)]));
  damaged.fill(0xff, 10, 20);
  await writeFile(join(odd, 'damaged.pcap.gz'), damaged);
  const missing = await runReplay(odd, '--to', sink.target);
  assert.deepEqual([missing.exitCode, missing.summary?.packets], [1, 2]);
  assert.match(missing.summary?.faults.join() ?? '', /damaged\.pcap\.gz" cannot be read/u);
  for (const [paths, message] of [
    [[join(odd, 'loop')], /loop" cannot be opened: /u],
    [[join(odd, 'folder')], /folder" has no files\. Folders in it are not searched/u],
    [['-', '-'], /Standard input is named twice/u],
  ] as const) {
    const { exitCode, stderr } = await runReplay(...paths, '--to', sink.target);
    assert.equal(exitCode, 1);
    assert.match(stderr, message);
  }
});

test('a check sequence that the file declares is not counted', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const file = await fileOf(
    'fcs.pcap',
    'd4c3b2a1020004000000000000000000000004000100002400f153650000000040000000400000000200000000020200000000010800' +
      '450000200001000040110000c0000201c000020203e80035000c0000616263640000000000000000000000000000deadbeef',
  );
  const { exitCode, summary } = await runReplay(file, '--to', sink.target, '--record-format', 'original');
  const [record] = await sink.waitForRecords(1);
  assert.deepEqual([exitCode, summary?.octets], [0, 60]);
  assert.equal(Number(record?.fields['layer2OctetDeltaCount']), 60);
});

test(
  'packets of interfaces that are not supported are skipped and counted; exit 1',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const make = pcapngBlocks(false);
    const { frame } = packetAt(0);
    const bytes = Buffer.concat([
      make.section(),
      make.interface(127),
      make.interface(1),
      make.packet(frame, BigInt(BEGIN), 0),
      make.packet(frame, BigInt(BEGIN), 1),
      make.packet(frame, BigInt(BEGIN), 0),
      make.packet(frame, BigInt(BEGIN), 1),
    ]);
    const { exitCode, summary } = await runReplay(await fileOf('two.pcapng', bytes), '--to', sink.target);
    assert.deepEqual([exitCode, summary?.packets, summary?.packetsInFlows], [1, 2, 2]);
    assert.deepEqual(summary?.skipped, [{ linkType: 127, packets: 2 }]);
    await sink.waitForPackets(2);
  },
);

test(
  'times in the future and past 2106 are warned of, with the number of the packet',
  tier('daemon'),
  async (t) => {
    const sink = await flowSink(t);
    const make = pcapngBlocks(false);
    const { frame } = packetAt(0);
    const at = (date: string) => make.packet(frame, BigInt(Date.parse(date)) * 1000n);
    const dates = ['2020-01-01', '2020-01-02', '2101-05-05', '2020-01-03', '2110-01-01', '9999-12-31'];
    const bytes = Buffer.concat([make.section(), make.interface(), ...dates.map(at)]);
    const file = await fileOf('future.pcapng', bytes);
    const { exitCode, summary } = await runReplay(file, '--to', sink.target);
    assert.deepEqual([exitCode, summary?.packets, summary?.outOfOrder], [0, 6, 1]);
    assert.equal(summary?.warnings.length, 2);
    assert.match(
      summary?.warnings[0] ?? '',
      /^Packet 3 of ".*future\.pcapng" is of 2101-05-05T00:00:00\.000Z, in the future\./u,
    );
    assert.match(
      summary?.warnings[1] ?? '',
      /^Packet 5 of .* \(the first of 2\) is of 2110-01-01T.*, past 2106-02-07/u,
    );
  },
);

test('several captures are read in the order of time, those of a folder too', tier('daemon'), async (t) => {
  const sink = await flowSink(t);
  const parts = join(folder, 'parts');
  await mkdir(join(parts, 'subfolder'), { recursive: true });
  const captures = {
    // In the order of their names the last one is first in time, and the first two overlap.
    'a.pcap': pcapFile([packetAt(10), packetAt(12), packetAt(14)]),
    'b.pcap.gz': gzipSync(pcapFile([packetAt(11), packetAt(13), packetAt(20)])),
    'c.pcap': pcapFile([packetAt(1), packetAt(2)]),
    'empty.pcap': pcapFile([]),
    'readme.txt': Buffer.from('Captures of the first floor.'),
    '.hidden': Buffer.from('none'),
  };
  for (const [name, bytes] of Object.entries(captures)) {
    await writeFile(join(parts, name), bytes);
  }
  const flags = ['--to', sink.target, '--record-format', 'original'];
  const { exitCode, summary, stderr } = await runReplay(parts, ...flags);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual([summary?.packets, summary?.outOfOrder, summary?.flows], [8, 0, 1]);
  assert.match(summary?.warnings.join() ?? '', /not captures: 1, the first is ".*readme\.txt"/u);
  const [record] = await sink.waitForRecords(1);
  assert.equal(Number(record?.fields['flowStartDeltaMicroseconds']), 19 * SECOND);
  const named = ['a.pcap', 'c.pcap'].map((name) => join(parts, name));
  const two = await runReplay(...named, ...flags);
  assert.deepEqual([two.exitCode, two.summary?.packets, two.summary?.outOfOrder], [0, 5, 0]);
  const broken = await fileOf('broken.pcap', captures['c.pcap'].subarray(0, -1));
  const three = await runReplay(...named, broken, ...flags);
  assert.deepEqual([three.exitCode, three.summary?.packets], [1, 6]);
  assert.match(
    three.summary?.faults[0] ?? '',
    /broken\.pcap: At byte \d+ of the capture: the file is truncated/u,
  );
  const missing = await runReplay(...named, join(parts, 'none.pcap'), ...flags);
  assert.deepEqual([missing.exitCode, missing.summary], [1, undefined]);
  assert.match(missing.stderr, /none\.pcap" cannot be opened: /u);
});

test(
  '--filter exports the flows that match its words, and accounts for the other packets',
  tier('daemon'),
  async (t) => {
    const packets = [packetAt(0, 53), packetAt(1, 80), packetAt(2, 53), packetAt(3, 81)];
    const file = await fileOf('filter.pcap', pcapFile(packets));
    for (const format of ['original', 'extended']) {
      const sink = await flowSink(t);
      const flags = ['--to', sink.target, '--record-format', format];
      const { exitCode, summary } = await runReplay(file, ...flags, '--filter', 'proto=udp sport=53');
      assert.deepEqual(
        [exitCode, summary?.packets, summary?.packetsInFlows, summary?.filteredOut],
        [0, 4, 2, 2],
      );
      const [record] = await sink.waitForRecords(1);
      assert.deepEqual(
        [record?.fields['sourceTransportPort'], Number(record?.fields['packetDeltaCount'])],
        [53, 2],
      );
    }
    for (const [words, message] of [
      ['port=x', /"port=x": "x" is not a whole number/u],
      ['colour=red', /"colour=red" is not a valid filter/u],
      ['interface=tap0', /"interface=tap0": a capture does not have the names of interfaces/u],
    ] as const) {
      const { exitCode, stderr } = await runReplay(file, '--to', '127.0.0.1:9', '--filter', words);
      assert.equal(exitCode, 1);
      assert.match(stderr, message);
    }
  },
);
