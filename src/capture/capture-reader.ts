// Finds the packets in a capture file of either format. Whoever has the file puts its bytes into the reader's memory,
// as much as there is room for, and moves from packet to packet; nothing is allocated and hardly anything copied. It does
// no reading of its own, so that a file, a pipe and an unpacker are the same to it.

import {
  CapturedPacket,
  CaptureError,
  type CaptureFormat,
  type CaptureFormatParts,
  PACKET_BYTES_MAX,
} from './captured-packet.ts';
import { isPcap, PcapFormat } from './pcap.ts';
import { isPcapng, PcapngFormat } from './pcapng.ts';

/** Bytes of the reader's memory: room for the largest packet with its headers, and few enough for a processor's cache. */
const CAPTURE_BUFFER_BYTES = 2 * PACKET_BYTES_MAX;
const MAGIC_SIZE = 4;

/** Moves through one capture file: see the head of the file. */
export class CaptureReader {
  /** Where `next` has moved to; its bytes stay until `makeRoom` is called. */
  readonly packet = new CapturedPacket();
  readonly memory = Buffer.allocUnsafeSlow(CAPTURE_BUFFER_BYTES);
  readonly #view = new DataView(this.memory.buffer, this.memory.byteOffset, this.memory.length);
  #format: CaptureFormat | undefined;
  #at = 0;
  #end = 0;
  /** Bytes still to come that are of no interest. */
  #skip = 0;
  /** Bytes of the file before `memory[0]`, in a cell because files are longer than small integers. */
  readonly #base = new Float64Array(1);

  /** Makes room behind what is not read yet, and returns where it begins; it goes up to the end of `memory`. */
  makeRoom(): number {
    this.memory.copyWithin(0, this.#at, this.#end);
    this.#base[0]! += this.#at;
    this.#end -= this.#at;
    this.#at = 0;
    return this.#end;
  }

  /** Says that so many bytes of the file have been put where `makeRoom` said. */
  filled(byteCount: number): void {
    this.#end += byteCount;
  }

  /** Moves to the next packet; false when more of the file is needed. Throws `CaptureError`. */
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
        return true;
      }
      this.#skip = -size;
    }
  }

  /** Where the reader stands, in bytes from the beginning of the file. */
  get offset(): number {
    return this.#base[0]! + this.#at;
  }

  /** To be called at the end of the file: throws `CaptureError` when it ends inside of something. */
  finish(): void {
    const left = this.#end - this.#at;
    if (this.#format === undefined) {
      throw new CaptureError(0, `${left} bytes are no capture file (pcap or pcapng).`);
    }
    if (left > 0 || this.#skip > 0) {
      throw new CaptureError(this.offset, 'the file ends in the middle of a record.');
    }
  }

  /** Whether all that is of no interest has been passed. */
  #skipOn(): boolean {
    const step = Math.min(this.#skip, this.#end - this.#at);
    this.#at += step;
    this.#skip -= step;
    return this.#skip === 0;
  }

  #recognise(): CaptureFormat | undefined {
    if (this.#end < MAGIC_SIZE) {
      return undefined;
    }
    const parts: CaptureFormatParts = {
      bytes: this.memory,
      view: this.#view,
      packet: this.packet,
      fail: (what) => {
        throw new CaptureError(this.offset, what);
      },
    };
    if (isPcap(this.#view)) {
      return new PcapFormat(parts);
    }
    if (isPcapng(this.#view)) {
      return new PcapngFormat(parts);
    }
    const magic = this.memory.toString('hex', 0, MAGIC_SIZE);
    throw new CaptureError(0, `the file begins with ${magic}, which neither pcap nor pcapng does.`);
  }
}
