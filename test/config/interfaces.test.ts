import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { membersOf, readInterfaces } from '../../src/config/interfaces.ts';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';
import type { BridgeInterface } from '../../src/intake/ingress-interfaces.ts';

const LOCAL = { ofport: 65_534, number: 0x0100_fffe, name: 'br0', type: 'internal', description: 'br0' };

function row(columns: Record<string, unknown>): DatabaseRow {
  return { uuid: 'u', columns: { name: 'p1', type: '', ofport: 1, ifindex: 9, ...columns } };
}

/** The interfaces of br0 but its local port. */
function read(rows: readonly DatabaseRow[], before?: readonly BridgeInterface[]): readonly BridgeInterface[] {
  const { interfaces } = readInterfaces('br0', rows, before);
  return interfaces.filter(({ ofport }) => ofport !== LOCAL.ofport);
}

const numberOf = (columns: Record<string, unknown>) => read([row(columns)])[0]?.number;
const descriptionOf = (externalIds: unknown) => read([row({ external_ids: externalIds })])[0]?.description;

test('an interface has its ifindex as number, or 0x01000000 + ofport where that is absent, 0 or makes no sense', () => {
  assert.equal(numberOf({ ifindex: 1 }), 1);
  assert.equal(numberOf({ ifindex: 4_294_967_295 }), 4_294_967_295);
  for (const ifindex of [undefined, 0, -1, 1.5, 4_294_967_296, '7', new Map(), Number.NaN]) {
    assert.equal(numberOf({ ifindex, ofport: 7 }), 0x0100_0007, inspect(ifindex));
  }
  // A schema before Open vSwitch 2.0 does not have the column.
  assert.deepEqual(
    read([{ uuid: 'u', columns: { name: 'p1', type: '', ofport: 7 } }])[0]?.number,
    0x0100_0007,
  );
});

test('the description is the VM, else the logical port, else its MAC address, else the name', () => {
  const all = [
    ['vm-name', 'vm'],
    ['iface-id', 'port'],
    ['attached-mac', 'mac'],
  ] as const;
  assert.equal(descriptionOf(new Map(all)), 'vm');
  assert.equal(descriptionOf(new Map(all.slice(1))), 'port');
  assert.equal(descriptionOf(new Map(all.slice(2))), 'mac');
  assert.equal(descriptionOf(new Map([['vm-name', ''], ...all.slice(1)])), 'port');
  for (const externalIds of [
    new Map(),
    new Map([['vm-id', 'x']]),
    new Map([['vm-name', 7]]),
    undefined,
    'x',
  ]) {
    assert.equal(descriptionOf(externalIds), 'p1');
  }
});

test('a tunnel port has the destination port that is set, if it is one', () => {
  const portOf = (port: unknown) =>
    read([row({ type: 'vxlan', options: new Map([['dst_port', port]]) })])[0]?.tunnelPort;
  assert.equal(portOf('8472'), 8472);
  assert.equal(portOf('65535'), 65_535);
  for (const port of ['0', '65536', '-1', '0x12', '', 7]) {
    assert.equal(portOf(port), undefined, inspect(port));
  }
  assert.equal(read([row({ type: 'vxlan' })])[0]?.tunnelPort, undefined);
});

test('the local port is there with 16 or 32 bits, and without a row', () => {
  assert.deepEqual(readInterfaces('br0', []), { interfaces: [LOCAL], skipped: 0 });
  for (const ofport of [65_534, 0xffff_fffe]) {
    const { interfaces } = readInterfaces('br0', [
      row({ name: 'br0', type: 'internal', ofport, ifindex: 5 }),
    ]);
    assert.deepEqual(interfaces, [{ ...LOCAL, number: 5 }]);
  }
});

test('an interface without a port is left out; a row that makes no sense is skipped and counted', () => {
  for (const ofport of [undefined, -1]) {
    assert.deepEqual(readInterfaces('br0', [row({ ofport })]), { interfaces: [LOCAL], skipped: 0 });
  }
  const odd = [0, -2, 65_280, 65_533, 65_535, 0xffff_ffff, 1.5, Number.NaN, '1', null, [1]];
  for (const ofport of odd) {
    assert.deepEqual(readInterfaces('br0', [row({ ofport })]), { interfaces: [LOCAL], skipped: 1 });
  }
  const oddNames = [undefined, '', 7].map((name) => row({ name }));
  assert.deepEqual(readInterfaces('br0', [undefined, ...oddNames]), { interfaces: [LOCAL], skipped: 4 });
});

