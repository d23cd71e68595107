import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgeIntake, type SampleSink } from '../../src/intake/bridge-intake.ts';
import { bridgeUserdata, sampleUserdata } from '../../src/intake/userdata.ts';
import { PacketInView } from '../../src/node-openflow/index.ts';

const COUNTED_NOTHING = { packets: 0n, octets: 0n, dropped: 0n };

/** Returns a packet-in with this userdata and four bytes of a frame of 60. */
function packetIn(userdata: Buffer): PacketInView {
  const view = new PacketInView();
  view.bytes = Buffer.concat([userdata, Buffer.from('f00d0001', 'hex')]);
  view.userdataStart = 0;
  view.userdataEnd = userdata.length;
  view.packetStart = userdata.length;
  view.packetEnd = view.bytes.length;
  view.fullLength = 60;
  return view;
}

function sampleOf(collectorSetId: number, probability: number): PacketInView {
  return packetIn(
    sampleUserdata({
      type: 'sample',
      probability,
      collectorSetId,
      observationDomainId: 7,
      observationPointId: 8,
      samplingPort: 0xffff_ffff,
      direction: 0,
    }),
  );
}

class Samples implements SampleSink {
  readonly seen: string[] = [];
  sample(
    bytes: Buffer,
    start: number,
    end: number,
    length: number,
    weight: number,
    domain: number,
    point: number,
  ): void {
    this.seen.push(`${bytes.toString('hex', start, end)} ${length} x${weight} ${domain}/${point}`);
  }
}

function setUp() {
  const unexpected: number[] = [];
  const intake = new BridgeIntake({ randomSeed: () => 1, onUnexpectedSet: () => unexpected.push(1) });
  return { intake, unexpected, hook: new Samples(), set: new Samples() };
}

test('forwards packet-ins of the hook with their ids, and reports its sampler with the ledger of its meter', () => {
  const { intake, hook } = setUp();
  intake.setHookInterval(1);
  intake.setHookSink(hook);
  intake.observeHookPool(COUNTED_NOTHING);
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  intake.observeHookPool({ packets: 4n, octets: 240n, dropped: 3n });
  assert.deepEqual(hook.seen, ['f00d0001 60 x1 5/6']);
  assert.deepEqual(intake.hookStatus(), {
    interval: 1,
    observedPackets: 4,
    observedOctets: 240,
    droppedByMeter: 3,
    received: 1,
    selected: 1,
    lost: 0,
    shareDropped: 0.75,
    compensationFactor: 4,
    sampleWeight: 4,
    pendingLossPackets: 3,
    writtenOffPackets: 0,
  });
  // The next packet represents the three that the meter dropped, and itself.
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  assert.equal(hook.seen[1], 'f00d0001 60 x4 5/6');
});

test('changes N without losing counts, and forgets them when no hook is desired', () => {
  const { intake, hook } = setUp();
  intake.setHookInterval(1);
  intake.setHookSink(hook);
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  intake.setHookInterval(64);
  assert.deepEqual([intake.hookStatus()?.interval, intake.hookStatus()?.sampleWeight], [64, 64]);
  assert.equal(intake.hookStatus()?.received, 1);
  intake.setHookInterval(undefined);
  assert.equal(intake.hookStatus(), undefined);
  intake.setHookInterval(64);
  assert.equal(intake.hookStatus()?.received, 0);
});

test('forwards packet-ins of sample actions to their collector set, behind one meter for all sets', () => {
  const { intake, set, unexpected } = setUp();
  const other = new Samples();
  intake.setExpectedSets(new Set([1, 2]));
  intake.addSet(1, set);
  intake.addSet(2, other);
  intake.receive(sampleOf(1, 65_535));
  intake.receive(sampleOf(2, 65_535));
  assert.deepEqual(set.seen, ['f00d0001 60 x1 7/8']);
  assert.deepEqual(other.seen, set.seen);
  assert.deepEqual(intake.setStatus(1), { received: 1, selected: 1 });
  assert.equal(intake.sampleActionMeterStatus().received, 2);
  intake.removeSet(2);
  intake.receive(sampleOf(2, 65_535));
  assert.equal(other.seen.length, 1);
  assert.equal(intake.unmanagedPacketIns, 1);
  assert.equal(unexpected.length, 0);
});

test('counts packet-ins that belong to no row, and reports a set that is not expected', () => {
  const { intake, unexpected } = setUp();
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  intake.receive(packetIn(Buffer.from('another controller')));
  intake.receive(sampleOf(3, 100));
  assert.equal(intake.unmanagedPacketIns, 3);
  assert.equal(unexpected.length, 1);
  // The hook is installed, and its row is not adopted yet.
  intake.setHookInterval(1);
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  assert.equal(intake.unmanagedPacketIns, 4);
  assert.equal(intake.hookStatus()?.received, 1);
});
