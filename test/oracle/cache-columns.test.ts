// Compares the columns, and the rows that the daemon reads, with real schemas: that of Open vSwitch before the columns, and
// that of the installed version.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Condition } from '../../src/config/condition.ts';
import { IPFIX_COLUMN_NAMES, readIpfixRow } from '../../src/config/ipfix-row.ts';
import { WATCHED_COLUMNS } from '../../src/control/database-session.ts';
import { INTERFACE_COLUMNS } from '../../src/control/interface-watch.ts';
import { CACHE_ACTIVE_TIMEOUT_MAX } from '../../src/export/exporter-options.ts';
import {
  type ColumnType,
  type DatabaseSchema,
  defaultValue,
  parseDatabaseSchema,
  type Value,
} from '../../src/ovsdb-client/index.ts';
import { cacheColumns, describeType, missingColumns, tableName } from '../../src/schema/cache-columns.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { tier } from '../support/tiers.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string): DatabaseSchema => parseDatabaseSchema(JSON.parse(readFileSync(file, 'utf8')));
const old = (): DatabaseSchema => read(join(ROOT, 'test', 'vectors', 'vswitch-7.3.0.ovsschema'));
const installed = (): DatabaseSchema => read(installedSchemaPath());

test('the columns are those of the patch', () => {
  assert.deepEqual(
    cacheColumns.map(({ name, type, min, max }) => [name, describeType(type), min, max]),
    [
      ['cache_active_timeout', 'integer 0 to 4200, optional', 0, 4200],
      ['cache_max_flows', 'integer 0 to 4294967295, optional', 0, 4_294_967_295],
    ],
  );
  assert.equal(CACHE_ACTIVE_TIMEOUT_MAX, cacheColumns[0]?.max);
});

test('the installed Open vSwitch has the same columns, and 7.3.0 has neither', tier('ovs'), () => {
  assert.deepEqual(missingColumns(installed(), 'installed'), []);
  const found = installed().tables.get(tableName)?.columns;
  assert.deepEqual(
    cacheColumns.map(({ name }) => found?.get(name)?.type),
    cacheColumns.map(({ type }) => type),
  );
  assert.deepEqual(missingColumns(old(), '7.3.0'), cacheColumns);
});

test('the manual text has each column with its range', () => {
  const xml = readFileSync(join(ROOT, 'schema', 'cache-columns.xml'), 'utf8');
  const columns = [...xml.matchAll(/<column name="(\w+)"\s+type='([^']*)'>([\s\S]*?)<\/column>/gu)];
  assert.deepEqual(
    columns.map(([, name, type]) => [name, JSON.parse(type ?? '')]),
    cacheColumns.map(({ name, min, max }) => [name, { type: 'integer', minInteger: min, maxInteger: max }]),
  );
  for (const [, name, , text] of columns) {
    const words = (text ?? '').replaceAll(/\s+/gu, ' ');
    assert.match(words, /If unset, 0\. With 0, caching is disabled/u);
    assert.match(words, /one of the two columns alone disables it/u);
    const other = cacheColumns.find((column) => column.name !== name);
    assert.ok(words.includes(`<ref column="${other?.name}"/>`));
  }
});

/** Columns of IPFIX that the daemon reads and the schema of that version lacks. */
const YOUNGER: Record<string, readonly string[]> = {
  '7.3.0': ['cache_active_timeout', 'cache_max_flows', 'template_interval', 'stats_interval', 'other_config'],
  installed: ['template_interval', 'stats_interval'],
};

/** Returns values at the limits of a column, which the daemon must accept. */
function edges(type: ColumnType): Value[] {
  const { minInteger, maxInteger } = type.key;
  if (type.key.type === 'integer') {
    assert.ok(minInteger !== undefined && maxInteger !== undefined && type.max === 1);
    return [defaultValue(type), minInteger, maxInteger];
  }
  if (type.value !== undefined) {
    return [defaultValue(type), new Map([['key', 'value']])];
  }
  return [defaultValue(type), ['one', 'two']];
}

for (const [name, schemaOf] of Object.entries({ '7.3.0': old, installed })) {
  test(`the rows that the daemon reads are those of the schema: ${name}`, tier('ovs'), () => {
    const table = schemaOf().tables.get('IPFIX');
    const columns = IPFIX_COLUMN_NAMES.filter((column) => table?.columns.has(column));
    const absent = IPFIX_COLUMN_NAMES.filter((column) => !columns.includes(column));
    assert.ok(
      absent.every((column) => YOUNGER[name]?.includes(column)),
      `not in the schema: ${absent.join(', ')}`,
    );
    for (const column of columns) {
      const type = table?.columns.get(column)?.type;
      assert.ok(type !== undefined);
      for (const value of edges(type)) {
        assert.deepEqual(conditionsOf(column, value), [], `${column} = ${JSON.stringify(value)}`);
      }
      const { minInteger, maxInteger } = type.key;
      for (const outside of [(minInteger ?? 0) - 1, (maxInteger ?? 0) + 1]) {
        assert.equal(conditionsOf(column, outside).length, 1, `${column} = ${outside}`);
      }
    }
  });

  test(`the schema has the other tables that the daemon monitors: ${name}`, tier('ovs'), () => {
    const { tables } = schemaOf();
    for (const [table, columns] of [
      ...Object.entries(WATCHED_COLUMNS),
      ...Object.entries(INTERFACE_COLUMNS),
    ]) {
      if (table === 'IPFIX') {
        continue;
      }
      for (const column of columns) {
        const isYounger = `${table}.${column}` === 'Flow_Sample_Collector_Set.local_group_id';
        assert.ok(isYounger || tables.get(table)?.columns.has(column), `${table}.${column}`);
      }
    }
  });
}

function conditionsOf(column: string, value: unknown): readonly Condition[] {
  const conditions: Condition[] = [];
  readIpfixRow({ uuid: 'u', columns: { [column]: value } }, 'IPFIX row u', conditions);
  return conditions;
}
