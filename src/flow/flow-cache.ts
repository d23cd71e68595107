// The flow cache of one exporter, in TypeScript: aggregates samples by flow, and expires a flow at its active timeout or when there are too
// many. It has no clock and no timer: its owner passes the time, and calls `expire` when `nextExpiryMicros` says so. It
// allocates nothing for a sample, and writes no records: it passes flows to a visitor.

import { isExtended, keyWordCount } from '../ipfix/record-layout.ts';
import type { FlowKey } from '../packet/flow-key.ts';
import { ENTRY_HASH, ENTRY_KEY, ENTRY_START, ENTRY_TEMPLATE } from './entry-layout.ts';
import { EntryStore, segmentOf, wordOf } from './entry-store.ts';
import { isTimeUpTo, putTime, TIME_WORD, TIME_WORD_INVERSE } from './entry-time.ts';
import {
  FLOW_BYTES_MAX,
  type FlowCacheOptions,
  type FlowCacheStatus,
  type FlowEngine,
  LARGE_FLOW_COUNT,
} from './flow-engine.ts';
import { beginEntry, entryWordCount, foldExtended, foldSample, foldTime, isEntryOf } from './flow-entry.ts';
import { hashFlow, hashSecrets } from './flow-hash.ts';
import { FlowIndex } from './flow-index.ts';
import { EntryView, FlowEndReason, type FlowVisitor } from './flow-record.ts';
import { FlowWalk } from './flow-walk.ts';
import { prefetchOldest, prefetchSamples } from './prefetch.ts';
import { type Sample, SampleBatch } from './sample-batch.ts';

// Owners of a cache use these.
export type { FlowRecord, FlowVisitor } from './flow-record.ts';

/** Flows whose slots are prefetched together before they expire: a power of 2. */
const PREFETCH_COUNT = 32;
const PREFETCH_MASK = PREFETCH_COUNT - 1;

/** Cells of the counters, which are in a Float64Array because a number above 2^31 in a field would be an object. */
const Counter = { inserted: 0, aggregated: 1, refused: 2, byFlowBytes: 3, byReason: 4 } as const;
const COUNTER_COUNT = Counter.byReason + FlowEndReason.lackOfResources + 1;

/** See the head of the file. */
export class FlowCache implements FlowEngine {
  readonly batch = new SampleBatch(1);
  readonly frames = undefined;
  readonly #store: EntryStore;
  readonly #index = new FlowIndex();
  readonly #secrets: Int32Array;
  readonly #counters = new Float64Array(COUNTER_COUNT);
  readonly #view = new EntryView();
  readonly #flowBytesMax: number;
  #activeTimeoutMicros: number;
  #flowsMax: number;
  /** The next expiry, see `nextExpiryMicros`; in a cell because a double in a field would be an object. */
  readonly #dueMicros = new Float64Array([Number.POSITIVE_INFINITY]);
  /** The time of the sample that is being added. */
  #nowHigh = 0;
  #nowLow = 0;
  /** Where the sums of prefetched words go, so that the compiler keeps the reads. */
  readonly #prefetched = new Int32Array(1);

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

  /** Changes the limits. Flows that exceed the new limits leave with the next `expire`. */
  setLimits(activeTimeoutMicros: number, flowsMax: number): void {
    this.#activeTimeoutMicros = activeTimeoutMicros;
    this.#flowsMax = flowsMax;
    this.#noteDue();
  }

  /**
   * Adds a sample to its flow, or to a new one at the tail; expires nothing. Times are whole microseconds, not below 0. The
   * sample represents `weight` packets (at most 2^32 - 1) of `frameSize` bytes: the size of the whole frame, even if it was
   * truncated.
   */
  add(key: FlowKey, observationDomainId: number, nowMicros: number, weight: number, frameSize: number): void {
    // The time is two integers from here on, because a computed double that is passed to a function becomes an object.
    this.#nowHigh = Math.floor(nowMicros * TIME_WORD_INVERSE) | 0;
    this.#nowLow = nowMicros | 0;
    const domain = observationDomainId | 0;
    this.#add(key, this.#hashOf(key, domain), domain, weight, frameSize, weight * frameSize);
  }

