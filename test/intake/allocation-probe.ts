// Run by allocation.test.ts in a process of its own, with a young generation so large that nothing is collected while a run is
// measured: then the growth of the heap is what the run has allocated. Prints bytes a look-up, as JSON.

import { BridgeIntake } from '../../src/intake/bridge-intake.ts';
import { DatapathIntake } from '../../src/intake/datapath-intake.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { SampleRates } from '../../src/intake/sample-rates.ts';
import { SetIntake } from '../../src/intake/set-intake.ts';
import { knownTemplates } from '../../src/intake/switch-templates.ts';
import { bridgeUserdata } from '../../src/intake/userdata.ts';
import { PacketInView } from '../../src/node-openflow/index.ts';
import { SWITCH_DOMAIN, SwitchExporter } from './switch-messages.ts';

const WARM_UP_COUNT = 1_000_000;
const ROUND_COUNT = 5;
const LOOKUP_COUNT = 1_000_000;
const PORT_COUNT = 1000;

const interfaces = new IngressInterfaces();
interfaces.replace(
  Array.from({ length: PORT_COUNT }, (_, index) => ({
    ofport: index + 1,
    // The largest ifindex of Linux is among them.
    number: 2 ** 31 - 1 - index,
    name: `p${index}`,
    type: '',
    description: '',
  })).concat({ ofport: 65_534, number: 4, name: 'br0', type: 'internal', description: '' }),
);
// Ports as they are read from a message.
const message = Buffer.alloc(4);
let sink = 0;
const kept: object[] = [];

function lookUp(count: number, first: number): void {
  for (let index = 0; index < count; index += 1) {
    message.writeUInt32BE(first + (index % PORT_COUNT));
    sink ^= interfaces.numberOf(message.readUInt32BE());
  }
}

function lookUpLocal(count: number): void {
  message.writeUInt32BE(0xffff_fffe);
  for (let index = 0; index < count; index += 1) {
    sink ^= interfaces.numberOf(message.readUInt32BE());
  }
}

/** Packet-ins of the hook, each of which becomes a sample with its interface and its tunnel. */
const intake = new BridgeIntake({ interfaces, randomSeed: () => 1, onUnexpectedSet: () => {} });
intake.setHookInterval(1);
intake.setHookSink({
  hasInterfaces: true,
  hasTunnels: true,
  sample(_bytes, start, end, _length, weight, domain, point, ingress, octets, tunnel) {
    sink ^= start ^ end ^ weight ^ domain ^ point ^ ingress ^ octets ^ tunnel![1]! ^ tunnel![3]!;
  },
});
const packetIn = new PacketInView();
const userdata = bridgeUserdata(1, 2);
// in_port, then tun_id, tun_src and tun_dst, with numbers above 2^31.
const metadata = Buffer.from(
  '8000000400000000 0001200800000000ffffffff 00013e04c0000201 00014004c0000202'.replaceAll(' ', ''),
  'hex',
);
packetIn.bytes = Buffer.concat([userdata, metadata, Buffer.alloc(60)]);
packetIn.userdataEnd = userdata.length;
packetIn.metadataStart = userdata.length;
packetIn.metadataEnd = userdata.length + metadata.length;
packetIn.packetStart = packetIn.metadataEnd;
packetIn.packetEnd = packetIn.bytes.length;
packetIn.fullLength = 60;

function receive(count: number): void {
  for (let index = 0; index < count; index += 1) {
    // Some ports are above 2^31: that of the bridge itself. Written as a signed number, which the probe passes without a box.
    packetIn.bytes.writeInt32BE(index % 8 === 0 ? -2 : 1 + (index % PORT_COUNT), userdata.length + 4);
    intake.receive(packetIn);
  }
}

/** Samples of the datapath: one message of one record, whose totals grow as those of an exporter do. */
const datapath = new DatapathIntake({
  domainToken: SWITCH_DOMAIN,
  randomSeed: () => 1,
  interfaces,
  onOtherTemplate: (id) => {
    throw new Error(`template ${id}`);
  },
});
datapath.setInterval(2);
datapath.setSink({
  hasInterfaces: true,
  hasTunnels: true,
  sample(_bytes, start, end, _length, weight, domain, point, ingress, octets, tunnel) {
    sink ^= start ^ end ^ weight ^ domain ^ point ^ ingress ^ octets ^ tunnel![1]!;
  },
});
const switchMessage = new SwitchExporter().message({
  point: datapath.pointOf(65_535, datapath.setIds(0xffff_ffff, 0xffff_fffe)),
  tcpFlags: 0x10,
});
/** Where the message has its sequence number, and its totals of packets and octets. */
const SEQUENCE_AT = 8;
const PACKETS_TOTAL_AT = 102;
const OCTETS_TOTAL_AT = 174;
/** What each message has more than the one before. */
const GROWTH = [
  { at: SEQUENCE_AT, step: 1 },
  { at: PACKETS_TOTAL_AT + 4, step: 1 },
  { at: OCTETS_TOTAL_AT + 4, step: 100 },
];

function grow(bytes: Buffer): void {
  for (let field = 0; field < GROWTH.length; field += 1) {
    const { at, step } = GROWTH[field]!;
    bytes.writeInt32BE((bytes.readInt32BE(at) + step) & 0x7fff_ffff, at);
  }
}

function receiveSampled(count: number): void {
  for (let index = 0; index < count; index += 1) {
    grow(switchMessage);
    datapath.receive(switchMessage, switchMessage.length);
  }
}

/** Records of a redirected collector set, whose flows have a probability for their ids. */
const rates = new SampleRates();
rates.add(SWITCH_DOMAIN, 0xffff_fffe, 32_768);
const set = new SetIntake({
  seed: 1,
  interfaces,
  templates: knownTemplates(),
  onOtherTemplate: (id) => {
    throw new Error(`template ${id}`);
  },
  rates,
});
set.setSink({
  hasInterfaces: true,
  hasTunnels: true,
  sample(_bytes, start, end, _length, weight, domain, point, ingress, octets, tunnel) {
    sink ^= start ^ end ^ weight ^ domain ^ point ^ ingress ^ octets ^ tunnel![1]!;
  },
});
const setMessage = new SwitchExporter().message({ point: 0xffff_fffe, tcpFlags: 0x10 });

function receiveOfSet(count: number): void {
  for (let index = 0; index < count; index += 1) {
    grow(setMessage);
    set.receive(setMessage, setMessage.length);
  }
}

function allocate(count: number): void {
  for (let index = 0; index < count; index += 1) {
    kept[index & 0xff] = { index };
  }
}

/** The median of some rounds: in one or the other, code is thrown away and compiled again. */
function bytesEach(body: (count: number) => void): number {
  body(WARM_UP_COUNT);
  const rounds: number[] = [];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    body(LOOKUP_COUNT);
    rounds.push((process.memoryUsage().heapUsed - before) / LOOKUP_COUNT);
  }
  return rounds.sort((a, b) => a - b)[ROUND_COUNT >> 1] ?? Number.NaN;
}

const result = {
  known: bytesEach((count) => lookUp(count, 1)),
  unknown: bytesEach((count) => lookUp(count, PORT_COUNT + 1)),
  local: bytesEach(lookUpLocal),
  packetIn: bytesEach(receive),
  datapath: bytesEach(receiveSampled),
  set: bytesEach(receiveOfSet),
  setLost: set.status().packets.lost,
  datapathLost: datapath.status().packets.lost,
  datapathRestarts: datapath.status().restarts,
  datapathReceived: datapath.status().received,
  allocating: bytesEach(allocate),
  sink,
};
process.stdout.write(JSON.stringify(result));
