// Splits a byte stream into JSON objects. OVSDB sends them without separators, so an object ends where its braces
// balance: a scanner tracks depth and strings, and JSON.parse validates the rest. Used by RpcPeer.

import { isUtf8 } from 'node:buffer';
import { OvsdbError, OvsdbErrorCode } from './errors.ts';

/** Limits of messages from the server. */
export interface JsonFramerOptions {
  /** Size of one message in bytes. Beyond it the stream is refused: it cannot be resynchronised within a message. */
  messageBytesMax: number;
  /** Deepest nesting of objects and arrays in a message. */
  depthMax: number;
}

/** A parsed message: an object whose members have not been checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** The buffer for an incomplete message is kept between messages up to this size, in bytes. */
const HELD_BYTES_KEPT = 64 * 1024;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The scanner. It must not be used again after it has thrown. */
export class JsonFramer {
  readonly #options: JsonFramerOptions;
  /** The first `#heldSize` bytes are the start of the current message, from earlier chunks. */
  #held: Buffer = Buffer.allocUnsafe(0);
  #heldSize = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(options: JsonFramerOptions) {
    this.#options = options;
  }

  /** Bytes held of an incomplete message. */
  get heldBytes(): number {
    return this.#heldSize;
  }

  /**
   * Scans one chunk and calls `deliver` with each message that ends in it, in order. The chunk may be reused afterwards.
   * Throws {@link OvsdbError} at the first invalid message; those before it have been delivered.
   */
  push(chunk: Buffer, deliver: (message: JsonObject) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#depth === 0) {
        at = this.#findStart(chunk, at);
        if (at === chunk.length) {
          return;
        }
      }
      const end = this.#scan(chunk, at);
      if (this.#depth > 0) {
        this.#hold(chunk, at, end);
        return;
      }
      deliver(this.#finish(chunk, at, end));
      at = end;
    }
  }

  #findStart(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && isSpace(chunk[at] ?? 0)) {
      at += 1;
    }
    const byte = chunk[at];
    if (byte !== undefined && byte !== OPEN_BRACE) {
      const hex = byte.toString(16).padStart(2, '0');
      throw new OvsdbError(
        OvsdbErrorCode.invalidJson,
        `A message from the server starts with the byte 0x${hex} and not with "{"; is this an OVSDB server?`,
      );
    }
    return at;
  }

  /** Returns the offset after the byte that brings the depth to zero, or the end of the chunk. */
  #scan(chunk: Buffer, from: number): number {
    const room = this.#options.messageBytesMax - this.#heldSize;
    const stop = Math.min(chunk.length, from + room);
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    let at = from;
    while (at < stop) {
      const byte = chunk[at];
      at += 1;
      if (inString) {
        if (escaped) {
          escaped = false;
        } else if (byte === BACKSLASH) {
          escaped = true;
        } else if (byte === QUOTE) {
          inString = false;
        }
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth += 1;
        if (depth > this.#options.depthMax) {
          throw new OvsdbError(
            OvsdbErrorCode.messageTooDeep,
            `A message from the server nests deeper than depthMax (${this.#options.depthMax}).`,
          );
        }
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth -= 1;
        if (depth === 0) {
          break;
        }
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    if (depth > 0 && stop < chunk.length) {
      throw new OvsdbError(
        OvsdbErrorCode.messageTooBig,
        `A message from the server is longer than messageBytesMax (${this.#options.messageBytesMax} bytes).`,
      );
    }
    return at;
  }

  /** Copies the start of a message: views of many small chunks would retain far more memory than the bytes. */
  #hold(chunk: Buffer, from: number, to: number): void {
    const needed = this.#heldSize + to - from;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafe(
        Math.max(needed, Math.min(this.#held.length * 2, this.#options.messageBytesMax)),
      );
      this.#held.copy(grown, 0, 0, this.#heldSize);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldSize, from, to);
    this.#heldSize = needed;
  }

  #finish(chunk: Buffer, from: number, to: number): JsonObject {
    let bytes = chunk.subarray(from, to);
    if (this.#heldSize > 0) {
      this.#hold(chunk, from, to);
      bytes = this.#held.subarray(0, this.#heldSize);
      this.#heldSize = 0;
      if (this.#held.length > HELD_BYTES_KEPT) {
        this.#held = Buffer.allocUnsafe(0);
      }
    }
    return parseMessage(bytes);
  }
}

function parseMessage(bytes: Buffer): JsonObject {
  if (!isUtf8(bytes)) {
    throw new OvsdbError(
      OvsdbErrorCode.invalidUtf8,
      `A message of ${bytes.length} bytes is not valid UTF-8.`,
    );
  }
  const text = bytes.toString('utf8');
  try {
    // It starts with "{", so it is an object. Integers beyond 2^53 are rounded here, as README.md says.
    return JSON.parse(text) as JsonObject;
  } catch (cause) {
    const start = JSON.stringify(text.slice(0, 80));
    throw new OvsdbError(
      OvsdbErrorCode.invalidJson,
      `A message that begins with ${start} is not valid JSON.`,
      cause,
    );
  }
}
