// Filters, the search for the largest flows and their table, on a real cache with frames that the real dissector has read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowCache } from '../../src/flow/flow-cache.ts';
import { type BridgeInterface, IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { dissectExtended } from '../../src/packet/dissect-extended.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { FlowFilter } from '../../src/report/flow-filter.ts';
import { readFlowRequest } from '../../src/report/flow-request.ts';
import { flowTable } from '../../src/report/flow-table.ts';
import type { RecordOrigin } from '../../src/report/record-rows.ts';
import { TABLE_WIDTH } from '../../src/report/text-table.ts';
import { findTopFlows, TOP_FLOWS_MAX } from '../../src/report/top-flows.ts';
import { arp, ethernet, ipv6, tcp, udpFrame } from '../support/frames.ts';
import { ManualClock } from '../support/manual-clock.ts';

const key = new FlowKey();

/** The origin of flows on a bridge with these interfaces. */
function origin(values: RecordOrigin['values'], list: readonly BridgeInterface[] = []) {
  const interfaces = new IngressInterfaces();
  interfaces.replace(list);
  return { values, interfaces };
}

function cacheOf(
  ...frames: readonly (readonly [frame: Buffer, packets: number, domain?: number])[]
): FlowCache {
  const cache = new FlowCache({ activeTimeoutMicros: 1e9, flowsMax: 1e6, hashSeed: 1 });
  for (const [frame, packets, domain = 0] of frames) {
    dissect(frame, 0, frame.length, 7, key);
    cache.add(key, domain, 1_000_000, packets, frame.length);
  }
  return cache;
}

const FRAMES = {
  dns: udpFrame({ source: '10.0.0.1', destination: '10.9.9.9', sourcePort: 4000, destinationPort: 53 }),
  web: ethernet(
    { destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01', vlans: [{ id: 100 }] },
    ipv6({ source: '2001:db8::1', destination: '2001:db8::2' }, tcp({ source: 5000, destination: 443 })),
  ),
  arp: ethernet({}, arp({ senderIp: '10.0.0.1', targetIp: '10.0.0.2' })),
} as const;

async function matching(...words: readonly string[]): Promise<string[]> {
  const names = Object.keys(FRAMES) as (keyof typeof FRAMES)[];
  const found: string[] = [];
  for (const name of names) {
    const sources = [{ origin: origin({}), walk: cacheOf([FRAMES[name], 1, 5]).walk() }];
    const { matched } = await findTopFlows(sources, FlowFilter.parse(words), 1, new ManualClock());
    if (matched === 1) {
      found.push(name);
    }
  }
  return found;
}

test('matches flows of every template by the words of a filter', async () => {
  assert.deepEqual(await matching(), ['dns', 'web', 'arp']);
  assert.deepEqual(await matching('proto=udp'), ['dns']);
  assert.deepEqual(await matching('proto=6'), ['web']);
  assert.deepEqual(await matching('port=53'), ['dns']);
  assert.deepEqual(await matching('sport=53'), []);
  assert.deepEqual(await matching('dport=443', 'vlan=100'), ['web']);
  assert.deepEqual(await matching('ip=10.9.0.0/16'), ['dns']);
  assert.deepEqual(await matching('src=10.9.0.0/16'), []);
  assert.deepEqual(await matching('src=10.0.0.0/31', 'dst=10.9.9.9'), ['dns']);
  assert.deepEqual(await matching('ip=2001:db8::/64'), ['web']);
  assert.deepEqual(await matching('ip=::/0'), ['web']);
  assert.deepEqual(await matching('mac=02:00:00:00:00:01', 'type=0x86dd'), ['web']);
  assert.deepEqual(await matching('type=0x0806'), ['arp']);
  assert.deepEqual(await matching('domain=5', 'point=7'), ['dns', 'web', 'arp']);
  assert.deepEqual(await matching('domain=6'), []);
});

test('refuses invalid words with the word and the valid ones', () => {
  const refused = (word: string, sentence: RegExp) =>
    assert.throws(() => FlowFilter.parse([word]), { name: 'UnknownWord', message: sentence });
  refused('10.0.0.1', /^"10\.0\.0\.1" is not a valid filter; write ip=/u);
  refused('=1', /is not a valid filter/u);
  refused('ip=10.0.0', /"10\.0\.0" is not a valid IP address/u);
  refused('ip=10.0.0.0/33', /"33" is not a whole number from 0 to 32/u);
  refused('ip=10.0.0.0/8/9', /"8\/9" is not a whole number from 0 to 32/u);
  refused('ip=10.0.0.0/', /"" is not a whole number from 0 to 32/u);
  refused('port=70000', /from 0 to 65535/u);
  refused('proto=xyz', /"xyz" is not a whole number from 0 to 255/u);
  refused('mac=1:2', /is not a valid MAC address/u);
  refused('vlan=', /"" is not a whole number/u);
  assert.throws(() => readFlowRequest(['by=protocol']), {
    name: 'UnknownWord',
    message: /^"by=protocol" divides the traffic of a window; write window=5m as well\.$/u,
  });
});

test('lists the largest flows of several caches first, decoded as a collector sees them', async () => {
  const many = Array.from({ length: 5000 }, (_, index) => {
    const frame = udpFrame({ sourcePort: index + 1 });
    return [frame, ((index * 7919) % 5000) + 1] as const;
  });
  const sources = [
    { origin: origin({ bridge: 'br0' }), walk: cacheOf(...many).walk() },
    { origin: origin({ bridge: 'br1', collectorSetId: 3 }), walk: cacheOf([FRAMES.dns, 10_000]).walk() },
  ];
  const { rows, matched, flows } = await findTopFlows(sources, FlowFilter.parse([]), 500, new ManualClock());
  assert.deepEqual([matched, flows, rows.length], [5001, 5001, TOP_FLOWS_MAX]);
  assert.deepEqual(
    rows.map(({ values }) => values['packetDeltaCount']),
    [10_000, ...Array.from({ length: TOP_FLOWS_MAX - 1 }, (_, index) => 5000 - index)],
  );
  const [first] = rows;
  assert.equal(first?.values['collectorSetId'], 3);
  assert.equal(first?.values['destinationTransportPort'], 53);
  assert.deepEqual([first?.line()?.from, first?.line()?.to], ['10.0.0.1:4000', '10.9.9.9:53']);
});

const INTERFACES: readonly BridgeInterface[] = [
  { ofport: 1, number: 14, name: 'tap0', type: '', description: 'web-1' },
  { ofport: 2, number: 15, name: 'eth0', type: '', description: 'eth0' },
  { ofport: 3, number: 20, name: 'vx1', type: 'vxlan', description: 'vx1' },
  { ofport: 4, number: 20, name: 'vx2', type: 'vxlan', description: 'vx2' },
  {
    ofport: 5,
    number: 16,
    name: 'tap3f2c1a2b-4c',
    type: '',
    description: '0f1e2d3c-0000-4000-8000-00000000002a',
  },
];

/** A cache with a flow by each interface number; larger numbers have more octets. */
function extendedCacheOf(frame: Buffer, ...numbers: readonly number[]): FlowCache {
  const cache = new FlowCache({ activeTimeoutMicros: 1e9, flowsMax: 1e6, hashSeed: 1 });
  for (const number of numbers) {
    dissectExtended(frame, 0, frame.length, 7, number, key);
    cache.add(key, 0, 1_000_000, number, frame.length);
  }
  return cache;
}

async function searched(frame: Buffer, words: readonly string[], numbers = [14, 15, 16, 20, 99]) {
  const sources = [
    { origin: origin({ bridge: 'br0' }, INTERFACES), walk: extendedCacheOf(frame, ...numbers).walk() },
    { origin: origin({ bridge: 'br1' }), walk: cacheOf([FRAMES.dns, 1]).walk() },
  ];
  return findTopFlows(sources, FlowFilter.parse(words), 10, new ManualClock());
}

test('finds flows by the name, the VM or the number of their interface, in the format extended', async () => {
  const numbers = async (...words: readonly string[]) =>
    (await searched(FRAMES.dns, words)).rows.map(({ values }) => values['ingressInterface']);
  assert.deepEqual(await numbers(), [99, 20, 16, 15, 14, undefined]);
  assert.deepEqual(await numbers('interface=web-1'), [14]);
  assert.deepEqual(await numbers('interface=tap0'), [14]);
  assert.deepEqual(await numbers('interface=14', 'proto=udp'), [14]);
  assert.deepEqual(await numbers('interface=99'), [99]);
  assert.deepEqual(await numbers('interface=web-1', 'proto=tcp'), []);
  assert.deepEqual(await numbers('interface=web-1', 'interface=eth0'), []);
  // The ports share the number, so their flows cannot be told apart.
  assert.deepEqual(await numbers('interface=vx1'), [20]);
  assert.deepEqual(await numbers('interface=web'), []);
  const unknown = (word: string) => FlowFilter.parse([word]).unknownInterface(INTERFACES);
  assert.equal(unknown('interface=web'), 'web');
  assert.equal(unknown('interface='), '');
  assert.equal(unknown('interface=77'), undefined);
  assert.equal(unknown('interface=vx2'), undefined);
});

test('names interface and VM of a flow, and ports that share a number', async () => {
  const { rows } = await searched(FRAMES.dns, []);
  assert.deepEqual(
    rows.map(({ values }) => [values['interfaceName'], values['interfaceDescription']]),
    [
      [undefined, undefined],
      ['vxlan (2 ports)', undefined],
      ['tap3f2c1a2b-4c', '0f1e2d3c-0000-4000-8000-00000000002a'],
      ['eth0', undefined],
      ['tap0', 'web-1'],
      [undefined, undefined],
    ],
  );
});

test('prints a table with a column for the interface, if a flow has one', async () => {
  const table = flowTable(await searched(FRAMES.dns, []));
  const lines = table.text.split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    '6 of 6 flows that match, of 6 in the caches, by octets',
    'start         lasted proto  packets octets interface        from > to',
    '------------ ------- ------ ------- ------ ---------------- --------------------',
  ]);
  const column = (number: number) => lines[lines.indexOf(`    in ${number} ingress`) - 2]?.slice(43) ?? '';
  assert.equal(column(14), 'tap0 (web-1)');
  assert.equal(column(15), 'eth0');
  assert.equal(column(20), 'vxlan (2 ports)');
  assert.ok(lines.includes('    tap3f2c1a2b-4c (0f1e2d3c-0000-4000-8000-00000000002a)'), table.text);
  assert.ok(lines.includes('    10.0.0.1:4000 > 10.9.9.9:53'), table.text);
  assert.equal(table.rows.join(''), lines.slice(3).join('\n'));
  for (const line of [...lines, ...flowTable(await searched(FRAMES.web, [])).text.split('\n')]) {
    assert.ok(line.length <= TABLE_WIDTH, line);
  }

  const plain = flowTable(await searched(FRAMES.dns, [], [])).text.split('\n');
  assert.equal(plain[1], 'start         lasted proto  packets octets from > to');
  assert.match(plain[3] ?? '', /^\S+ +0\.000 UDP +1 +\d+ 10\.0\.0\.1:4000 > 10\.9\.9\.9:53$/u);
});
