import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CollectorTls } from '../../src/config/collector-tls.ts';
import { readConfiguration } from '../../src/config/configuration.ts';
import { readReplaySettings } from '../../src/config/replay-settings.ts';
import { readRunSettings } from '../../src/config/settings.ts';

const ROW = '11111111-1111-4111-8111-111111111111';
const FILES = { ca: '/ca', certificate: '/cert', key: '/key', isClientOptional: false };

/** Reads a row with a target over UDP and one over TLS. */
function read(name: string | undefined, collectorTls?: CollectorTls) {
  const keys = new Map(name === undefined ? [] : [['ovs-ipfix-tls', name]]);
  const columns = {
    targets: ['192.0.2.1', 'tls:192.0.2.1'],
    external_ids: keys,
    cache_active_timeout: 1,
    cache_max_flows: 1,
  };
  const tables = {
    bridges: [{ uuid: 'b', columns: { name: 'br0', ipfix: { uuid: ROW } } }],
    ipfix: new Map([[ROW, { uuid: ROW, columns }]]),
    collectorSets: [],
    controllers: new Map(),
  };
  const { ipfixRows, conditions } = readConfiguration(tables, 1400, 'extended', undefined, { collectorTls });
  return {
    targets: ipfixRows[0]?.targets.map(({ text, tls }) => [text, tls]),
    conditions: conditions.map(({ code, message }) => `${code}: ${message}`),
  };
}

const UDP = ['192.0.2.1:4739', undefined];

test('a target over TLS has the files of the process, and port 4740', () => {
  const { targets, conditions } = read(undefined, { files: FILES, folder: undefined });
  assert.deepEqual(targets, [UDP, ['tls:192.0.2.1:4740', FILES]]);
  assert.deepEqual(conditions, []);
});

test('a row names a folder of --tls-dir', () => {
  const { targets, conditions } = read('blue-1.example', { files: FILES, folder: '/tls' });
  const folder = '/tls/blue-1.example';
  const files = { ca: `${folder}/ca.crt`, certificate: `${folder}/tls.crt`, key: `${folder}/tls.key` };
  assert.deepEqual(targets, [UDP, ['tls:192.0.2.1:4740', { ...files, isClientOptional: true }]]);
  assert.deepEqual(conditions, []);
});

test('a name that is not plain is refused, and other files are not used instead', () => {
  for (const name of ['', '.', '..', '../a', 'a/b', '/etc', '.hidden', 'a\0b', 'a b', 'a'.repeat(65)]) {
    const { targets, conditions } = read(name, { files: FILES, folder: '/tls' });
    assert.deepEqual(targets, [UDP], name);
    assert.deepEqual(conditions, [
      `tls-files-unknown: ${JSON.stringify(name)} is not the name of a folder, so nothing is sent to tls:192.0.2.1:4740.`,
    ]);
  }
});

test('a target over TLS without files is reported, and the others are used', () => {
  for (const [name, tls, message] of [
    [undefined, undefined, 'The daemon has no CA certificate to verify collectors with'],
    [
      undefined,
      { files: undefined, folder: '/tls' },
      'The daemon has no CA certificate to verify collectors with',
    ],
    [
      'blue',
      { files: FILES, folder: undefined },
      'It names TLS files, and the daemon has no folder with them',
    ],
  ] as const) {
    const { targets, conditions } = read(name, tls);
    assert.deepEqual(targets, [UDP]);
    assert.deepEqual(conditions, [
      `tls-files-unknown: ${message}, so nothing is sent to tls:192.0.2.1:4740.`,
    ]);
  }
});

test('the flags of run and replay name the files, a CA certificate at least', () => {
  const pair = { collectorCertificate: '/cert', collectorPrivateKey: '/key' };
  const { collectorTls } = readRunSettings({ ...pair, collectorCaCert: '/ca', tlsDir: '/tls' });
  assert.deepEqual(collectorTls, { files: FILES, folder: '/tls' });
  assert.deepEqual(readRunSettings({}).collectorTls, { files: undefined, folder: undefined });
  const own = readRunSettings({ collectorCaCert: '/ca' }).collectorTls.files;
  assert.deepEqual(own, { ...FILES, certificate: undefined, key: undefined });
  assert.throws(() => readRunSettings(pair), /no effect without --collector-ca-cert/u);
  const half = { collectorCaCert: '/ca', collectorPrivateKey: '/key' };
  assert.throws(() => readRunSettings(half), /give both or none/u);
  assert.throws(() => readReplaySettings({ to: ['tls:a'] }), /"tls:a" needs the CA certificate/u);
  const [target] = readReplaySettings({ to: ['tls:a'], ...pair, collectorCaCert: '/ca' }).targets;
  assert.deepEqual(target, { host: 'a', port: 4740, text: 'tls:a:4740', transport: 'tls', tls: FILES });
});
