// The flow engine in WebAssembly: this side writes samples into the slots of the engine's memory, and shows the visitor the flows
// that have expired. The other side is src/engine.

import { endianness } from 'node:os';
import { EngineInstance } from './engine-instance.ts';
import * as at from './engine-memory.ts';
import { segmentCountMaxOf } from './entry-store.ts';
import { TIME_WORD_INVERSE } from './entry-time.ts';
import { ExpiredRun } from './expired-run.ts';
import {
  FLOW_BYTES_MAX,
  type FlowCacheOptions,
  type FlowCacheStatus,
  type FlowEngine,
  LARGE_FLOW_COUNT,
  type MakeFlowEngine,
  type PutFrame,
  SAMPLE_EXPIRIES_MAX,
} from './flow-engine.ts';
import { hashSecrets } from './flow-hash.ts';
import { type EntryView, FlowEndReason, type FlowVisitor } from './flow-record.ts';
import { FlowWalk } from './flow-walk.ts';
import type { RecordRun } from './record-run.ts';
import { type Sample, SampleBatch } from './sample-batch.ts';

/** Bytes of memory above which an engine that is empty gets another memory, because a memory never shrinks. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const SLOT_WORDS = at.SLOT_BYTES / 4;
/** What `countOf` of the engine counts, in its order. */
const Count = { inserted: 0, aggregated: 1, refused: 2, expiredByFlowBytes: 3 } as const;

/** Returns what creates engines of the module. An engine throws a RangeError when it cannot have a memory. */
export function wasmEngines(module: WebAssembly.Module): MakeFlowEngine {
  return (options, dissect) => new WasmEngine(module, options, dissect);
}

/** Whether this machine's words have the order of WebAssembly's, as both engines must give the same keys. */
export const HAS_WASM_ORDER = endianness() === 'LE';

/** Returns the number of the lowest bit that is set. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** See the head of the file. */
class WasmEngine implements FlowEngine {
  readonly batch: SampleBatch;
  readonly #module: WebAssembly.Module;
  readonly #secrets: Int32Array;
  readonly #dissect: Parameters<MakeFlowEngine>[1];
  readonly #flowBytesMax: number;
  #instance: EngineInstance;
  /** Whether a reader has memory of the instance. */
  #isLent = false;
  /** The first slots that have all that their samples need, but for the frames that the engine has left to TypeScript. */
  #completeCount = 0;
  /** A bit for each sample of the batch: whether the engine is to dissect its frame, and whether it has left it to TypeScript. */
  #frameBits = 0;
  #leftBits = 0;
  /** One of these frames. */
  readonly #frame: PutFrame = { start: 0, end: 0, observationPointId: 0, ingressInterface: 0 };
  #activeTimeoutMicros: number;
  #flowsMax: number;
  readonly #expired: ExpiredRun;
  /** Flows that have expired, by flowEndReason. */
  readonly #byReason = new Float64Array(FlowEndReason.lackOfResources + 1);
  /** Counts of earlier instances, and the entries that were removed there. */
  readonly #earlier = new Float64Array(Object.keys(Count).length);
  #removedEarlier = 0;

