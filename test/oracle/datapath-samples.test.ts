// Samples of the datapath of the installed Open vSwitch: its templates are the known ones, and the flow keys of its records are
// those that the dissector makes of the frames, in both formats; frames that Open vSwitch is known to read otherwise are left out.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatapathIntake } from '../../src/intake/datapath-intake.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { OPENFLOW_VERSIONS, OpenFlowConnection, versionName } from '../../src/node-openflow/index.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { dissectExtended } from '../../src/packet/dissect-extended.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { LoopbackReceiver } from '../../src/runtime/loopback-receiver.ts';
import { recordVectors } from '../packet/record-vectors.ts';
import { knownDifferences } from '../support/compared-records.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { udpFrame } from '../support/frames.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { hasDifference } from '../versions/differences.ts';

const DOMAIN_TOKEN = 0xdead_beef;
const COLLECTOR_SET = 0xffff_fe00;
const POINT_ID = 6;
/** Templates of ovs-vswitchd: of data, by layers and directions, and one of options. */
const TEMPLATE_COUNT = 89;
/** TCP flags that ovs-vswitchd counts: not those of explicit congestion notification. */
const FLAGS_COUNTED = 0x3f;

interface SampledPacket {
  /** The key in the format `original`. */
  readonly originalKey: string;
  readonly key: string;
  readonly templateId: number;
  readonly frameLength: number;
  readonly tcpFlags: number;
  readonly weight: number;
}

/** Whether this Open vSwitch reads the headers of the frame otherwise, for a known reason. */
function isReadOtherwise(frame: Buffer): boolean {
  return knownDifferences('extended').some(
    ({ appliesTo, elements, ovsDifference }) =>
      !elements.has('octetDeltaCount') &&
      (ovsDifference === undefined || hasDifference(ovsDifference)) &&
      appliesTo(frame),
  );
}

function keyOf(frame: Uint8Array, start: number, end: number, ingress: number): FlowKey {
  const key = new FlowKey();
  dissectExtended(frame, start, end, POINT_ID, ingress, key);
  return key;
}

function originalKeyOf(frame: Uint8Array, start: number, end: number): string {
  const key = new FlowKey();
  dissect(frame, start, end, POINT_ID, key);
  return `${key.templateId} ${key.bytes.toString('hex', 0, key.size)}`;
}

/** Starts an Open vSwitch, and an intake with its socket. */
async function startReceiving(atEnd: ReturnType<typeof lastFirst>) {
  const ovs = await startOvs();
  atEnd(() => ovs.stop());
  const interfaces = new IngressInterfaces();
  const intake = new DatapathIntake({
    domainToken: DOMAIN_TOKEN,
    randomSeed: () => 1,
    interfaces,
    onOtherTemplate: (id) => assert.fail(`template ${id} is not the known one`),
  });
  const receiver = new LoopbackReceiver({
    onDatagram: (bytes, size) => intake.receive(bytes, size),
    isTrusted: (userId) => userId === process.getuid?.(),
  });
  await receiver.start();
  atEnd(() => receiver.stop());
  return { ovs, interfaces, intake, receiver };
}

/** Has a bridge sample all packets by a set, whose records go to a port on 127.0.0.1. */
async function sampleBy(ovs: Ovs, port: number | undefined, observationPoint: number): Promise<void> {
  await ovs.vsctl(
    '--',
    '--id=@bridge',
    'get',
    'Bridge',
    'br0',
    '--',
    '--id=@ipfix',
    'create',
    'IPFIX',
    `targets="127.0.0.1:${port}"`,
    '--',
    'create',
    'Flow_Sample_Collector_Set',
    `id=${COLLECTOR_SET}`,
    'bridge=@bridge',
    'ipfix=@ipfix',
  );
  await ovs.ofctl(
    'add-flow',
    'br0',
    `actions=sample(probability=65535,collector_set_id=${COLLECTOR_SET},obs_domain_id=${DOMAIN_TOKEN},obs_point_id=${observationPoint}),NORMAL`,
  );
}

