import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readConfiguration } from '../../src/config/configuration.ts';
import { readIpfixRow } from '../../src/config/ipfix-row.ts';
import { planOwnership, planRelease, type Redirection } from '../../src/control/ownership.ts';
import type { RowChange } from '../../src/control/row-change.ts';
import { isToBeRedirected } from '../../src/control/set-choice.ts';

const IPFIX = '11111111-1111-4111-8111-111111111111';
const OWN = '127.0.0.1:5000';
const GOOD: Redirection = { target: OWN, hasFailed: false };

interface RowContent {
  readonly targets: readonly string[];
  readonly externalIds: Readonly<Record<string, string>>;
  readonly activeTimeout?: number | undefined;
  readonly maxFlows?: number | undefined;
}

const USERS: RowContent = { targets: ['10.0.0.1'], externalIds: {}, activeTimeout: 60, maxFlows: 100 };

function databaseRow({ targets, externalIds, activeTimeout, maxFlows }: RowContent) {
  const columns = {
    targets,
    external_ids: new Map(Object.entries(externalIds)),
    cache_active_timeout: activeTimeout,
    cache_max_flows: maxFlows,
    other_config: new Map(),
  };
  return { uuid: IPFIX, columns };
}

function configurationOf(content: RowContent) {
  return readConfiguration(
    {
      bridges: [{ uuid: 'b', columns: { name: 'br0' } }],
      ipfix: new Map([[IPFIX, databaseRow(content)]]),
      collectorSets: [{ uuid: 's', columns: { id: 1, bridge: { uuid: 'b' }, ipfix: { uuid: IPFIX } } }],
      controllers: new Map(),
    },
    1400,
  );
}

/** Plans for a row with a redirection, or without; `isSampled`: whether its bridge is sampled. */
function plan(content: RowContent, redirection?: Redirection, isSampled = true): RowChange | undefined {
  const redirections = new Map(redirection === undefined ? [] : [[IPFIX, redirection]]);
  const samplability = () => (isSampled ? 'sampled' : 'pending');
  const changes = planOwnership(configurationOf(content), { policy: 'all', samplability, redirections }, []);
  assert.ok(changes.length <= 1);
  return changes[0];
}

/** Returns the row after a change. */
function after(content: RowContent, change: RowChange | undefined): RowContent {
  if (change === undefined) {
    return content;
  }
  const { targets, externalIds, cacheColumns } = change;
  const cache = cacheColumns ?? content;
  return {
    targets,
    externalIds: Object.fromEntries(externalIds),
    activeTimeout: cache.activeTimeout,
    maxFlows: cache.maxFlows,
  };
}

const REDIRECTED = after(USERS, plan(USERS, GOOD));

test('redirects a row: targets and columns of the cache move to keys', () => {
  assert.equal(plan(USERS, GOOD)?.kind, 'redirect');
  assert.deepEqual(REDIRECTED, {
    targets: [OWN],
    externalIds: {
      'ovs-ipfix-state': 'redirected',
      'ovs-ipfix-targets': '10.0.0.1',
      'ovs-ipfix-cache-active-timeout': '60',
      'ovs-ipfix-cache-max-flows': '100',
      'ovs-ipfix-redirected-to': OWN,
    },
    activeTimeout: undefined,
    maxFlows: undefined,
  });
  assert.equal(plan(REDIRECTED, GOOD), undefined, 'nothing more');
});

test('a redirected row is exported by what it holds', () => {
  const { bridges, conditions } = configurationOf(REDIRECTED);
  const set = bridges.get('br0')?.flowSampling.get(1);
  assert.deepEqual(
    [set?.isOurs, set?.exporter.targets.map(({ text }) => text), set?.exporter.activeTimeoutSeconds],
    [true, ['10.0.0.1:4739'], 60],
  );
  assert.equal(set?.exporter.flowsMax, 100);
  assert.deepEqual(conditions, []);
});

test('waits until the bridge is sampled and the socket can be used', () => {
  assert.equal(plan(USERS, GOOD, false), undefined);
  assert.equal(plan(USERS, { target: undefined, hasFailed: false }), undefined);
  assert.equal(plan(REDIRECTED, { target: undefined, hasFailed: false }), undefined);
});

test('takes over the row of a daemon that died: its socket is never an edit', () => {
  const other = after(REDIRECTED, plan(REDIRECTED, { target: '127.0.0.1:6000', hasFailed: false }, false));
  assert.deepEqual(other.targets, ['127.0.0.1:6000']);
  assert.equal(other.externalIds['ovs-ipfix-targets'], '10.0.0.1');
  assert.equal(other.externalIds['ovs-ipfix-redirected-to'], '127.0.0.1:6000');
});

