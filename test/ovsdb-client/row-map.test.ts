import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RowMap } from '../../src/ovsdb-client/row-map.ts';

const uuids = fc.integer({ min: 0, max: 40 }).map((number) => `u${number}`);
const change = fc.tuple(uuids, fc.option(fc.integer(), { nil: undefined }));

/** Returns what all methods of a map return, sorted. */
function seen(map: ReadonlyMap<string, number>): unknown {
  const each: [string, number][] = [];
  map.forEach((row, uuid) => each.push([uuid, row]));
  assert.deepEqual([...map], each);
  assert.deepEqual([...map.entries()], each);
  assert.deepEqual(
    [...map.keys()],
    each.map(([uuid]) => uuid),
  );
  assert.deepEqual(
    [...map.values()],
    each.map(([, row]) => row),
  );
  assert.equal(map.size, each.length);
  return each.sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('a map of rows', () => {
  test('equals a plain map with the same changes, and leaves earlier maps unchanged', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 40 }), (steps) => {
        const plain = new Map<string, number>();
        let map = RowMap.of<number>(new Map());
        const history: [RowMap<number>, unknown][] = [];
        for (const step of steps) {
          for (const [uuid, row] of step) {
            if (row === undefined) {
              plain.delete(uuid);
            } else {
              plain.set(uuid, row);
            }
          }
          map = map.with(new Map(step));
          assert.deepEqual(seen(map), seen(plain));
          for (const [uuid] of step) {
            assert.deepEqual([map.has(uuid), map.get(uuid)], [plain.has(uuid), plain.get(uuid)]);
          }
          history.push([map, seen(map)]);
        }
        for (const [earlier, content] of history) {
          assert.deepEqual(seen(earlier), content);
        }
      }),
    );
  });

  test('can be made of a map, which is not modified', () => {
    const rows = new Map([['a', 1]]);
    const map = RowMap.of(rows).with(new Map([['b', 2]]).set('c', 3));
    assert.deepEqual([rows.size, map.size], [1, 3]);
  });
});
