// The flow engine in WebAssembly: this side writes samples into the slots of the engine's memory, and shows the visitor the flows
// that have expired. The other side is src/engine. The memory is shared, because only then do views of it stay valid when it
// grows; no other thread uses it.

import { endianness } from 'node:os';
import {
  extendedTemplateId,
  KEY_WORD_COUNT_MAX,
  keyWordCount,
  Layer2,
  Layer3,
  Layer4,
  TEMPLATES,
  templateId,
} from '../ipfix/record-layout.ts';
import { FrameView } from '../packet/frame-view.ts';
import * as at from './engine-memory.ts';
import { segmentCountMaxOf } from './entry-store.ts';
import {
  FLOW_BYTES_MAX,
  type FlowCacheOptions,
  type FlowCacheStatus,
  type FlowEngine,
  type MakeFlowEngine,
  type PutFrame,
  SAMPLE_EXPIRIES_MAX,
} from './flow-engine.ts';
import { hashSecrets } from './flow-hash.ts';
import { EntryView, FlowEndReason, type FlowVisitor } from './flow-record.ts';
import { FlowWalk } from './flow-walk.ts';
import { Sample, SampleBatch } from './sample-batch.ts';

/** Pages of 64 KiB: what is used at once, and all that a memory can have. */
const PAGES_FIRST = 32;
const PAGES_MAX = 65_536;
/** Flows from which index and entries exceed a processor's second-level cache. */
const LARGE_FLOW_COUNT = 4096;
const SLOT_WORDS = at.SLOT_BYTES / 4;
const PLAIN_TEMPLATE = templateId(Layer2.untagged, Layer3.ipv4, Layer4.ports);

/** What src/engine/main.ts exports. */
interface EngineExports {
  setTemplates(original: number, extended: number): void;
  setLimits(timeoutMicros: number, flows: number, bytes: number, segments: number): void;
  dissectFrames(count: number): number;
  addSamples(count: number, expiriesMax: number): number;
  expire(startMax: number, countMax: number): number;
  flush(countMax: number): number;
  nextExpiry(): number;
  flowCount(): number;
  countOf(index: number): number;
  memoryBytes(): number;
  head(): number;
  removedCount(): number;
  entryBehind(address: number): number;
}

/** Returns what creates engines of the module. An engine throws a RangeError when it cannot have a memory. */
export function wasmEngines(module: WebAssembly.Module): MakeFlowEngine {
  return (options, dissect) => new WasmEngine(module, options, dissect);
}

/** Whether this machine's words have the order of WebAssembly's, as both engines must give the same keys. */
export const HAS_WASM_ORDER = endianness() === 'LE';

/** See the head of the file. */
export class WasmEngine implements FlowEngine {
  readonly batch: SampleBatch;
  readonly frames: Buffer;
  readonly #engine: EngineExports;
  readonly #memory: WebAssembly.Memory;
  readonly #dissect: Parameters<MakeFlowEngine>[1];
  readonly #frame: PutFrame = { start: 0, end: 0, observationPointId: 0, ingressInterface: 0 };
  readonly #flowBytesMax: number;
  /** A bit for each sample of the batch whose frame the engine dissects. */
  #frameBits = 0;
  #activeTimeoutMicros: number;
  #flowsMax: number;
  /** The slots as words and as doubles, and the flows that have expired. */
  readonly #slots: Int32Array;
  readonly #slotDoubles: Float64Array;
  readonly #expired: Int32Array;
  readonly #expiredBytes: Buffer;
  readonly #view = new EntryView();
  /** Flows by flowEndReason; those that expired. */
  readonly #byReason = new Float64Array(FlowEndReason.lackOfResources + 1);

  constructor(module: WebAssembly.Module, options: FlowCacheOptions, dissect: Parameters<MakeFlowEngine>[1]) {
    this.#activeTimeoutMicros = options.activeTimeoutMicros;
    this.#flowsMax = options.flowsMax;
    this.#flowBytesMax = options.flowBytesMax ?? FLOW_BYTES_MAX;
    this.#dissect = dissect;
    this.#memory = new WebAssembly.Memory({ initial: PAGES_FIRST, maximum: PAGES_MAX, shared: true });
    const { buffer } = this.#memory;
    this.#engine = new WebAssembly.Instance(module, { env: { memory: this.#memory } })
      .exports as unknown as EngineExports;
    const frames = new FrameView();
    this.batch = new SampleBatch(
      Array.from(
        { length: at.SLOT_COUNT },
        (_, index) => new Sample(frames, buffer, at.SLOTS_AT + index * at.SLOT_BYTES + at.SLOT_KEY),
      ),
    );
    this.frames = Buffer.from(buffer, at.FRAMES_AT, at.FRAMES_BYTES);
    this.#slots = new Int32Array(buffer, at.SLOTS_AT, at.SLOT_COUNT * SLOT_WORDS);
    this.#slotDoubles = new Float64Array(buffer, at.SLOTS_AT, (at.SLOT_COUNT * SLOT_WORDS) / 2);
    this.#expired = new Int32Array(buffer, at.EXPIRED_AT, at.EXPIRED_COUNT * at.EXPIRED_WORDS);
    this.#expiredBytes = Buffer.from(buffer, at.EXPIRED_AT, this.#expired.byteLength);
    new Int32Array(buffer, at.SECRETS_AT, 2 + KEY_WORD_COUNT_MAX).set(hashSecrets(options.hashSeed));
    const keyWords = new Uint8Array(buffer, at.KEY_WORDS_AT, at.SLOTS_AT - at.KEY_WORDS_AT);
    for (const { id } of Object.values(TEMPLATES).flat()) {
      keyWords[id - at.TEMPLATE_ID_FIRST] = keyWordCount(id);
    }
    this.#engine.setTemplates(PLAIN_TEMPLATE, extendedTemplateId(PLAIN_TEMPLATE, Layer4.ports));
    this.setLimits(options.activeTimeoutMicros, options.flowsMax);
  }

