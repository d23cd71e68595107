import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readConfiguration } from '../../src/config/configuration.ts';
import { readIpfixRow } from '../../src/config/ipfix-row.ts';
import {
  type AdoptionRules,
  type AdoptPolicy,
  planOwnership,
  planRelease,
  type RowChange,
} from '../../src/control/ownership.ts';

const IPFIX = '11111111-1111-4111-8111-111111111111';

interface RowState {
  readonly targets: readonly string[];
  readonly externalIds: Readonly<Record<string, string>>;
}

function configurationOf(state: RowState, usedBySet = false) {
  const columns = {
    targets: state.targets,
    external_ids: new Map(Object.entries(state.externalIds)),
    cache_active_timeout: 1,
    cache_max_flows: 1,
  };
  return readConfiguration(
    {
      bridges: [{ uuid: 'b', columns: { name: 'br0', ipfix: { uuid: IPFIX } } }],
      ipfix: new Map([[IPFIX, { uuid: IPFIX, columns }]]),
      collectorSets: usedBySet
        ? [{ uuid: 's', columns: { id: 1, bridge: { uuid: 'b' }, ipfix: { uuid: IPFIX } } }]
        : [],
      controllers: new Map(),
    },
    1400,
  );
}

/** The rules by which every bridge is sampled. */
function rules(policy: AdoptPolicy): AdoptionRules {
  return { policy, samplability: () => 'sampled' };
}

function plan(state: RowState, policy: AdoptPolicy, usedBySet = false) {
  const configuration = configurationOf(state, usedBySet);
  return shown(planOwnership(configuration, rules(policy), configuration.conditions));
}

function release(state: RowState) {
  const columns = { targets: state.targets, external_ids: new Map(Object.entries(state.externalIds)) };
  return shown(planRelease([readIpfixRow({ uuid: IPFIX, columns }, 'row', [])]));
}

function shown(changes: readonly RowChange[]) {
  return changes.map(({ kind, targets, externalIds }) => ({
    kind,
    targets,
    externalIds: Object.fromEntries(externalIds),
  }));
}

const foreign: RowState = { targets: ['127.0.0.1:4739'], externalIds: { owner: 'me' } };
const adopted: RowState = {
  targets: [],
  externalIds: { owner: 'me', 'ovs-ipfix-targets': '127.0.0.1:4739', 'ovs-ipfix-state': 'adopted' },
};
const native: RowState = { targets: [], externalIds: { 'ovs-ipfix-targets': '127.0.0.1:4739' } };

test('a row with targets is adopted: targets move to the key, other keys stay', () => {
  assert.deepEqual(plan(foreign, 'all'), [{ kind: 'adopt', ...adopted }]);
});

test('an adopted and a native row need nothing', () => {
  assert.deepEqual(plan(adopted, 'all'), []);
  assert.deepEqual(plan(native, 'all'), []);
  assert.deepEqual(plan(native, 'none'), []);
});

test('targets that the user sets on an adopted row are adopted again', () => {
  const changed = { ...adopted, targets: ['127.0.0.1:1', '127.0.0.1:2'] };
  assert.deepEqual(plan(changed, 'all'), [
    {
      kind: 'adopt',
      targets: [],
      externalIds: { ...adopted.externalIds, 'ovs-ipfix-targets': '127.0.0.1:1 127.0.0.1:2' },
    },
  ]);
});

test('with --adopt=marked only marked rows are adopted, and with none no row', () => {
  const marked = { ...foreign, externalIds: { 'ovs-ipfix': 'adopt' } };
  assert.deepEqual(plan(foreign, 'marked'), []);
  assert.equal(plan(marked, 'marked')[0]?.kind, 'adopt');
  assert.deepEqual(plan(marked, 'none'), []);
});

test('a row adopted under another policy is handed back', () => {
  assert.deepEqual(plan(adopted, 'none'), [{ kind: 'release', ...foreign }]);
});

test('a row that a collector set uses is adopted like any other', () => {
  assert.equal(plan(foreign, 'all', true)[0]?.kind, 'adopt');
});

