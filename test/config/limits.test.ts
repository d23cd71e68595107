// What happens at the limits of the configuration: nothing is exported in part, and ovs-vswitchd keeps what the daemon leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BRIDGES_MAX, COLLECTOR_SETS_MAX } from '../../src/config/bridge-limits.ts';
import { CONDITION_CHARACTERS_MAX } from '../../src/config/condition.ts';
import { type ConfigurationTables, readConfiguration } from '../../src/config/configuration.ts';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';
import { TARGETS_MAX } from '../../src/config/row-targets.ts';
import { type AdoptionRules, planOwnership, withOwnershipConditions } from '../../src/control/ownership.ts';

function ipfixRow(
  uuid: string,
  targets: readonly string[],
  externalIds = {},
): readonly [string, DatabaseRow] {
  const columns = {
    targets,
    external_ids: new Map(Object.entries(externalIds)),
    other_config: new Map(),
    cache_active_timeout: undefined,
    cache_max_flows: undefined,
    // Of one domain there would be conditions about the collector that rows share.
    obs_domain_id: Number(/\d+$/u.exec(uuid)?.[0] ?? 0),
  };
  return [uuid, { uuid, columns }];
}

function bridgeRow(name: string, ipfix?: string): DatabaseRow {
  return {
    uuid: `row of ${name}`,
    columns: { name, ...(ipfix === undefined ? {} : { ipfix: { uuid: ipfix } }) },
  };
}

/** Returns what is adopted and released, and the codes of all conditions. */
function outcome(tables: Omit<ConfigurationTables, 'controllers'>) {
  const read = readConfiguration({ ...tables, controllers: new Map() }, 1400);
  const configuration = withOwnershipConditions(read, 'all');
  const rules: AdoptionRules = { policy: 'all', samplability: () => 'sampled' };
  const changes = planOwnership(configuration, rules, configuration.conditions);
  return {
    configuration,
    changes: changes.map(({ kind, row }) => `${kind} ${row.uuid}`),
    conditions: configuration.conditions,
    codes: configuration.conditions.map(({ code }) => code),
  };
}

const targetsOf = (count: number) => Array.from({ length: count }, (_, index) => `10.0.0.1:${index + 1}`);

test('adopts a row with as many targets as an exporter may have, and leaves one with more to ovs-vswitchd', () => {
  const tablesOf = (count: number) => ({
    bridges: [bridgeRow('br0', 'a')],
    ipfix: new Map([ipfixRow('a', targetsOf(count)), ipfixRow('b', targetsOf(1))]),
    collectorSets: [{ uuid: 's', columns: { id: 1, bridge: { uuid: 'row of br0' }, ipfix: { uuid: 'b' } } }],
  });
  assert.deepEqual(outcome(tablesOf(TARGETS_MAX)).changes, ['adopt a', 'adopt b']);
  const { changes, codes, conditions } = outcome(tablesOf(TARGETS_MAX + 1));
  assert.deepEqual(changes, [], 'the other row of the bridge is left as well');
  assert.deepEqual(codes, ['too-many-targets']);
  assert.match(
    conditions[0]?.message ?? '',
    /It has 65 targets, .* 64 at most: all rows .* left to ovs-vswitchd/u,
  );
});

test('exports to the first targets of a native row with too many, which is an error', () => {
  const held = targetsOf(TARGETS_MAX + 1).join(' ');
  const { configuration, conditions } = outcome({
    bridges: [bridgeRow('br0', 'a')],
    ipfix: new Map([ipfixRow('a', [], { 'ovs-ipfix-targets': held })]),
    collectorSets: [],
  });
  assert.equal(configuration.bridges.get('br0')?.sampling?.exporter.targets.length, TARGETS_MAX);
  assert.deepEqual(
    conditions.map(({ code, severity }) => [code, severity]),
    [['too-many-targets', 'error']],
  );
});

test('hands a row back that gets too many targets', () => {
  const { changes } = outcome({
    bridges: [bridgeRow('br0', 'a')],
    ipfix: new Map([
      ipfixRow('a', targetsOf(TARGETS_MAX + 1), {
        'ovs-ipfix-targets': '10.0.0.1:1',
        'ovs-ipfix-state': 'adopted',
      }),
    ]),
    collectorSets: [],
  });
  assert.deepEqual(changes, ['release a']);
});

