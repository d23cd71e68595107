// One JSON-RPC 1.0 session over a stream (RFC 7047, section 4): requests and replies, notifications in both directions,
// and the server's echo requests. Of OVSDB's methods it handles echo and cancel only; OvsdbClient handles the others.

import type { Duplex } from 'node:stream';
import { OvsdbError, OvsdbErrorCode, OvsdbReplyError, parseFault } from './errors.ts';
import { JsonFramer, type JsonFramerOptions, type JsonObject } from './json-framer.ts';
import { ReplyBacklog } from './reply-backlog.ts';

/** Limits of one session. */
export interface RpcPeerOptions extends JsonFramerOptions {
  /** Pending requests, aborted ones included. One more is refused. */
  pendingRequestsMax: number;
  /** Send backlog of the stream in bytes. A request beyond it is refused; a reply beyond it ends the session. */
  sendBytesMax: number;
  /** Bytes of echo replies that wait to be sent. Beyond it nothing is read until the server has read half of them. */
  replyBytesMax: number;
}

/** How a session ended. */
export interface OvsdbEnd {
  /** The cause: `close()` here, the server by closing, or a failed stream or invalid message. */
  readonly by: 'here' | 'server' | 'fault';
  /** The failure, or the reason given to `close()`. */
  readonly error: Error | undefined;
}

/** The outcome of a request. */
type RpcOutcome = { readonly result: unknown } | { readonly error: OvsdbError };

/** Called with notifications, in the order received. */
export type NotificationListener = (method: string, params: readonly unknown[]) => void;

interface PendingRequest {
  readonly method: string;
  /** Undefined once the caller has aborted the request; its reply is still to come. */
  settle: ((outcome: RpcOutcome) => void) | undefined;
}

/** The session. It owns the stream from construction on. */
export class RpcPeer {
  /** Resolves once, when the session has ended; never rejects. */
  readonly ended: Promise<OvsdbEnd>;
  readonly #stream: Duplex;
  readonly #options: RpcPeerOptions;
  readonly #framer: JsonFramer;
  readonly #replies: ReplyBacklog;
  readonly #onNotification: NotificationListener;
  readonly #onEnd: (end: OvsdbEnd) => void;
  #resolveEnded: ((end: OvsdbEnd) => void) | undefined;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;
  #receivedBytes = 0;
  #end: OvsdbEnd | undefined;

