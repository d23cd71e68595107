import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { systemClock } from '../../src/runtime/clock.ts';
import {
  dial,
  type EndpointError,
  formatEndpoint,
  parseEndpoint,
  parseEndpoints,
} from '../../src/runtime/endpoint.ts';
import {
  bridgeSocketPath,
  controlSocketPath,
  databaseDefault,
  pidFilePath,
} from '../../src/runtime/rundir.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { runProgram } from '../support/process.ts';

const defaults = { defaultPort: 6640, directory: '/run/ovs' };

test('parses each connection method, and formats it with the defaults filled in', () => {
  const methods: [string, string][] = [
    ['unix:/var/run/openvswitch/db.sock', 'unix:/var/run/openvswitch/db.sock'],
    ['unix:db.sock', 'unix:/run/ovs/db.sock'],
    ['unix:/odd:name', 'unix:/odd:name'],
    ['tcp:127.0.0.1', 'tcp:127.0.0.1:6640'],
    ['tcp:127.0.0.1:7000', 'tcp:127.0.0.1:7000'],
    ['ssl:ovs.example.org', 'ssl:ovs.example.org:6640'],
    ['ssl:[2001:db8::1]', 'ssl:[2001:db8::1]:6640'],
    ['tcp:[fe80::1%eth0]:65535', 'tcp:[fe80::1%eth0]:65535'],
  ];
  for (const [text, whole] of methods) {
    assert.equal(formatEndpoint(parseEndpoint(text, defaults)), whole);
  }
  assert.deepEqual(parseEndpoints('unix:db.sock, tcp:127.0.0.1,ssl:[::1]:1', defaults).map(formatEndpoint), [
    'unix:/run/ovs/db.sock',
    'tcp:127.0.0.1:6640',
    'ssl:[::1]:1',
  ]);
});

test('refuses an invalid connection method with a sentence that quotes it', () => {
  const bad: [string, RegExp][] = [
    ['', /^"" is not a valid connection method: write unix:FILE, tcp:HOST\[:PORT\] or ssl:HOST\[:PORT\]\.$/],
    ['unix', /the path of the socket is missing/],
    ['ptcp:6640', /write unix:FILE/],
    [`unix:/${'x'.repeat(107)}`, /at most 107 bytes/],
    ['tcp:', /the host is missing/],
    ['tcp::6640', /the host is missing/],
    ['tcp:::1:6640', /brackets/],
    ['tcp:[::1', /brackets/],
    ['tcp:[10.0.0.1]:1', /"10\.0\.0\.1" is not a valid IPv6 address/],
    ['tcp:a b:1', /"a b" is not a valid host name/],
    ['tcp:host:0', /"0" is not a valid port number/],
    ['tcp:host:65536', /"65536" is not a valid port number/],
    ['tcp:host:', /"" is not a valid port number/],
    ['tcp:host:1x', /"1x" is not a valid port number/],
  ];
  for (const [text, sentence] of bad) {
    assert.throws(
      () => parseEndpoint(text, defaults),
      (error: EndpointError) => {
        assert.equal(error.code, 'ENDPOINT_SYNTAX');
        assert.match(error.message, sentence);
        return true;
      },
      text,
    );
  }
  assert.throws(() => parseEndpoints('tcp:a,', defaults), { code: 'ENDPOINT_SYNTAX' });
});

test("builds paths by OVS's conventions and environment variables", () => {
  assert.equal(databaseDefault({}), 'unix:/var/run/openvswitch/db.sock');
  const environment = { OVS_RUNDIR: '/x' };
  assert.equal(databaseDefault(environment), 'unix:/x/db.sock');
  assert.equal(databaseDefault({ OVS_RUNDIR: '' }), 'unix:/var/run/openvswitch/db.sock');
  assert.equal(controlSocketPath('ovs-ipfix', 7, environment), '/x/ovs-ipfix.7.ctl');
  assert.equal(pidFilePath('ovs-ipfix', environment), '/x/ovs-ipfix.pid');
  assert.equal(bridgeSocketPath('br0', environment), '/x/br0.mgmt');
});

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'endpoint-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function listen(t: TestContext, server: Server, at: string | number): Promise<number> {
  if (typeof at === 'number') {
    server.listen(at, '127.0.0.1');
  } else {
    server.listen(at);
  }
  await once(server, 'listening');
  t.after(() => server.close());
  return typeof at === 'number' ? (server.address() as AddressInfo).port : 0;
}