test('with --adopt=marked all rows of a bridge are adopted or none', () => {
  const rowOf = (uuid: string, externalIds: Record<string, string>) =>
    [
      uuid,
      {
        uuid,
        columns: {
          targets: ['127.0.0.1:1'],
          external_ids: new Map(Object.entries(externalIds)),
          cache_active_timeout: 1,
          cache_max_flows: 1,
        },
      },
    ] as const;
  const adoptedOf = (first: Record<string, string>, second: Record<string, string>) => {
    const configuration = readConfiguration(
      {
        bridges: [{ uuid: 'b', columns: { name: 'br0', ipfix: { uuid: 'one' } } }],
        ipfix: new Map([rowOf('one', first), rowOf('two', second)]),
        collectorSets: [{ uuid: 's', columns: { id: 1, bridge: { uuid: 'b' }, ipfix: { uuid: 'two' } } }],
        controllers: new Map(),
      },
      1400,
    );
    return planOwnership(configuration, rules('marked'), []).map((change) => change.row.uuid);
  };
  const mark = { 'ovs-ipfix': 'adopt' };
  assert.deepEqual(adoptedOf(mark, {}), []);
  assert.deepEqual(adoptedOf(mark, mark), ['one', 'two']);
});

test('a row without a usable target is left alone', () => {
  assert.deepEqual(plan({ targets: ['no:good:one'], externalIds: {} }, 'all'), []);
});

test('a row of ours carries its conditions, and loses them when they are gone', () => {
  const state = { ...native, externalIds: { 'ovs-ipfix-targets': '127.0.0.1:1 1.2.3:4' } };
  const [change] = plan(state, 'all');
  assert.equal(change?.kind, 'annotate');
  assert.match(change.externalIds['ovs-ipfix-problem'] ?? '', /1\.2\.3:4.*bad-target/u);
  assert.deepEqual(
    plan({ ...native, externalIds: { ...native.externalIds, 'ovs-ipfix-problem': 'old' } }, 'all'),
    [{ kind: 'annotate', ...native }],
  );
});

test('a row that was ours until its user took the held targets away loses our other keys', () => {
  const left = { owner: 'me', 'ovs-ipfix-state': 'adopted', 'ovs-ipfix-problem': 'old' };
  for (const policy of ['all', 'none'] as const) {
    assert.deepEqual(plan({ targets: [], externalIds: left }, policy), [
      { kind: 'annotate', targets: [], externalIds: { owner: 'me' } },
    ]);
  }
  assert.deepEqual(plan({ targets: foreign.targets, externalIds: left }, 'all'), [
    { kind: 'adopt', ...adopted },
  ]);
  assert.deepEqual(plan({ targets: foreign.targets, externalIds: left }, 'none'), [
    { kind: 'annotate', ...foreign },
  ]);
});

test('release gives adopted rows their targets back, takes our keys away, and leaves native rows silent', () => {
  assert.deepEqual(release(adopted), [{ kind: 'release', ...foreign }]);
  assert.deepEqual(release(native), []);
  assert.deepEqual(release({ ...native, externalIds: { ...native.externalIds, 'ovs-ipfix-problem': 'x' } }), [
    { kind: 'release', ...native },
  ]);
  assert.deepEqual(release(foreign), []);
});

test('targets set while we leave win over the held ones', () => {
  const changed = { ...adopted, targets: ['127.0.0.1:9'] };
  assert.deepEqual(release(changed), [
    { kind: 'release', targets: ['127.0.0.1:9'], externalIds: { owner: 'me' } },
  ]);
});

test('whatever targets a user wrote, adopting and releasing restores them', () => {
  const target = fc.oneof(fc.constantFrom('127.0.0.1:4739', '[::1]:1', 'a b', 'x,y', '["', ''), fc.string());
  fc.assert(
    fc.property(fc.uniqueArray(target, { minLength: 1 }), (others) => {
      const state = {
        targets: ['127.0.0.1:1', ...others.filter((text) => text !== '127.0.0.1:1')],
        externalIds: {},
      };
      const [taken] = plan(state, 'all');
      assert.ok(taken);
      // The conditions that bad ones cause go away with the other keys.
      assert.deepEqual(release(taken), [{ kind: 'release', ...state }]);
    }),
  );
});