  constructor(module: WebAssembly.Module, options: FlowCacheOptions, dissect: Parameters<MakeFlowEngine>[1]) {
    this.#activeTimeoutMicros = options.activeTimeoutMicros;
    this.#flowsMax = options.flowsMax;
    this.#flowBytesMax = options.flowBytesMax ?? FLOW_BYTES_MAX;
    this.#dissect = dissect;
    this.#module = module;
    this.#secrets = hashSecrets(options.hashSeed);
    this.#instance = new EngineInstance(module, this.#secrets);
    this.batch = new SampleBatch(this.#instance.samples);
    this.#expired = new ExpiredRun(this.#instance);
    this.setLimits(options.activeTimeoutMicros, options.flowsMax);
  }

  /** As in `FlowEngine`. Its owner keeps it, so the engine keeps its memory then. */
  get frames(): Buffer {
    this.#isLent = true;
    return this.#instance.frames;
  }

  get flowCount(): number {
    return this.#instance.run.flowCount() >>> 0;
  }

  get isLarge(): boolean {
    return this.flowCount > LARGE_FLOW_COUNT;
  }

  setLimits(activeTimeoutMicros: number, flowsMax: number): void {
    this.#activeTimeoutMicros = activeTimeoutMicros;
    this.#flowsMax = flowsMax;
    const bytesMax = this.#flowBytesMax;
    const segmentsMax = segmentCountMaxOf(bytesMax + bytesMax / 8);
    this.#instance.run.setLimits(activeTimeoutMicros, flowsMax, bytesMax, segmentsMax);
  }

  putFrame(
    start: number,
    end: number,
    isExtended: boolean,
    frameSize: number,
    weight: number,
    octets: number,
    domain: number,
    observationPointId: number,
    ingressInterface: number,
  ): void {
    const { batch } = this;
    const index = batch.count;
    batch.count = index + 1;
    this.#frameBits |= 1 << index;
    const { slots, slotDoubles: doubles } = this.#instance;
    const word = index * SLOT_WORDS;
    const micros = batch.timeMicros[0]!;
    slots[word + at.SLOT_TIME / 4] = micros | 0;
    slots[word + at.SLOT_TIME / 4 + 1] = Math.floor(micros * TIME_WORD_INVERSE);
    doubles[index * (SLOT_WORDS / 2) + at.SLOT_OCTETS / 8] = octets;
    slots[word + at.SLOT_FRAME / 4] = at.FRAMES_AT + start;
    slots[word + at.SLOT_FRAME_BYTES / 4] = end - start;
    slots[word + at.SLOT_FRAME_SIZE / 4] = frameSize;
    slots[word + at.SLOT_WEIGHT / 4] = weight;
    slots[word + at.SLOT_DOMAIN / 4] = domain;
    slots[word + at.SLOT_POINT / 4] = observationPointId;
    slots[word + at.SLOT_INGRESS / 4] = ingressInterface;
    slots[word + at.SLOT_TEMPLATE / 4] = isExtended ? at.FRAME_OF_EXTENDED : at.FRAME_OF_ORIGINAL;
  }

  addRecords(run: RecordRun, visitor: FlowVisitor, expiriesMax: number): number {
    const { batch } = this;
    const engine = this.#instance.run;
    this.#completeSlots(batch.count);
    const count = engine.addRecords(
      run.at,
      run.end,
      batch.count,
      run.countMax,
      run.isOneBatch,
      run.lastMicros[0]!,
      run.untilMicros[0]!,
      run.beforeMicros[0]!,
      run.batchEndMicros[0]!,
      run.batchMicros,
      run.passMicros,
      run.isExtended,
      run.domain,
      run.observationPointId,
      run.ingressInterface,
      Math.min(expiriesMax, SAMPLE_EXPIRIES_MAX),
    );
    run.count = count;
    run.batchEndMicros[0] = engine.recordsBatchEnd();
    batch.count = engine.recordsWaiting();
    this.#completeCount = batch.count;
    this.#leftBits = engine.recordsLeft();
    run.at = engine.recordsAt();
    run.captured = engine.recordsCaptured();
    run.octets[0] = engine.recordsOctets();
    run.lastMicros[0] = engine.recordsLastMicros();
    run.passed(run);
    const expired = engine.recordsExpired();
    if (expired !== 0) {
      this.#pass(expired, visitor);
    }
    return expired;
  }

  addBatch(batch: SampleBatch, visitor: FlowVisitor, expiriesMax: number): number {
    const { count } = batch;
    if (count === 0) {
      return 0;
    }
    this.#completeSlots(count);
    batch.count = 0;
    this.#completeCount = 0;
    const expired = this.#instance.run.addSamples(count, Math.min(expiriesMax, SAMPLE_EXPIRIES_MAX));
    if (expired !== 0) {
      this.#pass(expired, visitor);
    }
    return expired;
  }

  nextExpiryMicros(): number {
    return this.#instance.run.nextExpiry();
  }

  expire(nowMicros: number, visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const startMax = nowMicros - this.#activeTimeoutMicros;
    const { run } = this.#instance;
    return this.#inParts(countMax, visitor, (count) => run.expire(startMax, count));
  }

  flush(visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const { run } = this.#instance;
    return this.#inParts(countMax, visitor, (count) => run.flush(count));
  }

  walk(): FlowWalk {
    const instance = (): EngineInstance => this.#instance;
    const removedEarlier = (): number => this.#removedEarlier;
    const chain = {
      get head() {
        return instance().run.head();
      },
      get removedCount() {
        return (removedEarlier() + instance().run.removedCount()) | 0;
      },
      read: (address: number, view: EntryView) => {
        const { words, bytes, run } = instance();
        view.move(words, bytes, address);
        return run.entryBehind(address);
      },
    };
    return new FlowWalk(chain, this.flowCount);
  }

  status(): FlowCacheStatus {
    return {
      engine: 'wasm',
      flows: this.flowCount,
      flowsMax: this.#flowsMax,
      activeTimeoutMicros: this.#activeTimeoutMicros,
      memoryBytes: this.#instance.run.memoryBytes(),
      inserted: this.#count(Count.inserted),
      aggregated: this.#count(Count.aggregated),
      refused: this.#count(Count.refused),
      expiredByActiveTimeout: this.#byReason[FlowEndReason.activeTimeout]!,
      expiredByLackOfResources: this.#byReason[FlowEndReason.lackOfResources]!,
      expiredByForcedEnd: this.#byReason[FlowEndReason.forcedEnd]!,
      expiredByFlowBytes: this.#count(Count.expiredByFlowBytes),
    };
  }

  #count(index: number): number {
    return this.#earlier[index]! + this.#instance.run.countOf(index);
  }

