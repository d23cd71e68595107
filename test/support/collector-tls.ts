// The certificates of a collector over TLS and of its clients, for tests.

import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import type { TlsClientFiles } from '../../src/runtime/tls-files.ts';
import { type Certificate, CertificateFolder } from './certificates.ts';

export interface TlsBench {
  readonly folder: CertificateFolder;
  readonly ca: Certificate;
  /** Of the collector: for 127.0.0.1, ::1 and localhost. */
  readonly server: Certificate;
  readonly client: Certificate;
  /** The files of ovs-ipfix. */
  readonly files: TlsClientFiles;
  /** Options of a collector that demands a certificate. */
  readonly serverOptions: TlsOptions;
}

export async function createTlsBench(): Promise<TlsBench> {
  const folder = await CertificateFolder.create();
  const ca = await folder.authority('ca');
  const server = await folder.issue('server', ca, 2, 'DNS:localhost,IP:127.0.0.1,IP:::1');
  const client = await folder.issue('client', ca);
  return {
    folder,
    ca,
    server,
    client,
    files: { ca: ca.cert, certificate: client.cert, key: client.key, isClientOptional: false },
    serverOptions: serverOptions(server, ca),
  };
}

/** Returns the flags of `run` and `replay` with the files. */
export function certificateArguments({ ca, client }: TlsBench): readonly string[] {
  const ofClient = ['--collector-certificate', client.cert, '--collector-private-key', client.key];
  return ['--collector-ca-cert', ca.cert, ...ofClient];
}

/** Returns the options of a collector that verifies the certificates of its clients with the CA. */
export function serverOptions(server: Certificate, ca: Certificate): TlsOptions {
  return {
    key: readFileSync(server.key),
    cert: readFileSync(server.cert),
    ca: readFileSync(ca.cert),
    requestCert: true,
    rejectUnauthorized: true,
  };
}
