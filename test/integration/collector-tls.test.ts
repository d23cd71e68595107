// Collectors over TLS, with certificates that openssl has made: the suites of all transports, what is verified, and what a fault says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TlsSession } from '../../src/export/tls-session.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import type { TlsClientFiles } from '../../src/runtime/tls-files.ts';
import { testDelivery } from '../export/delivery-contract.ts';
import { testOutages } from '../export/outage-contract.ts';
import { CountingListener, numberedMessage } from '../export/session-contract.ts';
import { createTlsBench, serverOptions } from '../support/collector-tls.ts';
import { streamCollector, targetOf } from '../support/delivery.ts';
import { StreamSink } from '../support/stream-sink.ts';
import { waitFor } from '../support/wait.ts';

const bench = await createTlsBench();
const parts = { clock: systemClock, log: silentLogger };

testDelivery({
  name: 'tls',
  isReliable: true,
  hosts: ['127.0.0.1', 'localhost'],
  openCollector: async () => streamCollector(await StreamSink.open({ tls: bench.serverOptions })),
  openSession: (target, listener) =>
    new TlsSession({ ...target, tls: bench.files }, listener, parts, { retryMinMs: 20 }),
});

testOutages({
  name: 'tls',
  openSink: () => StreamSink.open({ tls: bench.serverOptions }),
  openSession: (options) => (target, listener) =>
    new TlsSession({ ...target, tls: bench.files }, listener, parts, options),
});

/** A session with a message that waits. */
function openSession(t: TestContext, port: number, files: Partial<TlsClientFiles>, host = '127.0.0.1') {
  const target = { ...targetOf(`tls:${host}:${port}`), tls: { ...bench.files, ...files } };
  const session = new TlsSession(target, new CountingListener(), parts, { retryMinMs: 20, retryMaxMs: 50 });
  t.after(() => session.stop(0));
  session.start();
  session.send(numberedMessage(0), 16, 1);
  return session;
}

async function openSink(t: TestContext, tls = bench.serverOptions): Promise<StreamSink> {
  const sink = await StreamSink.open({ tls });
  t.after(() => sink.close());
  return sink;
}

/** Waits for an error, and checks that nothing was handed over. */
async function failsWith(session: TlsSession, expected: RegExp): Promise<void> {
  await waitFor(() => session.status().lastError !== undefined, { what: 'an attempt has failed' });
  const { lastError, messagesSent, recordsLost, backlogCount } = session.status();
  assert.match(lastError ?? '', expected);
  assert.deepEqual([messagesSent, recordsLost, backlogCount], [0, 0, 1]);
}

test('a collector whose certificate another CA has signed gets nothing', async (t) => {
  const other = await bench.folder.authority('other');
  const session = openSession(t, (await openSink(t)).port, { ca: other.cert });
  await failsWith(session, /^its certificate is not signed by the CA of .*other\.pem: .* \([A-Z_]+\)$/u);
});

test('a collector whose certificate is for another name gets nothing', async (t) => {
  const wrong = await bench.folder.issue('wrong', bench.ca, 2, 'DNS:collector.example,IP:192.0.2.1');
  const sink = await openSink(t, serverOptions(wrong, bench.ca));
  for (const host of ['127.0.0.1', 'localhost']) {
    await failsWith(
      openSession(t, sink.port, {}, host),
      /^its certificate is for another name: .*ALTNAME_INVALID\)$/u,
    );
  }
});

test('a collector whose certificate has expired gets nothing', async (t) => {
  const expired = await bench.folder.issue('expired', bench.ca, -1, 'IP:127.0.0.1');
  const sink = await openSink(t, serverOptions(expired, bench.ca));
  await failsWith(openSession(t, sink.port, {}), /^its certificate has expired: .* \(CERT_HAS_EXPIRED\)$/u);
});

test('a collector that does not speak TLS is named as such', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).end('220 ready\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const session = openSession(t, (server.address() as AddressInfo).port, {});
  await failsWith(
    session,
    /^it does not speak TLS: use tcp: in place of tls:, or let it listen with TLS \(/u,
  );
});

test('nothing is handed to a collector that refuses the certificate, with TLS 1.3 after the handshake', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const sink = await openSink(t, { ...bench.serverOptions, maxVersion });
    const session = openSession(t, sink.port, { certificate: undefined, key: undefined });
    await failsWith(session, /certificate/u);
    assert.equal(session.status().recordsDeliveryUnknown, 0);
  }
});

test('a collector that supports TLS 1.1 at most is refused', async (t) => {
  const options = {
    ...bench.serverOptions,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  } as const;
  const sink = await openSink(t, options);
  await failsWith(openSession(t, sink.port, {}), /it has no TLS version in common with ovs-ipfix/u);
});

test('missing files are named, and are read anew for each attempt', async (t) => {
  const folder = join(bench.folder.path, 'renewed');
  await mkdir(folder);
  const files = {
    ca: join(folder, 'ca.crt'),
    certificate: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    isClientOptional: true,
  };
  const sink = await openSink(t);
  const session = openSession(t, sink.port, files);
  await failsWith(session, /^the TLS files cannot be used: .*ca\.crt/u);
  await copyFile(bench.ca.cert, files.ca);
  await copyFile(bench.client.cert, files.certificate);
  await waitFor(() => /tls\.key is missing/u.test(session.status().lastError ?? ''), {
    what: 'the key is missing',
  });
  await copyFile(bench.client.key, files.key);
  await waitFor(() => sink.messages.length === 1, { what: 'the message has arrived' });
  const { recordsLost, transport, state } = session.status();
  assert.deepEqual([recordsLost, transport, state], [0, 'tls', 'open']);
});
