// The memory of a replay of many captures: that of a capture that was read is freed.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CaptureInput } from '../../src/commands/replay/capture-input.ts';

/** A pcap file (version 2.4, Ethernet) with one empty packet of a second. */
function captureOf(second: number): Buffer {
  const bytes = Buffer.alloc(24 + 16);
  [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1, second].forEach((word, index) => {
    bytes.writeUInt32LE(word, 4 * index);
  });
  return bytes;
}

async function firstMemory(input: CaptureInput): Promise<WeakRef<Buffer>> {
  const first = await input.next();
  assert.ok(first !== undefined);
  first.moveOn();
  return new WeakRef(first.reader.memory);
}

test('the memory of a capture that was read is freed while others are read', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'replay-memory-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = [1, 2, 3].map((second) => join(folder, `${second}.pcap`));
  await Promise.all(files.map((file, index) => writeFile(file, captureOf(index + 1))));
  const control = { beforeRead: async () => {}, isInterrupted: () => false };
  const input = new CaptureInput(files, control, Number.POSITIVE_INFINITY);
  t.after(() => input.close());
  await input.begin();
  const memory = await firstMemory(input);
  assert.equal((await input.next())?.timeMicros, 2_000_000);
  // A reference that was followed in a turn of the event loop is kept until its end.
  await new Promise<void>((resolve) => setImmediate(resolve));
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  assert.equal(memory.deref(), undefined);
  assert.equal(input.readBytes, 40 * 2);
});
