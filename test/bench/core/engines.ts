// The flow engines as the core benchmark fills and empties them: a frame is put into the batch of the engine, dissected where the
// engine does not do that itself, and a full batch is added, as the exporter does it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlowCache, type FlowVisitor } from '../../../src/flow/flow-cache.ts';
import type {
  EngineName,
  FlowCacheOptions,
  FlowEngine,
  MakeFlowEngine,
} from '../../../src/flow/flow-engine.ts';
import { BATCH_SAMPLES_MAX, type Sample } from '../../../src/flow/sample-batch.ts';
import { wasmEngines } from '../../../src/flow/wasm-engine.ts';
import { dissect } from '../../../src/packet/dissect.ts';
import { dissectExtended } from '../../../src/packet/dissect-extended.ts';
import type { RecordFormat } from '../replay/exporters.ts';

/** Returns what makes the engines of a name. */
const MAKERS: Readonly<Record<EngineName, () => MakeFlowEngine>> = {
  wasm: () =>
    wasmEngines(new WebAssembly.Module(readFileSync(join(process.cwd(), 'dist', 'flow-engine.wasm')))),
  typescript: () => (options) => new FlowCache(options),
};

/** Flows that one sample may expire; none is due while a cache is filled. */
const EXPIRIES_MAX = 16;
const HASH_SEED = 9;
const NO_VISITOR: FlowVisitor = { flow: () => {} };
/** Bytes of memory for one frame. */
const FRAME_BYTES_MAX = 64;

/** A cache of one engine, for records of a format. */
export class BenchCache {
  readonly #engine: FlowEngine;
  readonly #isExtended: boolean;

  constructor(name: EngineName, format: RecordFormat, limits: Omit<FlowCacheOptions, 'hashSeed'>) {
    this.#isExtended = format === 'extended';
    this.#engine = MAKERS[name]()({ ...limits, hashSeed: HASH_SEED }, ({ start, end }, key) =>
      this.#dissect(this.#engine.frames!, start, end, key),
    );
    this.#engine.batch.grow();
  }

  get flowCount(): number {
    return this.#engine.flowCount;
  }

  /** Memory of flows and index, as the engine reports it. */
  get memoryBytes(): number {
    return this.#engine.status().memoryBytes;
  }

  /** Adds a frame of up to 64 bytes; it waits in the batch unless it fills it. Returns whether the batch was added. */
  add(frame: Buffer, timeMicros: number): boolean {
    const { batch, frames } = this.#engine;
    const size = frame.length;
    if (frames === undefined) {
      const sample = batch.samples[batch.count]!;
      this.#dissect(frame, 0, size, sample);
      sample.domain = 0;
      sample.timeMicros = timeMicros;
      sample.weight = 1;
      sample.frameSize = size;
      sample.octets = size;
      batch.count += 1;
    } else {
      const start = batch.count * FRAME_BYTES_MAX;
      frames.set(frame, start);
      batch.timeMicros[0] = timeMicros;
      this.#engine.putFrame(start, start + size, this.#isExtended, size, 1, size, 0, 0, 0);
    }
    if (batch.count < BATCH_SAMPLES_MAX) {
      return false;
    }
    this.addBatch();
    return true;
  }

  /** Adds the frames that wait. */
  addBatch(): void {
    this.#engine.addBatch(this.#engine.batch, NO_VISITOR, EXPIRIES_MAX);
  }

  /** As those of the engine. */
  expire(nowMicros: number, visitor: FlowVisitor, countMax: number): number {
    return this.#engine.expire(nowMicros, visitor, countMax);
  }

  flush(visitor: FlowVisitor, countMax: number): number {
    return this.#engine.flush(visitor, countMax);
  }

  #dissect(frame: Buffer, start: number, end: number, sample: Sample): void {
    if (this.#isExtended) {
      dissectExtended(frame, start, end, 0, 0, sample);
    } else {
      dissect(frame, start, end, 0, sample);
    }
  }
}