test('another target is an edit, also one on 127.0.0.1, and so are the columns of the cache', () => {
  const edited = { ...REDIRECTED, targets: ['127.0.0.1:4739'], maxFlows: 0 };
  const set = configurationOf(edited).bridges.get('br0')?.flowSampling.get(1);
  assert.deepEqual(
    [set?.exporter.targets.map(({ text }) => text), set?.exporter.flowsMax],
    [['127.0.0.1:4739'], 0],
  );
  const next = after(edited, plan(edited, GOOD));
  assert.deepEqual(next, {
    ...REDIRECTED,
    externalIds: {
      ...REDIRECTED.externalIds,
      'ovs-ipfix-targets': '127.0.0.1:4739',
      'ovs-ipfix-cache-max-flows': '0',
    },
  });
  const released = planRelease([readIpfixRow(databaseRow(edited), '', [])])[0];
  assert.deepEqual(after(edited, released), { ...USERS, targets: ['127.0.0.1:4739'], maxFlows: 0 });
});

test('hands the row back where samples do not arrive', () => {
  const failed = { target: undefined, hasFailed: true };
  assert.deepEqual(after(REDIRECTED, plan(REDIRECTED, failed)), USERS);
  assert.equal(plan(USERS, failed), undefined);
});

test('adopts a redirected row for packet-ins when its flows are rewritten, and redirects it again', () => {
  assert.equal(plan(REDIRECTED, undefined, false), undefined);
  const adopted = after(REDIRECTED, plan(REDIRECTED));
  assert.deepEqual(adopted, {
    targets: [],
    externalIds: { 'ovs-ipfix-state': 'adopted', 'ovs-ipfix-targets': '10.0.0.1' },
    activeTimeout: 60,
    maxFlows: 100,
  });
  assert.deepEqual(after(adopted, plan(adopted, GOOD)), REDIRECTED);
});

test('a native row is native again afterwards', () => {
  const native = { targets: [], externalIds: { 'ovs-ipfix-targets': '10.0.0.1, 10.0.0.2' } };
  const content = { ...native, activeTimeout: undefined, maxFlows: 5 };
  const redirected = after(content, plan(content, GOOD));
  assert.equal(redirected.externalIds['ovs-ipfix-state'], 'redirected-native');
  assert.deepEqual(redirected.targets, [OWN]);
  const row = readIpfixRow(databaseRow(redirected), '', []);
  assert.deepEqual(after(redirected, planRelease([row])[0]), content);
  assert.deepEqual(after(redirected, plan(redirected)), content);
});

test('removes the socket from a row whose user removed the held targets', () => {
  const { 'ovs-ipfix-targets': _held, ...externalIds } = REDIRECTED.externalIds;
  const content = { ...REDIRECTED, externalIds };
  assert.deepEqual(after(content, plan(content, GOOD)), { ...USERS, targets: [], externalIds: {} });
});

test('restores any row by redirection and release', () => {
  const number = fc.option(fc.integer({ min: 0, max: 4200 }), { nil: undefined });
  const row = fc.record({
    targets: fc.array(fc.constantFrom('10.0.0.1', '10.0.0.2:99', 'a b'), { minLength: 1, maxLength: 3 }),
    externalIds: fc.dictionary(fc.constantFrom('own', 'other'), fc.string()),
    activeTimeout: number,
    maxFlows: number,
  });
  fc.assert(
    fc.property(row, (content) => {
      const redirected = after(content, plan(content, GOOD));
      const released = planRelease([readIpfixRow(databaseRow(redirected), '', [])])[0];
      const { targets, ...rest } = after(redirected, released);
      const { targets: before, ...expected } = content;
      assert.deepEqual(rest, { ...expected, externalIds: { ...expected.externalIds } });
      assert.deepEqual([...targets], [...before]);
    }),
  );
});

test('redirects on a kernel datapath and without meters, or as the row of the bridge says', () => {
  const facts = { policy: 'auto', hasKernelDatapath: false, hasMeters: true, ownsRow: true } as const;
  assert.equal(isToBeRedirected(facts), false);
  assert.equal(isToBeRedirected({ ...facts, hasKernelDatapath: true }), true);
  assert.equal(isToBeRedirected({ ...facts, hasMeters: false }), true);
  assert.equal(isToBeRedirected({ ...facts, hasMeters: undefined }), undefined);
  assert.equal(isToBeRedirected({ ...facts, policy: 'datapath' }), true);
  assert.equal(isToBeRedirected({ ...facts, policy: 'datapath', ownsRow: false }), false);
  assert.equal(isToBeRedirected({ ...facts, policy: 'packet-in', hasKernelDatapath: true }), false);
});
