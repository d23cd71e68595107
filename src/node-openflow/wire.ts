// Cursors over the bytes of one OpenFlow message: a reader that never reads beyond its message, and a writer that grows.
// All codecs of this library use them.

/** Thrown by decoders for bytes that are malformed by the OpenFlow specification or Nicira's extensions. */
export class OpenFlowDecodeError extends Error {
  readonly code = 'OPENFLOW_DECODE';
  /** The path of the malformed part, outermost first: "flow_mod.match.nw_src". */
  readonly what: string;
  /** Offset of the malformed part from the start of the message, in bytes. */
  readonly offset: number;

  constructor(what: string, offset: number, fault: string) {
    super(`${what} at byte ${offset}: ${fault}`);
    this.name = 'OpenFlowDecodeError';
    this.what = what;
    this.offset = offset;
  }
}

/** Reads big-endian values from `bytes[start, end)`; never beyond `end`. */
export class WireReader {
  readonly bytes: Buffer;
  readonly end: number;
  /** Offset of the next byte, from the start of `bytes`. */
  offset: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  /** Number of bytes left. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Advances by `size` bytes and returns their offset; throws when fewer are left. */
  take(size: number, what: string): number {
    const at = this.offset;
    if (size < 0 || size > this.end - at) {
      throw new OpenFlowDecodeError(what, at, `needs ${size} bytes, but ${this.end - at} are left`);
    }
    this.offset = at + size;
    return at;
  }

  u8(what: string): number {
    return this.bytes.readUInt8(this.take(1, what));
  }

  u16(what: string): number {
    return this.bytes.readUInt16BE(this.take(2, what));
  }

  u32(what: string): number {
    return this.bytes.readUInt32BE(this.take(4, what));
  }

  u64(what: string): bigint {
    return this.bytes.readBigUInt64BE(this.take(8, what));
  }

  skip(size: number, what: string): void {
    this.take(size, what);
  }

  /** Returns a view of the next `size` bytes, valid as long as the memory that the message was read into. */
  view(size: number, what: string): Buffer {
    const at = this.take(size, what);
    return this.bytes.subarray(at, at + size);
  }

  /** Returns a copy of the next `size` bytes. */
  copy(size: number, what: string): Buffer {
    return Buffer.from(this.view(size, what));
  }

  /** Returns a reader of the next `size` bytes, for a nested structure, and advances past them. */
  sub(size: number, what: string): WireReader {
    const at = this.take(size, what);
    return new WireReader(this.bytes, at, at + size);
  }

  /** Returns the error to throw about the part at the current position. */
  fault(what: string, fault: string): OpenFlowDecodeError {
    return new OpenFlowDecodeError(what, this.offset, fault);
  }
}

/** Appends big-endian values to a buffer that doubles when it is full. */
export class WireWriter {
  #bytes: Buffer;
  #size = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** Number of bytes written. */
  get size(): number {
    return this.#size;
  }

  u8(value: number): this {
    const at = this.#extend(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#extend(2);
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#extend(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#extend(8);
    this.#bytes.writeBigUInt64BE(value, at);
    return this;
  }

  zeros(size: number): this {
    const at = this.#extend(size);
    this.#bytes.fill(0, at, at + size);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.#extend(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Appends zeros up to the next multiple of 8, counted from `start`. */
  align8(start: number): this {
    return this.zeros((8 - ((this.#size - start) % 8)) % 8);
  }

  /** Overwrites two bytes, to fill in a length afterwards. */
  setU16(at: number, value: number): this {
    if (at + 2 > this.#size) {
      throw new RangeError(`setU16 at ${at} is beyond the ${this.#size} bytes written`);
    }
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  /** Returns a copy of the bytes written. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#size));
  }

  #extend(size: number): number {
    const at = this.#size;
    const needed = at + size;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#size = needed;
    return at;
  }
}
