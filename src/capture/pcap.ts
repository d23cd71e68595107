// The pcap format, as tcpdump writes it (draft-ietf-opsawg-pcap): a file header, then a record for each packet, in the byte
// order of the machine that captured, with times in micro- or nanoseconds. Files may follow one another, as from `zcat *.pcap.gz`.

import {
  type CapturedPacket,
  type CaptureFormat,
  type CaptureFormatParts,
  PACKET_BYTES_MAX,
} from './captured-packet.ts';
import { type CaptureLink, isPlain, setFrame } from './link-header.ts';
import { isSupported, LinkType, linkTypeAdvice, linkTypeText } from './link-types.ts';

/*
 * File header, 24 bytes                    Record header, 16 bytes, before the frame
 *   u32 magic                                u32 seconds since 1970
 *   u16 major 2, u16 minor 4                 u32 micro- or nanoseconds
 *   i32 time zone, u32 accuracy: unused      u32 bytes captured
 *   u32 snap length                          u32 bytes of the frame
 *   u32 link type, in the low 16 bits; with bit 26, the upper 4 bits
 *       have the length of the check sequence in units of 2 bytes
 */
const MAGIC_MICROS = 0xa1b2c3d4;
const MAGIC_NANOS = 0xa1b23c4d;
const FILE_HEADER_SIZE = 24;
const RECORD_HEADER_SIZE = 16;
/** The only version since 1998; in older ones the two lengths of a record may be in the other order. */
const [MAJOR, MINOR] = [2, 4];
const CHECK_SEQUENCE_BIT = 0x0400_0000;

/** Returns whether a file that begins with the bytes at `at` is pcap. */
export function isPcap(view: DataView, at: number): boolean {
  return [true, false].some((isLittle) => {
    const magic = view.getUint32(at, isLittle);
    return magic === MAGIC_MICROS || magic === MAGIC_NANOS;
  });
}

/** Reads pcap; see `CaptureFormat`. */
export class PcapFormat implements CaptureFormat {
  readonly #parts: CaptureFormatParts;
  readonly #view: DataView;
  readonly #packet: CapturedPacket;
  #isLittle = false;
  #hasNanos = false;
  #hasHeader = false;
  #isPlain = true;
  #link: CaptureLink = { linkType: LinkType.ethernet, checkSequenceSize: 0 };

  constructor(parts: CaptureFormatParts) {
    this.#parts = parts;
    this.#view = parts.view;
    this.#packet = parts.packet;
    this.#packet.bytes = parts.bytes;
  }

  get hasPlainRecords(): boolean {
    return this.#hasHeader && this.#isPlain && this.#isLittle && !this.#hasNanos;
  }

  step(at: number, end: number): number {
    if (!this.#hasHeader) {
      return this.#readHeader(at, end);
    }
    if (end - at < RECORD_HEADER_SIZE) {
      return 0;
    }
    const view = this.#view;
    const isLittle = this.#isLittle;
    const captured = view.getUint32(at + 8, isLittle);
    if (captured > PACKET_BYTES_MAX) {
      this.#parts.fail(
        `a record has ${captured} captured bytes, more than the possible ${PACKET_BYTES_MAX}.`,
      );
    }
    const original = view.getUint32(at + 12, isLittle);
    if (captured === 0 && original === 0) {
      // Time zone and accuracy of a file header lie where a record has its lengths.
      if (isPcap(view, at)) {
        return this.#readHeader(at, end);
      }
      // A file system may put zeros where a program did not get to write.
      if (view.getBigUint64(at) === 0n) {
        this.#parts.fail('zeros are in place of a record: the file was not written to its end.');
      }
    }
    const start = at + RECORD_HEADER_SIZE;
    if (end - start < captured) {
      return 0;
    }
    const packet = this.#packet;
    const fraction = view.getUint32(at + 4, isLittle);
    packet.timeMicros[0] =
      view.getUint32(at, isLittle) * 1_000_000 + (this.#hasNanos ? Math.floor(fraction / 1000) : fraction);
    if (this.#isPlain) {
      packet.start = start;
      packet.end = start + captured;
      packet.originalLength = Math.max(captured, original);
    } else {
      setFrame(packet, view, start, captured, original, this.#link);
    }
    return RECORD_HEADER_SIZE + captured;
  }

  #readHeader(at: number, end: number): number {
    if (end - at < FILE_HEADER_SIZE) {
      return 0;
    }
    const view = this.#view;
    this.#isLittle = [MAGIC_MICROS, MAGIC_NANOS].includes(view.getUint32(at, true));
    this.#hasNanos = view.getUint32(at, this.#isLittle) === MAGIC_NANOS;
    const major = view.getUint16(at + 4, this.#isLittle);
    const minor = view.getUint16(at + 6, this.#isLittle);
    if (major !== MAJOR || minor !== MINOR) {
      this.#parts.fail(
        `pcap version ${major}.${minor} is not supported. Convert the file: editcap -F pcap OLD NEW.`,
      );
    }
    const word = view.getUint32(at + 20, this.#isLittle);
    const linkType = word & 0xffff;
    if (!isSupported(linkType)) {
      this.#parts.fail(`${linkTypeText(linkType)} is not supported. ${linkTypeAdvice(linkType)}`);
    }
    const checkSequenceSize = (word & CHECK_SEQUENCE_BIT) === 0 ? 0 : (word >>> 28) * 2;
    this.#link = { linkType, checkSequenceSize };
    this.#isPlain = isPlain(this.#link);
    this.#hasHeader = true;
    return -FILE_HEADER_SIZE;
  }
}
