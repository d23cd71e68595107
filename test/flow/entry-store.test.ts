import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryStore, segmentOf, wordOf } from '../../src/flow/entry-store.ts';
import { RandomSource } from '../../src/flow/random.ts';

const SEGMENT_BYTES = 256 * 1024;

test('removes entries in the order in which they were appended, with their words', () => {
  const store = new EntryStore(64 * SEGMENT_BYTES);
  const random = new RandomSource(8);
  const entries: { address: number; size: number; mark: number }[] = [];
  let first = 0;
  // Phases of growth and of decline, down to an empty store now and then.
  for (let round = 0; round < 300_000; round += 1) {
    const isGrowing = Math.floor(round / 60_000) % 2 === 0;
    if (((random.next() & 3) !== 0) === isGrowing) {
      const size = 19 + ((random.next() >>> 0) % 14);
      const address = store.append(size);
      assert.ok(address > 0);
      const mark = random.next();
      store.segments[segmentOf(address)]?.fill(mark, wordOf(address), wordOf(address) + size);
      entries.push({ address, size, mark });
    } else {
      const entry = entries[first];
      assert.equal(store.head, entry?.address ?? 0);
      if (entry !== undefined) {
        const at = wordOf(entry.address);
        const words = store.segments[segmentOf(entry.address)]?.subarray(at, at + entry.size);
        assert.ok(words?.length === entry.size && words.every((word) => word === entry.mark));
        store.removeHead(entry.size);
        first += 1;
      }
    }
  }
  assert.equal(
    store.liveBytes,
    entries.slice(first).reduce((sum, { size }) => sum + size * 4, 0),
  );
});

test('refuses entries while it is full, until the oldest are removed', () => {
  const store = new EntryStore(SEGMENT_BYTES);
  let count = 0;
  while (store.append(32) !== 0) {
    count += 1;
  }
  assert.ok(count * 128 >= SEGMENT_BYTES, 'what was promised fits');
  assert.ok(store.memoryBytes <= 2 * SEGMENT_BYTES);
  for (let removed = 0; removed < count; removed += 1) {
    store.removeHead(32);
  }
  assert.equal(store.head, 0);
  assert.notEqual(store.append(32), 0);
});

test('has room for its limit wherever in the segments the entries lie', () => {
  const store = new EntryStore(10_000);
  for (let filled = 0; filled < 10_000 / 128 - 1; filled += 1) {
    store.append(32);
  }
  for (let round = 0; round < 100_000; round += 1) {
    assert.notEqual(store.append(32), 0);
    store.removeHead(32);
  }
  assert.ok(store.memoryBytes <= 2 * SEGMENT_BYTES);
});
