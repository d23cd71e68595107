import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';
import { readRunSettings } from '../../src/config/settings.ts';
import { ConfigurationReader } from '../../src/control/configuration-reader.ts';

const SETS = 1000;

const ipfixRow = (uuid: string, targets: readonly string[] = ['127.0.0.1:1']): DatabaseRow => ({
  uuid,
  columns: { targets, external_ids: new Map(), other_config: new Map() },
});

function manySets(ipfix: ReadonlyMap<string, DatabaseRow>) {
  return {
    bridges: [{ uuid: 'b', columns: { name: 'br0' } }],
    ipfix,
    collectorSets: [...ipfix.keys()].map((uuid, id) => ({
      uuid: `set of ${uuid}`,
      columns: { id, bridge: { uuid: 'b' }, ipfix: { uuid } },
    })),
    controllers: new Map<string, DatabaseRow>(),
  };
}

/** Reads until there is a configuration; returns the number of sets and of turns. */
function readAll(reader: ConfigurationReader, tables: ReturnType<typeof manySets>) {
  for (let turns = 1; ; turns += 1) {
    const configuration = reader.read(tables);
    if (configuration !== undefined) {
      return { turns, sets: configuration.bridges.get('br0')?.flowSampling.size };
    }
  }
}

test('reads a thousand new rows in several turns, one that has changed in two, and none of another snapshot again', () => {
  const reader = new ConfigurationReader(readRunSettings({}));
  const rows = new Map(Array.from({ length: SETS }, (_, index) => [`${index}`, ipfixRow(`${index}`)]));
  assert.deepEqual(readAll(reader, manySets(rows)), { turns: 18, sets: SETS });
  const changed = new Map([...rows, ['5', ipfixRow('5', ['127.0.0.1:2'])]]);
  assert.deepEqual(readAll(reader, manySets(changed)), { turns: 2, sets: SETS });
});

test('returns the same configuration for the same snapshot, which is not read again', () => {
  const reader = new ConfigurationReader(readRunSettings({}));
  const tables = manySets(new Map([['1', ipfixRow('1')]]));
  const configuration = reader.read(tables);
  assert.notEqual(configuration, undefined);
  assert.equal(reader.read(tables), configuration);
  assert.notEqual(reader.read(manySets(new Map([['1', ipfixRow('1')]]))), configuration);
});

test('goes on with the newest snapshot when one comes in between', () => {
  const reader = new ConfigurationReader(readRunSettings({}));
  const rows = new Map(Array.from({ length: SETS }, (_, index) => [`${index}`, ipfixRow(`${index}`)]));
  for (let turn = 0; turn < 5; turn += 1) {
    assert.equal(reader.read(manySets(rows)), undefined);
  }
  const more = new Map([...rows, ['more', ipfixRow('more')]]);
  assert.deepEqual(readAll(reader, manySets(more)), { turns: 13, sets: SETS + 1 });
});

test('a configuration of many rows is returned in the next turn, and at once if the next snapshot is there by then', () => {
  const reader = new ConfigurationReader(readRunSettings({}));
  const rows = new Map(Array.from({ length: SETS }, (_, index) => [`${index}`, ipfixRow(`${index}`)]));
  readAll(reader, manySets(rows));
  assert.equal(reader.read(manySets(rows)), undefined);
  assert.notEqual(reader.read(manySets(rows)), undefined);
  assert.equal(reader.read(manySets(rows)), undefined);
});
