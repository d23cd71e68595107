// Flows that have expired side by side in the engine in WebAssembly, which writes their records itself: a visitor that can use that
// gets the records of many flows in one call.

import { templateWithId } from '../ipfix/record-layout.ts';
import type { EngineInstance } from './engine-instance.ts';
import * as at from './engine-memory.ts';
import { EntryView, type FlowEndReason, type FlowRecord, type FlowRun } from './flow-record.ts';

/**
 * V8 copies from shared memory by words where both sides have the same place in a word, and by bytes where not: records are encoded at
 * the place that they will have.
 */
const WORD_BYTES = 8;
const ROOM_BYTES = at.RECORDS_BYTES - WORD_BYTES;
/** Views that are kept: more than messages of ordinary size need. */
const VIEW_COUNT = 1024;

/** See the head of the file. There is one, which the engine moves on. */
export class ExpiredRun implements FlowRun {
  readonly #view = new EntryView();
  #instance: EngineInstance;
  #index = 0;
  #end = 0;
  #bytes = 0;
  #shift = 0;
  /** Views of encoded records, by where they begin and end: created once, because a view is an object. */
  readonly #encoded = new Map<number, Buffer>();

  constructor(instance: EngineInstance) {
    this.#instance = instance;
  }

  /** Shows flows of another instance from now on. */
  use(instance: EngineInstance): void {
    this.#instance = instance;
    this.#encoded.clear();
  }

  /** Shows the flow of that index, and those behind it up to `end`. */
  move(index: number, end: number): void {
    this.#index = index;
    this.#end = end;
    const { expired, expiredBytes } = this.#instance;
    this.#view.move(expired, expiredBytes, index * at.EXPIRED_WORDS);
  }

  get first(): FlowRecord {
    return this.#view;
  }

  get reason(): FlowEndReason {
    return this.#instance.expired[this.#index * at.EXPIRED_WORDS + at.EXPIRED_REASON] as FlowEndReason;
  }

  get isEncoded(): boolean {
    return this.#instance.encodesTemplate(this.#view.templateId);
  }

  encode(countMax: number, exportMicros: number, exportTimeSeconds: number, offset: number): number {
    const { recordSize } = templateWithId(this.#view.templateId);
    const room = Math.min(countMax, this.#end - this.#index, Math.floor(ROOM_BYTES / recordSize));
    this.#shift = offset & (WORD_BYTES - 1);
    const { run } = this.#instance;
    const count = run.encodeExpired(this.#index, room, exportMicros, exportTimeSeconds, this.#shift);
    this.#bytes = count * recordSize;
    return count;
  }

  copyTo(bytes: Buffer, offset: number): void {
    const begin = this.#shift;
    const end = begin + this.#bytes;
    const key = end * WORD_BYTES + begin;
    let records = this.#encoded.get(key);
    if (records === undefined) {
      if (this.#encoded.size === VIEW_COUNT) {
        this.#encoded.clear();
      }
      records = this.#instance.records.subarray(begin, end);
      this.#encoded.set(key, records);
    }
    bytes.set(records, offset);
  }
}
