import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BridgeIntake, type SampleSink } from '../../src/intake/bridge-intake.ts';
import { type BridgeInterface, IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { bridgeUserdata, sampleUserdata } from '../../src/intake/userdata.ts';
import { PacketInView } from '../../src/node-openflow/index.ts';

const COUNTED_NOTHING = { packets: 0n, octets: 0n, dropped: 0n, droppedOctets: 0n };

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
  readonly ingress: number[] = [];
  readonly tunnels: (readonly number[] | undefined)[] = [];
  hasInterfaces = false;
  hasTunnels = false;
  sample(
    bytes: Buffer,
    start: number,
    end: number,
    length: number,
    weight: number,
    domain: number,
    point: number,
    ingress: number,
    octets: number,
    tunnel: Int32Array | undefined,
  ): void {
    this.ingress.push(ingress);
    this.tunnels.push(tunnel && [...tunnel]);
    this.seen.push(`${bytes.toString('hex', start, end)} ${length} x${weight} ${domain}/${point} ${octets}`);
  }
}

function setUp() {
  const unexpected: number[] = [];
  const interfaces = new IngressInterfaces();
  const intake = new BridgeIntake({
    interfaces,
    randomSeed: () => 1,
    onUnexpectedSet: () => unexpected.push(1),
  });
  return { intake, interfaces, unexpected, hook: new Samples(), set: new Samples() };
}

test('forwards packet-ins of the hook with their ids, and reports its sampler with the ledger of its meter', () => {
  const { intake, hook } = setUp();
  intake.setHookInterval(1);
  intake.setHookSink(hook);
  intake.observePool('hook', COUNTED_NOTHING);
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  intake.observePool('hook', { packets: 4n, octets: 1260n, dropped: 3n, droppedOctets: 1200n });
  assert.deepEqual(hook.seen, ['f00d0001 60 x1 5/6 60']);
  assert.deepEqual(intake.hookStatus(), {
    interval: 1,
    observedPackets: 4,
    observedOctets: 1260,
    droppedByMeter: 3,
    received: 1,
    receivedOctets: 60,
    unobservedPackets: 0,
    selected: 1,
    lost: 0,
    inTransit: 0,
    surplusPackets: 0,
    shareDropped: 0.75,
    compensationFactor: 4,
    octetCompensationFactor: 21,
    sampleWeight: 4,
    pendingLossPackets: 3,
    pendingLossOctets: 1200,
    writtenOffPackets: 0,
    writtenOffOctets: 0,
    restarts: { meterAdded: 0, rateChanged: 0, meterModified: 0, connectionLost: 0, countersDecreased: 0 },
  });
  // The next packet represents the three larger ones that the meter dropped, and itself.
  intake.receive(packetIn(bridgeUserdata(5, 6)));
  assert.equal(hook.seen[1], 'f00d0001 60 x4 5/6 1260');
});