  /** Writes what the first `count` slots still lack. */
  #completeSlots(count: number): void {
    const { samples } = this.batch;
    const frames = this.#frameBits;
    let left = this.#leftBits;
    this.#frameBits = 0;
    this.#leftBits = 0;
    for (let index = this.#completeCount; index < count; index += 1) {
      if ((frames & (1 << index)) === 0) {
        this.#writeSample(samples[index]!, index);
      }
    }
    this.#completeCount = count;
    if (frames !== 0) {
      left |= this.#instance.run.dissectFrames(frames);
    }
    for (; left !== 0; left &= left - 1) {
      this.#dissectFrame(samples, lowestBit(left));
    }
  }

  #writeSample(sample: Sample, index: number): void {
    const { slots, slotDoubles: doubles } = this.#instance;
    const word = index * SLOT_WORDS;
    slots[word + at.SLOT_TIME / 4] = sample.timeMicros | 0;
    slots[word + at.SLOT_TIME / 4 + 1] = Math.floor(sample.timeMicros * TIME_WORD_INVERSE);
    doubles[word / 2 + at.SLOT_OCTETS / 8] = sample.octets;
    slots[word + at.SLOT_FRAME_SIZE / 4] = sample.frameSize;
    slots[word + at.SLOT_WEIGHT / 4] = sample.weight;
    slots[word + at.SLOT_DOMAIN / 4] = sample.domain;
    this.#writeKey(sample, word);
  }

  /** Writes what a sample has of its frame; the words of the key are in the slot. */
  #writeKey(sample: Sample, word: number): void {
    const { slots } = this.#instance;
    slots[word + at.SLOT_TEMPLATE / 4] = sample.templateId;
    slots[word + at.SLOT_HEADER_BYTES / 4] = sample.ethernetHeaderLength;
    slots[word + at.SLOT_IS_IP / 4] = sample.isIp ? 1 : 0;
    slots[word + at.SLOT_TCP_FLAGS / 4] = sample.tcpControlBits;
    slots[word + at.SLOT_IP_LENGTH / 4] = sample.ipTotalLength;
  }

  /** Dissects a frame that the engine has left. */
  #dissectFrame(samples: readonly Sample[], index: number): void {
    const { slots } = this.#instance;
    const word = index * SLOT_WORDS;
    const frame = this.#frame;
    frame.start = slots[word + at.SLOT_FRAME / 4]! - at.FRAMES_AT;
    frame.end = frame.start + slots[word + at.SLOT_FRAME_BYTES / 4]!;
    frame.observationPointId = slots[word + at.SLOT_POINT / 4]! >>> 0;
    frame.ingressInterface = slots[word + at.SLOT_INGRESS / 4]! >>> 0;
    const sample = samples[index]!;
    this.#dissect(frame, sample);
    this.#writeKey(sample, word);
  }

  /** Calls `expire` for as many flows as fit into the memory of those that have expired, until it returns fewer. */
  #inParts(countMax: number, visitor: FlowVisitor, expire: (count: number) => number): number {
    let total = 0;
    while (total < countMax) {
      const wanted = Math.min(countMax - total, at.EXPIRED_COUNT);
      const count = expire(wanted);
      this.#pass(count, visitor);
      total += count;
      if (count < wanted) {
        break;
      }
    }
    return total;
  }

  #pass(count: number, visitor: FlowVisitor): void {
    const flows = this.#expired;
    for (let index = 0; index < count; ) {
      flows.move(index, count);
      const { reason } = flows;
      let taken = visitor.flowRun?.(flows) ?? 0;
      if (taken === 0) {
        visitor.flow(flows.first, reason);
        taken = 1;
      }
      this.#byReason[reason]! += taken;
      index += taken;
    }
    const { run, memoryBytes } = this.#instance;
    if (count > 0 && run.flowCount() === 0 && memoryBytes > KEPT_BYTES_MAX && !this.#isLent) {
      this.#beginAnew();
    }
  }

  /** Replaces the instance, which has no flows and much memory. */
  #beginAnew(): void {
    let next: EngineInstance;
    try {
      next = new EngineInstance(this.#module, this.#secrets);
    } catch (error) {
      // Without address space for a second memory, the first one stays as large as it is.
      if (!(error instanceof RangeError)) {
        throw error;
      }
      return;
    }
    const { run } = this.#instance;
    for (const index of this.#earlier.keys()) {
      this.#earlier[index]! += run.countOf(index);
    }
    this.#removedEarlier = (this.#removedEarlier + run.removedCount()) | 0;
    this.#instance = next;
    this.batch.use(this.#instance.samples);
    this.#expired.use(this.#instance);
    this.setLimits(this.#activeTimeoutMicros, this.#flowsMax);
  }
}
