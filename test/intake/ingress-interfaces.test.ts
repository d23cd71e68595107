import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type BridgeInterface, IngressInterfaces } from '../../src/intake/ingress-interfaces.ts';

function interfaceAt(ofport: number, number: number, rest: Partial<BridgeInterface> = {}): BridgeInterface {
  return { ofport, number, name: `p${ofport}`, type: '', description: `vm${ofport}`, ...rest };
}

test('a known port has its number, and an unknown one its fallback number and is counted', () => {
  const interfaces = new IngressInterfaces();
  interfaces.replace([interfaceAt(1, 11), interfaceAt(65_279, 12), interfaceAt(65_534, 13)]);
  assert.deepEqual(
    [1, 65_279, 65_534, 0xffff_fffe].map((port) => interfaces.numberOf(port)),
    [11, 12, 13, 13],
  );
  assert.deepEqual(interfaces.status(), { count: 3, unknownLookups: 0 });
  assert.deepEqual(
    [2, 65_278, 65_280].map((port) => interfaces.numberOf(port)),
    [0x0100_0002, 0x0100_fefe, 0x0100_ff00],
  );
  assert.deepEqual(interfaces.status(), { count: 3, unknownLookups: 3 });
});

test('what is not a port has the number of OFPP_NONE and is counted', () => {
  const interfaces = new IngressInterfaces();
  const odd = [0, 65_535, 65_536, 0xffff_feff, 0xffff_ffff, -1, 1e12, Number.NaN];
  for (const port of odd) {
    assert.equal(interfaces.numberOf(port), 0x0100_ffff, String(port));
  }
  assert.equal(interfaces.status().unknownLookups, odd.length);
});

test('a packet-out of a controller is not from an unknown port', () => {
  const interfaces = new IngressInterfaces();
  assert.equal(interfaces.numberOf(65_533), 0x0100_fffd);
  assert.equal(interfaces.numberOf(0xffff_fffd), 0x0100_fffd);
  assert.equal(interfaces.status().unknownLookups, 0);
});

test('a bridge without its local port in the table has the fallback number for it', () => {
  const interfaces = new IngressInterfaces();
  interfaces.replace([interfaceAt(65_534, 13)]);
  interfaces.replace([interfaceAt(1, 11)]);
  assert.equal(interfaces.numberOf(0xffff_fffe), 0x0100_fffe);
  assert.equal(interfaces.status().unknownLookups, 1);
});

test('a number has the names of its interface, or those of the ports that share it', () => {
  const interfaces = new IngressInterfaces();
  interfaces.replace([
    interfaceAt(1, 11),
    interfaceAt(2, 12, { type: 'vxlan' }),
    interfaceAt(3, 12, { type: 'vxlan' }),
    interfaceAt(4, 13),
    interfaceAt(5, 13),
    interfaceAt(6, 15, { name: 'tap6', description: 'tap6' }),
  ]);
  const shared = (name: string) => ({ name, attached: undefined });
  assert.deepEqual(
    [11, 12, 13, 14, 15].map((number) => interfaces.namesOf(number)),
    [
      { name: 'p1', attached: 'vm1' },
      shared('vxlan (2 ports)'),
      shared('system (2 ports)'),
      undefined,
      { name: 'tap6', attached: undefined },
    ],
  );
  interfaces.replace([interfaceAt(2, 12, { type: 'vxlan' })]);
  assert.deepEqual(
    [11, 12].map((number) => interfaces.namesOf(number)?.attached),
    [undefined, 'vm2'],
  );
});

test('describes each number once, those that ports share by their type', () => {
  const interfaces = new IngressInterfaces();
  interfaces.replace([
    interfaceAt(1, 11),
    interfaceAt(2, 12, { type: 'vxlan' }),
    interfaceAt(3, 12, { type: 'vxlan' }),
    interfaceAt(65_534, 13, { description: 'p65534' }),
  ]);
  assert.deepEqual(interfaces.described(), [
    { number: 11, name: 'p1', description: 'vm1' },
    { number: 12, name: 'vxlan (2 ports)', description: 'vxlan (2 ports)' },
    { number: 13, name: 'p65534', description: 'p65534' },
  ]);
});

test('whatever ports come, go and are renumbered, a look-up has the number of the newest list', () => {
  const ofport = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 65_279 }),
    fc.constant(65_534),
  );
  const list = fc.uniqueArray(fc.record({ ofport, number: fc.integer({ min: 1, max: 2 ** 32 - 1 }) }), {
    selector: (each) => each.ofport,
  });
  const asked = fc.array(fc.oneof(ofport, fc.constantFrom(0, 0xffff_fffe, 65_535)));
  fc.assert(
    fc.property(fc.array(fc.tuple(list, asked)), (steps) => {
      const interfaces = new IngressInterfaces();
      let unknown = 0;
      for (const [entries, ports] of steps) {
        interfaces.replace(entries.map((each) => interfaceAt(each.ofport, each.number)));
        const numbers = new Map(entries.map((each) => [each.ofport, each.number]));
        for (const port of ports) {
          const narrow = port === 0xffff_fffe ? 65_534 : port;
          const number = numbers.get(narrow);
          unknown += number === undefined ? 1 : 0;
          const fallback = 0x0100_0000 + (narrow === 0 ? 65_535 : narrow);
          assert.equal(interfaces.numberOf(port), number ?? fallback);
        }
        assert.deepEqual(interfaces.status(), { count: entries.length, unknownLookups: unknown });
      }
    }),
  );
});
