import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigurationTables, readConfiguration } from '../../src/config/configuration.ts';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';
import {
  isEmptyPlan,
  type OwnRowsDesired,
  ownRowsOperations,
  ownSets,
  planOwnRows,
} from '../../src/control/own-rows-plan.ts';

const OWNER = 'this run';
const BRIDGES = ['br0', 'br1'].map((name): DatabaseRow => ({ uuid: `row of ${name}`, columns: { name } }));
const ID_FIRST = 0xffff_fe00;

/** Returns a set of a bridge; `owner` undefined: of a user. */
function set(bridge: string, id: number, owner?: string, port = 5): readonly [DatabaseRow, DatabaseRow] {
  const externalIds = owner === undefined ? new Map() : new Map([['ovs-ipfix-owner', owner]]);
  const ipfix = { targets: [`127.0.0.1:${port}`], external_ids: externalIds, other_config: new Map() };
  const uuid = `${bridge} ${id} ${owner}`;
  return [
    {
      uuid: `set ${uuid}`,
      columns: { id, bridge: { uuid: bridge }, ipfix: { uuid }, external_ids: externalIds },
    },
    { uuid, columns: ipfix },
  ];
}

function tables(...sets: readonly (readonly [DatabaseRow, DatabaseRow])[]): ConfigurationTables {
  return {
    bridges: BRIDGES,
    ipfix: new Map(sets.map(([, ipfix]) => [ipfix.uuid, ipfix])),
    collectorSets: sets.map(([row]) => row),
    controllers: new Map(),
  };
}

function desired(ports: Readonly<Record<string, number>>, kept: readonly string[] = []): OwnRowsDesired {
  return { owner: OWNER, ports: new Map(Object.entries(ports)), kept: new Set(kept), avoided: new Map() };
}

test('adds a set with an id that the bridge does not use, once', () => {
  const users = [set('row of br0', ID_FIRST), set('row of br1', ID_FIRST + 1)];
  const plan = planOwnRows(tables(...users), desired({ br0: 5 }));
  assert.deepEqual(plan, {
    removed: [],
    retargeted: [],
    added: [{ bridgeRow: 'row of br0', collectorSetId: ID_FIRST + 1, port: 5 }],
    refused: [],
  });
  const after = tables(...users, set('row of br0', ID_FIRST + 1, OWNER));
  assert.ok(isEmptyPlan(planOwnRows(after, desired({ br0: 5 }))));
  assert.deepEqual(
    [...ownSets(after, desired({ br0: 5 }))].map(([name, own]) => [name, own.collectorSetId]),
    [['br0', ID_FIRST + 1]],
  );
});

test('removes the sets of dead daemons, of deleted bridges and of bridges without samples, and a second one', () => {
  const kept = set('row of br0', ID_FIRST, OWNER);
  const gone = [
    set('row of br0', ID_FIRST + 1, OWNER),
    set('row of br0', ID_FIRST + 2, 'an earlier run'),
    set('a deleted bridge', ID_FIRST, OWNER),
    set('row of br1', ID_FIRST, OWNER),
  ];
  const plan = planOwnRows(tables(kept, ...gone, set('row of br1', 7)), desired({ br0: 5 }));
  assert.deepEqual(plan, { removed: gone.map(([row]) => row.uuid), retargeted: [], added: [], refused: [] });
});

test('moves away from an id that a flow of another client has, in one plan', () => {
  const own = set('row of br0', ID_FIRST, OWNER);
  const avoiding = { ...desired({ br0: 5 }), avoided: new Map([['br0', new Set([ID_FIRST, ID_FIRST + 2])]]) };
  const users = set('row of br0', ID_FIRST + 1);
  const rows = tables(own, users);
  assert.deepEqual(planOwnRows(rows, avoiding), {
    removed: [own[0].uuid],
    retargeted: [],
    added: [{ bridgeRow: 'row of br0', collectorSetId: ID_FIRST + 3, port: 5 }],
    refused: [],
  });
  assert.equal(ownSets(rows, avoiding).size, 0, 'the old one is not used meanwhile');
});

test('adds nothing when all ids are in use, and says for which bridge', () => {
  const ids = Array.from({ length: 256 }, (_, index) => ID_FIRST + index);
  const avoiding = { ...desired({ br0: 5, br1: 6 }), avoided: new Map([['br0', new Set(ids.slice(1))]]) };
  const plan = planOwnRows(tables(set('row of br0', ID_FIRST)), avoiding);
  assert.deepEqual(plan.refused, ['br0']);
  assert.deepEqual(
    plan.added.map(({ bridgeRow }) => bridgeRow),
    ['row of br1'],
  );
});

test('keeps the set of a bridge whose hook is being removed, unless the bridge is deleted', () => {
  const rows = tables(set('row of br0', ID_FIRST, OWNER), set('a deleted bridge', ID_FIRST, OWNER));
  const { removed } = planOwnRows(rows, desired({}, ['br0']));
  assert.deepEqual(removed, ['set a deleted bridge 4294966784 this run']);
});

test('sets the target of a new socket', () => {
  const rows = tables(set('row of br0', ID_FIRST, OWNER, 5));
  const plan = planOwnRows(rows, desired({ br0: 6 }));
  assert.equal(ownSets(rows, desired({ br0: 6 })).size, 0);
  assert.deepEqual(
    ownRowsOperations(plan, OWNER, (targets) => targets),
    [
      {
        op: 'update',
        table: 'IPFIX',
        where: [['_uuid', '==', { uuid: 'row of br0 4294966784 this run' }]],
        row: { targets: ['127.0.0.1:6'] },
      },
    ],
  );
});

test('own rows do not configure anything', () => {
  const rows = tables(
    set('row of br0', ID_FIRST, OWNER),
    set('row of br1', 7),
    set('a deleted bridge', 8, OWNER),
  );
  const { bridges, ipfixRows, conditions } = readConfiguration(rows, 1400);
  assert.deepEqual(
    [...bridges.values()].map(({ flowSampling }) => [...flowSampling.keys()]),
    [[], [7]],
  );
  assert.deepEqual(
    ipfixRows.map(({ row }) => row.uuid),
    ['row of br1 7 undefined'],
  );
  assert.deepEqual(
    conditions.filter(({ code }) => code !== 'no-cache-columns'),
    [],
  );
});
