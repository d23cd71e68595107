// Rows of old schemas, which must have a target.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TargetsColumn } from '../../src/control/targets-column.ts';
import { parseDatabaseSchema } from '../../src/ovsdb-client/index.ts';

const text = readFileSync(new URL('../vectors/vswitch-7.3.0.ovsschema', import.meta.url), 'utf8');
const old = parseDatabaseSchema(JSON.parse(text));
// The same table, as later versions have it.
const young = parseDatabaseSchema({
  name: 'Open_vSwitch',
  tables: { IPFIX: { columns: { targets: { type: { key: 'string', min: 0, max: 'unlimited' } } } } },
});

const rowsWith = (targets: readonly string[]) =>
  new Map([['u', { uuid: 'u', columns: { targets, sampling: 3 } }]]);

test('converts no targets to an empty string and back where a row must have a target', () => {
  const column = new TargetsColumn(old);
  assert.deepEqual(column.write([]), ['']);
  assert.deepEqual(column.write(['a:1', 'b:2']), ['a:1', 'b:2']);
  assert.deepEqual(column.read(rowsWith([''])), rowsWith([]));
  assert.deepEqual(column.read(rowsWith(['', 'a:1'])), rowsWith(['', 'a:1']));
});

test('keeps an empty string elsewhere, where it is an invalid target', () => {
  for (const schema of [young, undefined]) {
    const column = new TargetsColumn(schema);
    assert.deepEqual(column.write([]), []);
    const rows = rowsWith(['']);
    assert.equal(column.read(rows), rows);
  }
});
