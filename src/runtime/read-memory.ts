// A buffer that a socket reads into repeatedly, instead of a new buffer for each read. `dial` gives it to the socket; the
// protocol then receives the bytes from it.

/** Receives `bytes[0, end)`, which are valid until the call returns. */
export type BytesReceiver = (bytes: Buffer, end: number) => void;

/** The receive buffer of one socket. */
export class ReadMemory {
  readonly #bytes: Buffer;
  #receiver: BytesReceiver | undefined;
  /** Bytes that arrived before there was a receiver. */
  readonly #early: Buffer[] = [];

  /** @param size of the buffer in bytes, and so of the largest single read */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** The option `onread` of `net.connect`. */
  get onread(): { buffer: Buffer; callback: (byteCount: number) => boolean } {
    return { buffer: this.#bytes, callback: (byteCount) => this.#receive(byteCount) };
  }

  /** Sets the receiver of all bytes, including those that have arrived already. Call it once. */
  receive(receiver: BytesReceiver): void {
    this.#receiver = receiver;
    for (const bytes of this.#early.splice(0)) {
      receiver(bytes, bytes.length);
    }
  }

  #receive(byteCount: number): boolean {
    if (this.#receiver === undefined) {
      this.#early.push(Buffer.from(this.#bytes.subarray(0, byteCount)));
    } else {
      this.#receiver(this.#bytes, byteCount);
    }
    return true;
  }
}
