// Filters and the search for the largest flows, on a real cache with frames that the real dissector has read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowCache } from '../../src/flow/flow-cache.ts';
import { dissect } from '../../src/packet/dissect.ts';
import { FlowKey } from '../../src/packet/flow-key.ts';
import { FlowFilter } from '../../src/report/flow-filter.ts';
import { findTopFlows, TOP_FLOWS_MAX } from '../../src/report/top-flows.ts';
import { arp, ethernet, ipv6, tcp, udpFrame } from '../support/frames.ts';
import { ManualClock } from '../support/manual-clock.ts';

const key = new FlowKey();

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
    const sources = [{ origin: {}, walk: cacheOf([FRAMES[name], 1, 5]).walk() }];
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
  refused('port=70000', /from 0 to 65535/u);
  refused('proto=xyz', /"xyz" is not a whole number from 0 to 255/u);
  refused('mac=1:2', /is not a valid MAC address/u);
  refused('vlan=', /"" is not a whole number/u);
});

test('lists the largest flows of several caches first, decoded as a collector sees them', async () => {
  const many = Array.from({ length: 5000 }, (_, index) => {
    const frame = udpFrame({ sourcePort: index + 1 });
    return [frame, ((index * 7919) % 5000) + 1] as const;
  });
  const sources = [
    { origin: { bridge: 'br0' }, walk: cacheOf(...many).walk() },
    { origin: { bridge: 'br1', collectorSetId: 3 }, walk: cacheOf([FRAMES.dns, 10_000]).walk() },
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
  assert.match(first?.text ?? '', /10\.0\.0\.1:4000 > 10\.9\.9\.9:53/u);
});
