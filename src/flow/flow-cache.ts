// The flow cache of one exporter: aggregates samples by flow, and gives each flow up when its active timeout or
// the room for flows ends. It is told the time, and never acts by itself: whoever owns it calls `expire` when
// `nextExpiryMicros` says so. Nothing is allocated for a sample; the cache makes no records, it shows flows to
// a visitor.

import type { FlowKey } from '../packet/flow-key.ts';
import { EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { isTimeUpTo, putTime, TIME_WORD, TIME_WORD_INVERSE } from './entry-time.ts';
import {
  beginEntry,
  ENTRY_HASH,
  ENTRY_KEY,
  ENTRY_START,
  ENTRY_TEMPLATE,
  foldSample,
  foldTime,
  isEntryOf,
  keyWordCount,
} from './flow-entry.ts';
import { hashFlow, hashSecrets } from './flow-hash.ts';
import { FlowIndex } from './flow-index.ts';
import { EntryView, FlowEndReason, type FlowVisitor } from './flow-record.ts';
import { FlowWalk } from './flow-walk.ts';
import type { Sample, SampleBatch } from './sample-batch.ts';
import { touchOldest, touchSamples } from './touch.ts';

// Whoever owns a cache is handed these.
export type { FlowRecord, FlowVisitor } from './flow-record.ts';

/**
 * Past this many bytes of flows the oldest leave for lack of resources, whatever the limit on flows: some 11
 * million.
 */
export const FLOW_BYTES_MAX = 1024 * 1024 * 1024;

/** From so many flows on, index and entries are larger than a processor's second cache. */
const LARGE_FLOW_COUNT = 4096;
/** Flows whose slots are touched together before they leave: a power of 2. */
const TOUCH_COUNT = 32;
const TOUCH_MASK = TOUCH_COUNT - 1;

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
  /** When the next flow is due: see `nextExpiryMicros`. In a cell, because a double in a field would be an object. */
  readonly #dueMicros = new Float64Array([Number.POSITIVE_INFINITY]);
  /** The time of the sample that is being added. */
  #nowHigh = 0;
  #nowLow = 0;
  /** What has been touched goes here, so that it is read at all. */
  readonly #touched = new Int32Array(1);

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
    this.#noteDue();
  }

  /**
   * Adds a sample to its flow, or to a new one at the tail; expires nothing. Times are whole microseconds, not
   * below 0. The sample stands for `weight` packets (at most 2^32 - 1) of `frameSize` bytes, which is the size
   * of the whole frame also if less of it was dissected.
   */
  add(key: FlowKey, observationDomainId: number, nowMicros: number, weight: number, frameSize: number): void {
    // From here on the time is two integers, because a computed double that is passed to a function becomes an
    // object.
    this.#nowHigh = Math.floor(nowMicros * TIME_WORD_INVERSE) | 0;
    this.#nowLow = nowMicros | 0;
    const domain = observationDomainId | 0;
    this.#add(key, this.#hashOf(key, domain), domain, weight, frameSize);
  }

  /**
   * Adds the samples of a batch in their order, and expires after each of them what is due then, up to
   * `expiriesMax` flows a sample: the same as `add`, `isDue` and `expire` in turn. Returns how many flows have
   * left. The batch is empty afterwards.
   */
  addBatch(batch: SampleBatch, visitor: FlowVisitor, expiriesMax: number): number {
    const { samples, count } = batch;
    batch.count = 0;
    if (count > 1) {
      this.#prepare(batch, count);
      let expiredCount = 0;
      for (let index = 0; index < count; index += 1) {
        expiredCount += this.#addAndExpire(samples[index]!, visitor, expiriesMax);
      }
      return expiredCount;
    }
    if (count === 0) {
      return 0;
    }
    const sample = samples[0]!;
    sample.hash = this.#hashOf(sample, sample.domain);
    return this.#addAndExpire(sample, visitor, expiriesMax);
  }

  /** Whether the cache is so large that samples are better added in batches. */
  get isLarge(): boolean {
    return this.#index.count > LARGE_FLOW_COUNT;
  }

  /**
   * When `expire` is next to be called: the oldest flow's start and the active timeout. Infinity when there is
   * no flow, -Infinity when a limit is exceeded.
   */
  nextExpiryMicros(): number {
    return this.#dueMicros[0]!;
  }

  /** Whether `expire` has something to do. */
  isDue(nowMicros: number): boolean {
    return nowMicros >= this.#dueMicros[0]!;
  }

  /**
   * Shows the flows that are due to `visitor` and removes them, from the oldest up to the first that need not
   * go, and not more than `countMax`. Returns how many have left.
   */
  expire(nowMicros: number, visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const startMax = nowMicros - this.#activeTimeoutMicros;
    return this.#expire(Math.floor(startMax * TIME_WORD_INVERSE) | 0, startMax | 0, visitor, countMax);
  }

  /**
   * Shows flows to `visitor` and removes them, oldest first, due or not, up to `countMax`. Returns how many
   * have left.
   */
  flush(visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    let count = 0;
    for (; count < countMax && this.#store.head !== 0; count += 1) {
      if ((count & TOUCH_MASK) === 0) {
        this.#touched[0] = touchOldest(this.#index.table, this.#store, TOUCH_COUNT);
      }
      this.#remove(this.#store.head, visitor, FlowEndReason.forcedEnd);
    }
    this.#noteDue();
    return count;
  }

  /** Begins a look at all flows; see flow-walk.ts. */
  walk(): FlowWalk {
    return new FlowWalk(this.#store, this.flowCount);
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

  #hashOf(key: FlowKey, domain: number): number {
    return hashFlow(this.#secrets, key.words, (key.size + 3) >> 2, key.templateId, domain);
  }

  /** Hashes all samples, and touches what adding them will need. */
  #prepare(batch: SampleBatch, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const sample = batch.samples[index]!;
      sample.hash = this.#hashOf(sample, sample.domain);
    }
    this.#touched[0] = touchSamples(this.#index.table, this.#store, batch.samples, count);
    if (batch.samples[0]!.timeMicros >= this.#dueMicros[0]!) {
      this.#touched[0] = touchOldest(this.#index.table, this.#store, count);
    }
  }

  #addAndExpire(sample: Sample, visitor: FlowVisitor, expiriesMax: number): number {
    this.#nowHigh = Math.floor(sample.timeMicros * TIME_WORD_INVERSE) | 0;
    this.#nowLow = sample.timeMicros | 0;
    this.#add(sample, sample.hash, sample.domain, sample.weight, sample.frameSize);
    if (sample.timeMicros < this.#dueMicros[0]!) {
      return 0;
    }
    const startMax = sample.timeMicros - this.#activeTimeoutMicros;
    return this.#expire(Math.floor(startMax * TIME_WORD_INVERSE) | 0, startMax | 0, visitor, expiriesMax);
  }

  #add(key: FlowKey, hash: number, domain: number, weight: number, frameSize: number): void {
    const wordCount = (key.size + 3) >> 2;
    const { table } = this.#index;
    const { segments } = this.#store;
    const mask = table.length - 1;
    // A slot is two words, a hash and an address.
    for (let at = (hash << 1) & mask; table[at + 1] !== 0; at = (at + 2) & mask) {
      if (table[at] === hash) {
        const address = table[at + 1]!;
        const words = segments[segmentOf(address)]!;
        const entry = wordOf(address);
        if (isEntryOf(words, entry, key, domain, wordCount)) {
          this.#counters[Counter.aggregated]! += 1;
          foldSample(words, entry, key, weight, frameSize);
          if (!foldTime(words, entry, this.#nowHigh, this.#nowLow)) {
            this.#noteDue();
          }
          return;
        }
      }
    }
    this.#addOther(key, hash, domain, weight, frameSize);
  }

  /** Adds a sample whose flow is not in the index's table: in the one that it outgrows, or new. */
  #addOther(key: FlowKey, hash: number, domain: number, weight: number, frameSize: number): void {
    const wordCount = (key.size + 3) >> 2;
    let address = this.#findInOld(hash, key, domain, wordCount);
    if (address === 0) {
      address = this.#insert(hash, key, domain, wordCount);
      if (address === 0) {
        this.#counters[Counter.refused]! += 1;
        return;
      }
      this.#counters[Counter.inserted]! += 1;
    } else {
      this.#counters[Counter.aggregated]! += 1;
    }
    const words = this.#store.segments[segmentOf(address)]!;
    foldSample(words, wordOf(address), key, weight, frameSize);
    foldTime(words, wordOf(address), this.#nowHigh, this.#nowLow);
    this.#noteDue();
  }

  #expire(startMaxHigh: number, startMaxLow: number, visitor: FlowVisitor, countMax: number): number {
    let count = 0;
    for (; count < countMax; count += 1) {
      const head = this.#store.head;
      if (head === 0) {
        break;
      }
      if ((count & TOUCH_MASK) === 0 && countMax > TOUCH_COUNT) {
        this.#touched[0] = touchOldest(this.#index.table, this.#store, TOUCH_COUNT);
      }
      const words = this.#store.segments[segmentOf(head)]!;
      if (isTimeUpTo(words, wordOf(head) + ENTRY_START, startMaxHigh, startMaxLow)) {
        this.#remove(head, visitor, FlowEndReason.activeTimeout);
      } else if (this.#isOverLimit()) {
        if (this.#index.count <= this.#flowsMax) {
          this.#counters[Counter.byFlowBytes]! += 1;
        }
        this.#remove(head, visitor, FlowEndReason.lackOfResources);
      } else {
        break;
      }
    }
    this.#noteDue();
    return count;
  }

  /** To be called whenever the oldest flow, its start or a limit may have changed. */
  #noteDue(): void {
    const head = this.#store.head;
    if (head === 0) {
      this.#dueMicros[0] = Number.POSITIVE_INFINITY;
    } else if (this.#isOverLimit()) {
      this.#dueMicros[0] = Number.NEGATIVE_INFINITY;
    } else {
      const words = this.#store.segments[segmentOf(head)]!;
      const at = wordOf(head) + ENTRY_START;
      // As in `timeOf`, written out: what a function returns may become an object.
      this.#dueMicros[0] = words[at + 1]! * TIME_WORD + (words[at]! >>> 0) + this.#activeTimeoutMicros;
    }
  }

  #isOverLimit(): boolean {
    return this.#index.count > this.#flowsMax || this.#store.liveBytes > this.#flowBytesMax;
  }

  /** The address of the flow's entry in the table that is outgrown; 0 when it is not there. */
  #findInOld(hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const { old } = this.#index;
    if (old === undefined) {
      return 0;
    }
    const mask = old.length - 1;
    for (let at = (hash << 1) & mask; old[at + 1] !== 0; at = (at + 2) & mask) {
      const address = old[at + 1]!;
      if (old[at] === hash && address > 0) {
        const words = this.#store.segments[segmentOf(address)]!;
        if (isEntryOf(words, wordOf(address), key, domain, wordCount)) {
          return address;
        }
      }
    }
    return 0;
  }

  /** Makes an entry with the key, the present time and zeros; 0 when there is no room. */
  #insert(hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const address = this.#store.append(ENTRY_KEY + wordCount);
    if (address === 0) {
      return 0;
    }
    const words = this.#store.segments[segmentOf(address)]!;
    beginEntry(words, wordOf(address), hash, domain, key, wordCount);
    putTime(words, wordOf(address) + ENTRY_START, this.#nowHigh, this.#nowLow);
    this.#index.insert(hash, address);
    return address;
  }

  /** Removes the oldest flow, then shows it: its memory stays as it is until the cache is used again. */
  #remove(head: number, visitor: FlowVisitor, reason: FlowEndReason): void {
    const segment = segmentOf(head);
    const at = wordOf(head);
    const words = this.#store.segments[segment]!;
    this.#view.move(words, this.#store.segmentBytes[segment]!, at);
    this.#index.remove(words[at + ENTRY_HASH]!, head);
    this.#store.removeHead(ENTRY_KEY + keyWordCount(words[at + ENTRY_TEMPLATE]!));
    this.#counters[Counter.byReason + reason]! += 1;
    visitor.flow(this.#view, reason);
  }
}
