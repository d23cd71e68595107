// Compares the daemon's records of the format `original` with those of ovs-vswitchd's exporter for the same frames. All
// elements that both records have must be equal, except those that support/exporter-differences.ts lists with a reason.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordVectors } from '../packet/record-vectors.ts';
import { startComparedBridges } from '../support/compared-bridges.ts';
import { agreedFrames, compareCached, compareUncached, vectorFrames } from '../support/compared-records.ts';
import { compareMutatedFrames, compareOverflow } from '../support/compared-runs.ts';
import type { RowColumns } from '../support/ipfix-rows.ts';
import { tier } from '../support/tiers.ts';

const NEEDS = tier('ovs', 'daemon');
const FORMAT = 'original';
const ACTIVE_TIMEOUT = 2;
const LACK_OF_RESOURCES = 5;
/** Frames whose records must be equal without exception. */
const agreed = agreedFrames(FORMAT);

test('each frame of the 2013 exporter has the same record as from vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, FORMAT);
  await pair.inject(vectorFrames);
  const { theirs, ours } = await pair.records(vectorFrames.length);
  const used = compareUncached(FORMAT, vectorFrames, theirs, ours);
  t.diagnostic(`${vectorFrames.length} frames, ${agreed.length} agree without exception`);
  assert.deepEqual([...used], ['IP length past the frame', 'ports of SCTP']);
});

test('randomly modified frames have the same records as from vswitchd', NEEDS, (t) =>
  compareMutatedFrames(t, FORMAT),
);

test('a cache that overflows and is then flushed exports the same records as vswitchd', NEEDS, (t) =>
  compareOverflow(t, FORMAT, agreed),
);

test('flows that reach the active timeout have the same records as from vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, FORMAT, { cache_active_timeout: 2, cache_max_flows: 1000 });
  const frames = [...agreed, ...agreed];
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  compareCached(FORMAT, theirs, ours);
  assert.equal(ours.length, flowCount(agreed));
  assert.ok(ours.every((fields) => fields['flowEndReason'] === ACTIVE_TIMEOUT));
});

const HALF_CONFIGURED: readonly [columns: RowColumns, reason: number][] = [
  [{ cache_active_timeout: 60 }, LACK_OF_RESOURCES],
  [{ cache_max_flows: 60 }, ACTIVE_TIMEOUT],
];
for (const [columns, reason] of HALF_CONFIGURED) {
  const name = Object.keys(columns).join();
  test(`with ${name} alone nothing is cached, and the end reason is that of vswitchd`, NEEDS, async (t) => {
    const pair = await startComparedBridges(t, FORMAT, columns);
    await pair.inject([...agreed, ...agreed]);
    const { theirs, ours } = await pair.records(agreed.length * 2);
    compareCached(FORMAT, theirs, ours);
    assert.ok(ours.every((fields) => fields['flowEndReason'] === reason));
  });
}

/** Returns the number of flows: frames of record-vectors.json with equal template and key are one flow. */
function flowCount(frames: readonly Buffer[]): number {
  const hex = new Set(frames.map((frame) => frame.toString('hex')));
  const flows = recordVectors.filter(({ frame }) => hex.has(frame));
  return new Set(flows.map(({ templateId, key }) => `${templateId} ${key}`)).size;
}
