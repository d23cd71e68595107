// One flow of the cache, as the encoder of records reads it. The cache has one view, which it moves from flow to flow.

import { endianness } from 'node:os';
import { keySize, keyWordCount, TUNNEL_WORD_COUNT } from '../ipfix/record-layout.ts';
import {
  ENTRY_DOMAIN,
  ENTRY_END,
  ENTRY_HASH,
  ENTRY_KEY,
  ENTRY_LENGTHS,
  ENTRY_OCTETS,
  ENTRY_PACKETS,
  ENTRY_SQUARES,
  ENTRY_START,
  ENTRY_TEMPLATE,
  EXTENDED_OCTETS,
  EXTENDED_TCP_FLAGS,
} from './entry-layout.ts';
import { timeOf } from './entry-time.ts';

/** The words of a key are in the byte order of the machine. */
const IS_LITTLE_ENDIAN = endianness() === 'LE';

/** Why a flow expired: values of flowEndReason (IPFIX information element 136). */
export const FlowEndReason = { activeTimeout: 2, forcedEnd: 4, lackOfResources: 5 } as const;
export type FlowEndReason = (typeof FlowEndReason)[keyof typeof FlowEndReason];

/** One flow. It is a view, valid only during the call that it is passed to. Numbers of 32 bits are unsigned. */
export interface FlowRecord {
  /** The leading part of the flow key, with which the exported record begins, is `keyBytes[keyStart, keyStart + keySize)`. */
  readonly keyBytes: Buffer;
  readonly keyStart: number;
  readonly keySize: number;
  /** Writes the leading part of the flow key at `at` by words: up to 3 bytes behind it become zeros, and what follows the key overwrites them. */
  copyKey(to: DataView, at: number): void;
  readonly templateId: number;
  readonly observationDomainId: number;
  /** The hash of the flow in its cache, 32 bits, signed. */
  readonly hash: number;
  /** Times of the first and the last sample on the monotonic clock, in microseconds. */
  readonly startMicros: number;
  readonly endMicros: number;
  readonly packetsHigh: number;
  readonly packetsLow: number;
  readonly octetsHigh: number;
  readonly octetsLow: number;
  readonly sumOfSquaresHigh: number;
  readonly sumOfSquaresLow: number;
  readonly minimumIpTotalLength: number;
  readonly maximumIpTotalLength: number;
  // Only in records of the format `extended`, the second only with type and code of ICMP:
  readonly ingressInterface: number;
  readonly icmpTypeCode: number;
  /** Returns what is known of the tunnel: the element of that index; in records of the layout `tunnel` only. */
  tunnelValue(index: number): number;
  /** The TCP flags of all samples. */
  readonly tcpControlBits: number;
  /** Of IP packets as their headers say it. */
  readonly ipOctetsHigh: number;
  readonly ipOctetsLow: number;
}

/** Flows that expire one after the other, whose records the engine may encode itself. Valid only during the call it is passed to. */
export interface FlowRun {
  /** The first flow, and why it expired. */
  readonly first: FlowRecord;
  readonly reason: FlowEndReason;
  /** Whether the engine encodes records of its template. */
  readonly isEncoded: boolean;
  /**
   * Encodes the records of the first flow and of those behind it, up to `countMax`, that have its template, domain and reason and did
   * not end after the export time, which is given on the clock of the flows in microseconds and in seconds since 1970. Returns how many.
   * `offset` is where `copyTo` will put them.
   */
  encode(countMax: number, exportMicros: number, exportTimeSeconds: number, offset: number): number;
  /** Copies the records that were encoded last. */
  copyTo(bytes: Buffer, offset: number): void;
}

/** Receives each flow that expires, oldest first. It must not use the cache during the call. */
export interface FlowVisitor {
  flow(record: FlowRecord, reason: FlowEndReason): void;
  /** Takes flows from the beginning of the run, and returns how many; those that it does not take are passed to `flow`. */
  flowRun?(run: FlowRun): number;
}

/** The view of a cache or a walk. Its getters read the entry's memory, so that moving it costs nothing. */
export class EntryView implements FlowRecord {
  keyBytes: Buffer = Buffer.alloc(0);
  #words: Int32Array = new Int32Array(0);
  #at = 0;

  /** Moves the view to the entry at word `at` of a segment. */
  move(words: Int32Array, bytes: Buffer, at: number): void {
    this.#words = words;
    this.keyBytes = bytes;
    this.#at = at;
  }

  copyKey(to: DataView, at: number): void {
    const words = this.#words;
    const from = this.#at + ENTRY_KEY;
    const wordCount = this.#leadingWordCount;
    for (let index = 0; index < wordCount; index += 1) {
      to.setInt32(at + index * 4, words[from + index]!, IS_LITTLE_ENDIAN);
    }
  }

  get keyStart(): number {
    return (this.#at + ENTRY_KEY) * 4;
  }

  get keySize(): number {
    return keySize(this.templateId);
  }

  get templateId(): number {
    return this.#words[this.#at + ENTRY_TEMPLATE]!;
  }

  get hash(): number {
    return this.#words[this.#at + ENTRY_HASH]!;
  }

  get observationDomainId(): number {
    return this.#unsigned(ENTRY_DOMAIN);
  }

  get startMicros(): number {
    return timeOf(this.#words, this.#at + ENTRY_START);
  }

  get endMicros(): number {
    return timeOf(this.#words, this.#at + ENTRY_END);
  }

  get packetsHigh(): number {
    return this.#unsigned(ENTRY_PACKETS + 1);
  }

  get packetsLow(): number {
    return this.#unsigned(ENTRY_PACKETS);
  }

  get octetsHigh(): number {
    return this.#unsigned(ENTRY_OCTETS + 1);
  }

  get octetsLow(): number {
    return this.#unsigned(ENTRY_OCTETS);
  }

  get sumOfSquaresHigh(): number {
    return this.#unsigned(ENTRY_SQUARES + 1);
  }

  get sumOfSquaresLow(): number {
    return this.#unsigned(ENTRY_SQUARES);
  }

  get minimumIpTotalLength(): number {
    return this.#words[this.#at + ENTRY_LENGTHS]! >>> 16;
  }

  get maximumIpTotalLength(): number {
    return this.#words[this.#at + ENTRY_LENGTHS]! & 0xffff;
  }

  get ingressInterface(): number {
    return this.#unsigned(ENTRY_KEY + this.#leadingWordCount);
  }

  get icmpTypeCode(): number {
    return this.#unsigned(ENTRY_KEY + this.#leadingWordCount + 1);
  }

  tunnelValue(index: number): number {
    return this.#unsigned(this.#extended - TUNNEL_WORD_COUNT + index);
  }

  get tcpControlBits(): number {
    return this.#unsigned(this.#extended + EXTENDED_TCP_FLAGS);
  }

  get ipOctetsHigh(): number {
    return this.#unsigned(this.#extended + EXTENDED_OCTETS + 1);
  }

  get ipOctetsLow(): number {
    return this.#unsigned(this.#extended + EXTENDED_OCTETS);
  }

  get #leadingWordCount(): number {
    return (keySize(this.templateId) + 3) >> 2;
  }

  get #extended(): number {
    return ENTRY_KEY + keyWordCount(this.templateId);
  }

  #unsigned(word: number): number {
    return this.#words[this.#at + word]! >>> 0;
  }
}
