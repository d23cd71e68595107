// Writes to a TCP socket what the kernel takes at once, and says how much that is: a stream says only when all of it is taken, and not
// how much of it was when the connection broke.

import { writevSync } from 'node:fs';
import type { Socket } from 'node:net';

/** A socket with the descriptor that Node.js does not document; without one everything is written by the stream. */
type SocketWithHandle = Socket & { readonly _handle?: { readonly fd?: number } | null };

/** Returns how many bytes of the messages the kernel has taken. After an error it is none: the stream meets the error next, and reports it. */
function writeNow(socket: Socket, messages: readonly Buffer[]): number {
  const fd = (socket as SocketWithHandle)._handle?.fd ?? -1;
  // What the stream has not written yet comes first.
  if (fd < 0 || socket.writableLength > 0) {
    return 0;
  }
  try {
    return writevSync(fd, messages);
  } catch {
    return 0;
  }
}

/** What becomes of messages that are handed to the kernel. */
export interface HandingOver {
  /** The kernel has taken so many more messages as a whole. */
  taken(messageCount: number): void;
  /** The next messages may be handed over. */
  done(): void;
}

/**
 * Hands messages to the kernel, in order: as many as it takes at once, or, when it takes none, the first one as soon as it does. Not
 * done after an error, which the socket reports.
 */
export function handToKernel(socket: Socket, messages: readonly Buffer[], over: HandingOver): void {
  let bytes = writeNow(socket, messages);
  let count = 0;
  for (; count < messages.length && bytes >= messages[count]!.length; count += 1) {
    bytes -= messages[count]!.length;
  }
  over.taken(count);
  const next = messages[count];
  if (next === undefined || (count > 0 && bytes === 0)) {
    over.done();
    return;
  }
  // The rest of a message that the kernel has taken a part of, or the first one.
  socket.write(next.subarray(bytes), (error) => {
    if (!error) {
      over.taken(1);
      over.done();
    }
  });
}
