// The frames of the comparison with ovs-vswitchd's exporter, and the comparison: all elements that the records of both have
// must be equal, except those that exporter-differences.ts lists with a reason.

import assert from 'node:assert/strict';
import { RandomSource } from '../../src/flow/random.ts';
import type { RecordFormat } from '../../src/ipfix/record-layout.ts';
import { recordVectors } from '../packet/record-vectors.ts';
import { hasDifference } from '../versions/differences.ts';
import { type Difference, isIpWithoutBytes, KNOWN_DIFFERENCES } from './exporter-differences.ts';
import { inFormOf } from './switch-elements.ts';
import { type Fields, recordDifferences } from './switch-records.ts';

/** The differences that records of a format may have. */
export function knownDifferences(format: RecordFormat): readonly Difference[] {
  return KNOWN_DIFFERENCES.filter(({ only }) => only === undefined || only === format);
}

/** Returns the frames of record-vectors.json whose records must be equal without exception. */
export function agreedFrames(format: RecordFormat): readonly Buffer[] {
  const known = knownDifferences(format);
  return vectorFrames.filter((frame) => !known.some(({ appliesTo }) => appliesTo(frame)));
}

/** The frames of record-vectors.json. */
export const vectorFrames: readonly Buffer[] = recordVectors.map(({ frame }) => Buffer.from(frame, 'hex'));

/** Fails if records of frames differ without a known reason; returns the names of the reasons that applied. */
export function compareUncached(
  format: RecordFormat,
  frames: readonly Buffer[],
  theirs: readonly Fields[],
  ours: readonly Fields[],
): Set<string> {
  const used = new Set<string>();
  const comparable = inFormOf(format, theirs, true);
  for (const [index, frame] of frames.entries()) {
    const found = recordDifferences(format, comparable[index], ours[index]);
    for (const { name, elements, appliesTo, ovsDifference } of knownDifferences(format)) {
      if (ovsDifference !== undefined && !hasDifference(ovsDifference)) {
        continue;
      }
      const explained = [...found.keys()].filter((element) => elements.has(element));
      if (explained.length === 0 || !appliesTo(frame)) {
        continue;
      }
      for (const element of explained) {
        found.delete(element);
      }
      used.add(name);
    }
    assert.deepEqual([...found.values()], [], `frame ${index}: ${frame.toString('hex')}`);
  }
  return used;
}

/** Fails unless the records are equal and in the same order. ovs-vswitchd has no flags of a flow, so they are not compared. */
export function compareCached(
  format: RecordFormat,
  theirs: readonly Fields[],
  ours: readonly Fields[],
): void {
  const comparable = inFormOf(format, theirs, false);
  for (const [index, fields] of ours.entries()) {
    const found = recordDifferences(format, comparable[index], fields);
    found.delete('tcpControlBits');
    assert.deepEqual([...found.values()], [], `record ${index}`);
  }
}

/** Returns frames of record-vectors.json with some bytes changed, mostly in headers, and some truncated. */
export function mutatedFrames(seed: number, count: number): readonly Buffer[] {
  const source = new RandomSource(seed);
  const below = (limit: number) => (source.next() >>> 0) % limit;
  const frames: Buffer[] = [];
  while (frames.length < count) {
    const vector = recordVectors[below(recordVectors.length)];
    let frame = Buffer.from(vector?.frame ?? '', 'hex').subarray(0, 200);
    for (let changes = below(5); changes > 0; changes -= 1) {
      const at = below(10) < 8 ? 12 + below(Math.min(60, frame.length - 12)) : below(frame.length);
      frame.writeUInt8(below(2) === 0 ? below(256) : frame.readUInt8(at) ^ (1 << below(8)), at);
    }
    if (below(4) === 0) {
      frame = frame.subarray(0, 14 + below(frame.length - 13));
    }
    if (!isIpWithoutBytes(frame)) {
      frames.push(frame);
    }
  }
  return frames;
}
