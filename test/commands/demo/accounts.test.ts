// How the demo counts and compares: a demo that says "all is well" of anything would be worse than none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountsTable, disagreements } from '../../../src/commands/demo/comparison.ts';
import { addCount, type Counts, KINDS, kindOf } from '../../../src/commands/demo/kinds.ts';
import { commandText, paragraph } from '../../../src/commands/demo/text.ts';
import { differences } from '../../../src/commands/demo/traces.ts';
import { TABLE_WIDTH } from '../../../src/report/text-table.ts';

function counts(...entries: readonly (readonly [kind: string, packets: number, octets: number])[]): Counts {
  const result: Counts = new Map();
  for (const [kind, packets, octets] of entries) {
    addCount(result, kind, packets, octets);
  }
  return result;
}

test('a record is of the first kind that it matches', () => {
  const record = (values: Record<string, number>): string => kindOf(new Map(Object.entries(values)));
  assert.equal(record({ ethernetType: 0x0800, protocolIdentifier: 17, vlanId: 7 }), 'VLAN-tagged');
  assert.equal(record({ ethernetType: 0x0806 }), 'ARP');
  assert.equal(record({ ethernetType: 0x0800, protocolIdentifier: 1 }), 'ICMP');
  assert.equal(record({ ethernetType: 0x86dd, protocolIdentifier: 58 }), 'ICMPv6');
  assert.equal(record({ ethernetType: 0x86dd, protocolIdentifier: 6 }), 'TCP over IPv6');
  assert.equal(record({ ethernetType: 0x86dd, protocolIdentifier: 1 }), 'other');
  assert.equal(new Set(KINDS.map(({ match }) => match)).size, KINDS.length);
});

test('adds counts, and finds no difference in equal ones', () => {
  const sent = counts(['ARP', 1, 42], ['ARP', 2, 84], ['ICMP', 5, 490]);
  assert.deepEqual(sent.get('ARP'), { packets: 3, octets: 126 });
  assert.deepEqual(disagreements({ sent, counted: sent, exported: sent }), []);
  assert.deepEqual(disagreements({ sent: undefined, counted: sent, exported: sent }), []);
});

test('names each difference in packets, octets or a kind', () => {
  const right = counts(['ARP', 3, 126]);
  const fewer = counts(['ARP', 2, 84]);
  const longer = counts(['ARP', 3, 127]);
  const more = counts(['ARP', 3, 126], ['other', 1, 60]);
  for (const wrong of [fewer, longer, more, counts()]) {
    assert.equal(disagreements({ sent: right, counted: right, exported: wrong }).length, 1);
    assert.equal(disagreements({ sent: right, counted: wrong, exported: wrong }).length, 1);
    assert.equal(disagreements({ sent: wrong, counted: right, exported: right }).length, 1);
  }
  assert.deepEqual(disagreements({ sent: undefined, counted: right, exported: fewer }), [
    'ARP: the switch counted 3 packets (126 octets), and the records have 2 packets (84 octets).',
  ]);
});

test('shows the kinds with traffic and their total in 80 columns', () => {
  const some = counts(['UDP over IPv6', 5, 1000], ['TCP over IPv4', 99_999_999, 123_456]);
  const lines = accountsTable({ sent: some, counted: some, exported: some }).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.slice(0, 16).trim()),
    ['kind of traffic', 'TCP over IPv4', 'UDP over IPv6', 'total'],
  );
  assert.match(lines.at(-1) ?? '', / 100000004 +100000004 +100000004 +124456$/);
  assert.ok(lines.every((line) => line.length <= TABLE_WIDTH));
});

test('wraps commands as they would be typed, and paragraphs, in 80 columns', () => {
  const row = 'targets="127.0.0.1:4739" obs_domain_id=123 obs_point_id=456 cache_active_timeout=60';
  const words = `ovs-vsctl -- set Bridge br0 ipfix=@i -- --id=@i create IPFIX ${row}`.split(' ');
  const text = commandText(words);
  assert.ok(text.split('\n').every((line) => line.length <= TABLE_WIDTH));
  const typed = text
    .replace(/^ *\$ /, '')
    .replaceAll(/ \\\n +/g, ' ')
    .trimEnd();
  assert.equal(typed, words.join(' ').replaceAll('"', '\\"'));
  const sentence = 'Words that go on '.repeat(20).trimEnd();
  const wrapped = paragraph(sentence);
  assert.ok(wrapped.split('\n').every((line) => line.length <= TABLE_WIDTH));
  assert.equal(wrapped.trimEnd().replaceAll('\n', ' '), sentence);
});

test('names and shows what a daemon has left behind', () => {
  const before = new Map([
    ['the IPFIX row', 'targets: x\n'],
    ['the flows of the bridge', 'NORMAL\n'],
  ]);
  assert.deepEqual(differences(before, new Map(before)), []);
  const after = new Map(before).set('the flows of the bridge', 'controller\nNORMAL\n');
  assert.deepEqual(differences(before, after), [
    'The daemon has not left the flows of the bridge as it was.\nBefore:\nNORMAL\nAfter:\ncontroller\nNORMAL\n',
  ]);
});
