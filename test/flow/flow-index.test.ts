import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowIndex } from '../../src/flow/flow-index.ts';
import { RandomSource } from '../../src/flow/random.ts';

/** Returns the addresses that a search for `hash` finds in both tables, as the cache searches. */
function found(index: FlowIndex, hash: number): number[] {
  const addresses: number[] = [];
  for (const table of [index.table, index.old ?? new Int32Array(2)]) {
    const mask = table.length - 1;
    for (let at = (hash << 1) & mask; table[at + 1] !== 0; at = (at + 2) & mask) {
      const address = table[at + 1] ?? 0;
      if (table[at] === hash && address > 0) {
        addresses.push(address);
      }
    }
  }
  return addresses;
}

/** Counts the moved slots of an outgrown table. */
function movedCount(table: Int32Array): number {
  let count = 0;
  for (let at = 1; at < table.length; at += 2) {
    count += table[at] === -1 ? 1 : 0;
  }
  return count;
}

/** Adds and removes flows at random around a size that swings, and compares with a Map. */
function swing(hashOf: (address: number) => number, sizes: readonly number[]): void {
  const index = new FlowIndex();
  const random = new RandomSource(5);
  const addresses: number[] = [];
  let next = 1;
  for (const size of sizes) {
    while (addresses.length !== size) {
      const isTowards = (random.next() & 3) !== 0;
      if (addresses.length === 0 || addresses.length < size === isTowards) {
        addresses.push(next);
        index.insert(hashOf(next), next);
        next += 1;
      } else {
        const at = (random.next() >>> 0) % addresses.length;
        const address = addresses[at] ?? 0;
        addresses[at] = addresses.at(-1) ?? 0;
        addresses.pop();
        index.remove(hashOf(address), address);
        assert.ok(!found(index, hashOf(address)).includes(address));
      }
      const some = addresses[(random.next() >>> 0) % addresses.length];
      assert.ok(some === undefined || found(index, hashOf(some)).includes(some));
    }
    assert.equal(index.count, size);
    for (const address of addresses) {
      assert.deepEqual(
        found(index, hashOf(address)).filter((other) => other === address),
        [address],
        'found exactly once',
      );
    }
  }
}

test('finds addresses while it grows and shrinks', () => {
  swing((address) => Math.imul(address, 0x9e3779b1), [600, 700, 5000, 1400, 12_000, 300, 0, 2000, 0]);
});

test('finds addresses when hashes share few slots at the end of the table', () => {
  swing((address) => -1 - (address % 7), [40, 10, 300, 0]);
  swing((address) => 0x3f8 + (address % 16), [40, 700, 3, 200, 0]);
});

test('distinguishes addresses of one hash', () => {
  swing(() => 0x1234_5678, [30, 5, 60, 0]);
});

test('shrinks the table with the number of flows', () => {
  const index = new FlowIndex();
  assert.ok(index.memoryBytes <= 128, 'a table without flows is small');
  for (let address = 1; address <= 100_000; address += 1) {
    index.insert(Math.imul(address, 0x9e3779b1), address);
  }
  assert.ok(index.memoryBytes >= 100_000 * 8 * 1.6);
  for (let address = 1; address <= 100_000; address += 1) {
    index.remove(Math.imul(address, 0x9e3779b1), address);
  }
  assert.ok(index.memoryBytes <= 1024 * 8 * 3);
});

test('moves few slots with each insertion, however large the table', () => {
  const index = new FlowIndex();
  let movedMax = 0;
  for (let address = 1; address <= 50_000; address += 1) {
    const old = address % 16 === 0 ? index.old : undefined;
    const before = old === undefined ? 0 : movedCount(old);
    index.insert(Math.imul(address, 0x9e3779b1), address);
    if (old !== undefined) {
      movedMax = Math.max(movedMax, movedCount(old) - before);
    }
  }
  assert.ok(movedMax > 0 && movedMax <= 32, `${movedMax}`);
});

test('throws when an address is removed that is not there', () => {
  const index = new FlowIndex();
  index.insert(1, 1);
  assert.throws(() => index.remove(1, 2), /flow index: address 2 with hash 1 is stored but not indexed/);
});
