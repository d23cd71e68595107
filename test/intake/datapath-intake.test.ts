// Samples of the datapath: their weights, what they are forwarded as, and the account of what is lost on the way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SampleSink } from '../../src/intake/bridge-intake.ts';
import { DatapathIntake } from '../../src/intake/datapath-intake.ts';
import { IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { SWITCH_DOMAIN, SwitchExporter } from './switch-messages.ts';

const EVERY = 65_535;
/** Behind the headers of Ethernet and IPv4. */
const TCP_FLAGS_AT = 14 + 20 + 13;

interface Forwarded {
  readonly weight: number;
  readonly octets: number;
  readonly domain: number;
  readonly point: number;
  readonly ingress: number;
  readonly tcpFlags: number;
}

function openIntake(interval = 1) {
  const interfaces = new IngressInterfaces();
  interfaces.replace([{ ofport: 3, number: 77, name: 'p1', type: '', description: '' }]);
  const otherTemplates: number[] = [];
  const intake = new DatapathIntake({
    domainToken: SWITCH_DOMAIN,
    randomSeed: () => 7,
    interfaces,
    onOtherTemplate: (id) => otherTemplates.push(id),
  });
  const forwarded: Forwarded[] = [];
  const sink: SampleSink = {
    hasInterfaces: true,
    hasTunnels: false,
    sample(bytes, _start, _end, _frameLength, weight, domain, point, ingress, octets) {
      forwarded.push({ weight, octets, domain, point, ingress, tcpFlags: bytes[TCP_FLAGS_AT]! });
    },
  };
  intake.setSink(sink);
  intake.setInterval(interval);
  const slot = intake.setIds(5, 6);
  const receive = (message: Buffer) => intake.receive(message, message.length);
  const pointOf = (probability: number) => intake.pointOf(probability, slot);
  return { intake, forwarded, receive, pointOf, otherTemplates };
}

const amount = (received: number, lost: number) => ({ exported: received + lost, received, lost });
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

test('forwards a sample with the ids, interface and TCP flags of its packet, and the weight 1 for P of 65535', () => {
  const { forwarded, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  receive(exporter.message({ point: pointOf(EVERY), tcpFlags: 0x02 }));
  receive(exporter.message({ point: pointOf(EVERY), tcpFlags: 0x18 }));
  const common = { weight: 1, octets: 100, domain: 5, point: 6, ingress: 77 };
  assert.deepEqual(forwarded, [
    { ...common, tcpFlags: 0x02 },
    { ...common, tcpFlags: 0x18 },
  ]);
});

test('weighs samples by 65535/P of their own record, and carries the rest', () => {
  const { forwarded, receive, pointOf } = openIntake(400);
  const exporter = new SwitchExporter();
  for (let count = 0; count < 1000; count += 1) {
    receive(exporter.message({ point: pointOf(count % 2 === 0 ? 100 : 40), packets: 655 }));
  }
  const exact = 500 * (EVERY / 100) + 500 * (EVERY / 40);
  assert.ok(Math.abs(sum(forwarded.map(({ weight }) => weight)) - exact) <= 1);
  assert.ok(Math.abs(sum(forwarded.map(({ octets }) => octets)) - 100 * exact) <= 1);
});

test('thins samples to 1 in N where P is more than that, also for an N that 65535/P cannot express', () => {
  for (const [interval, probability] of [
    [10, EVERY],
    [100_000, 1],
    [4_000_000_000, 655],
  ] as const) {
    const { forwarded, receive, pointOf } = openIntake(interval);
    const exporter = new SwitchExporter();
    const count = 4000;
    for (let index = 0; index < count; index += 1) {
      receive(exporter.message({ point: pointOf(probability) }));
    }
    const share = EVERY / probability / interval;
    const expected = count * share;
    const error = Math.sqrt(count * share * (1 - share));
    assert.ok(Math.abs(forwarded.length - expected) <= 5 * error + 1e-9, `${forwarded.length}: ${expected}`);
    assert.ok(forwarded.every(({ weight }) => Math.abs(weight - interval) <= interval * 1e-4));
  }
});

test('counts exactly what is lost between two records, and compensates packets and octets', () => {
  const { intake, forwarded, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  let lostOctets = 0;
  for (let second = 1; second <= 20; second += 1) {
    for (let index = 0; index < 100; index += 1) {
      const isLost = second < 10 && index % 10 === 3;
      const frameLength = isLost ? 1000 : 100;
      const message = exporter.message({ point: pointOf(EVERY), frameLength, tcpFlags: 0x10 }, second);
      if (isLost) {
        lostOctets += frameLength;
      } else {
        receive(message);
      }
    }
  }
  const { packets, octets, samplesLost, packetCompensation, octetCompensation } = intake.status();
  assert.deepEqual(packets, { exported: 2000, received: 1910, lost: 90 });
  assert.deepEqual([octets.lost, samplesLost], [lostOctets, 90]);
  assert.deepEqual([packetCompensation.pending, packetCompensation.writtenOff], [0, 0]);
  assert.ok(Math.abs(octetCompensation.pending) < 1 && octetCompensation.writtenOff === 0);
  assert.ok(Math.abs(sum(forwarded.map(({ weight }) => weight)) - 2000) <= 2);
  const all = 2000 * 100 + 90 * 900;
  const counted = sum(forwarded.map((each) => each.octets));
  assert.ok(Math.abs(counted - all) < all / 1000, `${counted} of ${all}`);
});

for (const [before, after] of [
  [EVERY, 4369],
  [4369, EVERY],
  [EVERY, 40_000],
  [40_000, EVERY],
] as const) {
  test(`what was lost at a probability of ${before} is compensated by samples of ${after}`, () => {
    const { intake, forwarded, receive, pointOf } = openIntake();
    const exporter = new SwitchExporter();
    let exact = 0;
    // 1,500 packets a second; the probability changes behind a second in which half of them were lost.
    for (let second = 1; second <= 10; second += 1) {
      const probability = second <= 3 ? before : after;
      const weight = EVERY / probability;
      for (let index = 0; index < Math.round(1500 / weight); index += 1) {
        exact += weight;
        const message = exporter.message(
          { point: pointOf(probability), packets: Math.floor(weight) },
          second,
        );
        if (second !== 3 || index % 2 === 0) {
          receive(message);
        }
      }
    }
    const { packets, packetCompensation, octetCompensation } = intake.status();
    assert.ok(packets.lost > 450, `${packets.lost} lost`);
    assert.deepEqual([packetCompensation.writtenOff, octetCompensation.writtenOff], [0, 0]);
    const represented = sum(forwarded.map(({ weight }) => weight));
    assert.ok(Math.abs(represented - exact) <= 3, `${represented} packets of ${exact}`);
    const octets = sum(forwarded.map((each) => each.octets));
    assert.ok(Math.abs(octets - 100 * exact) <= 300, `${octets} octets of ${100 * exact}`);
  });
}

test('takes the flags of a TCP packet from the totals only where no record is missing before it', () => {
  const { forwarded, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  const point = pointOf(EVERY);
  receive(exporter.message({ point, tcpFlags: 0x02 }));
  exporter.message({ point, tcpFlags: 0x04 });
  receive(exporter.message({ point, tcpFlags: 0x10 }));
  receive(exporter.message({ point, tcpFlags: 0x11 }));
  assert.deepEqual(
    forwarded.map(({ tcpFlags }) => tcpFlags),
    [0x02, 0, 0x11],
  );
});

test('begins a new account with another exporter, whose losses before its first record to arrive count too', () => {
  const { intake, receive, pointOf } = openIntake();
  const point = pointOf(EVERY);
  const lose = (exporter: SwitchExporter, count: number) => {
    for (let index = 0; index < count; index += 1) {
      exporter.message({ point });
    }
  };
  // An exporter that is older than the account: what it lost before is not known.
  const first = new SwitchExporter();
  lose(first, 5000);
  receive(first.message({ point }));
  assert.deepEqual([intake.status().packets, intake.status().restarts], [amount(1, 0), 0]);
  // A restarted ovs-vswitchd: totals and sequence numbers go back, without notice.
  const second = new SwitchExporter();
  lose(second, 10);
  receive(second.message({ point }));
  assert.deepEqual([intake.status().packets, intake.status().restarts], [amount(2, 10), 1]);
  // One that has sent more than the one before it is only known by notice.
  intake.restartAccount(true);
  const third = new SwitchExporter();
  lose(third, 20);
  receive(third.message({ point }));
  assert.deepEqual([intake.status().packets, intake.status().restarts], [amount(3, 30), 2]);
  // Other own rows, whose exporter may be older.
  intake.restartAccount(false);
  const fourth = new SwitchExporter(90_000);
  lose(fourth, 3);
  receive(fourth.message({ point }));
  lose(fourth, 2);
  receive(fourth.message({ point }));
  const { packets, samplesLost, restarts } = intake.status();
  assert.deepEqual([packets, samplesLost, restarts], [amount(5, 32), 32, 3]);
});

test('messages in the wrong order are neither lost nor those of another exporter', () => {
  const { intake, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  const messages = Array.from({ length: 10 }, (_, index) =>
    exporter.message({ point: pointOf(EVERY), frameLength: 100 + index }),
  );
  const order = [0, 2, 1, 3, 6, 4, 5, 8, 9, 7];
  for (const index of order) {
    receive(messages[index]!);
  }
  const { packets, octets, samplesLost, samplesLate, restarts } = intake.status();
  assert.deepEqual([packets, octets], [amount(10, 0), amount(1045, 0)]);
  assert.deepEqual({ samplesLost, samplesLate, restarts }, { samplesLost: 0, samplesLate: 4, restarts: 0 });
});

test('counts test packets and records of other domains, and forwards neither', () => {
  const { intake, forwarded, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  receive(exporter.message({ point: 0 }));
  receive(exporter.message({ point: pointOf(EVERY), domain: 9 }));
  receive(exporter.message({ point: pointOf(EVERY) }));
  const { received, tests, otherDomains, packets } = intake.status();
  assert.deepEqual(
    { received, tests, otherDomains, lost: packets.lost },
    { received: 3, tests: 1, otherDomains: 1, lost: 0 },
  );
  assert.deepEqual([forwarded.length, intake.samples], [1, 2]);
});

test('a sample keeps the ids that the bridge had when it was sampled', () => {
  const { intake, forwarded, receive, pointOf } = openIntake();
  const exporter = new SwitchExporter();
  const before = pointOf(EVERY);
  const after = intake.pointOf(EVERY, intake.setIds(0xffff_ffff, 8));
  receive(exporter.message({ point: after }));
  receive(exporter.message({ point: before }));
  assert.deepEqual(
    forwarded.map(({ domain, point }) => [domain >>> 0, point]),
    [
      [0xffff_ffff, 8],
      [5, 6],
    ],
  );
});

test('counts malformed messages, whatever is cut off, and never throws', () => {
  const { intake, receive, pointOf } = openIntake();
  const message = new SwitchExporter().message({ point: pointOf(EVERY) });
  for (let size = 0; size < message.length; size += 1) {
    receive(message.subarray(0, size));
    const cut = Buffer.from(message.subarray(0, size));
    if (size >= 4) {
      cut.writeUInt16BE(size, 2);
    }
    receive(cut);
    if (size >= 20) {
      cut.writeUInt16BE(size - 16, 18);
      receive(cut);
    }
  }
  const { malformed, received } = intake.status();
  assert.equal(received, 0);
  assert.ok(malformed > message.length);
});

test('reads records by a template that was received and differs', () => {
  const { intake, forwarded, receive, pointOf, otherTemplates } = openIntake();
  // Point, packets and octets only, with their totals.
  const elements = [138, 4, 2, 8, 86, 8, 352, 8, 353, 8];
  const template = Buffer.alloc(16 + 8 + 20);
  template.writeUInt16BE(10, 0);
  template.writeUInt16BE(template.length, 2);
  template.writeUInt16BE(2, 16);
  template.writeUInt16BE(28, 18);
  template.writeUInt16BE(256, 20);
  template.writeUInt16BE(5, 22);
  elements.forEach((value, index) => template.writeUInt16BE(value, 24 + index * 2));
  receive(template);
  const data = Buffer.alloc(16 + 4 + 36);
  data.writeUInt16BE(10, 0);
  data.writeUInt16BE(data.length, 2);
  data.writeUInt32BE(SWITCH_DOMAIN, 12);
  data.writeUInt16BE(256, 16);
  data.writeUInt16BE(40, 18);
  data.writeUInt32BE(pointOf(EVERY), 20);
  data.writeUInt32BE(1, 28);
  data.writeUInt32BE(1, 36);
  data.writeUInt32BE(64, 44);
  data.writeUInt32BE(64, 52);
  receive(data);
  receive(template);
  const { templates, malformed } = intake.status();
  assert.deepEqual([templates, intake.status().otherTemplates, malformed], [2, 1, 0]);
  assert.deepEqual(otherTemplates, [256], 'reported once');
  assert.deepEqual(
    forwarded.map(({ weight, octets }) => [weight, octets]),
    [[1, 64]],
  );
});
