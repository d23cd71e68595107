// Sends all flows of a cache, in slices, as fast as the pace allows and until the time of a stop is up.

import type { FlowEngine } from '../flow/flow-engine.ts';
import type { FlowVisitor } from '../flow/flow-record.ts';
import type { CollectorStreams } from './collector-streams.ts';
import type { Pace } from './pacer.ts';

/** Records that one turn of the event loop expires, so that a million flows that are due at once do not block it. */
export const SLICE_RECORDS_MAX = 256;

/** Sends the flows that the cache has now, while `isWanted`, and returns how many. Flows that start meanwhile stay. */
export async function flushCache(
  cache: FlowEngine,
  visitor: FlowVisitor,
  streams: CollectorStreams,
  pace: Pace,
  isWanted: () => boolean,
): Promise<number> {
  const { flowCount } = cache;
  let left = flowCount;
  streams.expect(flowCount);
  if (left > 0 && streams.waitMs() > 0) {
    await new Promise<void>((resolve) => pace.next(resolve));
  }
  while (left > 0 && isWanted() && streams.leftMs > 0) {
    const count = cache.flush(visitor, Math.min(left, SLICE_RECORDS_MAX));
    left = count === 0 ? 0 : left - count;
    if (left > 0) {
      await new Promise<void>((resolve) => pace.next(resolve));
    }
  }
  return flowCount - left;
}
