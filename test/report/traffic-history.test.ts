// The history of traffic: what it keeps and for how long, its bounds, and what a view of it shows, on frames that the real dissector
// has read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLOT_DIRECTIONS_MAX } from '../../src/flow/traffic-table.ts';
import { DIRECTIONS_MAX } from '../../src/report/traffic/direction-store.ts';
import { HISTORY_BRIDGES_MAX } from '../../src/report/traffic/history.ts';
import { TRAFFIC_VIEWS_MAX, TrafficAnswers } from '../../src/report/traffic/traffic-answers.ts';
import { readTrafficRequest } from '../../src/report/traffic/traffic-request.ts';
import { KEPT_DIRECTIONS_MAX } from '../../src/report/traffic/traffic-slot.ts';
import { arp, ethernet, ipv6, tcp, udpFrame } from '../support/frames.ts';
import { TrafficSource } from './traffic-source.ts';

/** Where the source address is in an untagged frame of IPv4. */
const SOURCE_ADDRESS_AT = 26;

/** A web request from a client's port, or its answer. */
function webFrame(client: string, port: number, isAnswer = false): Buffer {
  const [source, destination] = isAnswer ? ['10.0.1.1', client] : [client, '10.0.1.1'];
  const [sourcePort, destinationPort] = isAnswer ? [443, port] : [port, 443];
  return udpFrame({ source, destination, sourcePort, destinationPort, dataBytes: isAnswer ? 958 : 58 });
}

