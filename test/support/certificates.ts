// Certificates of CAs of a test, made by openssl in a private folder.

import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './process.ts';

/** The files of a certificate and of its private key (PEM). */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export class CertificateFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder, which is removed when the test's process exits: the programs that end before it read it at any time. */
  static async create(): Promise<CertificateFolder> {
    const path = await mkdtemp(join(tmpdir(), 'certificates-'));
    process.once('exit', () => rmSync(path, { recursive: true, force: true }));
    return new CertificateFolder(path);
  }

  /** Makes a CA. */
  async authority(name: string): Promise<Certificate> {
    const files = this.#files(name);
    const to = ['-keyout', files.key, '-out', files.cert];
    await runProgram('openssl', ['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${name}`, ...to]);
    return files;
  }

  /**
   * Makes a certificate that the CA has signed; with negative `days` it has expired. `names` is its subjectAltName, such as
   * `DNS:localhost,IP:127.0.0.1`.
   */
  async issue(name: string, by: Certificate, days = 2, names?: string): Promise<Certificate> {
    const files = this.#files(name);
    const request = join(this.path, `${name}.csr`);
    await runProgram('openssl', [
      'req',
      '-new',
      ...NEW_KEY,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      files.key,
      '-out',
      request,
    ]);
    const ca = ['-CA', by.cert, '-CAkey', by.key, '-CAcreateserial'];
    if (names !== undefined) {
      const extensions = join(this.path, `${name}.ext`);
      await writeFile(extensions, `subjectAltName=${names}\n`);
      ca.push('-extfile', extensions);
    }
    await runProgram('openssl', [
      'x509',
      '-req',
      '-in',
      request,
      ...ca,
      '-days',
      String(days),
      '-out',
      files.cert,
    ]);
    return files;
  }

  #files(name: string): Certificate {
    return { key: join(this.path, `${name}.key`), cert: join(this.path, `${name}.pem`) };
  }
}

/** Returns the arguments of a program of OVS or of ovs-ipfix. */
export function tlsArguments({ key, cert }: Certificate, ca: Certificate): readonly string[] {
  return [`--private-key=${key}`, `--certificate=${cert}`, `--ca-cert=${ca.cert}`];
}
