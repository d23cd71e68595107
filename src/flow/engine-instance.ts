// One instance of the engine in WebAssembly, with its memory and the views of its fixed part. The memory is shared, because only
// then do views of it stay valid when it grows; no other thread uses it.

import {
  extendedTemplateId,
  KEY_WORD_COUNT_MAX,
  keyWordCount,
  Layer2,
  Layer3,
  Layer4,
  type RecordTemplate,
  TEMPLATES,
  templateId,
} from '../ipfix/record-layout.ts';
import { FrameView } from '../packet/frame-view.ts';
import * as at from './engine-memory.ts';
import { Sample } from './sample-batch.ts';

/** Pages of 64 KiB: what is used at once, and all that a memory can have. */
const PAGES_FIRST = 32;
const PAGES_MAX = 65_536;
const PLAIN_TEMPLATE = templateId(Layer2.untagged, Layer3.ipv4, Layer4.ports);

/** What src/engine/main.ts exports. */
export interface EngineExports {
  setTemplates(original: number, extended: number): void;
  setLimits(timeoutMicros: number, flows: number, bytes: number, segments: number): void;
  addRecords(
    from: number,
    end: number,
    index: number,
    countMax: number,
    isOneBatch: boolean,
    last: number,
    until: number,
    before: number,
    batchEnd: number,
    batchMicros: number,
    passMicros: number,
    isExtended: boolean,
    domain: number,
    point: number,
    ingress: number,
    expiriesMax: number,
  ): number;
  recordsAt(): number;
  recordsBatchEnd(): number;
  recordsCaptured(): number;
  recordsOctets(): number;
  recordsLastMicros(): number;
  recordsLeft(): number;
  recordsWaiting(): number;
  recordsExpired(): number;
  dissectFrames(frames: number): number;
  addSamples(count: number, expiriesMax: number): number;
  encodeExpired(
    first: number,
    countMax: number,
    exportMicros: number,
    exportSeconds: number,
    shift: number,
  ): number;
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

/** Writes the layout of a template as the engine has it, into zeros, which stay where it does not encode the records. */
function putLayout(layout: Uint8Array, { recordSize, keySize, isIp, extended }: RecordTemplate): void {
  if (extended !== undefined && extended.tunnel >= 0) {
    return;
  }
  layout[0] = recordSize;
  layout[at.LAYOUT_KEY_SIZE] = keySize;
  layout[at.LAYOUT_IS_IP] = isIp ? 1 : 0;
  if (extended !== undefined) {
    layout[at.LAYOUT_INGRESS] = extended.ingressInterface;
    layout[at.LAYOUT_EGRESS] = extended.egressInterface;
    layout[at.LAYOUT_DIRECTION] = extended.flowDirection;
    layout[at.LAYOUT_TCP_FLAGS] = Math.max(0, extended.tcpControlBits);
    layout[at.LAYOUT_ICMP] = Math.max(0, extended.icmpTypeCode);
    layout[at.LAYOUT_OCTETS] = extended.octetDeltaCount;
    layout[at.LAYOUT_SAMPLING] = extended.samplingInterval;
    layout[at.LAYOUT_START] = extended.flowStartMilliseconds;
    layout[at.LAYOUT_END] = extended.flowEndMilliseconds;
  }
}

/** See the head of the file. */
export class EngineInstance {
  readonly run: EngineExports;
  /** The keys of the slots are in the memory; the rest of a sample is written there by the owner. */
  readonly samples: readonly Sample[];
  readonly frames: Buffer;
  /** The slots as words and as doubles. */
  readonly slots: Int32Array;
  readonly slotDoubles: Float64Array;
  /** The flows that have expired, as words and as bytes. */
  readonly expired: Int32Array;
  readonly expiredBytes: Buffer;
  /** Records that the engine has encoded. */
  readonly records: Buffer;
  readonly #layouts: Uint8Array;
  readonly #memory: WebAssembly.Memory;
  /** The whole memory, as large as it was when it was read last. */
  #words: Int32Array;
  #bytes: Buffer;

  /** Throws a `RangeError` if V8 cannot reserve the 10 GiB of virtual memory that each memory of WebAssembly needs. */
  constructor(module: WebAssembly.Module, secrets: Int32Array) {
    this.#memory = new WebAssembly.Memory({ initial: PAGES_FIRST, maximum: PAGES_MAX, shared: true });
    const { buffer } = this.#memory;
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.run = exports as unknown as EngineExports;
    this.#words = new Int32Array(buffer);
    this.#bytes = Buffer.from(buffer);
    const view = new FrameView();
    this.samples = Array.from(
      { length: at.SLOT_COUNT },
      (_, index) => new Sample(view, buffer, at.SLOTS_AT + index * at.SLOT_BYTES + at.SLOT_KEY),
    );
    this.frames = Buffer.from(buffer, at.FRAMES_AT, at.FRAMES_BYTES);
    this.slots = new Int32Array(buffer, at.SLOTS_AT, (at.SLOT_COUNT * at.SLOT_BYTES) / 4);
    this.slotDoubles = new Float64Array(buffer, at.SLOTS_AT, (at.SLOT_COUNT * at.SLOT_BYTES) / 8);
    this.expired = new Int32Array(buffer, at.EXPIRED_AT, at.EXPIRED_COUNT * at.EXPIRED_WORDS);
    this.expiredBytes = Buffer.from(buffer, at.EXPIRED_AT, this.expired.byteLength);
    new Int32Array(buffer, at.SECRETS_AT, 2 + KEY_WORD_COUNT_MAX).set(secrets);
    const keyWords = new Uint8Array(buffer, at.KEY_WORDS_AT, at.SLOTS_AT - at.KEY_WORDS_AT);
    this.records = Buffer.from(buffer, at.RECORDS_AT, at.RECORDS_BYTES);
    this.#layouts = new Uint8Array(buffer, at.LAYOUTS_AT, at.FRAMES_AT - at.LAYOUTS_AT);
    for (const template of Object.values(TEMPLATES).flat()) {
      const index = template.id - at.TEMPLATE_ID_FIRST;
      keyWords[index] = keyWordCount(template.id);
      putLayout(this.#layouts.subarray(index * at.LAYOUT_BYTES), template);
    }
    this.run.setTemplates(PLAIN_TEMPLATE, extendedTemplateId(PLAIN_TEMPLATE, Layer4.ports));
  }

  /** Whether the engine encodes records of a template. */
  encodesTemplate(id: number): boolean {
    return this.#layouts[(id - at.TEMPLATE_ID_FIRST) * at.LAYOUT_BYTES] !== 0;
  }

  /** Bytes of the memory, as far as it has grown. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** The whole memory as words. */
  get words(): Int32Array {
    this.#follow();
    return this.#words;
  }

  /** The whole memory as bytes. */
  get bytes(): Buffer {
    this.#follow();
    return this.#bytes;
  }

  /** The memory may have grown. */
  #follow(): void {
    const { buffer } = this.#memory;
    if (this.#words.byteLength !== buffer.byteLength) {
      this.#words = new Int32Array(buffer);
      this.#bytes = Buffer.from(buffer);
    }
  }
}
