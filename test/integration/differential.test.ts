// Compares the daemon's records with those of ovs-vswitchd's exporter for the same frames: two equal bridges of one Open
// vSwitch, one with its IPFIX row left to ovs-vswitchd, the other with an adopted row. All elements that both records have
// must be equal, except those that support/exporter-differences.ts lists with a reason.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RandomSource } from '../../src/flow/random.ts';
import { recordVectors } from '../packet/record-vectors.ts';
import { startDaemon } from '../support/daemon.ts';
import { isIpWithoutBytes, KNOWN_DIFFERENCES } from '../support/exporter-differences.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { bridgeStatus, createIpfixRow, type RowColumns } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { type Fields, recordDifferences, SwitchRecordSink } from '../support/switch-records.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { differs, hasDifference } from '../versions/differences.ts';

const NEEDS = tier('ovs', 'daemon');
const DOMAIN = 11;
const IDS = { obs_domain_id: DOMAIN, obs_point_id: 22 };
const FORMAT = { 'external_ids:ovs-ipfix-record-format': 'original' };
/** Frames injected at once; OVS queues 100 packet-ins. */
const PORTION = 50;
const ACTIVE_TIMEOUT = 2;
const FORCED_END = 4;
const LACK_OF_RESOURCES = 5;
/** Two equal bridges, one exported by ovs-vswitchd (`theirs`) and one by the daemon (`ours`), with a collector each. */
interface ComparedBridges {
  readonly ovs: Ovs;
  /** Injects the same frames into both. */
  inject(frames: readonly Buffer[]): Promise<void>;
  /** Waits until the records of each side count that many packets, and returns them. */
  records(packets: number): Promise<{ readonly theirs: readonly Fields[]; readonly ours: readonly Fields[] }>;
}

async function startComparedBridges(t: TestContext, columns: RowColumns = {}): Promise<ComparedBridges> {
  const ovs = await startOvs();
  const sink = await FlowRecordSink.open();
  const switchSink = await SwitchRecordSink.open();
  const stops = [() => ovs.stop()];
  t.after(async () => {
    await Promise.all([sink.close(), switchSink.close()]);
    for (const stop of stops.toReversed()) {
      await stop();
    }
  });
  for (const bridge of ['theirs', 'ours']) {
    await ovs.addBridge(bridge);
    await ovs.addDummyPort(bridge, `${bridge}-1`);
    await ovs.addDummyPort(bridge, `${bridge}-2`);
  }
  const row = await createIpfixRow(ovs, 'theirs', [switchSink.target], { ...IDS, sampling: 1 });
  await turnOutputSamplingOff(ovs, row, switchSink);
  const settings = Object.entries({ ...IDS, ...FORMAT, sampling: 1, ...columns }).map((column) =>
    column.join('='),
  );
  await ovs.vsctl('set', 'IPFIX', row, ...settings);
  const create = [
    '--id=@i',
    'create',
    'IPFIX',
    `external_ids:ovs-ipfix-targets="${sink.target}"`,
    ...settings,
  ];
  await ovs.vsctl('--', 'set', 'Bridge', 'ours', 'ipfix=@i', '--', ...create);
  const daemon = await startDaemon(ovs, { arguments: ['--adopt', 'none'] });
  stops.push(() => daemon.stop());
  assert.equal((await ovs.vsctl('get', 'IPFIX', row, 'targets')).trim(), `["${switchSink.target}"]`);

  let injected = 0;
  return {
    ovs,
    inject: async (frames) => {
      for (let start = 0; start < frames.length; start += PORTION) {
        const portion = frames.slice(start, start + PORTION);
        await ovs.inject('theirs-1', ...portion);
        await ovs.inject('ours-1', ...portion);
        injected += portion.length;
        await waitFor(async () => (await bridgeStatus(daemon, 'ours'))?.sampler.received === injected, {
          what: `all ${injected} frames are sampled`,
        });
      }
    },
    records: async (packets) => {
      const ours = await sink.waitForPackets(packets);
      assert.ok(ours.every(({ observationDomainId }) => observationDomainId === DOMAIN));
      const theirs = await switchSink.waitForPackets(packets);
      assert.equal(ours.length, theirs.length);
      assert.ok(theirs.every(({ observationDomainId }) => observationDomainId === DOMAIN));
      return { theirs: theirs.map(({ fields }) => fields), ours: ours.map(({ fields }) => fields) };
    },
  };
}

/**
 * By default vswitchd samples each packet at its input port and at each output port. The key that disables the latter is
 * inverted in some versions (in 3.1 `true` disables it), so the test tries both values.
 */
async function turnOutputSamplingOff(ovs: Ovs, row: string, sink: SwitchRecordSink): Promise<void> {
  let port = 0;
  for (const value of ['true', 'false']) {
    await ovs.vsctl('set', 'IPFIX', row, `other_config:enable-output-sampling=${value}`);
    port += 2;
    await ovs.inject('theirs-1', udpFrame({ sourcePort: port - 1 }), udpFrame({ sourcePort: port }));
    const recordsOf = (wanted: number) =>
      sink.records.filter(({ fields }) => fields['sourceTransportPort'] === wanted);
    await waitFor(() => recordsOf(port).length > 0, { what: 'vswitchd has exported the second frame' });
    // Both records of the first frame come before that of the second frame.
    if (recordsOf(port - 1).length === 1) {
      sink.clear();
      return;
    }
  }
  throw new Error('This vswitchd cannot be configured to sample input only.');
}

