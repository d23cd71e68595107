// Migrates schema files in all layouts. The expected text is made independently of the code under test: by string
// replacement, JSON.stringify or cksum(1).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MigrationError } from '../../src/schema/migration-error.ts';
import { migrateSchemaText } from '../../src/schema/schema-text.ts';
import { runProgram } from '../support/process.ts';
import { FLOWS_COLUMN, schemaColumn, TIMEOUT_COLUMN } from '../support/schema-column.ts';

const SEED = 4739;
const OLD = readFileSync(join(import.meta.dirname, '..', 'vectors', 'vswitch-7.3.0.ovsschema'), 'utf8');
const OLD_CKSUM = '"1081379034 19765"';
const NEW_CKSUM = '"2483452374 20182"';

const POINT = schemaColumn('obs_point_id', 4_294_967_295);
const NEW = OLD.replace(POINT, POINT + TIMEOUT_COLUMN + FLOWS_COLUMN).replace(OLD_CKSUM, NEW_CKSUM);

const migrate = (text: string): string => migrateSchemaText(text, 'the schema').text;
const withoutCksum = (text: string): string => text.replace(/ "cksum": "[0-9 ]+",\r?\n/, '');
const sumOf = async (text: string): Promise<string> =>
  (await runProgram('cksum', [], { input: text })).trim();
const cksumIn = (text: string): unknown => (JSON.parse(text) as { cksum?: unknown }).cksum;

type Columns = Record<string, unknown>;
interface Schema {
  name?: string;
  cksum?: string | undefined;
  tables: { IPFIX: { columns: Columns } };
}

/** Returns the parsed schema with the columns after the given one. */
function parsedNew(old: Schema, behind = 'obs_point_id'): Schema {
  const schema = structuredClone(old);
  const entries = Object.entries(schema.tables.IPFIX.columns);
  const at = entries.findIndex(([name]) => name === behind) + 1;
  const type = (max: number) => ({
    type: { key: { type: 'integer', minInteger: 0, maxInteger: max }, min: 0, max: 1 },
  });
  entries.splice(at, 0, ['cache_active_timeout', type(4200)], ['cache_max_flows', type(4_294_967_295)]);
  schema.tables.IPFIX.columns = Object.fromEntries(entries);
  return schema;
}

test('migrates schema 7.3.0 byte for byte as the patch does', async () => {
  const result = migrateSchemaText(OLD, 'the schema');
  assert.equal(result.text, NEW);
  assert.equal(result.cksum, '2483452374 20182');
  assert.equal(await sumOf(withoutCksum(result.text)), result.cksum);
  assert.deepEqual(
    result.added.map(({ name }) => name),
    ['cache_active_timeout', 'cache_max_flows'],
  );
});

test('does not change a schema that has the columns, so a second migration changes nothing', () => {
  const again = migrateSchemaText(NEW, 'the schema');
  assert.deepEqual(again, { text: NEW, version: '7.3.0', added: [], cksum: undefined });
  const wrongSum = NEW.replace(NEW_CKSUM, '"1 2"');
  assert.equal(migrate(wrongSum), wrongSum);
});

test('inserts a missing column next to the other one', () => {
  for (const missing of [TIMEOUT_COLUMN, FLOWS_COLUMN]) {
    const half = NEW.replace(missing, '').replace(NEW_CKSUM, '"0 0"');
    assert.equal(migrate(half), NEW);
    assert.equal(migrateSchemaText(half, 'the schema').added.length, 1);
  }
  // After all others, and before all others.
  const object = JSON.parse(withoutCksum(NEW)) as Schema;
  const { cache_active_timeout: timeout, cache_max_flows: flows, ...others } = object.tables.IPFIX.columns;
  for (const columns of [
    { ...others, cache_active_timeout: timeout },
    { cache_max_flows: flows, ...others },
  ]) {
    const before = JSON.stringify({ ...object, tables: { ...object.tables, IPFIX: { columns } } });
    const names = Object.keys((JSON.parse(migrate(before)) as Schema).tables.IPFIX.columns);
    assert.equal(names.indexOf('cache_max_flows') - names.indexOf('cache_active_timeout'), 1);
    assert.equal(names.length, 7);
  }
});

