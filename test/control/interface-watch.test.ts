// The interfaces of all bridges, followed through changes, against the same read anew from all rows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { membersOf, readInterfaces } from '../../src/config/interfaces.ts';
import { areOfInterfaces, InterfaceWatch } from '../../src/control/interface-watch.ts';
import type { Row, RowChange, Snapshot } from '../../src/ovsdb-client/index.ts';

type Columns = Row['columns'];
type Tables = Readonly<Record<string, ReadonlyMap<string, Row>>>;

/** A database that changes as a replica reports it: unchanged rows stay the same objects. */
class Rows {
  #tables: Tables = {};

  snapshot(): Snapshot {
    const tables = this.#tables;
    return { table: (name) => tables[name] ?? new Map() };
  }

  /** Makes tables what is given, and returns what differs. */
  become(wanted: Readonly<Record<string, ReadonlyMap<string, Columns>>>): RowChange[] {
    const changes: RowChange[] = [];
    const tables: Record<string, Map<string, Row>> = {};
    for (const [table, rows] of Object.entries(wanted)) {
      const before = this.#tables[table] ?? new Map<string, Row>();
      const after = new Map<string, Row>();
      for (const [uuid, columns] of rows) {
        const old = before.get(uuid);
        const row = { uuid, columns: old === undefined ? columns : merged(old.columns, columns) };
        const isSame =
          old !== undefined && Object.keys(columns).every((key) => row.columns[key] === old.columns[key]);
        after.set(uuid, isSame ? old : row);
        if (!isSame) {
          changes.push({ table, uuid, after: row, ...(old === undefined ? {} : { before: old }) });
        }
      }
      for (const [uuid, old] of before) {
        if (!after.has(uuid)) {
          changes.push({ table, uuid, before: old });
        }
      }
      tables[table] = after;
    }
    this.#tables = tables;
    return changes;
  }
}

/** The new columns, with the old object for each value that is equal. */
function merged(before: Columns, after: Columns): Columns {
  return Object.fromEntries(
    Object.entries(after).map(([key, value]) => [
      key,
      JSON.stringify(before[key]) === JSON.stringify(value) ? before[key] : value,
    ]),
  );
}

const set = (...uuids: readonly string[]) => uuids.map((uuid) => ({ uuid }));

function bridges(...all: readonly (readonly [name: string, ...ports: string[]])[]): Map<string, Columns> {
  return new Map(all.map(([name, ...ports]) => [`b-${name}`, { name, ports: set(...ports) }]));
}

function ports(...all: readonly (readonly [uuid: string, ...interfaces: string[]])[]): Map<string, Columns> {
  return new Map(all.map(([uuid, ...interfaces]) => [uuid, { interfaces: set(...interfaces) }]));
}

function interfaces(all: Readonly<Record<string, number>>): Map<string, Columns> {
  return new Map(
    Object.entries(all).map(([name, ofport]) => [
      name,
      { name, type: '', ofport, ifindex: ofport + 100, external_ids: new Map() },
    ]),
  );
}

test('only the bridge is named whose port, interface or bond has changed', () => {
  const rows = new Rows();
  const watch = new InterfaceWatch();
  const step = (wanted: Parameters<Rows['become']>[0]) => {
    const changes = rows.become(wanted);
    return [...watch.update(rows.snapshot(), changes)].sort();
  };
  const namesOf = (bridge: string) =>
    watch.listOf(bridge).interfaces.map(({ name, ofport }) => `${name} ${ofport}`);

  const Port = ports(['p1', 'i1'], ['p2', 'i2']);
  const Bridge = bridges(['br0', 'p1'], ['br1', 'p2']);
  assert.deepEqual(step({ Bridge, Port, Interface: interfaces({ i1: 1, i2: 1 }) }), ['br0', 'br1']);
  assert.deepEqual(step({ Bridge, Port, Interface: interfaces({ i1: 1, i2: 5 }) }), ['br1']);
  assert.deepEqual(
    [namesOf('br0'), namesOf('br1')],
    [
      ['i1 1', 'br0 65534'],
      ['i2 5', 'br1 65534'],
    ],
  );
  const bond = ports(['p1', 'i1', 'i3'], ['p2', 'i2']);
  assert.deepEqual(step({ Bridge, Port: bond, Interface: interfaces({ i1: 1, i2: 5, i3: 3 }) }), ['br0']);
  assert.deepEqual(step({ Bridge, Port: bond, Interface: interfaces({ i1: 1, i2: 5, i3: 4 }) }), ['br0']);
  assert.deepEqual(namesOf('br0'), ['i1 1', 'i3 4', 'br0 65534']);

  // A port moves in one transaction.
  const moved = bridges(['br0'], ['br1', 'p2', 'p1']);
  assert.deepEqual(step({ Bridge: moved, Port: bond, Interface: interfaces({ i1: 1, i2: 5, i3: 4 }) }), [
    'br0',
    'br1',
  ]);
  assert.deepEqual(step({ Bridge: moved, Port: bond, Interface: interfaces({ i1: 2, i2: 5, i3: 4 }) }), [
    'br1',
  ]);
  assert.deepEqual(namesOf('br1'), ['i1 2', 'i3 4', 'i2 5', 'br1 65534']);

  assert.deepEqual(step({ Bridge: bridges(['br0']), Port: ports(), Interface: interfaces({}) }), ['br1']);
  assert.deepEqual([namesOf('br0'), namesOf('br1')], [['br0 65534'], []]);
});

