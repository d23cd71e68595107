// The messages that a session has accepted and not yet sent, oldest first: a ring of buffers that are allocated when first
// needed and then reused. The socket reads the buffer of a message until it reports the end of that send, so a slot is free
// only after `shift`. At the limit `push` refuses the newest message, because the oldest ones have the templates.

interface Slot {
  bytes: Buffer;
  /** What of `bytes` is the message: kept for the next one, which mostly has the same size, because a view is an object. */
  message: Buffer;
  recordCount: number;
}

const EMPTY = Buffer.alloc(0);

/** A bounded first-in-first-out queue of messages, each copied in. */
export class MessageQueue {
  readonly #slots: Slot[] = [];
  readonly #countMax: number;
  #head = 0;
  #count = 0;
  #bytes = 0;

  /** @param countMax messages that may wait */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies a message in; returns false when the queue is full. */
  push(bytes: Buffer, size: number, recordCount: number): boolean {
    if (this.#count === this.#countMax) {
      return false;
    }
    if (this.#count === this.#slots.length) {
      this.#grow();
    }
    const slot = this.#slotAt(this.#count);
    if (slot.bytes.length < bytes.length) {
      slot.bytes = Buffer.allocUnsafeSlow(bytes.length);
      slot.message = slot.bytes;
    }
    if (slot.message.length !== size) {
      slot.message = slot.bytes.subarray(0, size);
    }
    if (size * 2 > bytes.length) {
      // All of it: `copy` would create a view of the message.
      slot.bytes.set(bytes);
    } else {
      bytes.copy(slot.bytes, 0, 0, size);
    }
    slot.recordCount = recordCount;
    this.#bytes += size;
    this.#count += 1;
    return true;
  }

  /** Returns the bytes of the message at `index` from the oldest; they stay as they are until it is removed. */
  bytesAt(index: number): Buffer {
    return this.#slotAt(index).message;
  }

  sizeAt(index: number): number {
    return this.#slotAt(index).message.length;
  }

  recordCountAt(index: number): number {
    return this.#slotAt(index).recordCount;
  }

  /** Removes the oldest message. */
  shift(): void {
    if (this.#count === 0) {
      throw new Error('message queue is empty');
    }
    this.#bytes -= this.sizeAt(0);
    this.#head = (this.#head + 1) % this.#slots.length;
    this.#count -= 1;
  }

  /** Rotates a full ring, so that new slots follow the newest message; doubling keeps that rare. */
  #grow(): void {
    const straight = [...this.#slots.slice(this.#head), ...this.#slots.slice(0, this.#head)];
    const added = Math.min(Math.max(8, straight.length), this.#countMax - straight.length);
    for (let index = 0; index < added; index += 1) {
      straight.push({ bytes: EMPTY, message: EMPTY, recordCount: 0 });
    }
    this.#slots.splice(0, this.#slots.length, ...straight);
    this.#head = 0;
  }

  #slotAt(index: number): Slot {
    const slot = this.#slots[(this.#head + index) % this.#slots.length];
    if (slot === undefined) {
      throw new Error(`message queue of ${this.#count} has no message ${index}`);
    }
    return slot;
  }
}
