// The records that were handed to the kernel on a connection and may not have arrived: TCP tells a program neither what its peer has
// acknowledged nor what the collector has read. When a connection breaks, what the buffers of both kernels can hold is
// unknown. A collector that closes in order has read everything that had arrived (otherwise its kernel resets), so that only
// the newest records are unknown.

/** Bytes that the kernels of both ends hold at most: the defaults of net.ipv4.tcp_wmem and tcp_rmem on Linux, 4 and 6 MiB. */
export const UNCONFIRMED_BYTES_MAX = 10 * 1024 * 1024;
/** Milliseconds in which an orderly close reaches this end. */
export const CLOSE_NOTICE_MS = 1000;
/** Bytes that are counted together. */
const PORTION_BYTES = 65_536;

interface Portion {
  bytes: number;
  records: number;
}

export class UnconfirmedRecords {
  /** Oldest first. */
  #portions: Portion[] = [];
  #bytes = 0;
  /** Records of the present interval of `CLOSE_NOTICE_MS`, and of the one before. */
  #newest = 0;
  #newer = 0;
  #intervalMicros = 0;

  /** Notes a message that was handed to the kernel. */
  add(size: number, recordCount: number, nowMicros: number): void {
    let last = this.#portions.at(-1);
    if (last === undefined || last.bytes >= PORTION_BYTES) {
      last = { bytes: 0, records: 0 };
      this.#portions.push(last);
    }
    last.bytes += size;
    last.records += recordCount;
    this.#bytes += size;
    const oldest = this.#portions[0];
    if (oldest !== undefined && this.#bytes - oldest.bytes >= UNCONFIRMED_BYTES_MAX) {
      this.#bytes -= oldest.bytes;
      this.#portions.shift();
    }
    this.#turnInterval(nowMicros);
    this.#newest += recordCount;
  }

  /** Returns how many records may not have arrived, and forgets them. */
  take(isClosedInOrder: boolean, nowMicros: number): number {
    this.#turnInterval(nowMicros);
    const unknown = isClosedInOrder
      ? this.#newest + this.#newer
      : this.#portions.reduce((sum, { records }) => sum + records, 0);
    this.#portions = [];
    this.#bytes = 0;
    this.#newest = 0;
    this.#newer = 0;
    return unknown;
  }

  #turnInterval(nowMicros: number): void {
    const passed = nowMicros - this.#intervalMicros;
    if (passed >= CLOSE_NOTICE_MS * 1000) {
      this.#newer = passed >= 2 * CLOSE_NOTICE_MS * 1000 ? 0 : this.#newest;
      this.#newest = 0;
      this.#intervalMicros = nowMicros;
    }
  }
}