test('keeps CRLF line ends', async () => {
  const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
  const result = migrate(crlf(OLD));
  const cksum = await sumOf(withoutCksum(result));
  assert.equal(result, crlf(NEW).replace(NEW_CKSUM, `"${cksum}"`));
});

test('adds no cksum to a schema without one', () => {
  assert.equal(migrate(withoutCksum(OLD)), withoutCksum(NEW));
});

test('keeps a schema on one line, with the cksum of the line without the member', async () => {
  const { cksum: _, ...old } = JSON.parse(OLD) as Schema;
  for (const wide of [false, true]) {
    const line = (json: object): string =>
      // With a blank after each colon and comma, as from Python's json.dumps.
      wide ? JSON.stringify(json).replace(/([:,])(?=["{[0-9tf])/g, '$1 ') : JSON.stringify(json);
    const cksum = await sumOf(line(parsedNew(old)));
    assert.equal(migrate(line({ cksum: '0 0', ...old })), line({ cksum, ...parsedNew(old) }));
    // The server's order (sorted by name, cksum first), and cksum as the last member.
    assert.equal(migrate(line({ ...old, cksum: '0 0' })), line({ ...parsedNew(old), cksum }));
    assert.equal(migrate(`${line(old)}\n`), `${line(parsedNew(old))}\n`);
  }
});

test('keeps other indentation', async () => {
  const object = JSON.parse(OLD) as Schema;
  for (const indentation of [1, 2, 4, '\t']) {
    const result = migrate(JSON.stringify(object, undefined, indentation));
    const cksum = await sumOf(result.replace(/^.*"cksum".*\n/m, ''));
    assert.equal(result, JSON.stringify({ ...parsedNew(object), cksum }, undefined, indentation));
  }
});

test('inserts columns into a table without a similar column', () => {
  const schema = (columns: Columns): Schema => ({ name: 'Open_vSwitch', tables: { IPFIX: { columns } } });
  const strings = { type: { key: 'string', min: 0, max: 'unlimited' } };
  const limits = { type: { key: { type: 'integer', maxInteger: 4200, minInteger: 0 }, min: 0, max: 1 } };
  const cases: [Columns, string[]][] = [
    [{}, ['cache_active_timeout', 'cache_max_flows']],
    [{ external_ids: strings }, ['cache_active_timeout', 'cache_max_flows', 'external_ids']],
    [{ a: limits, b: strings }, ['a', 'cache_active_timeout', 'cache_max_flows', 'b']],
    [{ b: strings, a: limits }, ['b', 'a', 'cache_active_timeout', 'cache_max_flows']],
    [
      { cache_max_flows: parsedNew(schema({})).tables.IPFIX.columns['cache_max_flows'] },
      ['cache_active_timeout', 'cache_max_flows'],
    ],
  ];
  for (const [columns, names] of cases) {
    for (const indentation of [undefined, 2]) {
      const before = schema(columns);
      const after = JSON.parse(migrate(JSON.stringify(before, undefined, indentation))) as Schema;
      assert.deepEqual(Object.keys(after.tables.IPFIX.columns), names);
      assert.deepEqual(after.tables.IPFIX.columns, { ...parsedNew(before).tables.IPFIX.columns });
    }
  }
});

/** Formats JSON with generated white space wherever it is allowed. */
function write(json: unknown, space: () => string): string {
  const wrap = (open: string, items: readonly string[], close: string): string =>
    `${open}${space()}${items.join(`${space()},${space()}`)}${space()}${close}`;
  if (Array.isArray(json)) {
    return wrap(
      '[',
      json.map((item) => write(item, space)),
      ']',
    );
  }
  if (typeof json !== 'object' || json === null) {
    return JSON.stringify(json);
  }
  const members = Object.entries(json).map(
    ([name, value]) => `${JSON.stringify(name)}${space()}:${space()}${write(value, space)}`,
  );
  return wrap('{', members, '}');
}

test('adds the columns and changes nothing else, whatever the white space', () => {
  const full = JSON.parse(OLD) as Schema;
  const { IPFIX, ...others } = full.tables;
  const [someTable] = Object.entries(others);
  const small = { ...full, tables: { ...Object.fromEntries([someTable ?? []]), IPFIX } };
  const spaces = fc.array(fc.constantFrom('', ' ', '\n', '\r\n', '\t', '\n\n   '), {
    minLength: 50,
    maxLength: 50,
  });
  fc.assert(
    fc.property(spaces, fc.boolean(), (choice, hasCksum) => {
      let at = -1;
      const next = () => {
        at += 1;
        return choice[at % choice.length] ?? '';
      };
      const { cksum, ...rest } = small;
      const json = hasCksum ? { cksum, ...rest } : rest;
      const text = write(json, next);
      const { text: result, cksum: sum } = migrateSchemaText(text, 'the schema');
      const expected = { ...parsedNew(json), ...(hasCksum ? { cksum: sum } : {}) };
      assert.deepEqual(JSON.parse(result), expected);
      assert.equal(cksumIn(result), sum);
      // With the old cksum, the new text without one piece is the old text.
      const restored =
        sum === undefined ? result : result.replace(JSON.stringify(sum), JSON.stringify(cksum));
      let front = 0;
      while (front < text.length && text[front] === restored[front]) {
        front += 1;
      }
      const back = text.length - front;
      assert.equal(restored.slice(restored.length - back), text.slice(front));
      assert.equal(migrate(result), result);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

const REFUSALS: readonly [string, string, MigrationError['code'], RegExp][] = [
  [
    'broken JSON',
    OLD.slice(0, 5000),
    'SCHEMA_JSON',
    /the schema is not valid JSON: line \d+, column \d+: .*text ends/u,
  ],
  ['an empty file', '', 'SCHEMA_JSON', /line 1, column 1/u],
  ['a byte order mark', `\uFEFF${OLD}`, 'SCHEMA_JSON', /line 1, column 1/u],
  [
    'a duplicate member',
    OLD.replace('"obs_point_id"', '"obs_domain_id"'),
    'SCHEMA_JSON',
    /duplicate member "obs_domain_id"/u,
  ],
  ['an array', '[]', 'SCHEMA_NOTATION', /not a valid OVSDB schema/u],
  ['an object of other things', '{"a": 1}', 'SCHEMA_NOTATION', /schema\.name/u],
  [
    'a schema with an unknown type',
    OLD.replace('"type": "integer"', '"type": "int"'),
    'SCHEMA_NOTATION',
    /is not one of integer/u,
  ],
  [
    'the schema of another database',
    OLD.replace('"Open_vSwitch"', '"hardware_vtep"'),
    'SCHEMA_OTHER_DATABASE',
    /hardware_vtep/u,
  ],
  [
    'a schema without the table',
    OLD.replace('"IPFIX": {', '"IPFIY": {'),
    'SCHEMA_NO_TABLE',
    /no table IPFIX/u,
  ],
  [
    'a column of another range',
    NEW.replace('4200', '3600'),
    'SCHEMA_OTHER_TYPE',
    /IPFIX\.cache_active_timeout of another type: integer 0 to 3600, optional instead of integer 0 to 4200, optional/u,
  ],
  [
    'a column of another kind',
    NEW.replace(TIMEOUT_COLUMN, '       "cache_active_timeout": {"type": "string"},\n'),
    'SCHEMA_OTHER_TYPE',
    /IPFIX\.cache_active_timeout of another type: string instead/u,
  ],
  [
    'a column that must be set',
    NEW.replace(FLOWS_COLUMN, FLOWS_COLUMN.replace('"min": 0', '"min": 1')),
    'SCHEMA_OTHER_TYPE',
    /IPFIX\.cache_max_flows of another type: integer 0 to 4294967295 instead/u,
  ],
  [
    'a column that is not kept over a restart',
    NEW.replace(FLOWS_COLUMN, FLOWS_COLUMN.replace('"max": 1}}', '"max": 1}, "ephemeral": true}')),
    'SCHEMA_OTHER_TYPE',
    /optional, ephemeral instead/u,
  ],
];

for (const [what, text, code, message] of REFUSALS) {
  test(`refuses ${what} with the reason`, () => {
    assert.throws(
      () => migrate(text),
      (error: unknown) => {
        assert.ok(error instanceof MigrationError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        assert.match(error.message, /Nothing was written\.$/u);
        return true;
      },
    );
  });
}
