import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OvsdbNotationError } from '../../src/ovsdb-client/errors.ts';
import {
  type AtomicType,
  applyDifference,
  type ColumnType,
  decodeUntyped,
  decodeValue,
  defaultValue,
  encodeValue,
  type Value,
  valuesEqual,
} from '../../src/ovsdb-client/notation.ts';

const U1 = '11111111-1111-4111-8111-111111111111';
const U2 = '22222222-2222-4222-8222-222222222222';

function one(type: AtomicType): ColumnType {
  return { key: { type }, min: 1, max: 1 };
}
function optional(type: AtomicType): ColumnType {
  return { key: { type }, min: 0, max: 1 };
}
function setOf(type: AtomicType, max = Infinity): ColumnType {
  return { key: { type }, min: 0, max };
}
function mapOf(key: AtomicType, value: AtomicType): ColumnType {
  return { key: { type: key }, value: { type: value }, min: 0, max: Infinity };
}

describe('decoding by type', () => {
  const cases: [ColumnType, unknown, Value][] = [
    [one('integer'), -5, -5],
    [one('real'), 1, 1],
    [one('real'), 1.5e-9, 1.5e-9],
    [one('boolean'), false, false],
    [one('string'), '', ''],
    [one('string'), ['set', ['x']], 'x'],
    [one('uuid'), ['uuid', U1], { uuid: U1 }],
    [optional('integer'), ['set', []], undefined],
    [optional('integer'), 0, 0],
    [optional('uuid'), ['set', [['uuid', U1]]], { uuid: U1 }],
    [setOf('string'), ['set', []], []],
    [setOf('string'), 'x', ['x']],
    [setOf('integer'), ['set', [10, 9, 1]], [1, 9, 10]],
    [setOf('uuid'), ['uuid', U1], [{ uuid: U1 }]],
    [
      setOf('uuid'),
      [
        'set',
        [
          ['uuid', U2],
          ['uuid', U1],
        ],
      ],
      [{ uuid: U1 }, { uuid: U2 }],
    ],
    [mapOf('string', 'string'), ['map', []], new Map()],
    [
      mapOf('string', 'uuid'),
      [
        'map',
        [
          ['b', ['uuid', U1]],
          ['a', ['uuid', U2]],
        ],
      ],
      new Map([
        ['a', { uuid: U2 }],
        ['b', { uuid: U1 }],
      ]),
    ],
    [mapOf('integer', 'real'), ['map', [[2, 0.5]]], new Map([[2, 0.5]])],
  ];

  test('returns the plain value for each type of column', () => {
    for (const [type, json, value] of cases) {
      assert.deepEqual(decodeValue(json, type, 'p'), value, JSON.stringify(json));
    }
  });

  test('returns what encoding accepts: a round trip changes nothing', () => {
    for (const [type, json, value] of cases) {
      assert.deepEqual(decodeValue(encodeValue(value), type, 'p'), value, JSON.stringify(json));
    }
  });

  test('freezes sets', () => {
    assert.ok(Object.isFrozen(decodeValue(['set', [1]], setOf('integer'), 'p')));
  });

  test('names the path of the error', () => {
    const faults: [ColumnType, unknown, string][] = [
      [one('integer'), 1.5, 'p'],
      [one('integer'), '1', 'p'],
      [one('integer'), null, 'p'],
      [one('integer'), undefined, 'p'],
      [one('real'), '1', 'p'],
      [one('boolean'), 0, 'p'],
      [one('string'), 1, 'p'],
      [one('string'), {}, 'p'],
      [one('uuid'), U1, 'p'],
      [one('uuid'), ['named-uuid', 'x'], 'p'],
      [one('uuid'), ['uuid', 'x'], 'p'],
      [one('string'), ['set', []], 'p'],
      [one('string'), ['set', ['a', 'b']], 'p'],
      [optional('string'), ['set', ['a', 'b']], 'p'],
      [setOf('integer', 2), ['set', [1, 2, 3]], 'p'],
      [setOf('integer'), ['set', [1, 'x']], 'p[1]'],
      [setOf('integer'), ['set', [1, 2, 1]], 'p'],
      [
        setOf('uuid'),
        [
          'set',
          [
            ['uuid', U1],
            ['uuid', U1],
          ],
        ],
        'p',
      ],
      [setOf('integer'), ['map', []], 'p'],
      [setOf('integer'), ['set', 1], 'p'],
      [mapOf('string', 'string'), ['set', []], 'p'],
      [mapOf('string', 'string'), 'x', 'p'],
      [mapOf('string', 'string'), ['map', ['a']], 'p[0]'],
      [mapOf('string', 'string'), ['map', [['a', 'b', 'c']]], 'p[0]'],
      [
        mapOf('string', 'string'),
        [
          'map',
          [
            ['a', 'b'],
            ['a', 'c'],
          ],
        ],
        'p[1]',
      ],
      [
        mapOf('string', 'integer'),
        [
          'map',
          [
            ['a', 1],
            ['b', 'x'],
          ],
        ],
        'p[1]',
      ],
    ];
    for (const [type, json, path] of faults) {
      assert.throws(
        () => decodeValue(json, type, 'p'),
        (error) => error instanceof OvsdbNotationError && error.path === path,
        JSON.stringify(json),
      );
    }
  });

  test('refuses each shorter prefix of every array in the notation', () => {
    const whole: [ColumnType, readonly unknown[]][] = [
      [one('uuid'), ['uuid', U1]],
      [setOf('integer'), ['set', [1]]],
      [mapOf('string', 'string'), ['map', [['a', 'b']]]],
    ];
    for (const [type, json] of whole) {
      for (let size = 0; size < json.length; size += 1) {
        assert.throws(() => decodeValue(json.slice(0, size), type, 'p'), OvsdbNotationError);
      }
    }
    for (const pair of [[], ['a']]) {
      assert.throws(() => decodeValue(['map', [pair]], mapOf('string', 'string'), 'p'), OvsdbNotationError);
    }
  });

  test('returns the default of each type', () => {
    const defaults: [ColumnType, Value][] = [
      [one('integer'), 0],
      [one('real'), 0],
      [one('boolean'), false],
      [one('string'), ''],
      [one('uuid'), { uuid: '00000000-0000-0000-0000-000000000000' }],
      [optional('string'), undefined],
      [setOf('string'), []],
      [{ key: { type: 'integer' }, min: 1, max: 3 }, [0]],
      [mapOf('string', 'string'), new Map()],
    ];
    for (const [type, value] of defaults) {
      assert.deepEqual(defaultValue(type), value);
    }
  });
});

