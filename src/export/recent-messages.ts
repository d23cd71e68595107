// The last messages of an exporter, for operators. Copying a message costs little compared with sending it, and the memory is
// that of a few messages.

/** Messages that are kept for each exporter. */
export const RECENT_MESSAGES_MAX = 8;

/** A ring of copies; its memory is allocated with the first messages and then reused. */
export class RecentMessages {
  readonly #slots: Buffer[] = [];
  readonly #sizes: number[] = [];
  #next = 0;

  /** Keeps a copy of `bytes[0, size)`; the oldest one is dropped. */
  keep(bytes: Buffer, size: number): void {
    const known = this.#slots[this.#next];
    const slot = known !== undefined && known.length === bytes.length ? known : Buffer.alloc(bytes.length);
    // All of it: a view of the used part would be an object for each message.
    slot.set(bytes);
    this.#slots[this.#next] = slot;
    this.#sizes[this.#next] = size;
    this.#next = (this.#next + 1) % RECENT_MESSAGES_MAX;
  }

  /** Returns views of the copies, newest first; valid until the next message is kept. */
  newestFirst(): readonly Buffer[] {
    const messages: Buffer[] = [];
    for (let back = 1; back <= RECENT_MESSAGES_MAX; back += 1) {
      const index = (this.#next - back + RECENT_MESSAGES_MAX) % RECENT_MESSAGES_MAX;
      const slot = this.#slots[index];
      if (slot !== undefined) {
        messages.push(slot.subarray(0, this.#sizes[index]));
      }
    }
    return messages;
  }
}
