// The messages with records that wait for a collector over a reliable transport, oldest first, bounded by bytes. They wait without a
// sequence number: it counts what is sent on a connection, and the connection may be a later one. At the limit the newest
// message is refused: the gap is then where the collector expects it, behind everything that has waited.

import { OBSERVATION_DOMAIN_OFFSET } from '../ipfix/protocol.ts';
import { STREAM_DOMAINS_MAX } from './stream-domains.ts';

/** A message that waits. */
export interface WaitingMessage {
  bytes: Buffer;
  size: number;
  recordCount: number;
  /** Records of its observation domain that were refused since the message before it. */
  lostBefore: number;
}

/** Bytes that a waiting message takes in addition to its own. */
export const MESSAGE_OVERHEAD_BYTES = 200;
/** Full queues that the process has memory for; there may be any number of others. */
export const FULL_QUEUES_MAX = 8;
/** Bytes of each queue that are not of the shared memory: what others keep for collectors that are down takes nothing from these. */
export const QUEUE_RESERVE_BYTES = 65_536;
/** Buffers that are kept for the next messages. */
const SPARE_MAX = 32;

/** The memory that the queues of a process share. */
export class QueueMemory {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes bytes; returns false, and takes none, when they would exceed the limit. */
  take(bytes: number): boolean {
    const isWithin = this.#bytes + bytes <= this.#bytesMax;
    this.#bytes += isWithin ? bytes : 0;
    return isWithin;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export class WaitingMessages {
  readonly #bytesMax: number;
  readonly #memory: QueueMemory | undefined;
  #slots: WaitingMessage[] = [];
  /** Index of the oldest message in `#slots`. */
  #head = 0;
  #bytes = 0;
  readonly #spare: WaitingMessage[] = [];
  /** By observation domain, as many as a stream keeps: records that were refused since its last message. */
  readonly #lost = new Map<number, number>();

  /** @param bytesMax memory of all messages; `memory` is shared with other queues */
  constructor(bytesMax: number, memory?: QueueMemory) {
    this.#bytesMax = bytesMax;
    this.#memory = memory;
  }

  get count(): number {
    return this.#slots.length - this.#head;
  }

  /** Memory of the messages, `MESSAGE_OVERHEAD_BYTES` of each included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest message; its bytes stay as they are until it is removed. */
  get oldest(): WaitingMessage | undefined {
    return this.at(0);
  }

  /** Returns the message at `index` from the oldest. */
  at(index: number): WaitingMessage | undefined {
    return this.#slots[this.#head + index];
  }

  /** Copies a message in; returns false when there is no memory for it. */
  push(bytes: Buffer, size: number, recordCount: number): boolean {
    const domain = bytes.readUInt32BE(OBSERVATION_DOMAIN_OFFSET);
    const total = this.#bytes + size + MESSAGE_OVERHEAD_BYTES;
    if (total > this.#bytesMax || this.#memory?.take(sharedOf(total) - sharedOf(this.#bytes)) === false) {
      this.#noteLost(domain, recordCount);
      return false;
    }
    this.#bytes = total;
    const slot = this.#spare.pop() ?? { bytes: Buffer.alloc(0), size: 0, recordCount: 0, lostBefore: 0 };
    if (slot.bytes.length < size) {
      slot.bytes = Buffer.allocUnsafeSlow(size);
    }
    bytes.copy(slot.bytes, 0, 0, size);
    slot.size = size;
    slot.recordCount = recordCount;
    slot.lostBefore = 0;
    if (this.#lost.size > 0) {
      slot.lostBefore = this.#lost.get(domain) ?? 0;
      this.#lost.delete(domain);
    }
    this.#slots.push(slot);
    return true;
  }

  /** Removes the oldest message. */
  shift(): void {
    const slot = this.#slots[this.#head];
    if (slot === undefined) {
      throw new Error('no message waits');
    }
    this.#head += 1;
    const bytes = this.#bytes - slot.size - MESSAGE_OVERHEAD_BYTES;
    this.#memory?.release(sharedOf(this.#bytes) - sharedOf(bytes));
    this.#bytes = bytes;
    if (this.#spare.length < SPARE_MAX) {
      this.#spare.push(slot);
    }
    if (this.#head === this.#slots.length) {
      this.#slots.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  #noteLost(domain: number, recordCount: number): void {
    this.#lost.set(domain, (this.#lost.get(domain) ?? 0) + recordCount);
    const [oldest] = this.#lost.size > STREAM_DOMAINS_MAX ? this.#lost.keys() : [];
    if (oldest !== undefined) {
      this.#lost.delete(oldest);
    }
  }
}

/** Returns the bytes of a queue that are of the shared memory. */
function sharedOf(bytes: number): number {
  return Math.max(0, bytes - QUEUE_RESERVE_BYTES);
}
