// Work is in proportion to what has changed: rows that are the same are not read again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigurationCache,
  type ConfigurationTables,
  readConfiguration,
} from '../../src/config/configuration.ts';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';
import { RowCache } from '../../src/config/row-cache.ts';

const SETS = 1000;
const BRIDGES = 4;

function bridgeRow(index: number): DatabaseRow {
  const columns = { name: `br${index}`, external_ids: new Map(), ipfix: { uuid: `whole ${index}` } };
  return { uuid: `bridge ${index}`, columns };
}

function ipfixRow(uuid: string, targets: readonly string[] = ['127.0.0.1:4739']): DatabaseRow {
  return { uuid, columns: { targets, external_ids: new Map(), other_config: new Map() } };
}

function setRow(index: number): DatabaseRow {
  const bridge = { uuid: `bridge ${index % BRIDGES}` };
  return { uuid: `set ${index}`, columns: { id: index, bridge, ipfix: { uuid: `row ${index}` } } };
}

function manyTables(): ConfigurationTables & { readonly ipfix: Map<string, DatabaseRow> } {
  const whole = Array.from({ length: BRIDGES }, (_, index) => ipfixRow(`whole ${index}`));
  const rows = Array.from({ length: SETS }, (_, index) => ipfixRow(`row ${index}`));
  return {
    bridges: Array.from({ length: BRIDGES }, (_, index) => bridgeRow(index)),
    ipfix: new Map([...whole, ...rows].map((row) => [row.uuid, row])),
    collectorSets: Array.from({ length: SETS }, (_, index) => setRow(index)),
    controllers: new Map(),
  };
}

const reads = ({ ipfix, sets, bridges }: ConfigurationCache) => [ipfix.reads, sets.reads, bridges.reads];
const read = (tables: ConfigurationTables, cache?: ConfigurationCache) =>
  readConfiguration(tables, 1400, 'extended', cache);

test('reads one row again when one of a thousand has changed, and its bridge', () => {
  const cache = new ConfigurationCache();
  const tables = manyTables();
  const before = read(tables, cache);
  assert.deepEqual(reads(cache), [SETS + BRIDGES, SETS, BRIDGES]);
  tables.ipfix.set('row 5', ipfixRow('row 5', ['127.0.0.1:1']));
  const after = read(tables, cache);
  assert.deepEqual(reads(cache), [SETS + BRIDGES + 1, SETS + 1, BRIDGES + 1]);
  assert.equal(after.bridges.get('br0'), before.bridges.get('br0'), 'an unchanged bridge is the same object');
  assert.notEqual(after.bridges.get('br1'), before.bridges.get('br1'));
  assert.deepEqual(after, read(tables), 'the same as without a cache');
});

test('reads nothing again when nothing has changed', () => {
  const cache = new ConfigurationCache();
  const tables = manyTables();
  read(tables, cache);
  const before = reads(cache);
  for (let notification = 0; notification < 10; notification += 1) {
    read({ ...tables }, cache);
  }
  assert.deepEqual(reads(cache), before);
});

test('reads rows again when something changes that they are read with', () => {
  const cache = new ConfigurationCache();
  const tables = manyTables();
  read(tables, cache);
  const [before = 0] = reads(cache);
  read({ ...tables, ovsVersion: '3.1.0' }, cache);
  assert.equal(cache.ipfix.reads, 2 * before);
  // Another set uses row 1 as well: its conditions name both, and it cannot be redirected.
  const shared = { ...setRow(1), uuid: 'set 1001', columns: { ...setRow(1).columns, id: 1001 } };
  const collectorSets = [...tables.collectorSets, shared];
  const { bridges } = read({ ...tables, ovsVersion: '3.1.0', collectorSets }, cache);
  assert.equal(cache.ipfix.reads, 2 * before + 1);
  assert.equal(bridges.get('br1')?.flowSampling.get(1)?.ownsRow, false);
});

test('reads a row of 200,000 targets once, and makes nothing of those beyond the limit', () => {
  const cache = new ConfigurationCache();
  const tables = manyTables();
  const targets = Array.from({ length: 200_000 }, (_, index) => `bad target ${index}`);
  tables.ipfix.set('row 7', ipfixRow('row 7', targets));
  const { conditions } = read(tables, cache);
  const ofRow = conditions.filter(({ ipfixRow: uuid }) => uuid === 'row 7');
  assert.ok(ofRow.length < 70, `${ofRow.length} conditions`);
  const before = reads(cache);
  tables.ipfix.set('row 8', ipfixRow('row 8'));
  read(tables, cache);
  assert.equal(cache.ipfix.reads, (before[0] ?? 0) + 1);
});

test('a cache of rows compares rows and inputs by identity', () => {
  const cache = new RowCache<number>();
  const row = ipfixRow('a');
  let value = 0;
  const get = (of: DatabaseRow, ...inputs: readonly unknown[]) =>
    cache.get(of, inputs, () => {
      value += 1;
      return value;
    });
  assert.deepEqual([get(row, 1), get(row, 1), get(row, 2), get({ ...row }, 2), get(row, 2)], [1, 1, 2, 3, 2]);
  assert.equal(cache.reads, 3);
});
