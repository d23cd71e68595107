import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfiguration } from '../../src/config/configuration.ts';
import { type AdoptPolicy, planOwnership, withOwnershipConditions } from '../../src/control/ownership.ts';

interface RowState {
  readonly targets?: readonly string[];
  readonly externalIds?: Readonly<Record<string, string>>;
  readonly otherConfig?: Readonly<Record<string, string>>;
  readonly domain?: number;
}

const HELD = '127.0.0.1:4739';
const native = { 'ovs-ipfix-targets': HELD };
const adopted = { ...native, 'ovs-ipfix-state': 'adopted' };
const marked = { 'ovs-ipfix': 'adopt' };
const noInput = { 'enable-input-sampling': 'false' };

/** Makes a configuration in which bridge br0 has row 0, br1 row 1, and so on; collector sets of br0 have the rows `sets`. */
function configurationOf(rows: readonly RowState[], sets: readonly number[] = []) {
  const database = rows.map(({ targets, externalIds, otherConfig, domain }, index) => ({
    uuid: `row ${index}`,
    columns: {
      targets: targets ?? [],
      external_ids: new Map(Object.entries(externalIds ?? {})),
      other_config: new Map(Object.entries(otherConfig ?? {})),
      obs_domain_id: domain ?? 0,
      cache_active_timeout: 1,
      cache_max_flows: 1,
    },
  }));
  const bridges = rows.map((_, index) => {
    const ipfix = sets.includes(index) ? undefined : { uuid: `row ${index}` };
    return { uuid: `bridge ${index}`, columns: { name: `br${index}`, ipfix } };
  });
  const collectorSets = sets.map((index) => ({
    uuid: `set ${index}`,
    columns: { id: index, bridge: { uuid: 'bridge 0' }, ipfix: { uuid: `row ${index}` } },
  }));
  const ipfix = new Map(database.map((row) => [row.uuid, row]));
  return readConfiguration(
    { bridges, ipfix, collectorSets, controllers: new Map(), ovsVersion: '3.5.0' },
    1400,
  );
}

function conditionsOf(rows: readonly RowState[], policy: AdoptPolicy, sets?: readonly number[]) {
  return withOwnershipConditions(configurationOf(rows, sets), policy).conditions;
}
const codes = (rows: readonly RowState[], policy: AdoptPolicy) =>
  conditionsOf(rows, policy).map(({ code }) => code);
const plan = (rows: readonly RowState[], policy: AdoptPolicy, sets?: readonly number[]) =>
  planOwnership(configurationOf(rows, sets), { policy, samplability: () => 'sampled' }, []).map(
    ({ kind, row }) => `${kind} ${row.uuid}`,
  );

test('leaves a row that disables input sampling to ovs-vswitchd, and reports it if it would have been adopted', () => {
  const row = { targets: [HELD], otherConfig: noInput };
  assert.deepEqual(plan([row], 'all'), []);
  const [condition] = conditionsOf([row], 'all');
  assert.equal(condition?.code, 'input-sampling-disabled');
  assert.equal(condition.severity, 'warning');
  assert.match(condition.message, /left to ovs-vswitchd/u);
  assert.deepEqual(codes([row], 'marked'), []);
  assert.deepEqual(codes([row], 'none'), []);
  assert.deepEqual(codes([{ ...row, externalIds: marked }], 'marked'), ['input-sampling-disabled']);
});

test('releases an adopted row when its input sampling is disabled', () => {
  assert.deepEqual(plan([{ externalIds: adopted, otherConfig: noInput }], 'all'), ['release row 0']);
});

test('reports a native row that disables input sampling, which is not exported at all, under each policy', () => {
  for (const policy of ['all', 'marked', 'none'] as const) {
    const [condition] = conditionsOf([{ externalIds: native, otherConfig: noInput }], policy);
    assert.equal(condition?.code, 'input-sampling-disabled');
    assert.equal(condition.severity, 'error');
    assert.match(condition.message, /nothing is exported/u);
  }
});

test('leaves the sets of a bridge to ovs-vswitchd together with its row', () => {
  const rows = [{ targets: [HELD], otherConfig: noInput }, { targets: ['127.0.0.1:1'] }];
  assert.deepEqual(plan(rows, 'all', [1]), []);
  assert.deepEqual(plan([{ targets: [HELD] }, { targets: ['127.0.0.1:1'] }], 'all', [1]), [
    'adopt row 0',
    'adopt row 1',
  ]);
});

test('reports a collector with the same domain from ovs-vswitchd and the daemon', () => {
  const ours = { targets: [HELD], externalIds: marked, domain: 7 };
  const theirs = { targets: ['127.0.0.1:4739', '127.0.0.1:1'], domain: 7 };
  const [condition] = conditionsOf([ours, theirs], 'marked');
  assert.equal(condition?.code, 'domain-shared-with-vswitchd');
  assert.match(condition.message, /127\.0\.0\.1:4739 gets observation domain 7 .* for bridge br1/u);
  assert.equal(condition.ipfixRow, 'row 0');
  assert.deepEqual(codes([{ externalIds: native, domain: 7 }, theirs], 'none'), [
    'domain-shared-with-vswitchd',
  ]);
});

test('does not report another domain, another collector, or two rows of one exporter', () => {
  const ours = { targets: [HELD], externalIds: marked, domain: 7 };
  assert.deepEqual(codes([ours, { targets: [HELD], domain: 8 }], 'marked'), []);
  assert.deepEqual(codes([ours, { targets: ['127.0.0.1:1'], domain: 7 }], 'marked'), []);
  assert.deepEqual(
    codes([ours, { targets: [HELD], domain: 7 }], 'all'),
    [],
    'not while rows are being adopted',
  );
  assert.deepEqual(codes([{ targets: [HELD] }, { targets: [HELD] }], 'none'), []);
});
