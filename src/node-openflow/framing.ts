// Splits a byte stream into OpenFlow messages by the length field of the header. A message within one chunk is delivered
// without copying; one that spans chunks is assembled in a carry buffer of one message's size, which is reused. Nothing is
// allocated per message.
import { OpenFlowDecodeError } from './wire.ts';

/** Size of ofp_header in bytes: version, type, length, xid. */
export const HEADER_SIZE = 8;
/** The length field has 16 bits, so this is the size of the largest message, in bytes. */
export const MESSAGE_BYTES_MAX = 0xffff;

/** Called with one whole message, `bytes[start, end)`. The memory is valid only until the call returns. */
export type MessageBytesHandler = (bytes: Buffer, start: number, end: number) => void;

/** Splits one stream, whose chunks may be cut anywhere. */
export class MessageFramer {
  readonly #onMessage: MessageBytesHandler;
  /** The start of an incomplete message; allocated when a message spans two chunks for the first time. */
  #carry: Buffer | null = null;
  #carriedSize = 0;
  #stopped = false;

  constructor(onMessage: MessageBytesHandler) {
    this.#onMessage = onMessage;
  }

  /** Bytes held of an incomplete message; at most `MESSAGE_BYTES_MAX`. */
  get carriedSize(): number {
    return this.#carriedSize;
  }

  /** Stops: no message is delivered any more, not even the rest of the current chunk. */
  stop(): void {
    this.#stopped = true;
    this.#carry = null;
    this.#carriedSize = 0;
  }

  /**
   * Takes the next chunk of the stream, `chunk[0, chunkEnd)`. Throws `OpenFlowDecodeError` when a length field is less than
   * the size of a header.
   */
  feed(chunk: Buffer, chunkEnd: number = chunk.length): void {
    let at = this.#carriedSize > 0 ? this.#completeCarried(chunk, chunkEnd) : 0;
    while (!this.#stopped && chunkEnd - at >= HEADER_SIZE) {
      const end = at + messageSize(chunk, at);
      if (end > chunkEnd) {
        break;
      }
      const start = at;
      at = end;
      this.#onMessage(chunk, start, end);
    }
    if (!this.#stopped && at < chunkEnd) {
      this.#keep(chunk, at, chunkEnd);
    }
  }

  /** Appends bytes of the chunk to the carried message; returns how many. */
  #completeCarried(chunk: Buffer, chunkEnd: number): number {
    let at = 0;
    if (this.#carriedSize < HEADER_SIZE) {
      at = this.#keep(chunk, 0, Math.min(HEADER_SIZE - this.#carriedSize, chunkEnd));
    }
    const carry = this.#carry;
    if (carry === null || this.#carriedSize < HEADER_SIZE) {
      return at;
    }
    const size = messageSize(carry, 0);
    at = this.#keep(chunk, at, Math.min(at + size - this.#carriedSize, chunkEnd));
    if (this.#carriedSize === size) {
      this.#carriedSize = 0;
      this.#onMessage(carry, 0, size);
    }
    return at;
  }

  /** Appends `chunk[from, to)` to the carry buffer; returns the offset after the last byte copied. */
  #keep(chunk: Buffer, from: number, to: number): number {
    this.#carry ??= Buffer.allocUnsafeSlow(MESSAGE_BYTES_MAX);
    chunk.copy(this.#carry, this.#carriedSize, from, to);
    this.#carriedSize += to - from;
    return to;
  }
}

function messageSize(bytes: Buffer, start: number): number {
  const size = bytes.readUInt16BE(start + 2);
  if (size < HEADER_SIZE) {
    throw new OpenFlowDecodeError(
      'ofp_header.length',
      2,
      `is ${size}, less than the ${HEADER_SIZE} bytes of a header`,
    );
  }
  return size;
}
