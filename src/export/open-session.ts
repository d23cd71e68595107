// The choice of the session by a target's transport, for the daemon and for `replay`.

import type { OpenSession } from './collector-session.ts';
import { FileSession } from './file-session.ts';
import type { FileFolder } from './files/file-folder.ts';
import type { SocketSessionParts } from './socket-session.ts';
import { TcpSession } from './tcp-session.ts';
import { TlsSession } from './tls-session.ts';
import { UdpSession } from './udp-session.ts';
import { FULL_QUEUES_MAX, QueueMemory } from './waiting-messages.ts';

/**
 * Returns a function that creates sessions; all of them share the memory for messages that wait.
 *
 * @param folder for targets that are files; the configuration accepts none without it
 */
export function sessionOpener(
  parts: SocketSessionParts,
  queueBytesMax: number,
  folder: FileFolder | undefined,
): OpenSession {
  const queueMemory = new QueueMemory(FULL_QUEUES_MAX * queueBytesMax);
  const reliable = { ...parts, queueMemory };
  return (target, listener) => {
    switch (target.transport) {
      case 'tcp':
        return new TcpSession(target, listener, reliable, { queueBytesMax });
      case 'tls':
        return new TlsSession(target, listener, reliable, { queueBytesMax });
      case 'file':
        if (folder === undefined) {
          throw new Error(`${target.text}: there is no folder for files`);
        }
        return new FileSession(target, listener, { ...reliable, folder }, { queueBytesMax });
      default:
        return new UdpSession(target, listener, parts);
    }
  };
}