  get flowCount(): number {
    return this.#engine.flowCount() >>> 0;
  }

  get isLarge(): boolean {
    return this.flowCount > LARGE_FLOW_COUNT;
  }

  setLimits(activeTimeoutMicros: number, flowsMax: number): void {
    this.#activeTimeoutMicros = activeTimeoutMicros;
    this.#flowsMax = flowsMax;
    const bytesMax = this.#flowBytesMax;
    this.#engine.setLimits(
      activeTimeoutMicros,
      flowsMax,
      bytesMax,
      segmentCountMaxOf(bytesMax + bytesMax / 8),
    );
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
    const slots = this.#slots;
    const doubles = this.#slotDoubles;
    const word = index * SLOT_WORDS;
    doubles[index * (SLOT_WORDS / 2) + at.SLOT_TIME / 8] = batch.timeMicros[0]!;
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

  addBatch(batch: SampleBatch, visitor: FlowVisitor, expiriesMax: number): number {
    const { count } = batch;
    if (count === 0) {
      return 0;
    }
    batch.count = 0;
    const frames = this.#frameBits;
    this.#frameBits = 0;
    for (let index = 0; index < count; index += 1) {
      if ((frames & (1 << index)) === 0) {
        this.#writeSample(batch.samples[index]!, index);
      }
    }
    if (frames !== 0) {
      for (let others = this.#engine.dissectFrames(frames); others !== 0; others &= others - 1) {
        this.#dissectFrame(batch.samples, 31 - Math.clz32(others & -others));
      }
    }
    const expired = this.#engine.addSamples(count, Math.min(expiriesMax, SAMPLE_EXPIRIES_MAX));
    if (expired !== 0) {
      this.#pass(expired, visitor);
    }
    return expired;
  }

  nextExpiryMicros(): number {
    return this.#engine.nextExpiry();
  }

  expire(nowMicros: number, visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    const startMax = nowMicros - this.#activeTimeoutMicros;
    return this.#inParts(countMax, visitor, (count) => this.#engine.expire(startMax, count));
  }

  flush(visitor: FlowVisitor, countMax: number = Number.POSITIVE_INFINITY): number {
    return this.#inParts(countMax, visitor, (count) => this.#engine.flush(count));
  }

  walk(): FlowWalk {
    const engine = this.#engine;
    const memory = this.#memory;
    let words: Int32Array = new Int32Array(0);
    let bytes: Buffer = Buffer.alloc(0);
    const chain = {
      get head() {
        return engine.head();
      },
      get removedCount() {
        return engine.removedCount();
      },
      read: (address: number, view: EntryView) => {
        // The memory may have grown since.
        if (words.byteLength !== memory.buffer.byteLength) {
          words = new Int32Array(memory.buffer);
          bytes = Buffer.from(memory.buffer);
        }
        view.move(words, bytes, address);
        return engine.entryBehind(address);
      },
    };
    return new FlowWalk(chain, this.flowCount);
  }

  status(): FlowCacheStatus {
    const engine = this.#engine;
    return {
      engine: 'wasm',
      flows: this.flowCount,
      flowsMax: this.#flowsMax,
      activeTimeoutMicros: this.#activeTimeoutMicros,
      memoryBytes: engine.memoryBytes(),
      inserted: engine.countOf(0),
      aggregated: engine.countOf(1),
      refused: engine.countOf(2),
      expiredByActiveTimeout: this.#byReason[FlowEndReason.activeTimeout]!,
      expiredByLackOfResources: this.#byReason[FlowEndReason.lackOfResources]!,
      expiredByForcedEnd: this.#byReason[FlowEndReason.forcedEnd]!,
      expiredByFlowBytes: engine.countOf(3),
    };
  }

  #writeSample(sample: Sample, index: number): void {
    const slots = this.#slots;
    const doubles = this.#slotDoubles;
    const word = index * SLOT_WORDS;
    doubles[word / 2 + at.SLOT_TIME / 8] = sample.timeMicros;
    doubles[word / 2 + at.SLOT_OCTETS / 8] = sample.octets;
    slots[word + at.SLOT_FRAME_SIZE / 4] = sample.frameSize;
    slots[word + at.SLOT_WEIGHT / 4] = sample.weight;
    slots[word + at.SLOT_DOMAIN / 4] = sample.domain;
    this.#writeKey(sample, word);
  }

  /** Writes what a sample has of its frame; the words of the key are in the slot. */
  #writeKey(sample: Sample, word: number): void {
    const slots = this.#slots;
    slots[word + at.SLOT_TEMPLATE / 4] = sample.templateId;
    slots[word + at.SLOT_HEADER_BYTES / 4] = sample.ethernetHeaderLength;
    slots[word + at.SLOT_IS_IP / 4] = sample.isIp ? 1 : 0;
    slots[word + at.SLOT_TCP_FLAGS / 4] = sample.tcpControlBits;
    slots[word + at.SLOT_IP_LENGTH / 4] = sample.ipTotalLength;
  }

  /** Dissects a frame that the engine has left. */
  #dissectFrame(samples: readonly Sample[], index: number): void {
    const slots = this.#slots;
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
    const expired = this.#expired;
    for (let index = 0; index < count; index += 1) {
      const word = index * at.EXPIRED_WORDS;
      const reason = expired[word + at.EXPIRED_REASON] as FlowEndReason;
      this.#byReason[reason]! += 1;
      this.#view.move(expired, this.#expiredBytes, word);
      visitor.flow(this.#view, reason);
    }
  }
}
