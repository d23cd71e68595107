import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readConfiguration } from '../../src/config/configuration.ts';
import { readIpfixRow } from '../../src/config/ipfix-row.ts';
import { describeWithoutExporter } from '../../src/control/hand-back.ts';
import {
  type AdoptionRules,
  type AdoptPolicy,
  planOwnership,
  planRelease,
  withOwnershipConditions,
} from '../../src/control/ownership.ts';
import type { RowChange } from '../../src/control/row-change.ts';

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

/** Returns rules by which every bridge is sampled. */
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

const unmanaged: RowState = { targets: ['127.0.0.1:4739'], externalIds: { owner: 'me' } };
const adopted: RowState = {
  targets: [],
  externalIds: { owner: 'me', 'ovs-ipfix-targets': '127.0.0.1:4739', 'ovs-ipfix-state': 'adopted' },
};
const native: RowState = { targets: [], externalIds: { 'ovs-ipfix-targets': '127.0.0.1:4739' } };

test('adopts a row with targets: targets move to the key, other keys are kept', () => {
  assert.deepEqual(plan(unmanaged, 'all'), [{ kind: 'adopt', ...adopted }]);
});

test('plans nothing for adopted and native rows', () => {
  assert.deepEqual(plan(adopted, 'all'), []);
  assert.deepEqual(plan(native, 'all'), []);
  assert.deepEqual(plan(native, 'none'), []);
});

test('adopts targets again that the user sets on an adopted row', () => {
  const changed = { ...adopted, targets: ['127.0.0.1:1', '127.0.0.1:2'] };
  assert.deepEqual(plan(changed, 'all'), [
    {
      kind: 'adopt',
      targets: [],
      externalIds: { ...adopted.externalIds, 'ovs-ipfix-targets': '127.0.0.1:1 127.0.0.1:2' },
    },
  ]);
});

test('adopts only marked rows with --adopt=marked, and no row with none', () => {
  const marked = { ...unmanaged, externalIds: { 'ovs-ipfix': 'adopt' } };
  assert.deepEqual(plan(unmanaged, 'marked'), []);
  assert.equal(plan(marked, 'marked')[0]?.kind, 'adopt');
  assert.deepEqual(plan(marked, 'none'), []);
});

test('releases a row that was adopted under another policy', () => {
  assert.deepEqual(plan(adopted, 'none'), [{ kind: 'release', ...unmanaged }]);
});

test('adopts a row of a collector set like any other', () => {
  assert.equal(plan(unmanaged, 'all', true)[0]?.kind, 'adopt');
});