test('restarts the ledger of one meter, and sees a surplus of either', () => {
  const { intake } = setUp();
  intake.setHookInterval(1);
  for (const meter of ['hook', 'sample'] as const) {
    intake.observePool(meter, COUNTED_NOTHING);
  }
  intake.restartLedger('sample', 'rateChanged');
  assert.equal(intake.hookStatus()?.restarts.rateChanged, 0);
  assert.equal(intake.sampleActionMeterStatus().restarts.rateChanged, 1);
  assert.equal(intake.hasSurplus, false);
  for (let reading = 0; reading < 3; reading += 1) {
    intake.receive(packetIn(bridgeUserdata(5, 6)));
    intake.observePool('hook', COUNTED_NOTHING);
    assert.equal(intake.hasSurplus, reading === 2);
  }
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

test('forwards what the metadata and the port of a packet-in say of its tunnel, to sinks that use it', () => {
  const { intake, hook, interfaces } = setUp();
  const port = (ofport: number, type: string, tunnelPort?: number) => ({
    ofport,
    number: ofport,
    name: `p${ofport}`,
    type,
    description: '',
    tunnelPort,
  });
  interfaces.replace([port(5, 'vxlan'), port(6, 'geneve', 16_081), port(7, 'gre'), port(8, '')]);
  intake.setHookInterval(1);
  intake.setHookSink(hook);
  const inPort = (number: number) => `80000004${number.toString(16).padStart(8, '0')}`;
  const tunnel = '0001200800000000fffffffe 00013e04c0000201 00014004c0000202'.replaceAll(' ', '');
  const receive = (metadata: string) => {
    const userdata = bridgeUserdata(5, 6);
    const view = new PacketInView();
    view.bytes = Buffer.concat([userdata, Buffer.from(metadata, 'hex'), Buffer.alloc(60)]);
    view.userdataEnd = userdata.length;
    view.metadataStart = userdata.length;
    view.metadataEnd = view.bytes.length - 60;
    view.packetStart = view.metadataEnd;
    view.packetEnd = view.bytes.length;
    view.fullLength = 60;
    intake.receive(view);
    return hook.tunnels.at(-1)?.map((word) => word >>> 0);
  };
  assert.equal(receive(inPort(5) + tunnel), undefined, 'not used');
  hook.hasTunnels = true;
  const ends = [0xffff_fffe, 0xc000_0201, 0xc000_0202];
  assert.deepEqual(receive(tunnel + inPort(5)), [1, ...ends, 17, 0, 4789]);
  assert.deepEqual(receive(inPort(6) + tunnel), [7, ...ends, 17, 0, 16_081]);
  assert.deepEqual(receive(inPort(7) + tunnel), [2, ...ends, 47, 0, 0]);
  assert.deepEqual(receive(inPort(8)), [0, 0, 0, 0, 0, 0, 0]);
  // The tunnel's id in OXM; the rest is cut off.
  assert.deepEqual(receive(`${inPort(5)}80004c08000000010000007b00013e04c000`), [1, 123, 0, 0, 17, 0, 4789]);
  assert.deepEqual(receive(inPort(0xffff_fffe)), [0, 0, 0, 0, 0, 0, 0]);
});

test('forwards packet-ins of sample actions to their collector set, behind one meter for all sets', () => {
  const { intake, set, unexpected } = setUp();
  const other = new Samples();
  intake.setExpectedSets(new Set([1, 2]));
  intake.addSet(1, set);
  intake.addSet(2, other);
  intake.receive(sampleOf(1, 65_535));
  intake.receive(sampleOf(2, 65_535));
  assert.deepEqual(set.seen, ['f00d0001 60 x1 7/8 60']);
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

/** A packet-in of the hook whose metadata is these fields in hex. */
function packetInBy(metadata: string): PacketInView {
  const view = packetIn(bridgeUserdata(5, 6));
  view.metadataStart = view.bytes.length;
  view.bytes = Buffer.concat([view.bytes, Buffer.from(metadata, 'hex')]);
  view.metadataEnd = view.bytes.length;
  return view;
}

test('forwards the number of the interface of in_port, and looks no port up for a sink that does not use it', () => {
  const { intake, interfaces, hook } = setUp();
  const port = (ofport: number, number: number): BridgeInterface => ({
    ofport,
    number,
    name: `p${ofport}`,
    type: '',
    description: `p${ofport}`,
  });
  interfaces.replace([port(3, 77), port(300, 2 ** 31 - 1), port(65_534, 9)]);
  intake.setHookInterval(1);
  intake.setHookSink(hook);
  intake.receive(packetInBy('8000000400000004'));
  assert.deepEqual(hook.ingress, [0x0100_ffff]);
  assert.equal(interfaces.status().unknownLookups, 0);
  hook.hasInterfaces = true;
  const register = '00010004deadbeef';
  const experimenter = 'ffff00080000232001020304';
  for (const metadata of [
    '8000000400000003',
    '000000020003',
    `${register}${experimenter}800000040000012c`,
    '80000004fffffffe',
    '00000002fffe',
    '8000000400000004',
    // Without a port, and with one that is truncated.
    register,
    '80000004000000',
    '8000000400010003',
    '',
  ]) {
    intake.receive(packetInBy(metadata));
  }
  const unknown = 0x0100_ffff;
  const seen = [77, 77, 2 ** 31 - 1, 9, 9, 0x0100_0004, unknown, unknown, unknown, unknown];
  assert.deepEqual(hook.ingress.slice(1), seen);
  assert.equal(interfaces.status().unknownLookups, 5);
});