test('the records of the datapath have the keys of the dissector', tier('ovs'), async (t) => {
  const { ovs, interfaces, intake, receiver } = await startReceiving(lastFirst(t));
  await ovs.addBridge('br0');
  await ovs.addDummyPort('br0', 'p1');
  const ofport = Number(await ovs.vsctl('get', 'Interface', 'p1', 'ofport'));
  interfaces.replace([{ ofport, number: 77, name: 'p1', type: '', description: '' }]);
  const sampled: SampledPacket[] = [];
  const slot = intake.setIds(5, POINT_ID);
  intake.setInterval(1);
  intake.setSink({
    hasInterfaces: true,
    hasTunnels: false,
    sample(bytes, start, end, frameLength, weight, domain, point, ingress) {
      assert.deepEqual([domain, point], [5, POINT_ID]);
      const key = keyOf(bytes, start, end, ingress);
      assert.equal(key.faults, 0);
      sampled.push({
        originalKey: originalKeyOf(bytes, start, end),
        key: key.bytes.toString('hex', 0, key.size),
        templateId: key.templateId,
        frameLength,
        tcpFlags: key.tcpControlBits,
        weight,
      });
    },
  });
  await sampleBy(ovs, receiver.port, intake.pointOf(65_535, slot));
  const frames = recordVectors.map(({ desc, frame }) => ({ desc, bytes: Buffer.from(frame, 'hex') }));
  let comparedCount = 0;
  for (const [index, { desc, bytes }] of frames.entries()) {
    await ovs.inject('p1', bytes);
    await waitFor(() => sampled.length > index, { what: `the sample of ${desc} has arrived` });
    const key = keyOf(bytes, 0, bytes.length, 77);
    const expected = {
      originalKey: originalKeyOf(bytes, 0, bytes.length),
      key: key.bytes.toString('hex', 0, key.size),
      templateId: key.templateId,
      frameLength: bytes.length,
      tcpFlags: key.tcpControlBits & FLAGS_COUNTED,
      weight: 1,
    };
    if (!isReadOtherwise(bytes)) {
      assert.deepEqual(sampled[index], expected, desc);
      comparedCount += 1;
    }
  }
  assert.ok(comparedCount > 50, `only ${comparedCount} frames were compared`);
  const { templates, otherTemplates, malformed, otherDomains, packets, octets } = intake.status();
  assert.ok(templates >= TEMPLATE_COUNT, `${templates} templates were received`);
  assert.deepEqual(
    { otherTemplates, malformed, otherDomains },
    { otherTemplates: 0, malformed: 0, otherDomains: 0 },
  );
  assert.deepEqual([packets.lost, octets.lost, packets.received], [0, 0, frames.length]);
});

for (const version of OPENFLOW_VERSIONS) {
  test(
    `what does not arrive after the last record is counted, over ${versionName(version)}`,
    tier('ovs'),
    async (t) => {
      const atEnd = lastFirst(t);
      const { ovs, intake, receiver } = await startReceiving(atEnd);
      await ovs.addBridge('br0');
      await ovs.vsctl('set', 'Bridge', 'br0', 'protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15');
      await ovs.addDummyPort('br0', 'p1');
      await sampleBy(ovs, receiver.port, intake.pointOf(65_535, intake.setIds(5, POINT_ID)));
      const connection = new OpenFlowConnection(connect(join(ovs.rundir, 'br0.mgmt')), {
        versions: [version],
      });
      atEnd(async () => connection.close());
      await connection.ready;
      const readStatistics = async () => {
        const { entries } = await connection.request({ type: 'ipfix_flow_stats_request' });
        const [statistics] = entries.filter(({ collectorSetId }) => collectorSetId === COLLECTOR_SET);
        assert.ok(statistics !== undefined, 'statistics of the set');
        intake.account.observeSent(Number(statistics.sampledCount));
        return statistics;
      };
      const inject = (count: number) =>
        ovs.injectMany(
          'br0',
          'p1',
          Array.from({ length: count }, () => udpFrame({ sourcePort: 1, dataBytes: 58 })),
        );
      await inject(30);
      await waitFor(() => intake.records === 30, { what: 'all records have arrived' });
      await readStatistics();
      await readStatistics();
      assert.deepEqual(intake.status().tail, { samples: 0, estimatedOctets: 0 });
      await receiver.stop();
      await inject(20);
      const { sampledCount, sampleErrorCount } = await readStatistics();
      assert.deepEqual([sampledCount, sampleErrorCount], [50n, 0n]);
      assert.equal(intake.status().tail.samples, 0, 'they may be on their way');
      await readStatistics();
      assert.deepEqual(intake.status().tail, { samples: 20, estimatedOctets: 2000 });
      assert.equal(intake.account.missingOf(Number(sampledCount)), 20);
    },
  );
}
