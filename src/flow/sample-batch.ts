// Dissected samples that are added to a cache together. A large cache lies in main memory, for which each look-up waits; the
// look-ups of a batch wait at the same time. The result is the same as that of adding the samples one by one.

import { FlowKey } from '../packet/flow-key.ts';
import { FrameView } from '../packet/frame-view.ts';

/** Samples of a batch: enough to keep the memory busy, few enough for the processor's first-level cache. */
export const BATCH_SAMPLES_MAX = 32;

/** A flow key and what is counted for it. Its fields are overwritten by each sample, so that a sample allocates nothing. */
export class Sample extends FlowKey {
  /** The observation domain id, as a signed number. */
  domain = 0;
  /** Packets that the sample represents, at most 2^32 - 1. */
  weight = 0;
  /** Bytes of the whole frame, even if it was truncated. */
  frameSize = 0;
  /** Bytes of frames that the sample represents: usually `weight * frameSize`. The fraction is as that of `timeMicros`. */
  octets = 0.5;
  /** Whole microseconds, not below 0. The initial fraction makes it a field for doubles instead of objects. */
  timeMicros = 0.5;
  /** Set by the cache: the hash of the flow, and the probable address of its entry. */
  hash = 0;
  address = 0;
}

/** The only sample of the batches of one, which all share it: each is added before the next sample of any of them is read. */
const ONE_SAMPLE: readonly Sample[] = [new Sample(new FrameView())];

/** The memory of one batch, which is reused. */
export class SampleBatch {
  #samples: readonly Sample[];
  /** Samples that are to be added. */
  count = 0;
  /** The time of a frame that is put into the batch, in microseconds, in a cell because a double that is passed may be an object. */
  readonly timeMicros = new Float64Array(1);

  /** A batch for `BATCH_SAMPLES_MAX` samples, or for one until it grows, or of these. */
  constructor(samples: 1 | typeof BATCH_SAMPLES_MAX | readonly Sample[] = BATCH_SAMPLES_MAX) {
    this.#samples = typeof samples === 'object' ? samples : samples === 1 ? ONE_SAMPLE : manySamples();
  }

  /** Uses these samples from now on; the batch is empty. */
  use(samples: readonly Sample[]): void {
    this.#samples = samples;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Makes room for `BATCH_SAMPLES_MAX` samples, and returns that: the memory of a thousand small exporters would be large. */
  grow(): number {
    if (this.#samples.length < BATCH_SAMPLES_MAX) {
      this.#samples = manySamples();
    }
    return BATCH_SAMPLES_MAX;
  }
}

function manySamples(): readonly Sample[] {
  const frames = new FrameView();
  return Array.from({ length: BATCH_SAMPLES_MAX }, () => new Sample(frames));
}
