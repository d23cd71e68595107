// Writes one IPFIX message at a time into memory that it allocates once. The caller reserves room for a record and writes its
// bytes; consecutive records of one template share a Data Set. Nothing is allocated per message or record. The sessions write
// their sequence numbers at SEQUENCE_NUMBER_OFFSET.

import { IPFIX_VERSION, MESSAGE_HEADER_SIZE, MESSAGE_SIZE_MAX, SET_HEADER_SIZE } from './protocol.ts';

/*
 * The message header (RFC 7011, section 3.1):
 *
 *  0               2               4
 * +---------------+---------------+
 * | version 10    | length        |   length: of the whole message
 * +---------------+---------------+
 * | export time                   |   seconds since 1970, unsigned
 * +-------------------------------+
 * | sequence number               |   data records sent before, modulo 2^32
 * +-------------------------------+
 * | observation domain id         |
 * +-------------------------------+
 *
 * and the header of each set (section 3.3.2): set id, then the set's length with this header, 2 bytes each.
 */

/** One message under construction. */
export class MessageWriter {
  /** The message's bytes; valid up to `size` after `finish()`. */
  readonly bytes: Buffer;
  /** The same memory, for numbers of several bytes. */
  readonly view: DataView;
  #size = 0;
  #recordCount = 0;
  #setStart = 0;
  #setId = 0;
  #observationDomainId = 0;
  #exportTimeSeconds = 0;

  /** @param messageBytesMax the longest message, 195 (header, set header, longest record) to 65,535 bytes */
  constructor(messageBytesMax: number) {
    if (messageBytesMax > MESSAGE_SIZE_MAX) {
      throw new RangeError(
        `message size limit of ${messageBytesMax} bytes exceeds the ${MESSAGE_SIZE_MAX} of IPFIX`,
      );
    }
    this.bytes = Buffer.alloc(messageBytesMax);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.bytes.writeUInt16BE(IPFIX_VERSION, 0);
  }

  /** Bytes written, header included. */
  get size(): number {
    return this.#size;
  }

  /** Data records written. */
  get recordCount(): number {
    return this.#recordCount;
  }

  get observationDomainId(): number {
    return this.#observationDomainId;
  }

  /** The argument of `begin`, modulo 2^32. */
  get exportTimeSeconds(): number {
    return this.#exportTimeSeconds;
  }

  /** Starts a new message and discards the current one; its sequence number is 0 until a session sets it. */
  begin(exportTimeSeconds: number, observationDomainId: number): void {
    this.#exportTimeSeconds = exportTimeSeconds >>> 0;
    this.#observationDomainId = observationDomainId >>> 0;
    this.bytes.writeUInt32BE(this.#exportTimeSeconds, 4);
    this.bytes.writeUInt32BE(0, 8);
    this.bytes.writeUInt32BE(this.#observationDomainId, 12);
    this.#size = MESSAGE_HEADER_SIZE;
    this.#recordCount = 0;
    this.#setId = 0;
  }

  /** Returns how many records of `recordSize` bytes the message has room for. */
  roomFor(templateId: number, recordSize: number): number {
    return Math.max(
      0,
      Math.floor((this.bytes.length - this.#size - this.#headerSize(templateId)) / recordSize),
    );
  }

  /** Returns where in `bytes` the next record will lie. */
  offsetOf(templateId: number): number {
    return this.#size + this.#headerSize(templateId);
  }

  /**
   * Reserves `count` data records of `recordSize` bytes each, side by side; returns the offset of the first in `bytes`, or -1 when the
   * message has no room for them. The caller must write all bytes.
   */
  reserveRecords(templateId: number, recordSize: number, count = 1): number {
    const setHeaderSize = this.#headerSize(templateId);
    const size = recordSize * count;
    if (this.#size + setHeaderSize + size > this.bytes.length) {
      return -1;
    }
    if (setHeaderSize > 0) {
      this.#closeSet();
      this.#openSet(templateId);
    }
    const offset = this.#size;
    this.#size = offset + size;
    this.#recordCount += count;
    return offset;
  }

  /**
   * Appends a whole set, such as a Template Set, or a Data Set of `recordCount` records; returns false when the message has no
   * room for it.
   */
  appendSet(set: Uint8Array, recordCount = 0): boolean {
    if (this.#size + set.length > this.bytes.length) {
      return false;
    }
    this.#closeSet();
    this.#setId = 0;
    this.bytes.set(set, this.#size);
    this.#size += set.length;
    this.#recordCount += recordCount;
    return true;
  }

  /** Writes the lengths; returns the size of the message. */
  finish(): number {
    this.#closeSet();
    this.#setId = 0;
    this.bytes.writeUInt16BE(this.#size, 2);
    return this.#size;
  }

  /** Bytes of the set header that the next record of a template needs: none in the open set. */
  #headerSize(templateId: number): number {
    return templateId === this.#setId ? 0 : SET_HEADER_SIZE;
  }

  #openSet(setId: number): void {
    this.#setStart = this.#size;
    this.#setId = setId;
    this.bytes.writeUInt16BE(setId, this.#size);
    this.#size += SET_HEADER_SIZE;
  }

  #closeSet(): void {
    if (this.#setId !== 0) {
      this.bytes.writeUInt16BE(this.#size - this.#setStart, this.#setStart + 2);
    }
  }
}
