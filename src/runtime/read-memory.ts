// One piece of memory that a socket reads into again and again, in place of a new buffer for each read. The socket is
// dialled with it; whoever speaks the protocol then takes the bytes from it.

/** Takes `bytes[0, end)`, which hold until the call returns. */
export type BytesReceiver = (bytes: Buffer, end: number) => void;

/** See the head of the file; for one socket. */
export class ReadMemory {
  readonly #bytes: Buffer;
  #receiver: BytesReceiver | undefined;
  /** What came before there was a receiver. */
  readonly #early: Buffer[] = [];

  /** @param size of the memory in bytes, and so of the largest single read */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** The option `onread` of `net.connect`. */
  get onread(): { buffer: Buffer; callback: (byteCount: number) => boolean } {
    return { buffer: this.#bytes, callback: (byteCount) => this.#receive(byteCount) };
  }

  /** Hands over what has come and what will come; to be called once. */
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
