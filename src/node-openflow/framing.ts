// Cuts a byte stream into OpenFlow messages. A message that lies inside one chunk is handed on where it lies; one that
// straddles chunks is put together in a carry buffer of one message's size, which is used again and again.
// Nothing is allocated per message, and nothing beyond the header's length field is looked at.
import { OpenFlowDecodeError } from './wire.ts';

/** Size of ofp_header in bytes: version, type, length, xid. */
export const HEADER_SIZE = 8;
/** The length field has 16 bits, so this is the size of the largest message, in bytes. */
export const MESSAGE_BYTES_MAX = 0xffff;

/** Called with one whole message, `bytes[start, end)`. The memory is valid only until the call returns. */
export type MessageBytesHandler = (bytes: Buffer, start: number, end: number) => void;

/** Finds the messages in a stream whose chunks may be cut anywhere. */
export class MessageFramer {
  readonly #onMessage: MessageBytesHandler;
  /** The beginning of a message whose end has not arrived; made when the first message straddles two chunks. */
  #carry: Buffer | null = null;
  #carriedSize = 0;
  #stopped = false;

  constructor(onMessage: MessageBytesHandler) {
    this.#onMessage = onMessage;
  }

  /** How many bytes of an unfinished message are being kept; at most `MESSAGE_BYTES_MAX`. */
  get carriedSize(): number {
    return this.#carriedSize;
  }

  /** No message is delivered after this, not even those left in the chunk that is being fed. */
  stop(): void {
    this.#stopped = true;
    this.#carry = null;
    this.#carriedSize = 0;
  }

  /**
   * Takes the next chunk of the stream, `chunk[0, chunkEnd)`. Throws `OpenFlowDecodeError` when a header's length is below
   * its own size.
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

  /** Adds to the carried message from the chunk; returns how much of the chunk that took. */
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

  /** Copies `chunk[from, to)` behind what is carried; returns where it stopped. */
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