/** The frame of a flow of its own, by a number. */
function numberedFrame(number: number): Buffer {
  return udpFrame({
    source: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`,
    destination: '192.0.2.1',
    sourcePort: 4000,
    destinationPort: 53,
  });
}

test('keeps the rates of each second, by VM, application, protocol, bridge, source and destination', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0', ['web-1', 'web-2', 'uplink']);
  source.run(20, (second) => {
    // Another client port for each connection.
    source.sample(br0, webFrame('10.0.0.1', 40_000 + second), 100, 1);
    source.sample(br0, webFrame('10.0.0.1', 40_000 + second, true), 100, 3);
    source.sample(br0, numberedFrame(77), 10, 2);
  });
  const bytes = { request: webFrame('10.0.0.1', 1).length, answer: webFrame('10.0.0.1', 1, true).length };
  const found = source.find('window=5m', 'by=interface');
  assert.equal(found.seconds, 20);
  assert.equal(found.times.length, 20);
  assert.deepEqual(
    found.bands.map(({ label, meanBits, meanPackets }) => [label, meanBits, meanPackets]),
    [
      ['uplink', bytes.answer * 800, 100],
      ['web-1', bytes.request * 800, 100],
      ['web-2', numberedFrame(77).length * 80, 10],
    ],
  );
  assert.deepEqual(new Set(found.bands[0]?.bits), new Set([bytes.answer * 800]));
  assert.equal(found.packets, 210);
  assert.equal(found.bits, found.allBits);
  const labels = (by: string) => source.find(`by=${by}`).bands.map(({ label }) => label);
  assert.deepEqual(labels('application'), ['UDP 443 (https)', 'UDP 53 (dns)']);
  assert.deepEqual(labels('protocol'), ['UDP']);
  assert.deepEqual(labels('bridge'), ['br0']);
  assert.deepEqual(labels('source'), ['10.0.1.0/24', '10.0.0.0/24']);
  assert.deepEqual(labels('destination'), ['10.0.0.0/24', '10.0.1.0/24', '192.0.2.0/24']);
});

test('shows both directions of a conversation in one row, with the VM of each end', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0', ['web-1', 'web-2', 'uplink']);
  source.run(10, (second) => {
    source.sample(br0, webFrame('10.0.0.1', 40_000 + second), 100, 1);
    source.sample(br0, webFrame('10.0.0.1', 40_000 + second, true), 100, 3);
  });
  const { talkers, conversations } = source.find('top=5');
  assert.equal(conversations, 1);
  const [talker] = talkers;
  assert.deepEqual(talker?.client, {
    address: '10.0.0.1',
    interface: 'web-1',
    bits: webFrame('10.0.0.1', 1).length * 800,
    packets: 100,
  });
  assert.equal(talker?.server.interface, 'uplink');
  assert.equal(talker?.application, 'UDP 443 (https)');
  assert.equal(talker?.share, 1);
  assert.deepEqual(talker?.words, ['ip=10.0.0.1', 'ip=10.0.1.1', 'proto=udp', 'port=443']);
});

test('selects by words; a VM selects its conversations in both directions', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0', ['web-1', 'web-2', 'uplink']);
  const br1 = source.addExporter('br1', ['db-1']);
  const six = ethernet(
    {},
    ipv6({ source: '2001:db8::1', destination: '2001:db8::2' }, tcp({ source: 22, destination: 50_000 })),
  );
  source.run(10, () => {
    source.sample(br0, webFrame('10.0.0.1', 40_000), 100, 1);
    source.sample(br0, webFrame('10.0.0.1', 40_000, true), 100, 3);
    source.sample(br0, webFrame('10.0.0.2', 40_000), 10, 2);
    source.sample(br1, six, 1, 1);
    source.sample(br1, ethernet({}, arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' })), 1, 1);
  });
  const packets = (...words: readonly string[]) => source.find(...words).packets;
  assert.equal(packets(), 212);
  assert.equal(packets('interface=web-1'), 200);
  assert.equal(packets('interface=web-2'), 10);
  assert.equal(packets('interface=tap0', 'bridge=br1'), 2);
  assert.equal(packets('bridge=br0'), 210);
  assert.equal(packets('ip=10.0.0.0/24'), 210);
  assert.equal(packets('src=10.0.0.0/31'), 100);
  assert.equal(packets('dst=10.0.1.1'), 110);
  assert.equal(packets('proto=tcp', 'port=22'), 1);
  assert.equal(packets('ip=2001:db8::/64'), 1);
  assert.equal(packets('type=0x0806'), 1);
  assert.equal(packets('ip=02:00:00:00:00:01'), 1);
  assert.equal(packets('interface=web-3'), 0);
  // Once a prefix is chosen, its addresses are shown.
  assert.deepEqual(
    source.find('by=source', 'src=10.0.0.0/24').bands.map(({ label }) => label),
    ['10.0.0.1', '10.0.0.2'],
  );
  assert.throws(() => source.find('vlan=7'), {
    name: 'UnknownWord',
    message: /"vlan=7" is not a valid filter/u,
  });
  assert.throws(() => source.find('by=colour'), {
    message: /not a valid dimension; write bridge, interface/u,
  });
  for (const window of [
    '2h',
    '9s',
    '0',
    '',
    '-5m',
    '5',
    '1h1m',
    '5 m',
    '3601',
    '5M',
    '1e3',
    '0x10',
    '99999999999s',
  ]) {
    assert.throws(
      () => source.find(`window=${window}`),
      { message: /write a window from 10s to 1h/u },
      window,
    );
  }
  for (const top of ['', '-1', '101', '1.5', '1e1']) {
    assert.throws(() => source.find(`top=${top}`), { message: /is not a whole number from 0 to 100/u }, top);
  }
  assert.throws(() => source.find('src=10.0.0.0/8/9'), { message: /"8\/9" is not a whole number/u });
});

test('keeps the largest conversations of a second, and all others as the rest of their bridge', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  const count = KEPT_DIRECTIONS_MAX + 100;
  source.run(10, () => {
    for (let number = 0; number < count; number += 1) {
      source.sample(br0, numberedFrame(number), number < 100 ? 1 : 2);
    }
  });
  const found = source.find('by=protocol');
  assert.deepEqual(
    found.bands.map(({ label, kind, meanPackets }) => [label, kind, meanPackets]),
    [
      ['UDP', 'value', 2 * KEPT_DIRECTIONS_MAX],
      ['not listed', 'unlisted', 100],
    ],
  );
  assert.equal(found.packets, 2 * KEPT_DIRECTIONS_MAX + 100);
  assert.equal(found.conversations, KEPT_DIRECTIONS_MAX);
  // By bridge everything is known.
  assert.deepEqual(
    source.find('by=bridge').bands.map(({ label, meanPackets }) => [label, meanPackets]),
    [['br0', 2 * KEPT_DIRECTIONS_MAX + 100]],
  );
  // With a filter, what is not listed may match or not, and is not part of the sum.
  const filtered = source.find('by=protocol', 'proto=udp');
  assert.equal(filtered.packets, 2 * KEPT_DIRECTIONS_MAX);
  assert.equal(filtered.bands.at(-1)?.kind, 'unlisted');
});

test('counts samples beyond the directions of a slot in the totals only', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  source.run(1, () => {
    for (let number = 0; number < SLOT_DIRECTIONS_MAX + 50; number += 1) {
      source.sample(br0, numberedFrame(number), 1);
    }
  });
  assert.equal(source.history.status().samplesOmitted, 50);
  assert.equal(source.find('by=bridge').packets, SLOT_DIRECTIONS_MAX + 50);
});

test('has ten minutes by the second and an hour by ten seconds, forgets what is older, and stays within its memory', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  const frame = numberedFrame(0);
  let number = 0;
  source.run(3700, () => {
    // Other conversations in each second: the worst case for the store.
    for (let each = 0; each < 450; each += 1) {
      frame.writeUInt32BE(number, SOURCE_ADDRESS_AT);
      source.sample(br0, frame, 1);
      number += 1;
    }
  });
  const status = source.history.status();
  assert.equal(status.seconds, 3600);
  assert.equal(status.slots, 600 + 360);
  assert.ok(status.directions <= DIRECTIONS_MAX, `${status.directions} directions`);
  assert.ok(status.directionsOmitted > 0);
  assert.ok(status.memoryBytes < 12 * 1024 * 1024, `${status.memoryBytes} bytes`);
  const hour = source.find('window=1h', 'by=bridge');
  assert.equal(hour.seconds, 3600);
  assert.equal(hour.times.length, 360);
  assert.equal(hour.packets, 450);
  const minutes = source.find('window=5m', 'by=bridge');
  assert.equal(minutes.times.length, 300);
  assert.equal(minutes.packets, 450);
  // Without traffic the store becomes empty.
  source.run(3600);
  assert.equal(source.history.status().directions, 0);
  assert.equal(source.find('window=1h').packets, 0);
});

test('counts the exporter of a whole bridge, and collector sets only where there is none', () => {
  const source = new TrafficSource();
  const whole = source.addExporter('br0');
  const set = source.addExporter('br0', [], 1);
  const alone = source.addExporter('br1', [], 2);
  source.run(10, () => {
    source.sample(whole, numberedFrame(1), 5);
    source.sample(set, numberedFrame(1), 5);
    source.sample(alone, numberedFrame(1), 7);
  });
  assert.deepEqual(
    source.find('by=bridge').bands.map(({ label, meanPackets }) => [label, meanPackets]),
    [
      ['br1', 7],
      ['br0', 5],
    ],
  );
});

test('an exporter that ends keeps its history, and its number is another one later', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  source.run(5, () => source.sample(br0, numberedFrame(1), 4));
  source.remove(br0);
  source.run(1);
  const br1 = source.addExporter('br1');
  assert.equal(br1.number, br0.number);
  source.run(4, () => source.sample(br1, numberedFrame(1), 4));
  assert.deepEqual(
    source.find('by=bridge').bands.map(({ label, meanPackets }) => [label, meanPackets]),
    [
      ['br0', 2],
      ['br1', 2],
    ],
  );
});

test('bridges beyond the limit share a total', () => {
  const source = new TrafficSource();
  const exporters = Array.from({ length: HISTORY_BRIDGES_MAX + 4 }, (_, index) =>
    source.addExporter(`br${index}`),
  );
  source.run(10, () => exporters.forEach((exporter) => source.sample(exporter, numberedFrame(1), 1)));
  const { bands, packets } = source.find('by=bridge');
  assert.equal(packets, exporters.length);
  assert.equal(bands.find(({ label }) => label === 'other bridges')?.meanPackets, 5);
});

test('a slot that ended late has its real length', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  source.sample(br0, numberedFrame(1), 30);
  source.clock.advance(1_000_000);
  source.history.stop();
  source.sample(br0, numberedFrame(1), 60);
  source.clock.advance(2_000_000);
  source.history.start();
  source.clock.advance(1_000_000);
  assert.deepEqual(source.find('by=bridge').bands[0]?.packets, [30, 20]);
});

test('equal requests of one second are answered once, and too many different ones are refused', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  source.run(2, () => source.sample(br0, numberedFrame(1), 1));
  const answers = new TrafficAnswers(source.history, 4, source.clock);
  const first = answers.find(readTrafficRequest(['top=1']));
  assert.equal(answers.find(readTrafficRequest(['top=1'])), first);
  for (let count = 2; count <= TRAFFIC_VIEWS_MAX; count += 1) {
    assert.ok(answers.find(readTrafficRequest([`top=${count}`])) !== undefined);
  }
  assert.equal(answers.find(readTrafficRequest(['top=0'])), undefined);
  assert.equal(answers.refused, 1);
  source.run(1);
  assert.ok(answers.find(readTrafficRequest(['top=0'])) !== undefined);
});

test('a look-up that took long is repeated only after a hundred times as long', () => {
  const source = new TrafficSource();
  const br0 = source.addExporter('br0');
  source.run(2, () => source.sample(br0, numberedFrame(1), 1));
  let nowMicros = 0;
  // Each reading of the clock is 25 ms later.
  const clock = { monotonicMicros: () => (nowMicros += 25_000) };
  const answers = new TrafficAnswers(source.history, 4, clock);
  const request = readTrafficRequest(['by=bridge']);
  const first = answers.find(request);
  source.run(1);
  assert.equal(answers.find(request), first, 'there is another second, and the answer is kept');
  nowMicros += 2_600_000;
  assert.notEqual(answers.find(request), first);
});