/** Fails if records of frames differ without a known reason; returns the names of the reasons that applied. */
function compareUncached(
  frames: readonly Buffer[],
  theirs: readonly Fields[],
  ours: readonly Fields[],
): Set<string> {
  const used = new Set<string>();
  for (const [index, frame] of frames.entries()) {
    const found = recordDifferences(theirs[index], ours[index]);
    for (const { name, elements, appliesTo, ovsDifference } of KNOWN_DIFFERENCES) {
      if (ovsDifference !== undefined && !hasDifference(ovsDifference)) {
        continue;
      }
      const explained = [...found.keys()].filter((element) => elements.has(element));
      if (explained.length === 0 || !appliesTo(frame)) {
        continue;
      }
      for (const element of explained) {
        found.delete(element);
      }
      used.add(name);
    }
    assert.deepEqual([...found.values()], [], `frame ${index}: ${frame.toString('hex')}`);
  }
  return used;
}

/** Frames whose records must be equal without exception. */
const agreedFrames = recordVectors
  .map(({ frame }) => Buffer.from(frame, 'hex'))
  .filter((frame) => !KNOWN_DIFFERENCES.some(({ appliesTo }) => appliesTo(frame)));

test('each frame of the 2013 exporter has the same record as from vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t);
  const frames = recordVectors.map(({ frame }) => Buffer.from(frame, 'hex'));
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  const used = compareUncached(frames, theirs, ours);
  t.diagnostic(`${frames.length} frames, ${agreedFrames.length} agree without exception`);
  assert.deepEqual([...used], ['IP length past the frame', 'ports of SCTP']);
});

test('randomly modified frames have the same records as from vswitchd', NEEDS, async (t) => {
  const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
  t.diagnostic(`DIFFERENTIAL_SEED=${seed}`);
  const pair = await startComparedBridges(t);
  pair.ovs.allowWarnings(/dropping packet with partial VLAN tag/);
  const frames = mutatedFrames(seed, 2000);
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  const used = compareUncached(frames, theirs, ours);
  const known = KNOWN_DIFFERENCES.filter(
    ({ ovsDifference }) => ovsDifference === undefined || differs(t, ovsDifference),
  );
  assert.deepEqual([...used].sort(), known.map(({ name }) => name).sort());
});

test('a cache that overflows and is then flushed exports the same records as vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, { cache_active_timeout: 600, cache_max_flows: 20 });
  // Each frame twice in a row and the whole list twice: some flows are found in the cache, some have been evicted.
  const frames = agreedFrames.flatMap((frame) => [frame, frame]);
  await pair.inject([...frames, ...frames]);
  await pair.ovs.vsctl('clear', 'Bridge', 'theirs', 'ipfix', '--', 'clear', 'Bridge', 'ours', 'ipfix');
  const { theirs, ours } = await pair.records(frames.length * 2);
  compareCached(theirs, ours);
  const reasons = ours.map((fields) => fields['flowEndReason']);
  assert.deepEqual(new Set(reasons), new Set([LACK_OF_RESOURCES, FORCED_END]));
  assert.equal(reasons.filter((reason) => reason === FORCED_END).length, 20);
});

test('flows that reach the active timeout have the same records as from vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, { cache_active_timeout: 2, cache_max_flows: 1000 });
  const frames = [...agreedFrames, ...agreedFrames];
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  compareCached(theirs, ours);
  assert.equal(ours.length, flowCount(agreedFrames));
  assert.ok(ours.every((fields) => fields['flowEndReason'] === ACTIVE_TIMEOUT));
});

const HALF_CONFIGURED: readonly [columns: RowColumns, reason: number][] = [
  [{ cache_active_timeout: 60 }, LACK_OF_RESOURCES],
  [{ cache_max_flows: 60 }, ACTIVE_TIMEOUT],
];
for (const [columns, reason] of HALF_CONFIGURED) {
  const name = Object.keys(columns).join();
  test(`with ${name} alone nothing is cached, and the end reason is that of vswitchd`, NEEDS, async (t) => {
    const pair = await startComparedBridges(t, columns);
    await pair.inject([...agreedFrames, ...agreedFrames]);
    const { theirs, ours } = await pair.records(agreedFrames.length * 2);
    compareCached(theirs, ours);
    assert.ok(ours.every((fields) => fields['flowEndReason'] === reason));
  });
}

/** Fails unless the records are equal and in the same order. */
function compareCached(theirs: readonly Fields[], ours: readonly Fields[]): void {
  for (const [index, fields] of ours.entries()) {
    assert.deepEqual([...recordDifferences(theirs[index], fields).values()], [], `record ${index}`);
  }
}

/** Returns the number of flows: frames of record-vectors.json with equal template and key are one flow. */
function flowCount(frames: readonly Buffer[]): number {
  const hex = new Set(frames.map((frame) => frame.toString('hex')));
  const flows = recordVectors.filter(({ frame }) => hex.has(frame));
  return new Set(flows.map(({ templateId, key }) => `${templateId} ${key}`)).size;
}

/** Returns frames of record-vectors.json with some bytes changed, mostly in headers, and some truncated. */
function mutatedFrames(seed: number, count: number): readonly Buffer[] {
  const source = new RandomSource(seed);
  const below = (limit: number) => (source.next() >>> 0) % limit;
  const frames: Buffer[] = [];
  while (frames.length < count) {
    const vector = recordVectors[below(recordVectors.length)];
    let frame = Buffer.from(vector?.frame ?? '', 'hex').subarray(0, 200);
    for (let changes = below(5); changes > 0; changes -= 1) {
      const at = below(10) < 8 ? 12 + below(Math.min(60, frame.length - 12)) : below(frame.length);
      frame.writeUInt8(below(2) === 0 ? below(256) : frame.readUInt8(at) ^ (1 << below(8)), at);
    }
    if (below(4) === 0) {
      frame = frame.subarray(0, 14 + below(frame.length - 13));
    }
    if (!isIpWithoutBytes(frame)) {
      frames.push(frame);
    }
  }
  return frames;
}