  /**
   * Adds the samples of a batch in their order, and expires after each of them the flows that are due, up to `expiriesMax` a
   * sample: the same as `add`, `isDue` and `expire` in turn. Returns how many flows have expired. The batch is empty
   * afterwards.
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

  putFrame(): never {
    throw new Error('the flow cache does not dissect frames');
  }

  addRecords(): never {
    throw new Error('the flow cache does not read records');
  }

  /** Whether the cache is so large that batches of samples are faster. */
  get isLarge(): boolean {
    return this.#index.count > LARGE_FLOW_COUNT;
  }

  /**
   * Returns when `expire` is to be called: the oldest flow's start plus the active timeout. Infinity without a flow, -Infinity
   * when a limit is exceeded.
   */
  nextExpiryMicros(): number {
    return this.#dueMicros[0]!;
  }

  /** Returns whether `expire` has something to do. */
  isDue(nowMicros: number): boolean {
    return nowMicros >= this.#dueMicros[0]!;
  }

  /**
   * Passes the flows that are due to `visitor` and removes them, from the oldest to the first that is not due, up to
   * `countMax`. Returns how many.
   */
  expire(nowMicros: number, visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const startMax = nowMicros - this.#activeTimeoutMicros;
    return this.#expire(Math.floor(startMax * TIME_WORD_INVERSE) | 0, startMax | 0, visitor, countMax);
  }

  /** Passes flows to `visitor` and removes them, oldest first, due or not, up to `countMax`. Returns how many. */
  flush(visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    let count = 0;
    for (; count < countMax && this.#store.head !== 0; count += 1) {
      if ((count & PREFETCH_MASK) === 0) {
        this.#prefetched[0] = prefetchOldest(this.#index.table, this.#store, PREFETCH_COUNT);
      }
      this.#remove(this.#store.head, visitor, FlowEndReason.forcedEnd);
    }
    this.#noteDue();
    return count;
  }

  /** Starts a walk over all flows; see flow-walk.ts. */
  walk(): FlowWalk {
    const store = this.#store;
    const chain = {
      get head() {
        return store.head;
      },
      get removedCount() {
        return store.removedCount;
      },
      read: (address: number, view: EntryView) => {
        const segment = segmentOf(address);
        const words = store.segments[segment]!;
        view.move(words, store.segmentBytes[segment]!, wordOf(address));
        return store.after(address, entryWordCount(view.templateId));
      },
    };
    return new FlowWalk(chain, this.flowCount);
  }

  status(): FlowCacheStatus {
    const counters = this.#counters;
    return {
      engine: 'typescript',
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
    return hashFlow(this.#secrets, key.words, keyWordCount(key.templateId), key.templateId, domain);
  }

  /** Hashes all samples, and prefetches what adding them will read. */
  #prepare(batch: SampleBatch, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const sample = batch.samples[index]!;
      sample.hash = this.#hashOf(sample, sample.domain);
    }
    this.#prefetched[0] = prefetchSamples(this.#index.table, this.#store, batch.samples, count);
    if (batch.samples[0]!.timeMicros >= this.#dueMicros[0]!) {
      this.#prefetched[0] = prefetchOldest(this.#index.table, this.#store, count);
    }
  }