  /** `onEnd` is called once, synchronously, after all pending requests have settled. */
  constructor(
    stream: Duplex,
    options: RpcPeerOptions,
    onNotification: NotificationListener,
    onEnd: (end: OvsdbEnd) => void,
  ) {
    this.#stream = stream;
    this.#options = options;
    this.#framer = new JsonFramer(options);
    this.#replies = new ReplyBacklog(stream, options.replyBytesMax);
    this.#onNotification = onNotification;
    this.#onEnd = onEnd;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    // The error listener is kept after the end: a late error of a destroyed stream must not end the process.
    stream.on('error', (cause) =>
      this.#finish({
        by: 'fault',
        error: new OvsdbError(OvsdbErrorCode.stream, `The connection failed: ${cause.message}.`, cause),
      }),
    );
    stream.on('end', this.#onStreamEnd);
    stream.on('close', this.#onStreamEnd);
    stream.on('data', this.#onData);
    if (stream.destroyed) {
      // It emits no more events. The end is reported in the next tick, after the constructor has returned.
      process.nextTick(this.#onStreamEnd);
    }
  }

  /** Bytes received since the beginning. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** How often reading was stopped at `replyBytesMax`. */
  get readPauses(): number {
    return this.#replies.pauses;
  }

  /** How the session ended; undefined while it is open. */
  get end(): OvsdbEnd | undefined {
    return this.#end;
  }

  /**
   * Sends a request. Rejects with {@link OvsdbError}, immediately when `signal` fires. `read` converts the result to the
   * promise's value synchronously, before any notification after the reply is read, as monitors and locks need it. An
   * OvsdbError that it throws rejects the promise and ends the session.
   */
  request<T>(
    method: string,
    params: unknown,
    signal: AbortSignal | undefined,
    read: (result: unknown) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortedError(method, signal));
        return;
      }
      const onAbort = (): void => {
        this.#abandon(id, method);
        reject(abortedError(method, signal));
      };
      const id = this.#send(method, params, (outcome) => {
        signal?.removeEventListener('abort', onAbort);
        if ('error' in outcome) {
          reject(outcome.error);
          return;
        }
        try {
          resolve(read(outcome.result));
        } catch (error) {
          reject(error);
          if (error instanceof OvsdbError) {
            throw error;
          }
        }
      });
      if (id !== undefined) {
        signal?.addEventListener('abort', onAbort, { once: true });
      }
    });
  }

  /** Ends the session immediately. Idempotent. */
  close(end: OvsdbEnd): void {
    this.#finish(end);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#receivedBytes += chunk.length;
    this.#guard(() => this.#framer.push(chunk, this.#onMessage));
  };

  readonly #onStreamEnd = (): void => {
    const held = this.#framer.heldBytes;
    const error = new OvsdbError(
      OvsdbErrorCode.closed,
      `The server closed the connection within a message, ${held} bytes into it.`,
    );
    this.#finish(held > 0 ? { by: 'fault', error } : { by: 'server', error: undefined });
  };

  readonly #onMessage = (message: JsonObject): void => {
    // An earlier message of the chunk may have ended the session.
    if (this.#end !== undefined) {
      return;
    }
    const { method, id } = message;
    if (method === undefined) {
      this.#onReply(message);
      return;
    }
    const params = message['params'] ?? [];
    if (typeof method !== 'string' || !Array.isArray(params)) {
      throw protocolError('has a "method" that is not a string or "params" that are not an array', message);
    }
    if (id === null || id === undefined) {
      this.#onNotification(method, params);
    } else {
      this.#answer(method, params, id);
    }
  };

  /** Replies to a request of the server; RFC 7047 has only echo (section 4.1.11). */
  #answer(method: string, params: readonly unknown[], id: unknown): void {
    const reply =
      method === 'echo'
        ? { result: params, error: null, id }
        : {
            result: null,
            error: { error: 'unknown method', details: `This client does not implement ${method}.` },
            id,
          };
    const refusal = this.#write(`the reply to ${method}`, reply, (bytes) => this.#replies.write(bytes));
    if (refusal !== undefined) {
      throw refusal;
    }
  }

  #onReply(message: JsonObject): void {
    const { id, result, error } = message;
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (pending === undefined || typeof id !== 'number') {
      throw protocolError('is a reply without a request', message);
    }
    if (result === undefined && (error === undefined || error === null)) {
      throw protocolError('is a reply with neither "result" nor "error"', message);
    }
    this.#pending.delete(id);
    if (error === undefined || error === null) {
      pending.settle?.({ result });
    } else {
      pending.settle?.({ error: new OvsdbReplyError(pending.method, parseFault(error)) });
    }
  }

  /** Sends a request and returns its id; if it may not be sent, settles it with the error and returns undefined. */
  #send(method: string, params: unknown, settle: (outcome: RpcOutcome) => void): number | undefined {
    if (this.#end !== undefined) {
      settle({ error: closedError(method, this.#end) });
      return undefined;
    }
    if (this.#pending.size >= this.#options.pendingRequestsMax) {
      const max = this.#options.pendingRequestsMax;
      const text = `${method} was not sent: pendingRequestsMax (${max}) requests are pending.`;
      settle({ error: new OvsdbError(OvsdbErrorCode.pendingRequestsMax, text) });
      return undefined;
    }
    const id = this.#nextId;
    const refusal = this.#write(method, { method, params, id });
    if (refusal !== undefined) {
      settle({ error: refusal });
      return undefined;
    }
    this.#nextId += 1;
    this.#pending.set(id, { method, settle });
    return id;
  }

  /** Aborts a request. It stays pending, and counted, until its reply comes. */
  #abandon(id: number | undefined, method: string): void {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (pending === undefined) {
      return;
    }
    pending.settle = undefined;
    if (method === 'transact') {
      // RFC 7047, section 4.1.4. Beyond sendBytesMax it is not sent, and the transaction may still be committed.
      this.#write('cancel', { method: 'cancel', params: [id], id: null });
    }
  }

  /** Sends one message, or returns the error why it may not be sent. */
  #write(
    what: string,
    message: object,
    send = (bytes: Buffer): void => void this.#stream.write(bytes),
  ): OvsdbError | undefined {
    const bytes = Buffer.from(JSON.stringify(message), 'utf8');
    const backlog = this.#stream.writableLength;
    const max = this.#options.sendBytesMax;
    if (backlog + bytes.length > max) {
      const text = `${what} (${bytes.length} bytes) was not sent: with the backlog of ${backlog} bytes it would exceed sendBytesMax (${max}).`;
      return new OvsdbError(OvsdbErrorCode.sendBytesMax, text);
    }
    send(bytes);
    return undefined;
  }

  /** Ends the session when the server's message is invalid; any other exception is a bug here and is thrown on. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof OvsdbError)) {
        throw error;
      }
      this.#finish({ by: 'fault', error });
    }
  }

  #finish(end: OvsdbEnd): void {
    if (this.#end !== undefined) {
      return;
    }
    this.#end = end;
    this.#stream.off('data', this.#onData);
    this.#stream.destroy();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { method, settle } of waiting) {
      settle?.({ error: closedError(method, end) });
    }
    this.#onEnd(end);
    this.#resolveEnded?.(end);
  }
}

function abortedError(method: string, signal: AbortSignal | undefined): OvsdbError {
  return new OvsdbError(
    OvsdbErrorCode.aborted,
    `${method} was aborted by its caller before the reply came.`,
    signal?.reason,
  );
}

function closedError(method: string, end: OvsdbEnd): OvsdbError {
  const who = { here: 'was closed here', server: 'was closed by the server', fault: 'failed' }[end.by];
  const why = end.error === undefined ? '' : ` ${end.error.message}`;
  return new OvsdbError(
    OvsdbErrorCode.closed,
    `${method} got no reply, because the connection ${who}.${why}`,
    end.error,
  );
}

function protocolError(fault: string, message: JsonObject): OvsdbError {
  return new OvsdbError(
    OvsdbErrorCode.protocol,
    `A message from the server ${fault}: ${JSON.stringify(message).slice(0, 200)}`,
  );
}