describe('decoding without a type', () => {
  test('returns the value of the notation', () => {
    const cases: [unknown, Value][] = [
      ['x', 'x'],
      [1, 1],
      [['uuid', U1], { uuid: U1 }],
      [['set', []], []],
      [
        ['set', [['uuid', U1], 'x']],
        [{ uuid: U1 }, 'x'],
      ],
      [['map', [['k', 1]]], new Map([['k', 1]])],
    ];
    for (const [json, value] of cases) {
      assert.deepEqual(decodeUntyped(json, 'p'), value);
    }
  });

  test('refuses invalid notation', () => {
    for (const json of [
      null,
      {},
      [],
      ['set'],
      ['map', 1],
      ['map', [['k']]],
      ['x', 'y'],
      [['set', []]],
      ['set', [null]],
    ]) {
      assert.throws(() => decodeUntyped(json, 'p'), OvsdbNotationError, JSON.stringify(json));
    }
  });
});

describe('encoding', () => {
  test('encodes references, absent values and maps', () => {
    assert.deepEqual(encodeValue({ namedUuid: 'x' }), ['named-uuid', 'x']);
    assert.deepEqual(encodeValue([{ uuid: U1 }, { namedUuid: 'x' }]), [
      'set',
      [
        ['uuid', U1],
        ['named-uuid', 'x'],
      ],
    ]);
    assert.deepEqual(encodeValue(undefined), ['set', []]);
    assert.deepEqual(encodeValue(new Map([['a', { namedUuid: 'x' }]])), [
      'map',
      [['a', ['named-uuid', 'x']]],
    ]);
  });

  test('refuses numbers that cannot be sent exactly', () => {
    for (const number of [NaN, Infinity, 2 ** 53, -(2 ** 63)]) {
      assert.throws(() => encodeValue(number), RangeError);
    }
    assert.equal(encodeValue(2 ** 53 - 1), 9007199254740991);
  });
});

describe('differences', () => {
  const cases: [ColumnType, Value, unknown, Value][] = [
    [one('integer'), 1, 2, 2],
    [optional('integer'), 1, 2, 2],
    [optional('integer'), 1, ['set', []], undefined],
    [optional('integer'), undefined, 2, 2],
    [setOf('integer'), [1, 2], ['set', [2, 0]], [0, 1]],
    [setOf('integer'), [1], 1, []],
    [setOf('uuid'), [{ uuid: U2 }], ['set', [['uuid', U1]]], [{ uuid: U1 }, { uuid: U2 }]],
    [
      mapOf('string', 'string'),
      new Map([
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]),
      [
        'map',
        [
          ['a', '1'],
          ['b', 'x'],
          ['d', '4'],
        ],
      ],
      new Map([
        ['b', 'x'],
        ['c', '3'],
        ['d', '4'],
      ]),
    ],
  ];

  test('result in the new value', () => {
    for (const [type, before, json, after] of cases) {
      assert.deepEqual(applyDifference(before, json, type, 'p'), after, JSON.stringify(json));
    }
  });

  test('keep sets and maps sorted, so that they equal decoded ones', () => {
    const map = applyDifference(
      new Map([
        ['b', '1'],
        ['d', '1'],
      ]),
      [
        'map',
        [
          ['c', '1'],
          ['a', '1'],
          ['b', '2'],
        ],
      ],
      mapOf('string', 'string'),
      'p',
    );
    assert.ok(map instanceof Map);
    assert.deepEqual([...map.keys()], ['a', 'b', 'c', 'd']);
    const anew = decodeValue(
      [
        'map',
        [
          ['d', '1'],
          ['a', '1'],
          ['c', '1'],
          ['b', '2'],
        ],
      ],
      mapOf('string', 'string'),
      'p',
    );
    assert.ok(valuesEqual(map, anew));
  });

  test('do not modify the old value', () => {
    const before = new Map([['a', '1']]);
    applyDifference(before, ['map', [['a', '1']]], mapOf('string', 'string'), 'p');
    assert.deepEqual(before, new Map([['a', '1']]));
  });

  test('that violate the type are refused', () => {
    assert.throws(() => applyDifference([1, 2], 3, setOf('integer', 2), 'p'), OvsdbNotationError);
    assert.throws(
      () => applyDifference([1], 1, { key: { type: 'integer' }, min: 1, max: 2 }, 'p'),
      OvsdbNotationError,
    );
  });
});

test('values are equal when their content is', () => {
  const values: Value[] = [
    undefined,
    1,
    '1',
    true,
    '',
    { uuid: U1 },
    { uuid: U2 },
    [],
    [1],
    ['1'],
    [1, 2],
    new Map([['a', 1]]),
    new Map([['a', 2]]),
    new Map([['b', 1]]),
  ];
  for (const [i, a] of values.entries()) {
    for (const [j, b] of values.entries()) {
      assert.equal(valuesEqual(structuredClone(a), b), i === j, `${i} and ${j}`);
    }
  }
});
