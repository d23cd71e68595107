// Writes the replies to requests of the peer, and stops reading while it does not read them: a peer that floods echo requests
// would fill the memory with replies. The backlog of own requests does not count: the peer may be waiting for this side to read.

import type { Duplex } from 'node:stream';

/** See the head of the file. */
export class ReplyBacklog {
  readonly #stream: Duplex;
  readonly #bytesMax: number;
  #bytes = 0;
  #isPaused = false;
  #pauses = 0;

  /** @param bytesMax bytes of replies that wait to be sent, beyond which nothing is read */
  constructor(stream: Duplex, bytesMax: number) {
    this.#stream = stream;
    this.#bytesMax = bytesMax;
  }

  /** How often reading was stopped. */
  get pauses(): number {
    return this.#pauses;
  }

  write(reply: Buffer): void {
    const size = reply.length;
    this.#bytes += size;
    if (this.#bytes > this.#bytesMax && !this.#isPaused) {
      this.#isPaused = true;
      this.#pauses += 1;
      this.#stream.pause();
    }
    this.#stream.write(reply, () => this.#sent(size));
  }

  #sent(size: number): void {
    this.#bytes -= size;
    if (this.#isPaused && this.#bytes * 2 <= this.#bytesMax && !this.#stream.destroyed) {
      this.#isPaused = false;
      this.#stream.resume();
    }
  }
}
