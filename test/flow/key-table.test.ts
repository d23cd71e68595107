import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyTable } from '../../src/flow/key-table.ts';
import { RandomSource } from '../../src/flow/random.ts';

const WORDS = 3;

function keyOf(number: number): Int32Array {
  return Int32Array.from([number % 7, number, -number]);
}

test('has each key once while keys come and go at random, as a Map does', () => {
  const table = new KeyTable({ wordCount: WORDS, rowsMax: 2048, hashSeed: 5 });
  const rows = new Map<number, number>();
  const random = new RandomSource(9);
  for (let turn = 0; turn < 40_000; turn += 1) {
    const number = (random.next() >>> 0) % 1500;
    const known = rows.get(number);
    if (known !== undefined && (random.next() & 1) === 0) {
      table.remove(known);
      rows.delete(number);
    } else {
      const row = table.rowOf(keyOf(number), 0);
      assert.ok(row >= 0 && row < table.rowEnd);
      assert.equal(row, known ?? row, 'a known key has its row');
      rows.set(number, row);
    }
    assert.equal(table.count, rows.size);
  }
  assert.equal(new Set(rows.values()).size, rows.size, 'no two keys share a row');
  for (const [number, row] of rows) {
    assert.equal(table.rowOf(keyOf(number), 0), row);
    assert.deepEqual(table.words.subarray(row * WORDS, (row + 1) * WORDS), keyOf(number));
  }
});

test('refuses a new key at the limit, and has room again after a removal and after a clearing', () => {
  const table = new KeyTable({ wordCount: WORDS, rowsMax: 256, hashSeed: 5 });
  for (let number = 0; number < 256; number += 1) {
    assert.ok(table.rowOf(keyOf(number), 0) >= 0);
  }
  assert.equal(table.rowOf(keyOf(256), 0), -1);
  const row = table.rowOf(keyOf(7), 0);
  assert.ok(row >= 0, 'known keys are still found');
  table.remove(row);
  assert.equal(table.rowOf(keyOf(256), 0), row);
  table.clear();
  assert.equal(table.count, 0);
  assert.equal(table.rowOf(keyOf(7), 0), 0);
});

test('finds a key in the middle of other words', () => {
  const table = new KeyTable({ wordCount: WORDS, rowsMax: 256, hashSeed: 5 });
  const words = Int32Array.from([...keyOf(3), ...keyOf(4)]);
  const row = table.rowOf(words, 0);
  assert.notEqual(table.rowOf(words, WORDS), row);
  assert.equal(table.rowOf(keyOf(3), 0), row);
});
