// A collector over TCP (RFC 7011, section 10.4).

import { connect, type Socket } from 'node:net';
import { type HandingOver, handToKernel } from '../runtime/kernel-write.ts';
import type { CollectorTarget, SessionListener } from './collector-session.ts';
import type { QueuedSessionParts } from './queued-session.ts';
import {
  RELIABLE_SESSION_DEFAULTS,
  ReliableSession,
  type ReliableSessionOptions,
} from './reliable-session.ts';
import { sourceOfName } from './source-binding.ts';

export class TcpSession extends ReliableSession {
  protected readonly transport = 'tcp';

  constructor(
    target: CollectorTarget,
    listener: SessionListener,
    parts: QueuedSessionParts,
    given: Partial<ReliableSessionOptions> = {},
  ) {
    super(target, listener, parts, { ...RELIABLE_SESSION_DEFAULTS, ...given });
  }

  protected async openSocket(use: (socket: Socket) => void): Promise<void> {
    const { host, port } = this.target;
    use(connect({ host, port, keepAlive: true, ...sourceOfName(this.target) }));
  }

  protected override whenReady(socket: Socket, ready: () => void): void {
    socket.once('connect', ready);
  }

  protected override handTo(socket: Socket, messages: readonly Buffer[], over: HandingOver): void {
    handToKernel(socket, messages, over);
  }
}
