// A collector over TLS 1.2 or later on TCP (RFC 7011, sections 10.4 and 11).

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { HandingOver } from '../runtime/kernel-write.ts';
import type { TlsClientFiles } from '../runtime/tls-files.ts';
import type { CollectorTarget, SessionListener } from './collector-session.ts';
import type { QueuedSessionParts } from './queued-session.ts';
import {
  RELIABLE_SESSION_DEFAULTS,
  ReliableSession,
  type ReliableSessionOptions,
} from './reliable-session.ts';
import { connectTls, explainedTls, whenAccepted } from './tls-connection.ts';

/** Bytes of a TLS record (RFC 8446, section 5.1). A collector can read all of a record or nothing of it. */
const TLS_RECORD_BYTES = 16_384;

export class TlsSession extends ReliableSession {
  protected readonly transport = 'tls';
  readonly #files: TlsClientFiles;

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
  }

  protected openSocket(use: (socket: Socket) => void): Promise<void> {
    return connectTls(this.target, this.#files, use);
  }

  protected override whenReady(socket: Socket, ready: () => void): void {
    whenAccepted(socket as TLSSocket, this.clock, ready);
  }

  /** The messages that fit one record: the kernel has taken it as a whole, or none of them arrives. */
  protected override handTo(socket: Socket, messages: readonly Buffer[], over: HandingOver): void {
    let count = 0;
    let bytes = 0;
    do {
      bytes += messages[count]?.length ?? 0;
      count += 1;
    } while (count < messages.length && bytes + messages[count]!.length <= TLS_RECORD_BYTES);
    socket.write(Buffer.concat(messages.slice(0, count), bytes), (error) => {
      if (!error) {
        over.taken(count);
        over.done();
      }
    });
  }

  protected override explained(error: Error): Error {
    return explainedTls(error, this.#files) ?? super.explained(error);
  }
}
