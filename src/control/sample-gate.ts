// What all samples of the daemon pass. A daemon whose event loop was paused for longer than its lease finds samples in its sockets
// before it knows whether it is still the active one. They wait here, in the order in which they arrived, until the database has
// answered: then they are processed, or dropped if another daemon is active. These are counted apart from lost ones: ovs-vswitchd
// sends packet-ins to both daemons as long as both are connected, and the other one has logged the time before that as a gap.

import type { PacketInView } from '../node-openflow/index.ts';

/** Whether samples may be processed: `unproved` until the database answers, `other` while another daemon is or may be active. */
export type SampleAdmission = 'active' | 'unproved' | 'other';

/** About what a packet-in has in addition to its frame. */
const PACKET_IN_OVERHEAD_BYTES = 200;

/** Counts of samples, since the start but for those that wait. A datagram with several samples is one. */
export interface SampleGateStatus {
  /** Samples that wait now. */
  readonly waiting: number;
  /** Samples that have waited and were processed. */
  readonly delayed: number;
  /** Samples that this daemon, which was the active one, has lost because too many waited. */
  readonly dropped: number;
  /** Samples that were dropped because another daemon was the active one: it has processed them, or they are in its gap. */
  readonly notActive: number;
}

/** The most bytes of samples that wait, for the whole daemon; the newest ones beyond are dropped. */
export const WAITING_BYTES_MAX = 8 * 1024 * 1024;

export class SampleGate {
  readonly #admission: () => SampleAdmission;
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;
  #delayed = 0;
  /** Samples beyond the limit, until it is known which daemon is the active one. */
  #refused = 0;
  #dropped = 0;
  #notActive = 0;

  /** @param admission asked for each sample */
  constructor(admission: () => SampleAdmission) {
    this.#admission = admission;
  }

  /** Whether samples are processed at once, and none waits. */
  get isOpen(): boolean {
    return this.#waiting.length === 0 && this.#admission() === 'active';
  }

  /** Reads a counter of what has arrived, unless some of that waits: then the next reading counts it. */
  whenOpen(read: () => void): void {
    if (this.isOpen) {
      read();
    }
  }

  /** Returns a function that takes the datagrams of one source: `process` gets them at once while the gate is open. */
  datagrams(process: (bytes: Buffer) => void): (bytes: Buffer) => void {
    return (bytes) => {
      const fate = this.#fateOf(bytes.length);
      if (fate === 'process') {
        process(bytes);
      } else if (fate === 'keep') {
        const kept = Buffer.from(bytes);
        this.#waiting.push(() => process(kept));
      }
    };
  }

  /** Returns a function that takes the packet-ins of one source, as `datagrams` does. */
  packetIns(process: (packetIn: PacketInView) => void): (packetIn: PacketInView) => void {
    return (packetIn) => {
      const fate = this.#fateOf(packetIn.packetEnd - packetIn.packetStart + PACKET_IN_OVERHEAD_BYTES);
      if (fate === 'process') {
        process(packetIn);
      } else if (fate === 'keep') {
        const kept = packetIn.copy();
        this.#waiting.push(() => process(kept));
      }
    };
  }

  /** Processes or drops what waits; to be called when the answer of `admission` may have changed. */
  follow(): void {
    const admission = this.#waiting.length === 0 ? 'unproved' : this.#admission();
    if (admission === 'unproved') {
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const refused = this.#refused;
    this.#refused = 0;
    if (admission === 'other') {
      this.#notActive += waiting.length + refused;
      return;
    }
    this.#dropped += refused;
    this.#delayed += waiting.length;
    for (const processNow of waiting) {
      processNow();
    }
  }

  /** Returns what becomes of a sample of so many bytes, which is counted unless it is processed at once. */
  #fateOf(bytes: number): 'process' | 'keep' | 'drop' {
    // What waits goes first, when a proof has come.
    this.follow();
    const admission = this.#admission();
    if (admission === 'active') {
      return 'process';
    }
    if (admission === 'other') {
      this.#notActive += 1;
      return 'drop';
    }
    if (this.#waitingBytes + bytes <= WAITING_BYTES_MAX) {
      this.#waitingBytes += bytes;
      return 'keep';
    }
    this.#refused += 1;
    return 'drop';
  }

  status(): SampleGateStatus {
    return {
      waiting: this.#waiting.length,
      delayed: this.#delayed,
      dropped: this.#dropped,
      notActive: this.#notActive,
    };
  }
}
