// Flows that have expired side by side in the engine in WebAssembly, which writes their records itself: a visitor that can use that
// gets the records of many flows in one call.

import { templateWithId } from '../ipfix/record-layout.ts';
import type { EngineInstance } from './engine-instance.ts';
import * as at from './engine-memory.ts';
import { EntryView, type FlowEndReason, type FlowRecord, type FlowRun } from './flow-record.ts';

/** See the head of the file. There is one, which the engine moves on. */
export class ExpiredRun implements FlowRun {
  readonly #view = new EntryView();
  #instance: EngineInstance;
  #index = 0;
  #end = 0;
  #bytes = 0;
  /** Views of the first bytes of the encoded records, by their number: created once, because a view is an object. */
  readonly #encoded: Buffer[] = [];

  constructor(instance: EngineInstance) {
    this.#instance = instance;
  }

  /** Shows flows of another instance from now on. */
  use(instance: EngineInstance): void {
    this.#instance = instance;
    this.#encoded.length = 0;
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

  encode(countMax: number, exportMicros: number, exportTimeSeconds: number): number {
    const { recordSize } = templateWithId(this.#view.templateId);
    const room = Math.min(countMax, this.#end - this.#index, Math.floor(at.RECORDS_BYTES / recordSize));
    const count = this.#instance.run.encodeExpired(this.#index, room, exportMicros, exportTimeSeconds);
    this.#bytes = count * recordSize;
    return count;
  }

  copyTo(bytes: Buffer, offset: number): void {
    const byteCount = this.#bytes;
    this.#encoded[byteCount] ??= this.#instance.records.subarray(0, byteCount);
    bytes.set(this.#encoded[byteCount], offset);
  }
}
