// A collector over TLS 1.2 or later on TCP (RFC 7011, sections 10.4 and 11). Its certificate must be signed by a configured CA and be
// for the host of the target. The files are read anew for each connection.

import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { codeOf } from '../runtime/error-code.ts';
import { type TlsWords, tlsFault } from '../runtime/tls-fault.ts';
import { readTlsContext, type TlsClientFiles } from '../runtime/tls-files.ts';
import type { CollectorTarget, SessionListener } from './collector-session.ts';
import type { QueuedSessionParts } from './queued-session.ts';
import {
  RELIABLE_SESSION_DEFAULTS,
  ReliableSession,
  type ReliableSessionOptions,
} from './reliable-session.ts';
import { sourceOfName } from './source-binding.ts';

/**
 * With TLS 1.3 a collector refuses a certificate after the handshake has ended on this side. Messages wait until it has sent a
 * session ticket, which shows that it has accepted, or for so many milliseconds if it sends none.
 */
export const TLS_ACCEPTANCE_MS = 500;

export class TlsSession extends ReliableSession {
  protected readonly transport = 'tls';
  readonly #files: TlsClientFiles;
  readonly #words: TlsWords;

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: QueuedSessionParts,
    given: Partial<ReliableSessionOptions> = {},
  ) {
    super(target, listener, parts, { ...RELIABLE_SESSION_DEFAULTS, ...given });
    if (target.tls === undefined) {
      throw new Error(`the target ${target.text} has no TLS files`);
    }
    this.#files = target.tls;
    const { ca, certificate = 'the certificate', key = 'the private key' } = target.tls;
    this.#words = {
      ca,
      certificate,
      key,
      plain: 'use tcp: in place of tls:, or let it listen with TLS',
      silent: 'a collector that does not speak TLS',
    };
  }

  protected async openSocket(use: (socket: Socket) => void): Promise<void> {
    const secureContext = await readTlsContext(this.#files, this.#words);
    const { host, port } = this.target;
    // Certificates have names without the dot at the end, and addresses without the interface.
    const name = host.replace(/\.$|%.*$/u, '');
    use(
      connect({
        host,
        port,
        secureContext,
        servername: isIP(name) === 0 ? name : '',
        checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
        ...sourceOfName(this.target),
      }),
    );
  }

  protected override whenReady(socket: Socket, ready: () => void): void {
    const secured = socket as TLSSocket;
    secured.once('secureConnect', () => {
      if (secured.getProtocol() !== 'TLSv1.3') {
        ready();
        return;
      }
      const timer = this.clock.setTimer(ready, TLS_ACCEPTANCE_MS);
      const accepted = () => {
        timer.cancel();
        // OpenSSL calls back while it reads, and must not be told to write then: records would be corrupted.
        setImmediate(ready);
      };
      secured.once('session', accepted);
      secured.once('close', () => timer.cancel());
    });
  }

  protected override explained(error: Error): Error {
    const fault = tlsFault(error, this.#words);
    return fault === undefined
      ? super.explained(error)
      : Object.assign(new Error(fault, { cause: error }), { code: codeOf(error) });
  }
}
