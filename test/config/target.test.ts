import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { parseTarget } from '../../src/config/target.ts';

const good: readonly (readonly [text: string, host: string, port: number, shown: string])[] = [
  ['192.168.0.34:4739', '192.168.0.34', 4739, '192.168.0.34:4739'],
  ['192.168.0.34', '192.168.0.34', 4739, '192.168.0.34:4739'],
  ['[2001:db8::1]:9995', '2001:db8::1', 9995, '[2001:db8::1]:9995'],
  ['[::1]', '::1', 4739, '[::1]:4739'],
  ['::1', '::1', 4739, '[::1]:4739'],
  ['flows.example.org', 'flows.example.org', 4739, 'flows.example.org:4739'],
  ['flows.example.org.:2055', 'flows.example.org.', 2055, 'flows.example.org.:2055'],
  ['collector_1:1', 'collector_1', 1, 'collector_1:1'],
  ['[fe80::1%eth0]:4739', 'fe80::1%eth0', 4739, '[fe80::1%eth0]:4739'],
  ['localhost:65535', 'localhost', 65_535, 'localhost:65535'],
  ['[::ffff:192.0.2.1]:9995', '192.0.2.1', 9995, '192.0.2.1:9995'],
];

/** Whether the address is one of a host, and not of a group or of a link without its interface. */
function isSendable(address: string): boolean {
  return !['multicast', 'broadcast', 'linkLocal', 'unspecified'].includes(ipaddr.parse(address).range());
}

test('parses an address, a bracketed IPv6 address or a name, with port 4739 by default', () => {
  for (const [text, host, port, shown] of good) {
    assert.deepEqual(parseTarget(text), { target: { host, port, text: shown } }, text);
  }
});

test('parses a transport before the target', () => {
  for (const [text, transport, host, port, shown] of [
    ['udp:192.0.2.1:1', undefined, '192.0.2.1', 1, '192.0.2.1:1'],
    ['tcp:192.0.2.1', 'tcp', '192.0.2.1', 4739, 'tcp:192.0.2.1:4739'],
    ['tcp:[2001:db8::1]:9995', 'tcp', '2001:db8::1', 9995, 'tcp:[2001:db8::1]:9995'],
    ['tcp:2001:db8::1', 'tcp', '2001:db8::1', 4739, 'tcp:[2001:db8::1]:4739'],
    ['tcp:flows.example.org:1', 'tcp', 'flows.example.org', 1, 'tcp:flows.example.org:1'],
  ] as const) {
    const target = { host, port, text: shown, ...(transport && { transport }) };
    assert.deepEqual(parseTarget(text), { target }, text);
  }
});

test('refuses anything else with its text', () => {
  const bad = [
    '',
    ' ',
    ':4739',
    '1.2.3:80',
    '1.2.3.256',
    '[::1',
    '[1.2.3.4]:80',
    'a b',
    'h:0',
    'h:65536',
    '0.0.0.0:4739',
    '[::]:4739',
    '[::ffff:0.0.0.0]:4739',
    'h:1e3',
    'h:',
    'h:80:90',
    '-x',
    '[::g]:1',
    '255.255.255.255',
    '224.0.0.1:4739',
    '239.1.2.3',
    '[ff02::1]:4739',
    '[fe80::1]',
    'fe80::1',
    'tcp:',
    'tcp:tcp:a:1',
    'tcp:4739',
    'sctp:a:1',
    'TCP:a:1',
  ];
  for (const text of bad) {
    const result = parseTarget(text);
    assert.ok('fault' in result && result.fault.includes(`"${text}"`) && result.fault.endsWith('.'), text);
  }
});

test('says what is wrong with an address to which nothing can be sent', () => {
  for (const [text, fault] of [
    ['255.255.255.255', /which is a broadcast address; name one collector\.$/u],
    ['[ff02::1]', /which is a multicast address; name one collector\.$/u],
    ['[fe80::1]', /which is link-local; add the interface, as in \[fe80::1%eth0\]\.$/u],
  ] as const) {
    const result = parseTarget(text);
    assert.ok('fault' in result);
    assert.match(result.fault, fault);
  }
});

test('parses the formatted text of a target to the same target', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.ipV4().filter(isSendable),
        fc
          .ipV6()
          .filter(isSendable)
          .map((v6) => `[${v6}]`),
        fc.domain(),
      ),
      fc.integer({ min: 1, max: 65_535 }),
      (host, port) => {
        const first = parseTarget(`${host}:${port}`);
        assert.ok('target' in first, `${host}:${port}`);
        assert.deepEqual(parseTarget(first.target.text), first);
      },
    ),
  );
});