test('of two rows with one port the first counts', () => {
  const { interfaces, skipped } = readInterfaces('br0', [row({ name: 'a' }), row({ name: 'b' })]);
  assert.deepEqual([interfaces.map(({ name }) => name), skipped], [['a', 'br0'], 1]);
});

test('an ifindex that is absent for a moment keeps the number, and 0 or another interface or port does not', () => {
  const before = read([row({ ofport: 3, ifindex: 9 })]);
  assert.equal(read([row({ ofport: 3, ifindex: undefined })], before)[0]?.number, 9);
  assert.equal(read([row({ ofport: 3, ifindex: 0 })], before)[0]?.number, 0x0100_0003);
  assert.equal(read([row({ ofport: 4, ifindex: undefined })], before)[0]?.number, 0x0100_0004);
  assert.equal(read([row({ name: 'p2', ofport: 3, ifindex: undefined })], before)[0]?.number, 0x0100_0003);
  const kept = read(
    [row({ ofport: 3, ifindex: undefined, external_ids: new Map([['vm-name', 'vm']]) })],
    before,
  );
  assert.equal(kept[0]?.description, 'vm');
});

test('the members of a bridge are those that its rows refer to, of a bond all', () => {
  const bridge = { uuid: 'b', columns: { ports: [{ uuid: 'p' }, { uuid: 'bond' }, { uuid: 'gone' }, 7] } };
  const ports = new Map([
    ['p', { uuid: 'p', columns: { interfaces: { uuid: 'i' } } }],
    ['bond', { uuid: 'bond', columns: { interfaces: [{ uuid: 'j' }, { uuid: 'k' }] } }],
    ['other', { uuid: 'other', columns: { interfaces: [{ uuid: 'l' }] } }],
  ]);
  assert.deepEqual(membersOf(bridge, ports), { ports: ['p', 'bond', 'gone'], interfaces: ['i', 'j', 'k'] });
  assert.deepEqual(membersOf({ uuid: 'b', columns: {} }, ports), { ports: [], interfaces: [] });
});

test('whatever rows hold, each port is there once, sorted, with a number that is not 0', () => {
  const anything = fc.oneof(
    fc.integer(),
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom(-1, 65_279, 65_280, 65_534, 0xffff_fffe, undefined),
    fc.string(),
    fc.double(),
  );
  const names = fc.oneof(fc.constantFrom('a', 'b', 'c', ''), anything);
  const ids = fc.oneof(
    anything,
    fc.array(fc.tuple(fc.constantFrom('vm-name', 'iface-id', 'x'), anything)).map((pairs) => new Map(pairs)),
  );
  const rows = fc.array(
    fc.option(
      fc
        .record({ name: names, type: anything, ofport: anything, ifindex: anything, external_ids: ids })
        .map(row),
      { nil: undefined },
    ),
  );
  fc.assert(
    fc.property(rows, rows, (first, second) => {
      const before = readInterfaces('br0', first);
      const { interfaces, skipped } = readInterfaces('br0', second, before.interfaces);
      const ports = interfaces.map(({ ofport }) => ofport);
      assert.deepEqual(
        ports,
        [...new Set(ports)].sort((a, b) => a - b),
      );
      assert.equal(ports.at(-1), 65_534);
      for (const { ofport, number, name, description } of interfaces) {
        assert.ok((ofport >= 1 && ofport <= 65_279) || ofport === 65_534, String(ofport));
        assert.ok(Number.isInteger(number) && number >= 1 && number < 2 ** 32, String(number));
        assert.ok(name !== '' && description !== '');
      }
      const readCount = second.filter((each) => {
        const ofport = each?.columns['ofport'];
        return each === undefined || (ofport !== undefined && ofport !== -1);
      }).length;
      // The local port may have come without a row.
      assert.ok([readCount, readCount + 1].includes(skipped + ports.length), 'each row is read or counted');
    }),
  );
});

test('names that are shown have no control characters and a bounded length', () => {
  const [read1] = read([
    row({
      name: 'p\u001b[31m',
      type: 'x\n',
      external_ids: new Map([['vm-name', `web\u202e\r\n${'y'.repeat(5000)}`]]),
    }),
  ]);
  assert.equal(read1?.name, 'p\\x1b[31m');
  assert.equal(read1?.type, 'x\\x0a');
  assert.match(read1?.description ?? '', /^web\\u202e\\x0d\\x0ay{250}\.\.\.$/u);
});
