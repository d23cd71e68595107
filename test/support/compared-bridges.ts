// Two equal bridges of one Open vSwitch, one with its IPFIX row left to ovs-vswitchd, the other with a row that the daemon
// exports. The same frames are injected into both.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { startDaemon } from './daemon.ts';
import { FlowRecordSink } from './flow-records.ts';
import { udpFrame } from './frames.ts';
import { bridgeStatus, createIpfixRow, type RowColumns, waitForBridge } from './ipfix-rows.ts';
import { type Ovs, startOvs } from './ovs.ts';
import { type Fields, SwitchRecordSink } from './switch-records.ts';
import { waitFor } from './wait.ts';

const DOMAIN = 11;
const IDS = { obs_domain_id: DOMAIN, obs_point_id: 22 };
/** Frames injected at once; OVS queues 100 packet-ins. */
const PORTION = 50;
/** Of the port that frames are injected into, on both bridges. */
const IFINDEX = 77;

/** Two equal bridges, one exported by ovs-vswitchd (`theirs`) and one by the daemon (`ours`), with a collector each. */
export interface ComparedBridges {
  readonly ovs: Ovs;
  /** The names of all elements in the templates of ovs-vswitchd. */
  readonly switchElements: () => ReadonlySet<string>;
  /** Injects the same frames into both. */
  inject(frames: readonly Buffer[]): Promise<void>;
  /** Waits until the records of each side count that many packets, and returns them. */
  records(packets: number): Promise<{ readonly theirs: readonly Fields[]; readonly ours: readonly Fields[] }>;
}

/** Starts Open vSwitch and the daemon; `columns` are those of the rows of both bridges. */
export async function startComparedBridges(
  t: TestContext,
  format: RecordFormat,
  columns: RowColumns = {},
): Promise<ComparedBridges> {
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
    await ovs.vsctl('set', 'Interface', `${bridge}-1`, `options:ifindex=${IFINDEX}`);
  }
  const row = await createIpfixRow(ovs, 'theirs', [switchSink.target], { ...IDS, sampling: 1 });
  await turnOutputSamplingOff(ovs, row, switchSink);
  const settings = Object.entries({ ...IDS, sampling: 1, ...columns }).map((column) => column.join('='));
  await ovs.vsctl('set', 'IPFIX', row, ...settings);
  const create = [
    '--id=@i',
    'create',
    'IPFIX',
    `external_ids:ovs-ipfix-targets="${sink.target}"`,
    `external_ids:ovs-ipfix-record-format=${format}`,
    ...settings,
  ];
  await ovs.vsctl('--', 'set', 'Bridge', 'ours', 'ipfix=@i', '--', ...create);
  const daemon = await startDaemon(ovs, { arguments: ['--adopt', 'none'] });
  stops.push(() => daemon.stop());
  await waitForBridge(daemon, 'ours', 'its interfaces are known', ({ interfaces }) => interfaces.count === 3);
  assert.equal((await ovs.vsctl('get', 'IPFIX', row, 'targets')).trim(), `["${switchSink.target}"]`);

  let injected = 0;
  return {
    ovs,
    switchElements: () => switchSink.elements,
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