test('a bridge that is deleted and made again in one transaction has the new interfaces', () => {
  const rows = new Rows();
  const watch = new InterfaceWatch();
  const Port = ports(['p1', 'i1'], ['p2', 'i2']);
  const Interface = interfaces({ i1: 1, i2: 2 });
  watch.update(rows.snapshot(), rows.become({ Bridge: bridges(['br0', 'p1']), Port, Interface }));
  const again = new Map([['b-new', { name: 'br0', ports: set('p2') }]]);
  const changes = rows.become({ Bridge: again, Port, Interface });
  for (const order of [changes, changes.toReversed()]) {
    watch.update(rows.snapshot(), order);
    assert.deepEqual(
      watch.listOf('br0').interfaces.map(({ name }) => name),
      ['i2', 'br0'],
    );
  }
});

test('a database without ports and interfaces has the local port of each bridge', () => {
  const rows = new Rows();
  const watch = new InterfaceWatch();
  const changes = rows.become({ Bridge: new Map([['b', { name: 'br0', ports: set('p1') }]]) });
  assert.deepEqual([...watch.update(rows.snapshot(), changes)], ['br0']);
  assert.deepEqual(
    watch.listOf('br0').interfaces.map(({ name, number }) => [name, number]),
    [['br0', 0x0100_fffe]],
  );
  assert.deepEqual(watch.listOf('br9'), { interfaces: [], skipped: 0 });
});

test('changes are of interfaces only as long as nothing else of a bridge changes', () => {
  const external_ids = new Map();
  const row = (columns: Columns): Row => ({ uuid: 'u', columns });
  const before = row({ name: 'br0', ports: set('p1'), external_ids });
  const after = row({ name: 'br0', ports: set('p1', 'p2'), external_ids });
  const ofPorts: RowChange = { table: 'Bridge', uuid: 'u', before, after };
  const ofInterface: RowChange = { table: 'Interface', uuid: 'i', after: row({}) };
  assert.ok(areOfInterfaces([ofPorts, ofInterface, { table: 'Port', uuid: 'p2', after: row({}) }]));
  const others: readonly RowChange[] = [
    { table: 'Bridge', uuid: 'u', before },
    { table: 'Bridge', uuid: 'u', after },
    { table: 'Bridge', uuid: 'u', before, after: row({ ...after.columns, external_ids: new Map() }) },
    { table: 'IPFIX', uuid: 'u', after: row({}) },
  ];
  for (const other of others) {
    assert.ok(!areOfInterfaces([ofPorts, other, ofInterface]));
  }
  // The first snapshot, or one that differs in which columns exist.
  assert.ok(!areOfInterfaces([]));
});

test('lists interfaces as a fresh read of all rows does, however ports move, appear and disappear', () => {
  const UUIDS = ['1', '2', '3', '4', '5'];
  const placed = fc.record({
    // Which bridge has the port, and which port the interface; none has it where the number is too large.
    bridgeOf: fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }),
    portOf: fc.array(fc.nat(5), { minLength: 5, maxLength: 5 }),
    ofports: fc.array(fc.constantFrom(-1, 0, 1, 2, 3, 4, 5, 65_534), { minLength: 5, maxLength: 5 }),
    bridgeCount: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(placed, { minLength: 1, maxLength: 12 }), (steps) => {
      const rows = new Rows();
      const watch = new InterfaceWatch();
      for (const { bridgeOf, portOf, ofports, bridgeCount } of steps) {
        const names = ['br0', 'br1', 'br2'].slice(0, bridgeCount);
        const of = (owners: readonly number[], owner: number) =>
          UUIDS.filter((_, index) => owners[index] === owner);
        const Bridge = bridges(
          ...names.map((name, index) => [name, ...of(bridgeOf, index).map((each) => `p${each}`)] as const),
        );
        const Port = ports(
          ...UUIDS.map((each, index) => [`p${each}`, ...of(portOf, index).map((one) => `i${one}`)] as const),
        );
        const Interface = interfaces(
          Object.fromEntries(UUIDS.map((each, index) => [`i${each}`, ofports[index] ?? 0])),
        );
        const changes = rows.become({ Bridge, Port, Interface });
        const before = new Map(['br0', 'br1', 'br2'].map((name) => [name, watch.listOf(name)]));
        const snapshot = rows.snapshot();
        const named = watch.update(snapshot, changes);
        for (const name of ['br0', 'br1', 'br2']) {
          const row = snapshot.table('Bridge').get(`b-${name}`);
          const uuids = row === undefined ? [] : membersOf(row, snapshot.table('Port')).interfaces;
          const anew =
            row === undefined
              ? { interfaces: [], skipped: 0 }
              : readInterfaces(
                  name,
                  uuids.map((uuid) => snapshot.table('Interface').get(uuid)),
                );
          assert.deepEqual(watch.listOf(name), anew);
          assert.ok(named.has(name) || watch.listOf(name) === before.get(name));
        }
      }
    }),
  );
});
