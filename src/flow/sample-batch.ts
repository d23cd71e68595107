// Samples that have been dissected and wait to be added to a cache together. A large cache lies in main memory, where a
// look-up waits; those of a batch wait at the same time. Adding a batch gives what adding its samples one by one gives.

import { FlowKey } from '../packet/flow-key.ts';
import { FrameView } from '../packet/frame-view.ts';

/** Samples of a batch at most: enough to keep the memory busy, few enough for the processor's first cache. */
export const BATCH_SAMPLES_MAX = 32;

/** The memory for one batch, to be used again and again. Sample `index` is made of all arrays' elements `index`. */
export class SampleBatch {
  readonly keys: readonly FlowKey[];
  readonly domains = new Int32Array(BATCH_SAMPLES_MAX);
  /** Whole microseconds, not below 0. */
  readonly timesMicros = new Float64Array(BATCH_SAMPLES_MAX);
  /** How many packets a sample stands for. */
  readonly weights = new Uint32Array(BATCH_SAMPLES_MAX);
  /** Bytes of the whole frame, also when less of it was dissected. */
  readonly frameSizes = new Uint32Array(BATCH_SAMPLES_MAX);
  /** Filled by the cache: the hash of each flow, and where its entry probably is. */
  readonly hashes = new Int32Array(BATCH_SAMPLES_MAX);
  readonly addresses = new Int32Array(BATCH_SAMPLES_MAX);
  /** How many samples there are. */
  count = 0;

  constructor() {
    const frames = new FrameView();
    this.keys = Array.from({ length: BATCH_SAMPLES_MAX }, () => new FlowKey(frames));
  }
}
