import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError } from '../../src/config/flag-schema.ts';
import { readOvsSettings, readRunSettings } from '../../src/config/settings.ts';

const refused = (flags: Record<string, unknown>, message: RegExp) =>
  assert.throws(
    () => readRunSettings(flags),
    (error) => error instanceof SettingsError && message.test(error.message),
  );

test('uses the documented defaults without flags', () => {
  const settings = readRunSettings({});
  assert.equal(settings.adopt, 'all');
  assert.equal(settings.unmetered, 'refuse');
  assert.equal(settings.messageBytesMax, 1400);
  assert.equal(settings.messageRateMax, 32_000);
  assert.equal(settings.queueBytesMax, 33_554_432);
  assert.equal(settings.recordFormat, 'extended');
  assert.deepEqual(settings.mark, { register: 11, bit: 31 });
  assert.deepEqual(settings.logSpecs, []);
  assert.match(settings.unixctlPath, /\/ovs-ipfix\.\d+\.ctl$/u);
  assert.deepEqual(settings.openflow('br0'), {
    kind: 'unix',
    path: settings.unixctlPath.replace(/[^/]*$/u, 'br0.mgmt'),
  });
});

test('reads flags from text to values', () => {
  const settings = readRunSettings({
    db: 'tcp:127.0.0.1,unix:/x',
    openflow: 'tcp:%b.example:7',
    messageBytesMax: '9000',
    messageRateMax: '1000',
    queueBytes: '200000',
    recordFormat: 'original',
    mark: 'reg0[5]',
  });
  assert.deepEqual(settings.database, [
    { kind: 'tcp', host: '127.0.0.1', port: 6640 },
    { kind: 'unix', path: '/x' },
  ]);
  assert.deepEqual(settings.openflow('br7'), { kind: 'tcp', host: 'br7.example', port: 7 });
  assert.equal(settings.messageBytesMax, 9000);
  assert.equal(settings.messageRateMax, 1000);
  assert.equal(settings.queueBytesMax, 200_000);
  assert.equal(settings.recordFormat, 'original');
  assert.deepEqual(settings.mark, { register: 0, bit: 5 });
});

test('a socket has the name of the bridge in the database, and not the one that is shown', () => {
  const path = (flags: Record<string, unknown>) => readRunSettings(flags).openflow('br\\x09$&');
  assert.deepEqual(path({ openflow: 'unix:/x/%b' }), { kind: 'unix', path: '/x/br\t$&' });
  assert.match(JSON.stringify(path({})), /\/br\\t\$&\.mgmt"/u);
});

test('names an invalid flag with its value', () => {
  refused({ db: 'file:/x' }, /^--db: .*file:\/x/u);
  refused({ openflow: 'unix:/x' }, /^--openflow: .*%b/u);
  refused({ openflow: 'smoke:%b' }, /^--openflow: /u);
  refused({ mark: 'reg16[0]' }, /^--mark: .*reg16\[0\]/u);
  refused({ mark: 'reg1[32]' }, /^--mark: /u);
  refused({ mark: 'x' }, /^--mark: /u);
  refused({ adopt: 'foo' }, /^--adopt: "foo" is not one of all, marked and none\.$/u);
  refused(
    { messageRateMax: '99' },
    /^--message-rate-max: "99" is not a whole number from 100 to 1000000\.$/u,
  );
  refused({ recordFormat: 'new' }, /^--record-format: "new" is not one of original and extended\.$/u);
  refused({ unmetered: 'x' }, /^--unmetered: "x" is not one of refuse and allow\.$/u);
  for (const bytes of ['100', '65536', 'many', '', '1e3', '700.5', '-1']) {
    const sentence = `--message-bytes-max: "${bytes}" is not a whole number from 512 to 65535.`;
    assert.throws(() => readRunSettings({ messageBytesMax: bytes }), { code: 'SETTINGS', message: sentence });
  }
  refused(
    { verbose: ['loud'] },
    /^--verbose: "loud" is neither a level nor a module; the modules are ovs_ipfix, .*\.$/u,
  );
  refused({ verbose: 'info dbg:warn' }, /^--verbose: "dbg:warn" names two levels\.$/u);
  refused({ logFile: '' }, /^--log-file: the value is empty\.$/u);
  refused({ adopt: 'x', verbose: 'y' }, /^--verbose: .*; --adopt: .* and none\.$/u);
  refused({ privateKey: 'k' }, /--ca-cert are used together/u);
});

test('requires all three TLS files or none', () => {
  const flags = { privateKey: 'k', certificate: 'c', caCert: 'a' };
  assert.deepEqual(readOvsSettings(flags).tls, { privateKeyFile: 'k', certificateFile: 'c', caFile: 'a' });
});
