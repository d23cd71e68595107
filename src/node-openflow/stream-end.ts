// Waiting for a stream to drain, and closing it so that OVS does not log a reset connection.
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
  // When the stream fails or the race is lost this rejects; the caller checks the state of the connection itself.
  const drain = once(stream, 'drain', { signal: waiting.signal }).catch(() => {});
  await Promise.race([drain, ended]);
  waiting.abort();
}

/**
 * Polite is to let the switch close first: a socket that is closed with bytes unread resets the connection, and OVS warns
 * about that in its log. A last word (why a hello is refused) is sent before the stream is closed.
 */
export function closeStream(
  stream: Duplex & { unref?: () => void },
  isPolite: boolean,
  hasLastWord: boolean,
): void {
  if (isPolite && stream.writableLength === 0 && !stream.readableEnded) {
    stream.once('end', () => stream.destroy());
    stream.end();
    // A socket that only waits for that must not keep the process alive.
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
