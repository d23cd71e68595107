// Splits the bytes of a TCP connection into IPFIX messages by the length in each header (RFC 7011, section 10.4.2.1). It keeps
// at most one incomplete message. Behind an invalid header the next message cannot be found: the connection has to be closed.

import { IPFIX_VERSION, MESSAGE_HEADER_SIZE } from './protocol.ts';

/** The stream has an invalid header; the message says which. */
class FramingError extends Error {
  readonly code = 'bad-stream';

  constructor(message: string) {
    super(message);
    this.name = 'FramingError';
  }
}

/** Takes the bytes of one connection in order. */
export class StreamFramer {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes of a message that is not complete yet. */
  get pendingSize(): number {
    return this.#rest.length;
  }

  /** Calls `onMessage` for each message that `chunk` completes; throws a `FramingError` at an invalid header. */
  push(chunk: Buffer, onMessage: (message: Buffer) => void): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    while (bytes.length >= 4) {
      const version = bytes.readUInt16BE(0);
      const length = bytes.readUInt16BE(2);
      if (version !== IPFIX_VERSION || length < MESSAGE_HEADER_SIZE) {
        throw new FramingError(
          `The stream has no message header where one is due: version ${version}, length ${length}.`,
        );
      }
      if (bytes.length < length) {
        break;
      }
      onMessage(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    // A copy, so that a few bytes do not keep a whole chunk alive.
    this.#rest = Buffer.from(bytes);
  }
}
