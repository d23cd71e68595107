// A stream whose other end is the test, which reads the client's messages, parsed, and sends messages to the client.

import { Duplex } from 'node:stream';

/** A message of the client. */
export interface SentMessage {
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Answers a request with the result, or with `{ fault }` for an error; undefined: no reply. */
export type Answer = (
  method: string,
  params: readonly unknown[],
) => { result: unknown } | { fault: unknown } | undefined;

export class ScriptedStream extends Duplex {
  readonly sent: SentMessage[] = [];
  /** While true, written bytes stay in the stream, as with a server that does not read. */
  isStuck = false;
  /** If set, answers each request in the next turn of the event loop. */
  answer: Answer | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const message = JSON.parse(chunk.toString('utf8')) as SentMessage;
    this.sent.push(message);
    const { method, params, id } = message;
    const reply = method === undefined ? undefined : this.answer?.(method, params ?? []);
    if (reply !== undefined && id !== null) {
      setImmediate(() =>
        this.receive(
          'fault' in reply
            ? { id, result: null, error: reply.fault }
            : { id, result: reply.result, error: null },
        ),
      );
    }
    if (!this.isStuck) {
      done();
    }
  }

  /** Sends these messages to the client in one chunk. */
  receive(...messages: readonly object[]): void {
    this.push(Buffer.from(messages.map((message) => JSON.stringify(message)).join('')));
  }

  /** Sends these bytes to the client in one chunk. */
  receiveBytes(bytes: string | Buffer): void {
    this.push(Buffer.from(bytes as string));
  }

  /** Closes the connection from the server's side. */
  hangUp(): void {
    this.push(null);
  }
}

/** Waits for a turn of the event loop, in which everything that is due runs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
