// A stream whose other end is the test: it sees what the client sent, as parsed messages, and says what it receives.

import { Duplex } from 'node:stream';

/** A message of the client, as it was on the wire. */
export interface SentMessage {
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Answers a request: the result, or `{ fault }` for an error; undefined leaves it without a reply. */
export type Answer = (
  method: string,
  params: readonly unknown[],
) => { result: unknown } | { fault: unknown } | undefined;

export class ScriptedStream extends Duplex {
  readonly sent: SentMessage[] = [];
  /** While true, what is written stays in the stream, as with a server that does not read. */
  isStuck = false;
  /** When set, each request is answered by it, in the next turn of the event loop. */
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

  /** The client receives these messages in one chunk. */
  receive(...messages: readonly object[]): void {
    this.push(Buffer.from(messages.map((message) => JSON.stringify(message)).join('')));
  }

  /** The client receives these bytes in one chunk. */
  receiveBytes(bytes: string | Buffer): void {
    this.push(Buffer.from(bytes as string));
  }

  /** The server closes the connection. */
  hangUp(): void {
    this.push(null);
  }
}

/** Lets everything that is due happen. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
