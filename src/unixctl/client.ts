// The client of the control socket: sends one command to a daemon, as `ovs-appctl` does.

import type { Duplex } from 'node:stream';
import { JsonFramer, type JsonObject, OvsdbError } from '../ovsdb-client/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { dial, EndpointError } from '../runtime/endpoint.ts';
import { isForbidden } from '../runtime/error-code.ts';
import { UnixctlError } from './errors.ts';

/** Options of `askUnixctl`. */
export interface AskOptions {
  readonly clock: Clock;
  /** Milliseconds for connecting and for the answer together. Default 5,000. */
  readonly timeoutMs?: number;
  /** Ends the wait for the answer, as at the end of its time. */
  readonly signal?: AbortSignal;
}

/** Largest answer, in bytes: a status of thousands of exporters. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const TIMEOUT_MS_DEFAULT = 5000;
const ANSWER_DEPTH_MAX = 16;

/** Runs a command of the daemon that listens at `path` and returns its answer; rejects with UNIXCTL_REFUSED for a refusal. */
export async function askUnixctl(
  path: string,
  command: string,
  args: readonly string[],
  options: AskOptions,
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
  const timeout = new AbortController();
  const abort = () => timeout.abort();
  const timer = options.clock.setTimer(abort, timeoutMs);
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    options.signal?.throwIfAborted();
    const stream = await connect(path, options.clock, timeoutMs, timeout.signal);
    try {
      const reply = await firstMessage(stream, path, timeout.signal, () =>
        stream.write(JSON.stringify({ id: 0, method: command, params: args })),
      );
      return readReply(reply, path);
    } finally {
      stream.destroy();
    }
  } finally {
    timer.cancel();
    options.signal?.removeEventListener('abort', abort);
  }
}

async function connect(path: string, clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<Duplex> {
  try {
    return await dial({ kind: 'unix', path }, { clock, timeoutMs, signal });
  } catch (error) {
    if (!(error instanceof EndpointError)) {
      throw error;
    }
    const message = isForbidden(error)
      ? `You may not connect to the daemon at ${path}: you need write permission for this socket. Run the command as root, or as the user that it belongs to.`
      : `No daemon answers at ${path}: ${error.message} Is it running?`;
    throw new UnixctlError('UNIXCTL_UNREACHABLE', message, error);
  }
}

async function firstMessage(
  stream: Duplex,
  path: string,
  signal: AbortSignal,
  send: () => void,
): Promise<JsonObject> {
  const framer = new JsonFramer({ messageBytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX });
  return new Promise((resolve, reject) => {
    const fail = (code: 'UNIXCTL_TIMEOUT' | 'UNIXCTL_PROTOCOL', why: string, cause?: unknown) =>
      reject(new UnixctlError(code, `The daemon at ${path} ${why}.`, cause));
    signal.addEventListener('abort', () => fail('UNIXCTL_TIMEOUT', 'did not answer in time'), {
      once: true,
    });
    stream.on('error', (cause) =>
      fail('UNIXCTL_PROTOCOL', `ended the connection with an error (${cause.message})`, cause),
    );
    stream.on('close', () => fail('UNIXCTL_PROTOCOL', 'closed the connection without an answer'));
    stream.on('end', () => fail('UNIXCTL_PROTOCOL', 'closed the connection without an answer'));
    stream.on('data', (chunk: Buffer) => {
      try {
        framer.push(chunk, resolve);
      } catch (cause) {
        if (!(cause instanceof OvsdbError)) {
          throw cause;
        }
        fail('UNIXCTL_PROTOCOL', `sent an invalid answer (${cause.code})`, cause);
      }
    });
    send();
  });
}

function readReply(reply: JsonObject, path: string): string {
  const { result, error } = reply;
  if (typeof error === 'string') {
    throw new UnixctlError('UNIXCTL_REFUSED', error.trimEnd());
  }
  if (typeof result === 'string') {
    return result;
  }
  throw new UnixctlError(
    'UNIXCTL_PROTOCOL',
    `The daemon at ${path} sent an answer without result and error.`,
  );
}
