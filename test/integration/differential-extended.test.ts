// Compares the daemon's records of the format `extended` with those of ovs-vswitchd's exporter for the same frames, and what
// docs/configuration.md says about adoption with the templates of both.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startComparedBridges } from '../support/compared-bridges.ts';
import {
  agreedFrames,
  compareUncached,
  knownDifferences,
  vectorFrames,
} from '../support/compared-records.ts';
import { compareMutatedFrames, compareOverflow } from '../support/compared-runs.ts';
import { ethernet, icmp, ipv4, tcp } from '../support/frames.ts';
import { page } from '../support/manual.ts';
import { DAEMON_ELEMENTS, FORMAT_ELEMENTS } from '../support/switch-elements.ts';
import { tier } from '../support/tiers.ts';

const NEEDS = tier('ovs', 'daemon');
const FORMAT = 'extended';
const IPV4 = { source: '10.0.0.1', destination: '10.0.0.2' };

test('each frame of the 2013 exporter has the same record as from vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, FORMAT);
  await pair.inject(vectorFrames);
  const { theirs, ours } = await pair.records(vectorFrames.length);
  const used = compareUncached(FORMAT, vectorFrames, theirs, ours);
  assert.deepEqual([...used].sort(), [
    'IP length past the frame',
    'octets of frames that are not IP',
    'octets of padding',
  ]);
  const elements = new Set(ours.flatMap((fields) => Object.keys(fields)));
  assert.deepEqual(elements, FORMAT_ELEMENTS[FORMAT], 'the frames have all elements');
});

test('randomly modified frames have the same records as from vswitchd', NEEDS, (t) =>
  compareMutatedFrames(t, FORMAT),
);

test('types and codes of ICMP, and all TCP flags, are those of vswitchd', NEEDS, async (t) => {
  const pair = await startComparedBridges(t, FORMAT);
  const frames = Array.from({ length: 256 }, (_, value) => [
    ethernet({}, ipv4(IPV4, tcp({ source: 1, destination: 2, flags: value }, Buffer.alloc(20)))),
    ethernet({}, ipv4(IPV4, icmp({ type: value, code: 255 - value }, Buffer.alloc(40)))),
  ]).flat();
  await pair.inject(frames);
  const { theirs, ours } = await pair.records(frames.length);
  assert.deepEqual(compareUncached(FORMAT, frames, theirs, ours), new Set());
});

test('a cache that overflows and is then flushed exports the same records as vswitchd', NEEDS, (t) => {
  const agreed = agreedFrames(FORMAT);
  assert.ok(agreed.length > 25, `only ${agreed.length} frames agree`);
  return compareOverflow(t, FORMAT, agreed);
});

test(
  'the manual names what vswitchd sends and the daemon does not, and each known difference',
  NEEDS,
  async (t) => {
    const pair = await startComparedBridges(t, FORMAT);
    const section = page('configuration.md').split('\n## Parity on adoption\n')[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| (?<names>[^|]+) \| (?<ids>\d[^|]+) \| [^|]{15,} \|$/gmu)].map(
      ({ groups }) => groups?.['names']?.match(/[a-z]\w+/gu) ?? [],
    );
    assert.ok(rows.length > 5);
    const theirs = pair.switchElements();
    const missing = [...theirs].filter((name) => !FORMAT_ELEMENTS[FORMAT].has(name));
    assert.ok(missing.length > 30, `only ${missing.length} elements are missing`);
    assert.deepEqual(rows.flat().sort(), missing.sort());
    const added = [...FORMAT_ELEMENTS[FORMAT]].filter((name) => !theirs.has(name));
    assert.deepEqual(new Set(added), ONLY_DAEMON);
    for (const name of theirs) {
      if (FORMAT_ELEMENTS.extended.has(name) && !FORMAT_ELEMENTS.original.has(name)) {
        assert.ok(section.includes(name), `${name} is not in original`);
      }
    }
    for (const name of [...ONLY_DAEMON, ...DAEMON_ELEMENTS]) {
      assert.ok(section.includes(name), name);
    }
    for (const { name } of knownDifferences(FORMAT)) {
      assert.ok(section.includes(`- ${name}: `), name);
    }
  },
);

/** What templates of ovs-vswitchd do not have; the first three have another form there. */
const ONLY_DAEMON = new Set([
  'tcpControlBits',
  'icmpTypeCodeIPv4',
  'icmpTypeCodeIPv6',
  'samplingInterval',
  'flowStartMilliseconds',
  'flowEndMilliseconds',
]);
