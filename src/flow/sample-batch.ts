// Samples that have been dissected and wait to be added to a cache together. A large cache lies in main memory, where a
// look-up waits; those of a batch wait at the same time. Adding a batch gives what adding its samples one by one gives.

import { FlowKey } from '../packet/flow-key.ts';
import { FrameView } from '../packet/frame-view.ts';

/** Samples of a batch at most: enough to keep the memory busy, few enough for the processor's first cache. */
export const BATCH_SAMPLES_MAX = 32;

/** A flow key with what is to be counted for it. Its fields are set anew for each sample, so that none costs memory. */
export class Sample extends FlowKey {
  /** The observation domain id, as a signed number. */
  domain = 0;
  /** How many packets it stands for, at most 2^32 - 1. */
  weight = 0;
  /** Bytes of the whole frame, also when less of it was dissected. */
  frameSize = 0;
  /** Whole microseconds, not below 0. It begins as a fraction so that the field is one for doubles, not for objects. */
  timeMicros = 0.5;
  /** Set by the cache: the hash of the flow, and where its entry probably is. */
  hash = 0;
  address = 0;
}

/** The memory for one batch, to be used again and again. */
export class SampleBatch {
  readonly samples: readonly Sample[];
  /** How many of them are to be added. */
  count = 0;

  constructor() {
    const frames = new FrameView();
    this.samples = Array.from({ length: BATCH_SAMPLES_MAX }, () => new Sample(frames));
  }
}
