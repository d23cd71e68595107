// What a capture file says of one packet, and the error that names what is wrong with a file. One packet object is used
// for a whole file, so that a packet costs no memory.

/** The packet that the reader stands at; it holds until the reader is moved. */
export class CapturedPacket {
  /** The memory that the offsets point into. */
  bytes: Buffer = Buffer.alloc(0);
  /** What was captured of the frame is `bytes[start, end)`. */
  start = 0;
  end = 0;
  /** Length of the whole frame in bytes; more than was captured when the file has a snap length. */
  originalLength = 0;
  /** Microseconds since 1970-01-01 UTC, in a cell because a computed double in a field would be an object. */
  readonly timeMicros = new Float64Array(1);
}

/** A capture file that cannot be read, or not any further; the message is a sentence with the place in the file. */
export class CaptureError extends Error {
  readonly code = 'CAPTURE';
  /** Bytes from the beginning of the file (of its uncompressed content). */
  readonly offset: number;

  constructor(offset: number, what: string) {
    super(`At byte ${offset} of the capture: ${what}`);
    this.name = 'CaptureError';
    this.offset = offset;
  }
}

/** What a format is made with: the reader's memory, the packet to show, and the way to say what is wrong. */
export interface CaptureFormatParts {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly packet: CapturedPacket;
  /** Throws a `CaptureError` with the place of what is being looked at. */
  readonly fail: (what: string) => never;
}

/** One way to write packets down: pcap or pcapng. */
export interface CaptureFormat {
  /**
   * Looks at `bytes[at, end)`. Returns 0 when not enough is there; the size of a packet's record, which `packet` then
   * shows; or minus the size of something else, which may reach past `end`.
   */
  step(at: number, end: number): number;
}

/** The link type of Ethernet (LINKTYPE_ETHERNET), the only one whose packets are frames. */
export const LINK_TYPE_ETHERNET = 1;
/** The most that may have been captured of one packet, in bytes (libpcap's MAXIMUM_SNAPLEN). */
export const PACKET_BYTES_MAX = 262_144;