test('exports for a number of bridges at most, the first ones by name', () => {
  const names = Array.from({ length: BRIDGES_MAX + 2 }, (_, index) => `br${String(index).padStart(5, '0')}`);
  const tablesOf = (count: number) => ({
    // In another order than that of their names, and one without a row.
    bridges: [
      bridgeRow('a'),
      ...names
        .slice(0, count)
        .reverse()
        .map((name) => bridgeRow(name, `row ${name}`)),
    ],
    ipfix: new Map(names.slice(0, count).map((name) => ipfixRow(`row ${name}`, targetsOf(1)))),
    collectorSets: [],
  });
  const within = outcome(tablesOf(BRIDGES_MAX));
  assert.deepEqual([within.changes.length, within.codes], [BRIDGES_MAX, []]);
  const beyond = outcome(tablesOf(BRIDGES_MAX + 2));
  assert.equal(beyond.changes.length, BRIDGES_MAX);
  assert.equal(beyond.configuration.bridges.get('br01025')?.sampling, undefined);
  assert.equal(beyond.changes.includes('adopt row br01024'), false);
  assert.deepEqual(
    beyond.conditions.map(({ code, where }) => [code, where]),
    [['too-many-bridges', 'Bridges br01024, br01025']],
  );
});

test('exports for a number of collector sets at most, all of a bridge or none', () => {
  const setsOf = (bridge: string, count: number, first: number) =>
    Array.from({ length: count }, (_, index) => ({
      uuid: `set ${first + index}`,
      columns: { id: index, bridge: { uuid: `row of ${bridge}` }, ipfix: { uuid: `row ${first + index}` } },
    }));
  const tablesOf = (ofLast: number) => {
    const ofFirst = COLLECTOR_SETS_MAX - 10;
    const ipfix = Array.from({ length: ofFirst + ofLast }, (_, index) =>
      ipfixRow(`row ${index}`, targetsOf(1)),
    );
    return {
      bridges: [bridgeRow('br1'), bridgeRow('br0')],
      ipfix: new Map(ipfix),
      collectorSets: [...setsOf('br0', ofFirst, 0), ...setsOf('br1', ofLast, ofFirst)],
    };
  };
  const within = outcome(tablesOf(10));
  assert.deepEqual([within.changes.length, within.codes], [COLLECTOR_SETS_MAX, []]);
  const beyond = outcome(tablesOf(11));
  assert.deepEqual(
    [beyond.changes.length, beyond.codes],
    [COLLECTOR_SETS_MAX - 10, ['too-many-collector-sets']],
  );
  assert.equal(beyond.configuration.bridges.get('br1')?.flowSampling.size, 0);
  assert.deepEqual(beyond.conditions[0]?.where, 'Bridge br1');
});

test('hands the rows of a bridge back that is beyond a limit now', () => {
  const names = Array.from({ length: BRIDGES_MAX + 1 }, (_, index) => `br${String(index).padStart(5, '0')}`);
  const adopted = { 'ovs-ipfix-targets': '10.0.0.1:1', 'ovs-ipfix-state': 'adopted' };
  const { changes } = outcome({
    bridges: names.map((name) => bridgeRow(name, `row ${name}`)),
    ipfix: new Map(names.map((name) => ipfixRow(`row ${name}`, [], adopted))),
    collectorSets: [],
  });
  assert.deepEqual(changes, ['release row br01024']);
});

test('cuts the text of a condition off that quotes a long value', () => {
  const key = `ovs-ipfix-${'x'.repeat(5000)}`;
  const { conditions } = outcome({
    bridges: [bridgeRow('br0', 'a')],
    ipfix: new Map([ipfixRow('a', targetsOf(1), { [key]: '1' })]),
    collectorSets: [],
  });
  assert.equal(conditions[0]?.message.length, CONDITION_CHARACTERS_MAX + '...'.length);
});

test('names the first users of a row in its conditions, and counts the others', () => {
  const sets = Array.from({ length: 1000 }, (_, index) => ({
    uuid: `set ${index}`,
    columns: { id: index, bridge: { uuid: 'row of br0' }, ipfix: { uuid: 'a' } },
  }));
  const { conditions } = outcome({
    bridges: [bridgeRow('br0')],
    ipfix: new Map([ipfixRow('a', ['bad target'])]),
    collectorSets: sets,
  });
  assert.match(
    conditions[0]?.where ?? '',
    /collector set 0 of bridge br0, .*collector set 7 of bridge br0 and 992 more/u,
  );
});
