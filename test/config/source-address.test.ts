import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfiguration } from '../../src/config/configuration.ts';
import { parseSourceAddresses } from '../../src/config/source-address.ts';

const ROW = '11111111-1111-4111-8111-111111111111';

/** Reads a row of bridge br0 with these targets and source addresses; `ofProcess` is what `--source-address` has. */
function read(targets: string, text: string | undefined, ofProcess?: { ipv4: string }) {
  const keys = new Map([['ovs-ipfix-targets', targets]]);
  if (text !== undefined) {
    keys.set('ovs-ipfix-source-address', text);
  }
  const columns = { targets: [], external_ids: keys };
  const bridge = { name: 'br0', ipfix: { uuid: ROW }, external_ids: new Map() };
  const tables = {
    bridges: [{ uuid: 'uuid of br0', columns: bridge }],
    ipfix: new Map([[ROW, { uuid: ROW, columns }]]),
    collectorSets: [],
    controllers: new Map(),
  };
  const { bridges, conditions } = readConfiguration(tables, 1400, 'extended', undefined, {
    source: ofProcess,
  });
  const ofSource = conditions.filter(({ code, where }) => `${code} ${where}`.includes('source-address'));
  return { sources: bridges.get('br0')?.sampling?.exporter.targets.map(({ source }) => source), ofSource };
}

test('reads one address, or one of each family', () => {
  assert.deepEqual(parseSourceAddresses('192.0.2.1'), { source: { ipv4: '192.0.2.1' } });
  assert.deepEqual(parseSourceAddresses('2001:db8::1, 192.0.2.1'), {
    source: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' },
  });
  for (const bad of ['', 'eth0', '192.0.2', '0.0.0.0', '::', '224.0.0.1', '192.0.2.1,192.0.2.2', '[::1]']) {
    const result = parseSourceAddresses(bad);
    assert.ok('fault' in result && result.fault.includes(bad), bad);
  }
});

test('the addresses of a row replace those of the process, and a bad value does not', () => {
  const ofProcess = { ipv4: '198.51.100.7' };
  assert.deepEqual(read('192.0.2.2', undefined).sources, [undefined]);
  assert.deepEqual(read('192.0.2.2', undefined, ofProcess).sources, [ofProcess]);
  assert.deepEqual(read('192.0.2.2', '192.0.2.1', ofProcess).sources, [{ ipv4: '192.0.2.1' }]);
  const { sources, ofSource } = read('192.0.2.2', '192.0.2.300', ofProcess);
  assert.deepEqual(sources, [ofProcess]);
  assert.deepEqual(
    ofSource.map(({ code, ipfixRow }) => [code, ipfixRow]),
    [['bad-value', ROW]],
  );
  assert.match(ofSource[0]?.message ?? '', /^"192\.0\.2\.300" is not an IPv4 or IPv6 address; /u);
});

test('reports each target whose family has no source address, and names it', () => {
  const { ofSource } = read('[2001:db8::2]:4739 192.0.2.2 flows.example', '192.0.2.1');
  assert.deepEqual(
    ofSource.map(({ code, severity, ipfixRow }) => [code, severity, ipfixRow]),
    [['source-address-family', 'warning', ROW]],
  );
  assert.match(
    ofSource[0]?.message ?? '',
    /"\[2001:db8::2\]:4739" has another address family .* 192\.0\.2\.1/u,
  );
  assert.deepEqual(read('[2001:db8::2]:4739 192.0.2.2', '192.0.2.1,2001:db8::1').ofSource, []);
});
