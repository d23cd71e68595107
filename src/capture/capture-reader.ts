// Reads the packets of a capture file in either format. The owner of the file puts its bytes into the reader's memory, as many
// as it has room for, and moves from packet to packet; nothing is allocated and little copied. The reader does no I/O, so that
// the source may be a file, a pipe or a decompressor.

import {
  CapturedPacket,
  CaptureError,
  type CaptureFormat,
  type CaptureFormatParts,
  PACKET_BYTES_MAX,
} from './captured-packet.ts';
import { LINK_HEADROOM } from './link-header.ts';
import { isPcap, PcapFormat } from './pcap.ts';
import { isPcapng, PcapngFormat } from './pcapng.ts';

/** Bytes of the reader's memory: room for the largest packet and its headers, small enough for the processor's cache. */
export const CAPTURE_BUFFER_BYTES = LINK_HEADROOM + 2 * PACKET_BYTES_MAX;
const MAGIC_SIZE = 4;

export class CaptureReader {
  /** The current packet; its bytes stay until `makeRoom` is called. */
  readonly packet = new CapturedPacket();
  readonly memory: Buffer;
  readonly #view: DataView;
  #format: CaptureFormat | undefined;
  #at = LINK_HEADROOM;
  #end = LINK_HEADROOM;
  /** Bytes that are still to be skipped. */
  #skip = 0;
  #packetNumber = 0;
  /** Offset in the file of `memory[0]`, in a cell because it may exceed a small integer. */
  readonly #base = new Float64Array([-LINK_HEADROOM]);
  readonly #skipped = new Map<number, number>();

  /** Reads in `memory`, which has at least `CAPTURE_BUFFER_BYTES`. */
  constructor(memory: Buffer = Buffer.allocUnsafeSlow(CAPTURE_BUFFER_BYTES)) {
    this.memory = memory;
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  }

  /** Makes room behind the bytes that are not read yet; returns its offset. It extends to the end of `memory`. */
  makeRoom(): number {
    this.memory.copyWithin(LINK_HEADROOM, this.#at, this.#end);
    const step = this.#at - LINK_HEADROOM;
    this.#base[0]! += step;
    this.#end -= step;
    this.#at = LINK_HEADROOM;
    return this.#end;
  }

  /** Notes that so many bytes of the file were written at the offset of `makeRoom`. */
  filled(byteCount: number): void {
    this.#end += byteCount;
  }

  /** Moves to the next packet; returns false when it needs more of the file. Throws `CaptureError`. */
  next(): boolean {
    for (;;) {
      if (this.#skip > 0 && !this.#skipOn()) {
        return false;
      }
      this.#format ??= this.#recognise();
      if (this.#format === undefined) {
        return false;
      }
      const size = this.#format.step(this.#at, this.#end);
      if (size === 0) {
        return false;
      }
      if (size > 0) {
        this.#at += size;
        this.#packetNumber += 1;
        return true;
      }
      this.#skip = -size;
    }
  }

  /** Where the bytes behind the current packet begin and end in `memory`. */
  get restStart(): number {
    return this.#at;
  }

  get restEnd(): number {
    return this.#end;
  }

  /** Whether these bytes are records as flow/record-run.ts has them: of pcap, with microseconds, little-endian, of Ethernet. */
  get hasPlainRecords(): boolean {
    return this.#skip === 0 && this.#format?.hasPlainRecords === true;
  }

  /** Moves over records of packets that were read by the owner, up to the offset `at`. */
  passRecords(packets: number, at: number): void {
    this.#packetNumber += packets;
    this.#at = at;
  }

  /** The number of the current packet in the file, from 1, as Wireshark counts: with the packets that were skipped. */
  get packetNumber(): number {
    return this.#packetNumber;
  }

  /** Whether the file is a capture, by its first bytes. */
  get isRecognised(): boolean {
    return this.#format !== undefined;
  }

  /** Packets that were skipped because their link type is not read, by link type. */
  get skipped(): ReadonlyMap<number, number> {
    return this.#skipped;
  }

  /** The offset in the file, in bytes. */
  get offset(): number {
    return this.#base[0]! + this.#at;
  }

  /** To be called at the end of the file: throws `CaptureError` when it is truncated. */
  finish(): void {
    const left = this.#end - this.#at;
    if (this.#format === undefined) {
      throw new CaptureError(0, `a file of ${left} bytes is not a capture file (pcap or pcapng).`);
    }
    if (left > 0 || this.#skip > 0) {
      throw new CaptureError(this.offset, 'the file is truncated within a record.');
    }
  }

  /** Skips as much as the memory has; returns whether all is skipped. */
  #skipOn(): boolean {
    const step = Math.min(this.#skip, this.#end - this.#at);
    this.#at += step;
    this.#skip -= step;
    return this.#skip === 0;
  }

  #recognise(): CaptureFormat | undefined {
    if (this.#end - this.#at < MAGIC_SIZE) {
      return undefined;
    }
    const parts: CaptureFormatParts = {
      bytes: this.memory,
      view: this.#view,
      packet: this.packet,
      fail: (what) => {
        throw new CaptureError(this.offset, what);
      },
      skip: (linkType) => {
        this.#packetNumber += 1;
        this.#skipped.set(linkType, (this.#skipped.get(linkType) ?? 0) + 1);
      },
    };
    if (isPcap(this.#view, this.#at)) {
      return new PcapFormat(parts);
    }
    if (isPcapng(this.#view, this.#at)) {
      return new PcapngFormat(parts);
    }
    const magic = this.memory.toString('hex', this.#at, this.#at + MAGIC_SIZE);
    throw new CaptureError(
      0,
      `the file begins with ${magic}; it is neither pcap nor pcapng. ` +
        'Convert a capture of another format: editcap -F pcapng OLD NEW.',
    );
  }
}
