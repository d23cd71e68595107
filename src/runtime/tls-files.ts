// Reads the TLS files of a client: the CA certificate, and a certificate with its private key if there is one.

import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { codeOf } from './error-code.ts';
import { reasonOf } from './sentence.ts';
import { type TlsWords, tlsFault } from './tls-fault.ts';

/** The files of a TLS client (PEM). */
export interface TlsClientFiles {
  /** The certificates of the CAs that may have signed that of the server. */
  readonly ca: string;
  /** The client's certificate and its private key. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Whether the two may be missing, if both are. */
  readonly isClientOptional: boolean;
}

/** Reads the files for a session of TLS 1.2 or later. Rejects with an error with the code `TLS_FILES`, which names the file. */
export async function readTlsContext(files: TlsClientFiles, words: TlsWords): Promise<SecureContext> {
  const { certificate, key, isClientOptional } = files;
  const [ca, certText, keyText] = await Promise.all([
    read(files.ca, false),
    read(certificate, isClientOptional),
    read(key, isClientOptional),
  ]);
  if ((certText === undefined) !== (keyText === undefined)) {
    const missing = certText === undefined ? certificate : key;
    throw filesError(`${missing} is missing; a certificate and its private key are used together`);
  }
  try {
    return createSecureContext({ ca, cert: certText, key: keyText, minVersion: 'TLSv1.2' });
  } catch (error) {
    throw filesError((error instanceof Error ? tlsFault(error, words) : undefined) ?? reasonOf(error));
  }
}

/** Reads a file; undefined if there is none, or it is missing and may be. */
async function read(file: string | undefined, isOptional: boolean): Promise<Buffer | undefined> {
  try {
    return file === undefined ? undefined : await readFile(file);
  } catch (error) {
    if (isOptional && codeOf(error) === 'ENOENT') {
      return undefined;
    }
    throw filesError(reasonOf(error));
  }
}

function filesError(reason: string): Error {
  return Object.assign(new Error(`the TLS files cannot be used: ${reason}`), { code: 'TLS_FILES' });
}
