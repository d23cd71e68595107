import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OvsdbNotationError } from '../../src/ovsdb-client/errors.ts';
import { parseDatabaseSchema } from '../../src/ovsdb-client/schema.ts';

const SCHEMA = {
  name: 'D',
  version: '1.2.3',
  cksum: '1 2',
  tables: {
    Root: {
      isRoot: true,
      maxRows: 1,
      indexes: [['name'], ['name', 'number']],
      columns: {
        name: { type: 'string', mutable: false },
        number: { type: { key: { type: 'integer', minInteger: 0, maxInteger: 9 }, min: 0 }, ephemeral: true },
        mode: { type: { key: { type: 'string', enum: ['set', ['a', 'b']] }, min: 0, max: 1 } },
        only: { type: { key: { type: 'integer', enum: 5 } } },
        leaves: {
          type: { key: { type: 'uuid', refTable: 'Leaf', refType: 'weak' }, min: 0, max: 'unlimited' },
        },
        tags: { type: { key: 'string', value: { type: 'uuid', refTable: 'Leaf' }, min: 0, max: 8 } },
      },
    },
    Leaf: { columns: {} },
  },
};

/** Returns the schema with one member replaced, or deleted if `value` is undefined. */
function altered(path: string, value: unknown): unknown {
  const copy: unknown = structuredClone(SCHEMA);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce((at, name) => (at as Record<string, unknown>)[name], copy) as Record<
    string,
    unknown
  >;
  if (value === undefined) {
    delete parent[last];
  } else {
    parent[last] = value;
  }
  return copy;
}

describe('a schema', () => {
  test('is parsed with the defaults of RFC 7047 filled in', () => {
    const schema = parseDatabaseSchema(SCHEMA);
    assert.deepEqual([schema.name, schema.version, schema.cksum], ['D', '1.2.3', '1 2']);
    assert.equal(schema.json, SCHEMA);
    const root = schema.tables.get('Root');
    assert.ok(root);
    assert.deepEqual([root.isRoot, root.maxRows, root.indexes], [true, 1, [['name'], ['name', 'number']]]);
    assert.deepEqual(Object.fromEntries(root.columns), {
      name: {
        name: 'name',
        type: { key: { type: 'string' }, min: 1, max: 1 },
        ephemeral: false,
        mutable: false,
      },
      number: {
        name: 'number',
        type: { key: { type: 'integer', minInteger: 0, maxInteger: 9 }, min: 0, max: 1 },
        ephemeral: true,
        mutable: true,
      },
      mode: {
        name: 'mode',
        type: { key: { type: 'string', enum: ['a', 'b'] }, min: 0, max: 1 },
        ephemeral: false,
        mutable: true,
      },
      only: {
        name: 'only',
        type: { key: { type: 'integer', enum: [5] }, min: 1, max: 1 },
        ephemeral: false,
        mutable: true,
      },
      leaves: {
        name: 'leaves',
        type: { key: { type: 'uuid', refTable: 'Leaf', refType: 'weak' }, min: 0, max: Infinity },
        ephemeral: false,
        mutable: true,
      },
      tags: {
        name: 'tags',
        type: {
          key: { type: 'string' },
          value: { type: 'uuid', refTable: 'Leaf', refType: 'strong' },
          min: 0,
          max: 8,
        },
        ephemeral: false,
        mutable: true,
      },
      _uuid: {
        name: '_uuid',
        type: { key: { type: 'uuid' }, min: 1, max: 1 },
        ephemeral: false,
        mutable: false,
      },
      _version: {
        name: '_version',
        type: { key: { type: 'uuid' }, min: 1, max: 1 },
        ephemeral: true,
        mutable: false,
      },
    });
    const leaf = schema.tables.get('Leaf');
    assert.ok(leaf);
    assert.deepEqual([leaf.isRoot, leaf.maxRows, leaf.indexes], [false, Infinity, []]);
  });

  test('has only root tables if no table sets isRoot', () => {
    const schema = parseDatabaseSchema(altered('tables.Root.isRoot', undefined));
    assert.deepEqual(
      [...schema.tables.values()].map(({ isRoot }) => isRoot),
      [true, true],
    );
  });

  test('may lack version and cksum', () => {
    assert.equal(parseDatabaseSchema(altered('version', undefined)).version, '');
    assert.equal(parseDatabaseSchema(altered('cksum', undefined)).cksum, undefined);
  });

  test('accepts names that have a meaning in JavaScript', () => {
    const columns = JSON.parse(
      '{"__proto__": {"type": "integer"}, "constructor": {"type": "string"}}',
    ) as object;
    const schema = parseDatabaseSchema({ name: 'D', version: '1.0.0', tables: { toString: { columns } } });
    assert.deepEqual([...schema.tables.keys()], ['toString']);
    assert.deepEqual(
      [...(schema.tables.get('toString')?.columns.keys() ?? [])],
      ['__proto__', 'constructor', '_uuid', '_version'],
    );
  });

  test('names the path of the error', () => {
    const root = 'tables.Root';
    const faults: [string, unknown, string?][] = [
      ['name', undefined],
      ['version', 1],
      ['cksum', 1],
      ['tables', undefined],
      ['tables', []],
      [root, 1],
      [`${root}.columns`, undefined],
      [`${root}.columns.name`, null],
      [`${root}.columns.name.type`, undefined],
      [`${root}.columns.name.type`, 'text'],
      [`${root}.columns.name.mutable`, 'no'],
      [`${root}.columns.name.ephemeral`, 1],
      [`${root}.columns.number.type.key`, undefined],
      [`${root}.columns.number.type.key.type`, 'int'],
      [`${root}.columns.number.type.key.minInteger`, '0'],
      [`${root}.columns.number.type.min`, 2],
      [`${root}.columns.number.type.max`, 0],
      [`${root}.columns.number.type.max`, 'many'],
      [`${root}.columns.mode.type.key.enum`, ['set', [1]], `${root}.columns.mode.type.key.enum[0]`],
      [`${root}.columns.leaves.type.key.refTable`, 1],
      [`${root}.columns.leaves.type.key.refType`, 'soft'],
      [`${root}.isRoot`, 'yes'],
      [`${root}.maxRows`, 'one'],
      [`${root}.indexes`, 'name'],
      [`${root}.indexes`, ['name'], `${root}.indexes[0]`],
    ];
    for (const [path, value, where = path] of faults) {
      assert.throws(
        () => parseDatabaseSchema(altered(path, value)),
        (error) => error instanceof OvsdbNotationError && error.path === `schema.${where}`,
        path,
      );
    }
    for (const json of [undefined, null, 1, 'x', []]) {
      assert.throws(() => parseDatabaseSchema(json), OvsdbNotationError);
    }
  });
});