const greet = () => createServer((socket) => socket.end('hello'));

test('dials unix and tcp endpoints', async (t) => {
  const path = join(await folderFor(t), 'a.sock');
  await listen(t, greet(), path);
  const port = await listen(t, greet(), 0);
  for (const text of [`unix:${path}`, `tcp:127.0.0.1:${port}`, `tcp:localhost:${port}`]) {
    const stream = await dial(parseEndpoint(text, defaults), { clock: systemClock });
    assert.equal(String(await stream.toArray()), 'hello');
  }
});

test('dials an ssl endpoint with keys, and refuses a peer whose certificate another CA has signed', async (t) => {
  const folder = await folderFor(t);
  const certificate = async (name: string) => {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    await runProgram('openssl', [
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj'.split(' '),
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      cert,
    ]);
    return { key, cert };
  };
  const [server, client, stranger] = await Promise.all([
    certificate('server'),
    certificate('client'),
    certificate('stranger'),
  ]);
  const port = await listen(
    t,
    createTlsServer(
      {
        key: readFileSync(server.key),
        cert: readFileSync(server.cert),
        ca: readFileSync(client.cert),
        requestCert: true,
      },
      (socket) => socket.end(`hello ${String(socket.getPeerCertificate().subject.CN)}`),
    ),
    0,
  );
  const endpoint = parseEndpoint(`ssl:127.0.0.1:${port}`, defaults);
  const tls = { privateKeyFile: client.key, certificateFile: client.cert };
  const stream = await dial(endpoint, { clock: systemClock, tls: { ...tls, caFile: server.cert } });
  assert.equal(String(await stream.toArray()), 'hello client');
  const dialled = (caFile: string) => dial(endpoint, { clock: systemClock, tls: { ...tls, caFile } });
  await assert.rejects(dialled(stranger.cert), { code: 'ENDPOINT_UNREACHABLE' });
  await assert.rejects(dialled(join(folder, 'none')), { code: 'ENDPOINT_TLS_FILES' });
  await assert.rejects(dial(endpoint, { clock: systemClock }), { code: 'ENDPOINT_TLS_FILES' });
});

test('names an endpoint that cannot be reached', async (t) => {
  const path = join(await folderFor(t), 'none.sock');
  await assert.rejects(dial({ kind: 'unix', path }, { clock: systemClock }), {
    code: 'ENDPOINT_UNREACHABLE',
    message: `Cannot connect to unix:${path}: connect ENOENT ${path}.`,
  });
});

test('ends an attempt by its timeout or by its signal', async (t) => {
  // A server that never finishes the TLS handshake.
  const silent = createServer((socket) => socket.on('error', () => {}));
  const port = await listen(t, silent, 0);
  const folder = await folderFor(t);
  const file = join(folder, 'k');
  await runProgram('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout'.split(' '),
    file,
    '-out',
    `${file}.pem`,
  ]);
  const tls = { privateKeyFile: file, certificateFile: `${file}.pem`, caFile: `${file}.pem` };
  const endpoint = parseEndpoint(`ssl:127.0.0.1:${port}`, defaults);
  const clock = new ManualClock();
  const accepted = once(silent, 'connection');
  const dialling = assert.rejects(dial(endpoint, { clock, tls, timeoutMs: 700 }), {
    code: 'ENDPOINT_TIMEOUT',
    message: `Cannot connect to ssl:127.0.0.1:${port} within 700 ms.`,
  });
  await accepted;
  clock.advance(700_000);
  await dialling;
  const abort = new AbortController();
  const acceptedAgain = once(silent, 'connection');
  const given = assert.rejects(dial(endpoint, { clock, tls, signal: abort.signal }), {
    code: 'ENDPOINT_ABORTED',
  });
  await acceptedAgain;
  abort.abort();
  await given;
  await assert.rejects(dial(endpoint, { clock, tls, signal: abort.signal }), { code: 'ENDPOINT_ABORTED' });
  assert.equal(clock.pendingCount, 0);
});
