// TLS to a real ovsdb-server: what is wrong is said in plain words, with what to do, in the daemon's `ready` and by the doctor.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { type Certificate, CertificateFolder, tlsArguments } from '../support/certificates.ts';
import { startDaemon } from '../support/daemon.ts';
import { diagnose, found } from '../support/doctor.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';

interface Bed {
  readonly folder: CertificateFolder;
  readonly ca: Certificate;
  readonly client: Certificate;
}

async function startBed(): Promise<Bed> {
  const folder = await CertificateFolder.create();
  const ca = await folder.authority('ca');
  return { folder, ca, client: await folder.issue('client', ca) };
}

/** Starts OVS whose database listens with TLS; returns the connection method. */
async function startTlsDatabase(
  t: TestContext,
  server: Certificate,
  ca: Certificate,
  ...more: readonly string[]
): Promise<{ ovs: Ovs; method: string }> {
  const ovs = await startOvs({
    // OVS 3.5 and later log a refused handshake as an error.
    allowedWarnings: [/\|WARN\|/u, /\|stream_ssl\|ERR\|SSL_accept: /u],
    remotes: ['pssl:0:127.0.0.1'],
    databaseArguments: [...tlsArguments(server, ca), ...more],
  });
  t.after(() => ovs.stop());
  return { ovs, method: `ssl:127.0.0.1:${await ovs.remotePort()}` };
}

/** Fails unless the doctor gives the reason why the database cannot be reached. */
async function assertExplained(method: string, args: readonly string[], reason: RegExp): Promise<void> {
  const diagnosis = await diagnose({ OVS_RUNDIR: '/nonexistent' }, ['--db', method, ...args]);
  assert.match(found(diagnosis, 'database-unreachable', /database/u).message, reason);
}

test(
  'the daemon exports over ssl, and says what is wrong with a certificate',
  tier('ovs', 'daemon'),
  async (t) => {
    const { folder, ca, client } = await startBed();
    const { ovs, method } = await startTlsDatabase(t, await folder.issue('server', ca), ca);
    const daemon = await startDaemon(ovs, { arguments: ['--db', method, ...tlsArguments(client, ca)] });
    await daemon.stop();
    const stranger = await folder.authority('stranger');
    await assertExplained(
      method,
      tlsArguments(client, stranger),
      /certificate is not signed by the CA of --ca-cert: name/u,
    );
    const strange = await folder.issue('of-stranger', stranger);
    await assertExplained(
      method,
      tlsArguments(strange, ca),
      /does not know the CA that signed the certificate of --certificate/u,
    );
    const expired = await folder.issue('expired', ca, -1);
    await assertExplained(
      method,
      tlsArguments(expired, ca),
      /the certificate of --certificate has expired: issue/u,
    );
    await assertExplained(
      method,
      tlsArguments({ ...client, key: strange.key }, ca),
      /the private key is not that of the certificate/u,
    );
    const nothing = join(folder.path, 'nothing.pem');
    await writeFile(nothing, 'nothing');
    await assertExplained(
      method,
      tlsArguments({ ...client, cert: nothing }, ca),
      /not PEM: check --private-key/u,
    );

    const refused = await startDaemon(ovs, {
      arguments: ['--db', method, ...tlsArguments(expired, ca)],
      waitForReady: false,
    });
    t.after(() => refused.kill());
    await refused.waitForRefusal(
      /OVSDB is not in sync.*the certificate of --certificate has expired/u,
      10_000,
    );
    await refused.stop();
  },
);

test(
  'an expired certificate of the database, and one of its TLS versions, are named',
  tier('ovs', 'daemon'),
  async (t) => {
    const { folder, ca, client } = await startBed();
    const { method } = await startTlsDatabase(t, await folder.issue('server', ca, -1), ca);
    await assertExplained(
      method,
      tlsArguments(client, ca),
      /its certificate has expired: issue a new one, and check the clocks/u,
    );

    const server = await folder.issue('old', ca);
    const old = createTlsServer({
      key: readFileSync(server.key),
      cert: readFileSync(server.cert),
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
    t.after(() => void old.close());
    const { port } = old.address() as { port: number };
    await assertExplained(
      `ssl:127.0.0.1:${port}`,
      tlsArguments(client, ca),
      /no TLS version in common with ovs-ipfix/u,
    );
  },
);

test('a peer that does not speak TLS is named', tier('ovs', 'daemon'), async (t) => {
  const { ca, client } = await startBed();
  const ovs = await startOvs({ allowedWarnings: [/\|WARN\|/u], remotes: ['ptcp:0:127.0.0.1'] });
  t.after(() => ovs.stop());
  const method = `ssl:127.0.0.1:${await ovs.remotePort()}`;
  await assertExplained(
    method,
    tlsArguments(client, ca),
    /before TLS was set up: a server that listens with ptcp: does so/u,
  );
  const chatty = createServer((socket) => socket.on('error', () => {}).end('220 welcome, I speak SMTP\r\n'));
  await new Promise<void>((resolve) => chatty.listen(0, '127.0.0.1', resolve));
  t.after(() => void chatty.close());
  const { port } = chatty.address() as { port: number };
  await assertExplained(
    `ssl:127.0.0.1:${port}`,
    tlsArguments(client, ca),
    /it does not speak TLS: use tcp: in place of ssl:/u,
  );
});
