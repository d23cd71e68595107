// Waits for a stream to drain, and closes it so that OVS does not log a reset connection.
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { OpenFlowEnd } from './connection-options.ts';
import { OpenFlowConnectionError } from './errors.ts';

/** Resolves when the stream has nothing left to send, or when `ended` resolves. */
export async function drained(stream: Duplex, ended: Promise<unknown>): Promise<void> {
  if (!stream.writableNeedDrain) {
    return;
  }
  const waiting = new AbortController();
  // Rejects when the stream fails or `ended` resolves first; the caller checks the state of the connection.
  const drain = once(stream, 'drain', { signal: waiting.signal }).catch(() => {});
  await Promise.race([drain, ended]);
  waiting.abort();
}

/**
 * Closes a stream, after sending a last message if there is one (why a hello is refused). A graceful close lets the switch
 * close first: closing a socket with unread bytes resets the connection, about which OVS logs a warning.
 */
export function closeStream(
  stream: Duplex & { unref?: () => void },
  isPolite: boolean,
  hasLastWord: boolean,
): void {
  if (isPolite && stream.writableLength === 0 && !stream.readableEnded) {
    stream.once('end', () => stream.destroy());
    stream.end();
    // A socket that waits for the switch to close must not keep the process alive.
    stream.unref?.();
  } else if (hasLastWord) {
    stream.end(() => stream.destroy());
  } else {
    stream.destroy();
  }
}

/** The error of what is asked of a connection that is over. */
export function endedError(end: OpenFlowEnd): OpenFlowConnectionError {
  return new OpenFlowConnectionError(
    'OPENFLOW_ENDED',
    `the OpenFlow connection is over: ${end.message}`,
    end.error ?? undefined,
  );
}
