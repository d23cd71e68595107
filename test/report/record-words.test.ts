import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  directionText,
  icmpText,
  interfaceLabel,
  interfaceText,
  tcpFlagsText,
} from '../../src/report/record-words.ts';

const valuesOf = (values: Readonly<Record<string, number>>) => (name: string) => values[name];

test('shows TCP flags as letters', () => {
  const text = (tcpControlBits: number) => tcpFlagsText(valuesOf({ tcpControlBits, protocolIdentifier: 6 }));
  assert.equal(text(0), '........');
  assert.equal(text(0x02), '......S.');
  assert.equal(text(0x1b), '...AP.SF');
  assert.equal(text(0xff), 'CEUAPRSF');
  // With the reserved bits of a field of two bytes.
  assert.equal(text(0x0101), '.......F');
  assert.equal(tcpFlagsText(valuesOf({})), undefined);
  assert.equal(tcpFlagsText(valuesOf({ tcpControlBits: 0, protocolIdentifier: 17 })), undefined);
});

test('shows type and code of ICMP in words', () => {
  const v4 = (type: number, code: number) => icmpText(valuesOf({ icmpTypeCodeIPv4: type * 256 + code }));
  const v6 = (type: number, code: number) => icmpText(valuesOf({ icmpTypeCodeIPv6: type * 256 + code }));
  assert.deepEqual(
    [v4(8, 0), v4(0, 0), v4(3, 3), v4(3, 13)],
    ['echo request', 'echo reply', 'port unreachable', 'unreachable code 13'],
  );
  assert.deepEqual([v4(11, 1), v4(200, 7)], ['time exceeded code 1', 'type 200 code 7']);
  assert.deepEqual(
    [v6(128, 0), v6(135, 0), v6(1, 4), v6(8, 0)],
    ['echo request', 'neighbor solicitation', 'port unreachable', 'type 8 code 0'],
  );
  assert.equal(icmpText(valuesOf({})), undefined);
});

test('shows interfaces and direction', () => {
  const text = (values: Readonly<Record<string, number>>) => interfaceText(valuesOf(values));
  assert.equal(text({ ingressInterface: 5, egressInterface: 0, flowDirection: 0 }), 'in 5 ingress');
  assert.equal(text({ ingressInterface: 5, egressInterface: 7, flowDirection: 1 }), 'in 5 out 7 egress');
  assert.equal(text({}), undefined);
  assert.equal(directionText(valuesOf({ flowDirection: 1 })), 'egress');
  assert.equal(directionText(valuesOf({})), undefined);
});

test('shows the name of an interface and what is attached', () => {
  const names: Readonly<Record<string, unknown>> = { interfaceName: 'tap0', interfaceDescription: 'web-1' };
  assert.equal(
    interfaceLabel((name) => names[name]),
    'tap0 (web-1)',
  );
  assert.equal(
    interfaceLabel((name) => (name === 'interfaceName' ? 'tap0' : undefined)),
    'tap0',
  );
  assert.equal(interfaceLabel(valuesOf({})), undefined);
});
