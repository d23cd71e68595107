// The flow engines behind one interface, as the core benchmark fills and empties them: a frame is dissected into a batch, and a
// batch is added to the cache, as the exporter does it.

import { FlowCache, type FlowVisitor } from '../../../src/flow/flow-cache.ts';
import { BATCH_SAMPLES_MAX, SampleBatch } from '../../../src/flow/sample-batch.ts';
import { dissect } from '../../../src/packet/dissect.ts';
import { dissectExtended } from '../../../src/packet/dissect-extended.ts';
import type { RecordFormat } from '../replay/exporters.ts';

/** Limits of a cache. */
export interface CacheLimits {
  readonly activeTimeoutMicros: number;
  readonly flowsMax: number;
  readonly flowBytesMax: number;
}

/** The engines that the build has. */
export const ENGINES = ['typescript'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Flows that one sample may expire; none is due while a cache is filled. */
const EXPIRIES_MAX = 16;
const HASH_SEED = 9;
const NO_VISITOR: FlowVisitor = { flow: () => {} };

/** A cache of one engine, for records of a format. */
export class BenchCache {
  readonly #cache: FlowCache;
  readonly #batch = new SampleBatch();
  readonly #isExtended: boolean;

  constructor(_name: EngineName, format: RecordFormat, limits: CacheLimits) {
    this.#cache = new FlowCache({ ...limits, hashSeed: HASH_SEED });
    this.#isExtended = format === 'extended';
  }

  get flowCount(): number {
    return this.#cache.flowCount;
  }

  /** Memory of flows and index, as the engine reports it. */
  get memoryBytes(): number {
    return this.#cache.status().memoryBytes;
  }

  /** Adds a frame; it waits in the batch unless it fills it. Returns whether the batch was added. */
  add(frame: Buffer, timeMicros: number): boolean {
    const batch = this.#batch;
    const sample = batch.samples[batch.count]!;
    if (this.#isExtended) {
      dissectExtended(frame, 0, frame.length, 0, 0, sample);
    } else {
      dissect(frame, 0, frame.length, 0, sample);
    }
    sample.domain = 0;
    sample.timeMicros = timeMicros;
    sample.weight = 1;
    sample.frameSize = frame.length;
    sample.octets = frame.length;
    batch.count += 1;
    if (batch.count < BATCH_SAMPLES_MAX) {
      return false;
    }
    this.addBatch();
    return true;
  }

  /** Adds the frames that wait. */
  addBatch(): void {
    this.#cache.addBatch(this.#batch, NO_VISITOR, EXPIRIES_MAX);
  }

  /** As those of FlowCache. */
  expire(nowMicros: number, visitor: FlowVisitor, countMax: number): number {
    return this.#cache.expire(nowMicros, visitor, countMax);
  }

  flush(visitor: FlowVisitor, countMax: number): number {
    return this.#cache.flush(visitor, countMax);
  }
}
