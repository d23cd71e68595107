import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionsOfCollectors } from '../../src/control/collector-conditions.ts';
import type { CollectorTarget, SourceAddresses } from '../../src/export/collector-session.ts';

const targetsPlace = { name: 'column targets', setting: 'targets=' };

/** A collector of a row whose session has the address, or the error that keeps it from having one. */
function collector(
  host: string,
  port: number,
  now: { address?: string; error?: string },
  source?: SourceAddresses,
) {
  const target: CollectorTarget = { host, port, text: `${host}:${port}`, source };
  return {
    target,
    status: { transport: 'udp', address: now.address, lastError: now.error, lastErrorCode: now.error },
  };
}

function conditions(...collectors: ReturnType<typeof collector>[]) {
  const exporter = { collectors: () => collectors };
  return conditionsOfCollectors({
    bridge: 'br0',
    collectorSetId: 7,
    ipfixRow: 'row-1',
    targetsPlace,
    exporter,
  });
}

test('two targets that lead to one address and port are reported, other ports and transports are not', () => {
  const address = '192.0.2.1';
  const [condition, ...others] = conditions(
    collector('flows.example', 4739, { address }),
    collector(address, 4739, { address }),
    collector(address, 9995, { address }),
    collector('gone.example', 4739, {}),
    collector('also-gone.example', 4739, {}),
  );
  assert.deepEqual(others, []);
  assert.equal(condition?.code, 'duplicate-target');
  assert.equal(condition.ipfixRow, 'row-1');
  assert.equal(condition.where, 'IPFIX row row-1 (collector set 7 of bridge br0), column targets');
  assert.match(condition.action, /"ovs-vsctl set IPFIX row-1 targets=\.\.\."/u);
  assert.match(
    condition.message,
    /^The targets "flows\.example:4739" and "192\.0\.2\.1:4739" both lead to 192\.0\.2\.1:4739, /u,
  );
});

test('a source address that the host does not have is reported while the collector is not connected to', () => {
  const source = { ipv4: '198.51.100.9' };
  const [condition, ...others] = conditions(collector('192.0.2.1', 1, { error: 'EADDRNOTAVAIL' }, source));
  assert.deepEqual(others, []);
  assert.deepEqual([condition?.code, condition?.severity], ['source-address-unavailable', 'warning']);
  assert.match(condition?.message ?? '', /source address 198\.51\.100\.9, .*"192\.0\.2\.1:1"/u);
  const connected = { address: '192.0.2.1', error: 'EADDRNOTAVAIL' };
  assert.deepEqual(conditions(collector('192.0.2.1', 1, connected, source)), []);
  assert.deepEqual(conditions(collector('192.0.2.1', 1, { error: 'EADDRNOTAVAIL' })), []);
});

test('a name without an address of the family is reported here, and an address where the row is read', () => {
  const source = { ipv4: '198.51.100.9' };
  const now = { error: 'EAFNOSUPPORT' };
  const found = conditions(
    collector('flows.example', 1, now, source),
    collector('2001:db8::1', 1, now, source),
  );
  assert.deepEqual(
    found.map(({ code, message }) => [code, message.includes('flows.example:1')]),
    [['source-address-family', true]],
  );
});

test('a fault of TLS is reported with what is wrong and what to do, until there is a session', () => {
  const fault = (error: string, lastError: string, address?: string) => {
    const target: CollectorTarget = { host: 'h', port: 4740, text: 'tls:h:4740', transport: 'tls' };
    return conditionsOfCollectors({
      bridge: 'br0',
      collectorSetId: undefined,
      ipfixRow: 'row-1',
      targetsPlace,
      exporter: {
        collectors: () => [
          { target, status: { transport: 'tls', address, lastError, lastErrorCode: error } },
        ],
      },
    }).map(({ code, severity, message, action }) => [code, severity, message, action]);
  };
  const expired =
    'its certificate has expired: issue a new one, and check the clocks of both hosts (CERT_HAS_EXPIRED)';
  const wait = 'its records wait, and are lost when the queue is full.';
  assert.deepEqual(fault('CERT_HAS_EXPIRED', expired), [
    [
      'collector-tls-fault',
      'warning',
      `No TLS session with the target "tls:h:4740": its certificate has expired; ${wait}`,
      'Issue a new one, and check the clocks of both hosts (CERT_HAS_EXPIRED).',
    ],
  ]);
  assert.deepEqual(fault('ERR_SSL_NO_SHARED_CIPHER', 'ssl routines'), [
    [
      'collector-tls-fault',
      'warning',
      `No TLS session with the target "tls:h:4740": ssl routines; ${wait}`,
      'See the log of the collector.',
    ],
  ]);
  assert.equal(fault('TLS_CLOSED_EARLY', 'it closed the connection').length, 1);
  assert.deepEqual(fault('CERT_HAS_EXPIRED', expired, '192.0.2.1'), []);
  assert.deepEqual(fault('ECONNREFUSED', 'no process listens at the port'), []);
});
