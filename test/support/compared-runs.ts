// Runs of the comparison with ovs-vswitchd's exporter that both record formats have.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { differs } from '../versions/differences.ts';
import { startComparedBridges } from './compared-bridges.ts';
import { compareCached, compareUncached, knownDifferences, mutatedFrames } from './compared-records.ts';

const FORCED_END = 4;
const LACK_OF_RESOURCES = 5;

/** Compares the records of 2,000 randomly modified frames; every known difference of the format has to apply to one. */
export async function compareMutatedFrames(t: TestContext, format: RecordFormat): Promise<void> {
  const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
  t.diagnostic(`DIFFERENTIAL_SEED=${seed}`);
  const pair = await startComparedBridges(t, format);
  pair.ovs.allowWarnings(/dropping packet with partial VLAN tag/);
  const frames = mutatedFrames(seed, 2000);
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  const used = compareUncached(format, frames, theirs, ours);
  const known = knownDifferences(format).filter(
    ({ ovsDifference }) => ovsDifference === undefined || differs(t, ovsDifference),
  );
  assert.deepEqual([...used].sort(), known.map(({ name }) => name).sort());
}

/** Compares the records of a cache of 20 flows that overflows with these frames and is then flushed. */
export async function compareOverflow(
  t: TestContext,
  format: RecordFormat,
  agreed: readonly Buffer[],
): Promise<void> {
  const pair = await startComparedBridges(t, format, { cache_active_timeout: 600, cache_max_flows: 20 });
  // Each frame twice in a row and the whole list twice: some flows are found in the cache, some have been evicted.
  const frames = agreed.flatMap((frame) => [frame, frame]);
  await pair.inject([...frames, ...frames]);
  await pair.ovs.vsctl('clear', 'Bridge', 'theirs', 'ipfix', '--', 'clear', 'Bridge', 'ours', 'ipfix');
  const { theirs, ours } = await pair.records(frames.length * 2);
  compareCached(format, theirs, ours);
  const reasons = ours.map((fields) => fields['flowEndReason']);
  assert.deepEqual(new Set(reasons), new Set([LACK_OF_RESOURCES, FORCED_END]));
  assert.equal(reasons.filter((reason) => reason === FORCED_END).length, 20);
}
