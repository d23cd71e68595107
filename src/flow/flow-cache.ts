// The flow cache of one exporter: aggregates samples by flow, and gives each flow up when its active timeout or
// the room for flows ends. It is told the time, and never acts by itself: whoever owns it calls `expire` when
// `nextExpiryMicros` says so. Nothing is allocated for a sample; the cache makes no records, it shows flows to
// a visitor.

import type { FlowKey } from '../packet/flow-key.ts';
import { EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { isTimeUpTo, putTime, TIME_WORD, timeOf } from './entry-time.ts';
import { beginEntry, EntryWord, foldSample, foldTime, isEntryOf, keyWordCount } from './flow-entry.ts';
import { hashFlow, hashSecrets } from './flow-hash.ts';
import { FlowIndex } from './flow-index.ts';
import { EntryView, FlowEndReason, type FlowVisitor } from './flow-record.ts';

// Whoever owns a cache is handed these.
export type { FlowRecord, FlowVisitor } from './flow-record.ts';

/**
 * Past this many bytes of flows the oldest leave for lack of resources, whatever the limit on flows: some 11
 * million.
 */
export const FLOW_BYTES_MAX = 1024 * 1024 * 1024;

/** What a cache is made with. */
export interface FlowCacheOptions {
  /** How long a flow is aggregated from its first sample, in microseconds; 0 makes each sample due at once. */
  readonly activeTimeoutMicros: number;
  /** How many flows may stay; with 0, each is due at once. */
  readonly flowsMax: number;
  /** Secret 32 bits that decide where flows are put, against senders who would make flows collide. */
  readonly hashSeed: number;
  /**
   * How many bytes of flows may stay, where `flowsMax` is more than the machine has memory for;
   * `FLOW_BYTES_MAX` if not given. The index comes on top, with 13 to 26 bytes a flow. Flows may exceed it by
   * an eighth until `expire` is called; beyond that, samples of new flows are refused and counted as such.
   */
  readonly flowBytesMax?: number;
}

/** What a cache has done and what it holds. Counts are from its creation on. */
export interface FlowCacheStatus {
  readonly flows: number;
  readonly flowsMax: number;
  readonly activeTimeoutMicros: number;
  /** What the cache has from the system, index included. */
  readonly memoryBytes: number;
  /** Samples that began a flow, that joined one, and that found no room. */
  readonly inserted: number;
  readonly aggregated: number;
  readonly refused: number;
  /** Flows that left, by reason. Those that left for the limit in bytes are also in `expiredByFlowBytes`. */
  readonly expiredByActiveTimeout: number;
  readonly expiredByLackOfResources: number;
  readonly expiredByForcedEnd: number;
  readonly expiredByFlowBytes: number;
}

/**
 * Cells of the counters, which are in a Float64Array because a number past 2^31 in a field would be an object.
 */
const Counter = { inserted: 0, aggregated: 1, refused: 2, byFlowBytes: 3, byReason: 4 } as const;
const COUNTER_COUNT = Counter.byReason + FlowEndReason.lackOfResources + 1;

/** Flows by key, in the order in which they began. */
export class FlowCache {
  readonly #store: EntryStore;
  readonly #index = new FlowIndex();
  readonly #secrets: Int32Array;
  readonly #counters = new Float64Array(COUNTER_COUNT);
  readonly #view = new EntryView();
  readonly #flowBytesMax: number;
  #activeTimeoutMicros: number;
  #flowsMax: number;
  /** The time of the sample that is being added. */
  #nowHigh = 0;
  #nowLow = 0;

  constructor(options: FlowCacheOptions) {
    this.#activeTimeoutMicros = options.activeTimeoutMicros;
    this.#flowsMax = options.flowsMax;
    this.#flowBytesMax = options.flowBytesMax ?? FLOW_BYTES_MAX;
    this.#store = new EntryStore(this.#flowBytesMax + this.#flowBytesMax / 8);
    this.#secrets = hashSecrets(options.hashSeed);
  }

  /** How many flows the cache holds. */
  get flowCount(): number {
    return this.#index.count;
  }

  /** Changes the limits. Flows stay; those that are due by the new limits leave with the next `expire`. */
  setLimits(activeTimeoutMicros: number, flowsMax: number): void {
    this.#activeTimeoutMicros = activeTimeoutMicros;
    this.#flowsMax = flowsMax;
  }

  /**
   * Adds a sample to its flow, or to a new one at the tail; expires nothing. Times are whole microseconds, not
   * below 0. The sample stands for `weight` packets (at most 2^32 - 1) of `frameSize` bytes, which is the size
   * of the whole frame also if less of it was dissected.
   */
  add(key: FlowKey, observationDomainId: number, nowMicros: number, weight: number, frameSize: number): void {
    // From here on the time is two integers, because a computed double that is passed to a function becomes an
    // object.
    this.#nowHigh = Math.floor(nowMicros / TIME_WORD) | 0;
    this.#nowLow = nowMicros | 0;
    this.#add(key, observationDomainId | 0, weight, frameSize);
  }

  /**
   * When `expire` is next to be called: the oldest flow's start and the active timeout. Infinity when there is
   * no flow, -Infinity when a limit is exceeded.
   */
  nextExpiryMicros(): number {
    const head = this.#store.head;
    if (head === 0) {
      return Number.POSITIVE_INFINITY;
    }
    if (this.#isOverLimit()) {
      return Number.NEGATIVE_INFINITY;
    }
    const start = timeOf(this.#store.segments[segmentOf(head)]!, wordOf(head) + EntryWord.start);
    return start + this.#activeTimeoutMicros;
  }

  /**
   * Whether `expire` has something to do: the same as `nextExpiryMicros() <= nowMicros`, but cheap enough to
   * ask each time.
   */
  isDue(nowMicros: number): boolean {
    const head = this.#store.head;
    if (head === 0) {
      return false;
    }
    const startMax = nowMicros - this.#activeTimeoutMicros;
    const words = this.#store.segments[segmentOf(head)]!;
    const at = wordOf(head) + EntryWord.start;
    return this.#isOverLimit() || isTimeUpTo(words, at, Math.floor(startMax / TIME_WORD) | 0, startMax | 0);
  }

  /**
   * Shows the flows that are due to `visitor` and removes them, from the oldest up to the first that need not
   * go, and not more than `countMax`. Returns how many have left.
   */
  expire(nowMicros: number, visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const startMax = nowMicros - this.#activeTimeoutMicros;
    return this.#expire(Math.floor(startMax / TIME_WORD) | 0, startMax | 0, visitor, countMax);
  }

  /**
   * Shows flows to `visitor` and removes them, oldest first, due or not, up to `countMax`. Returns how many
   * have left.
   */
  flush(visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    let count = 0;
    for (; count < countMax && this.#store.head !== 0; count++) {
      this.#remove(this.#store.head, visitor, FlowEndReason.forcedEnd);
    }
    return count;
  }

  status(): FlowCacheStatus {
    const counters = this.#counters;
    return {
      flows: this.#index.count,
      flowsMax: this.#flowsMax,
      activeTimeoutMicros: this.#activeTimeoutMicros,
      memoryBytes: this.#store.memoryBytes + this.#index.memoryBytes,
      inserted: counters[Counter.inserted]!,
      aggregated: counters[Counter.aggregated]!,
      refused: counters[Counter.refused]!,
      expiredByActiveTimeout: counters[Counter.byReason + FlowEndReason.activeTimeout]!,
      expiredByLackOfResources: counters[Counter.byReason + FlowEndReason.lackOfResources]!,
      expiredByForcedEnd: counters[Counter.byReason + FlowEndReason.forcedEnd]!,
      expiredByFlowBytes: counters[Counter.byFlowBytes]!,
    };
  }

  #add(key: FlowKey, domain: number, weight: number, frameSize: number): void {
    const { templateId } = key;
    const wordCount = (key.size + 3) >> 2;
    const hash = hashFlow(this.#secrets, key.words, wordCount, templateId, domain);
    let address = this.#find(hash, key, domain, wordCount);
    if (address === 0) {
      address = this.#insert(hash, key, domain, wordCount);
      if (address === 0) {
        this.#counters[Counter.refused]!++;
        return;
      }
      this.#counters[Counter.inserted]!++;
    } else {
      this.#counters[Counter.aggregated]!++;
    }
    const words = this.#store.segments[segmentOf(address)]!;
    foldSample(words, wordOf(address), key, weight, frameSize);
    foldTime(words, wordOf(address), this.#nowHigh, this.#nowLow);
  }

  #expire(startMaxHigh: number, startMaxLow: number, visitor: FlowVisitor, countMax: number): number {
    let count = 0;
    for (; count < countMax; count++) {
      const head = this.#store.head;
      if (head === 0) {
        break;
      }
      const words = this.#store.segments[segmentOf(head)]!;
      if (isTimeUpTo(words, wordOf(head) + EntryWord.start, startMaxHigh, startMaxLow)) {
        this.#remove(head, visitor, FlowEndReason.activeTimeout);
      } else if (this.#isOverLimit()) {
        if (this.#index.count <= this.#flowsMax) {
          this.#counters[Counter.byFlowBytes]!++;
        }
        this.#remove(head, visitor, FlowEndReason.lackOfResources);
      } else {
        break;
      }
    }
    return count;
  }

  #isOverLimit(): boolean {
    return this.#index.count > this.#flowsMax || this.#store.liveBytes > this.#flowBytesMax;
  }

  /** The address of the flow's entry; 0 when it is not cached. */
  #find(hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const address = this.#probe(this.#index.table, hash, key, domain, wordCount);
    const { old } = this.#index;
    return address !== 0 || old === null ? address : this.#probe(old, hash, key, domain, wordCount);
  }

  #probe(table: Int32Array, hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const { segments } = this.#store;
    const mask = table.length - 1;
    // A slot is two words. An address is never negative: a slot that says "moved" has none.
    for (let at = (hash << 1) & mask; table[at + 1] !== 0; at = (at + 2) & mask) {
      const address = table[at + 1]!;
      if (table[at] === hash && address > 0) {
        if (isEntryOf(segments[segmentOf(address)]!, wordOf(address), key, domain, wordCount)) {
          return address;
        }
      }
    }
    return 0;
  }

  /** Makes an entry with the key, the present time and zeros; 0 when there is no room. */
  #insert(hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const address = this.#store.append(EntryWord.key + wordCount);
    if (address === 0) {
      return 0;
    }
    const words = this.#store.segments[segmentOf(address)]!;
    beginEntry(words, wordOf(address), hash, domain, key, wordCount);
    putTime(words, wordOf(address) + EntryWord.start, this.#nowHigh, this.#nowLow);
    this.#index.insert(hash, address);
    return address;
  }

  /** Removes the oldest flow, then shows it: its memory stays as it is until the cache is used again. */
  #remove(head: number, visitor: FlowVisitor, reason: FlowEndReason): void {
    const segment = segmentOf(head);
    const at = wordOf(head);
    const words = this.#store.segments[segment]!;
    this.#view.move(words, this.#store.segmentBytes[segment]!, at);
    this.#index.remove(words[at + EntryWord.hash]!, head);
    this.#store.removeHead(EntryWord.key + keyWordCount(words[at + EntryWord.templateId]!));
    this.#counters[Counter.byReason + reason]!++;
    visitor.flow(this.#view, reason);
  }
}
