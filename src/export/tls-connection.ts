// Connections to collectors over TLS 1.2 or later (RFC 7011, section 11), for sessions and for `doctor`. The certificate of the collector
// must be signed by a configured CA and be for the host of the target. The files are read anew for each connection.

import { isIP } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../runtime/clock.ts';
import { type TlsWords, tlsFault, tlsFaultCode } from '../runtime/tls-fault.ts';
import { readTlsContext, type TlsClientFiles } from '../runtime/tls-files.ts';
import type { CollectorTarget } from './collector-session.ts';
import { sourceOfName } from './source-binding.ts';

/**
 * With TLS 1.3 a collector refuses a certificate after the handshake has ended on this side. Messages wait until it has sent a
 * session ticket, which shows that it has accepted, or for so many milliseconds if it sends none.
 */
export const TLS_ACCEPTANCE_MS = 500;

/** Passes on a socket that begins to connect, before it returns to the event loop; rejects when the files cannot be used. */
export async function connectTls(
  target: CollectorTarget,
  files: TlsClientFiles,
  use: (socket: TLSSocket) => void,
): Promise<void> {
  const secureContext = await readTlsContext(files, wordsOf(files));
  const { host, port } = target;
  // Certificates have names without the dot at the end, and addresses without the interface.
  const name = host.replace(/\.$|%.*$/u, '');
  use(
    connect({
      host,
      port,
      secureContext,
      servername: isIP(name) === 0 ? name : '',
      checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
      ...sourceOfName(target),
    }),
  );
}

/** Calls back when the collector has accepted the session, as far as TLS shows it; a second call has no effect. */
export function whenAccepted(socket: TLSSocket, clock: Clock, ready: () => void): void {
  socket.once('secureConnect', () => {
    if (socket.getProtocol() !== 'TLSv1.3') {
      ready();
      return;
    }
    const timer = clock.setTimer(ready, TLS_ACCEPTANCE_MS);
    const accepted = () => {
      timer.cancel();
      // OpenSSL calls back while it reads, and must not be told to write then: records would be corrupted.
      setImmediate(ready);
    };
    socket.once('session', accepted);
    socket.once('close', () => timer.cancel());
  });
}

/** Returns an error of TLS in plain words, with its code; undefined for one that is not of TLS. */
export function explainedTls(error: Error, files: TlsClientFiles): Error | undefined {
  const code = tlsFaultCode(error);
  const fault = tlsFault(error, wordsOf(files));
  return fault === undefined ? undefined : Object.assign(new Error(fault, { cause: error }), { code });
}

function wordsOf({ ca, certificate = 'the certificate', key = 'the private key' }: TlsClientFiles): TlsWords {
  return {
    ca,
    certificate,
    key,
    plain: 'use tcp: in place of tls:, or let it listen with TLS',
    silent: 'a collector that does not speak TLS',
  };
}
