// A packet of a capture file, the error of a file that is not valid, and the interface of the two formats. One packet object
// serves for a whole file, so that a packet allocates nothing.

/** The current packet of a reader; valid until the reader moves. */
export class CapturedPacket {
  /** The memory of the offsets below. */
  bytes: Buffer = Buffer.alloc(0);
  /** The captured part of the frame is `bytes[start, end)`. */
  start = 0;
  end = 0;
  /** Length of the whole frame in bytes; it exceeds the captured part when the file has a snap length. */
  originalLength = 0;
  /** Microseconds since 1970-01-01 UTC, in a cell because a computed double in a field would be an object. */
  readonly timeMicros = new Float64Array(1);
}

/** A capture file cannot be read on; the message is a sentence with the offset in the file. */
export class CaptureError extends Error {
  readonly code = 'CAPTURE';
  /** Offset in the uncompressed file, in bytes. */
  readonly offset: number;

  constructor(offset: number, what: string) {
    super(`At byte ${offset} of the capture: ${what}`);
    this.name = 'CaptureError';
    this.offset = offset;
  }
}

/** What a format needs from the reader: its memory, the packet to set, and a function that reports a fault. */
export interface CaptureFormatParts {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly packet: CapturedPacket;
  /** Throws a `CaptureError` with the current offset. */
  readonly fail: (what: string) => never;
  /** Counts a packet that is skipped, because its link type is not read. */
  readonly skip: (linkType: number) => void;
}

/** A file format: pcap or pcapng. */
export interface CaptureFormat {
  /** See `CaptureReader.hasPlainRecords`. */
  readonly hasPlainRecords: boolean;
  /**
   * Reads at `bytes[at, end)`. Returns 0 when that is not enough; the size of a packet's record, after it has set `packet`; or
   * minus the size of anything else, which may extend beyond `end`.
   */
  step(at: number, end: number): number;
}

/** The longest captured packet, in bytes (libpcap's MAXIMUM_SNAPLEN). */
export const PACKET_BYTES_MAX = 262_144;