test('adopts all rows of a bridge or none with --adopt=marked', () => {
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

test('does not adopt a row without a usable target', () => {
  assert.deepEqual(plan({ targets: ['no:good:one'], externalIds: {} }, 'all'), []);
});

test('annotates an adopted row with its conditions, and removes them when they end', () => {
  const state = { ...native, externalIds: { 'ovs-ipfix-targets': '127.0.0.1:1 1.2.3:4' } };
  const [change] = plan(state, 'all');
  assert.equal(change?.kind, 'annotate');
  assert.match(change.externalIds['ovs-ipfix-problem'] ?? '', /1\.2\.3:4.*bad-target/u);
  assert.deepEqual(
    plan({ ...native, externalIds: { ...native.externalIds, 'ovs-ipfix-problem': 'old' } }, 'all'),
    [{ kind: 'annotate', ...native }],
  );
});

test('removes the conditions of a row that the daemon does not export for any more', () => {
  const cleared = { targets: [], externalIds: { owner: 'me', 'ovs-ipfix-problem': 'old' } };
  assert.deepEqual(plan(cleared, 'all'), [{ kind: 'annotate', targets: [], externalIds: { owner: 'me' } }]);
  const unusable = { targets: ['1.2.3:4'], externalIds: { owner: 'me', 'ovs-ipfix-problem': 'old' } };
  assert.deepEqual(plan(unusable, 'all'), [
    { kind: 'annotate', targets: unusable.targets, externalIds: { owner: 'me' } },
  ]);
});

test("removes the daemon's keys from a row whose user removed the held targets", () => {
  const left = { owner: 'me', 'ovs-ipfix-state': 'adopted', 'ovs-ipfix-problem': 'old' };
  for (const policy of ['all', 'none'] as const) {
    assert.deepEqual(plan({ targets: [], externalIds: left }, policy), [
      { kind: 'annotate', targets: [], externalIds: { owner: 'me' } },
    ]);
  }
  assert.deepEqual(plan({ targets: unmanaged.targets, externalIds: left }, 'all'), [
    { kind: 'adopt', ...adopted },
  ]);
  assert.deepEqual(plan({ targets: unmanaged.targets, externalIds: left }, 'none'), [
    { kind: 'annotate', ...unmanaged },
  ]);
});

test("release restores the targets of adopted rows, removes the daemon's keys, and does not change native rows", () => {
  assert.deepEqual(release(adopted), [{ kind: 'release', ...unmanaged }]);
  assert.deepEqual(release(native), []);
  assert.deepEqual(release({ ...native, externalIds: { ...native.externalIds, 'ovs-ipfix-problem': 'x' } }), [
    { kind: 'release', ...native },
  ]);
  assert.deepEqual(release(unmanaged), []);
});

test('prefers targets that are set during the release to the held ones', () => {
  const changed = { ...adopted, targets: ['127.0.0.1:9'] };
  assert.deepEqual(release(changed), [
    { kind: 'release', targets: ['127.0.0.1:9'], externalIds: { owner: 'me' } },
  ]);
});

test('restores any targets by adoption and release', () => {
  const target = fc.oneof(fc.constantFrom('127.0.0.1:4739', '[::1]:1', 'a b', 'x,y', '["', ''), fc.string());
  fc.assert(
    fc.property(fc.uniqueArray(target, { minLength: 1 }), (others) => {
      const state = {
        targets: ['127.0.0.1:1', ...others.filter((text) => text !== '127.0.0.1:1')],
        externalIds: {},
      };
      const [taken] = plan(state, 'all');
      assert.ok(taken);
      // The conditions of invalid targets are removed with the other keys.
      assert.deepEqual(release(taken), [{ kind: 'release', ...state }]);
    }),
  );
});

const HELD = '127.0.0.1:4739 tcp:10.0.0.1:1';
const mixed: RowState = { targets: ['127.0.0.1:4739', 'tcp:10.0.0.1:1'], externalIds: {} };
const mixedAdopted: RowState = {
  targets: [],
  externalIds: { 'ovs-ipfix-targets': HELD, 'ovs-ipfix-state': 'adopted' },
};
const mixedReleased: RowState = {
  targets: ['127.0.0.1:4739'],
  externalIds: { 'ovs-ipfix-targets': 'tcp:10.0.0.1:1' },
};

test('holds the targets that ovs-vswitchd cannot use at a release, and joins them again at the next adoption', () => {
  assert.deepEqual(plan(mixed, 'all'), [{ kind: 'adopt', ...mixedAdopted }]);
  assert.deepEqual(release(mixedAdopted), [{ kind: 'release', ...mixedReleased }]);
  assert.deepEqual(release(mixedReleased), []);
  assert.deepEqual(plan(mixedReleased, 'all'), [{ kind: 'adopt', ...mixedAdopted }]);
  const texts = configurationOf(mixedReleased).ipfixRows[0]?.targets.map(({ text }) => text);
  assert.deepEqual(texts, ['127.0.0.1:4739', 'tcp:10.0.0.1:1']);
});

test('hands back a target that is written with udp: in the form that ovs-vswitchd reads, each once', () => {
  const held = { 'ovs-ipfix-targets': 'udp:10.0.0.1:1 10.0.0.2 udp:10.0.0.2', 'ovs-ipfix-state': 'adopted' };
  assert.deepEqual(release({ targets: [], externalIds: held }), [
    { kind: 'release', targets: ['10.0.0.2', '10.0.0.1:1'], externalIds: {} },
  ]);
});

test('exports for a row whose targets ovs-vswitchd cannot use, and leaves it as it is', () => {
  const row: RowState = { targets: ['tcp:10.0.0.1:1'], externalIds: { owner: 'me' } };
  for (const policy of ['all', 'marked', 'none'] as const) {
    assert.deepEqual(plan(row, policy), []);
    assert.equal(configurationOf(row).bridges.get('br0')?.sampling?.isOurs, true);
  }
  assert.deepEqual(release(row), []);
  const joined = { ...row, externalIds: { 'ovs-ipfix-targets': '10.0.0.2' } };
  const texts = configurationOf(joined).ipfixRows[0]?.targets.map(({ text }) => text);
  assert.deepEqual(texts, ['10.0.0.2:4739', 'tcp:10.0.0.1:1']);
});

test('leaves targets in the column that are set on an adopted row and that ovs-vswitchd cannot use', () => {
  const changed = { ...mixedAdopted, targets: ['tcp:10.0.0.3:1'] };
  const after = { targets: ['tcp:10.0.0.3:1'], externalIds: {} };
  assert.deepEqual(plan(changed, 'all'), [{ kind: 'annotate', ...after }]);
  assert.deepEqual(release(changed), [{ kind: 'release', ...after }]);
});

test('an adopted row whose held targets ovs-vswitchd cannot use becomes native at its release', () => {
  const externalIds = { 'ovs-ipfix-targets': 'tcp:10.0.0.1:1' };
  const held = { targets: [], externalIds: { ...externalIds, 'ovs-ipfix-state': 'adopted' } };
  assert.deepEqual(release(held), [{ kind: 'release', targets: [], externalIds }]);
});

test('names the collectors that get nothing after a release', () => {
  const rowOf = ({ targets, externalIds }: RowState) =>
    readIpfixRow(
      { uuid: IPFIX, columns: { targets, external_ids: new Map(Object.entries(externalIds)) } },
      '',
      [],
    );
  assert.equal(describeWithoutExporter([rowOf(unmanaged), rowOf(adopted)]), undefined);
  assert.equal(
    describeWithoutExporter(
      [mixedAdopted, mixedReleased, native, { ...unmanaged, targets: ['tcp:a'] }].map(rowOf),
    ),
    'nothing is exported now to 127.0.0.1:4739, tcp:10.0.0.1:1, tcp:a, because only ovs-ipfix exports to them',
  );
  const many = Array.from({ length: 20 }, (_, index) => `tcp:host${index}`);
  assert.match(describeWithoutExporter([rowOf({ targets: many, externalIds: {} })]) ?? '', / and 4 more, /u);
});

test('reports a target that a row left to ovs-vswitchd has for nothing', () => {
  const conditionsOf = (state: RowState, policy: AdoptPolicy) =>
    withOwnershipConditions(configurationOf(state), policy).conditions.map(
      ({ code, message }) => `${code}: ${message}`,
    );
  assert.deepEqual(conditionsOf(mixed, 'none'), [
    'target-needs-daemon: The row is left to ovs-vswitchd. It cannot use tcp:10.0.0.1:1, so nothing is sent there.',
  ]);
  assert.equal(conditionsOf(mixedReleased, 'marked').length, 1);
  assert.deepEqual(conditionsOf(mixed, 'all'), []);
  assert.deepEqual(conditionsOf(mixedAdopted, 'all'), []);
});

test('a row that is not marked keeps all rows that bridges connect it with, however long the chain is', () => {
  const count = 500;
  const set = (index: number, bridge: number) => ({
    uuid: `set${index}-${bridge}`,
    columns: { id: index, bridge: { uuid: `b${bridge}` }, ipfix: { uuid: `row${index}` } },
  });
  const wanted = (marked: (index: number) => boolean) => {
    const ipfix = Array.from({ length: count }, (_, index) => {
      const externalIds = new Map(marked(index) ? [['ovs-ipfix', 'adopt']] : []);
      return { uuid: `row${index}`, columns: { targets: ['192.0.2.1:4739'], external_ids: externalIds } };
    });
    const configuration = readConfiguration(
      {
        bridges: Array.from({ length: count + 1 }, (_, index) => ({
          uuid: `b${index}`,
          columns: { name: `br${index}` },
        })),
        ipfix: new Map(ipfix.map((row) => [row.uuid, row])),
        // Each bridge has the rows of its own number and of the one before.
        collectorSets: ipfix.flatMap((_, index) => [set(index, index), set(index, index + 1)]),
        controllers: new Map(),
      },
      1400,
    );
    return planOwnership(configuration, rules('marked'), []).length;
  };
  assert.equal(
    wanted(() => true),
    count,
  );
  assert.equal(
    wanted((index) => index !== count - 1),
    0,
  );
});