  #addAndExpire(sample: Sample, visitor: FlowVisitor, expiriesMax: number): number {
    this.#nowHigh = Math.floor(sample.timeMicros * TIME_WORD_INVERSE) | 0;
    this.#nowLow = sample.timeMicros | 0;
    this.#add(sample, sample.hash, sample.domain, sample.weight, sample.frameSize, sample.octets);
    if (sample.timeMicros < this.#dueMicros[0]!) {
      return 0;
    }
    const startMax = sample.timeMicros - this.#activeTimeoutMicros;
    return this.#expire(Math.floor(startMax * TIME_WORD_INVERSE) | 0, startMax | 0, visitor, expiriesMax);
  }

  #add(key: FlowKey, hash: number, domain: number, weight: number, frameSize: number, octets: number): void {
    const wordCount = keyWordCount(key.templateId);
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
          foldSample(words, entry, key, weight, frameSize, octets);
          if (isExtended(key.templateId)) {
            foldExtended(words, entry + ENTRY_KEY + wordCount, key, weight, frameSize, octets);
          }
          if (!foldTime(words, entry, this.#nowHigh, this.#nowLow)) {
            this.#noteDue();
          }
          return;
        }
      }
    }
    this.#addOther(key, hash, domain, weight, frameSize, octets);
  }

  /** Adds a sample whose flow is not in the current table of the index: it is in the outgrown one, or new. */
  #addOther(
    key: FlowKey,
    hash: number,
    domain: number,
    weight: number,
    frameSize: number,
    octets: number,
  ): void {
    const wordCount = keyWordCount(key.templateId);
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
    foldSample(words, wordOf(address), key, weight, frameSize, octets);
    if (isExtended(key.templateId)) {
      foldExtended(words, wordOf(address) + ENTRY_KEY + wordCount, key, weight, frameSize, octets);
    }
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
      if ((count & PREFETCH_MASK) === 0 && countMax > PREFETCH_COUNT) {
        this.#prefetched[0] = prefetchOldest(this.#index.table, this.#store, PREFETCH_COUNT);
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

  /** Updates the next expiry; called whenever the oldest flow, its start or a limit may have changed. */
  #noteDue(): void {
    const head = this.#store.head;
    if (head === 0) {
      this.#dueMicros[0] = Number.POSITIVE_INFINITY;
    } else if (this.#isOverLimit()) {
      this.#dueMicros[0] = Number.NEGATIVE_INFINITY;
    } else {
      const words = this.#store.segments[segmentOf(head)]!;
      const at = wordOf(head) + ENTRY_START;
      // `timeOf` written out: a double that a function returns may become an object.
      this.#dueMicros[0] = words[at + 1]! * TIME_WORD + (words[at]! >>> 0) + this.#activeTimeoutMicros;
    }
  }

  #isOverLimit(): boolean {
    return this.#index.count > this.#flowsMax || this.#store.liveBytes > this.#flowBytesMax;
  }

  /** Returns the address of the flow's entry in the outgrown table; 0 when it is not there. */
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

  /** Creates an entry with the key, the time of the sample and zeros; returns 0 when the store is full. */
  #insert(hash: number, key: FlowKey, domain: number, wordCount: number): number {
    const address = this.#store.append(entryWordCount(key.templateId));
    if (address === 0) {
      return 0;
    }
    const words = this.#store.segments[segmentOf(address)]!;
    beginEntry(words, wordOf(address), hash, domain, key, wordCount);
    putTime(words, wordOf(address) + ENTRY_START, this.#nowHigh, this.#nowLow);
    this.#index.insert(hash, address);
    return address;
  }

  /** Removes the oldest flow, then passes it to the visitor: its memory stays as it is until the cache is used again. */
  #remove(head: number, visitor: FlowVisitor, reason: FlowEndReason): void {
    const segment = segmentOf(head);
    const at = wordOf(head);
    const words = this.#store.segments[segment]!;
    this.#view.move(words, this.#store.segmentBytes[segment]!, at);
    this.#index.remove(words[at + ENTRY_HASH]!, head);
    this.#store.removeHead(entryWordCount(words[at + ENTRY_TEMPLATE]!));
    this.#counters[Counter.byReason + reason]! += 1;
    visitor.flow(this.#view, reason);
  }
}
