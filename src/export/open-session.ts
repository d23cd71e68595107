// The choice of the session by a target's transport, for the daemon and for `replay`.

import type { CollectorSession, CollectorTarget, SessionListener } from './collector-session.ts';
import type { SocketSessionParts } from './socket-session.ts';
import { TcpSession } from './tcp-session.ts';
import { UdpSession } from './udp-session.ts';

/** Creates the session of a target. */
export function openSession(
  target: CollectorTarget,
  listener: SessionListener,
  parts: SocketSessionParts,
): CollectorSession {
  return target.transport === 'tcp'
    ? new TcpSession(target, listener, parts)
    : new UdpSession(target, listener, parts);
}
