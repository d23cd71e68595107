import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfiguration } from '../../src/config/configuration.ts';

const ROW = '11111111-1111-4111-8111-111111111111';

/** Reads a row with targets in the column or in the key of a native row, and with keys of its own. */
function read(
  targets: { readonly column?: readonly string[]; readonly native?: string },
  keys: Record<string, string> = {},
) {
  const externalIds = new Map(Object.entries(keys).map(([key, value]) => [`ovs-ipfix-${key}`, value]));
  if (targets.native !== undefined) {
    externalIds.set('ovs-ipfix-targets', targets.native);
  }
  const columns = {
    targets: targets.column ?? [],
    external_ids: externalIds,
    cache_active_timeout: undefined,
    cache_max_flows: undefined,
  };
  const bridge = { name: 'br0', ipfix: { uuid: ROW }, external_ids: new Map() };
  const { bridges, conditions } = readConfiguration(
    {
      bridges: [{ uuid: 'uuid of br0', columns: bridge }],
      ipfix: new Map([[ROW, { uuid: ROW, columns }]]),
      collectorSets: [],
      controllers: new Map(),
    },
    1400,
  );
  const exporter = bridges.get('br0')?.sampling?.exporter;
  return {
    targets: exporter?.targets.map(({ text }) => text.replace(/^192\.0\.2\.(\d+):4739$/u, '$1')).join(' '),
    delivery: exporter?.delivery,
    conditions: conditions.map(({ code, where, message }) => `${code} ${where.split(':').at(-1)} ${message}`),
  };
}

test('each collector gets each record by default', () => {
  for (const keys of [{}, { collectors: 'all' }]) {
    assert.deepEqual(read({ column: ['192.0.2.1'] }, keys), {
      targets: '1',
      delivery: undefined,
      conditions: [],
    });
  }
});

test('the order is that of the key, then that of the texts, or of a native row as its user wrote it', () => {
  const column = ['192.0.2.3', '192.0.2.1', '192.0.2.2:4739'];
  const native = column.join(' ');
  assert.equal(read({ column }, { collectors: 'failover' }).targets, '1 2 3');
  assert.equal(read({ native }, { collectors: 'failover' }).targets, '3 1 2');
  assert.equal(read({ column }, { collectors: 'failover 192.0.2.2' }).targets, '2 1 3');
  const both = read({ native }, { collectors: 'failover 192.0.2.2:4739,192.0.2.1', 'failback-seconds': '5' });
  assert.deepEqual(both, {
    targets: '2 1 3',
    delivery: { mode: 'failover', failbackSeconds: 5 },
    conditions: [],
  });
  assert.deepEqual(read({ column }, { collectors: 'balance' }).delivery, {
    mode: 'balance',
    failbackSeconds: 60,
  });
});

test('a bad value is reported and the default holds', () => {
  const column = ['192.0.2.1', '192.0.2.2'];
  for (const [keys, mode, seconds, said] of [
    [
      { collectors: 'first' },
      undefined,
      undefined,
      /^bad-value ovs-ipfix-collectors "first" is not one of all, failover/u,
    ],
    [{ collectors: '' }, undefined, undefined, /^bad-value ovs-ipfix-collectors "" is not one of/u],
    [
      { collectors: 'failover 192.0.2.9' },
      'failover',
      60,
      /collectors "192\.0\.2\.9" is not a target of the row/u,
    ],
    [{ collectors: 'balance 192.0.2.1' }, 'balance', 60, /What follows balance has no effect/u],
    [
      { collectors: 'failover', 'failback-seconds': '86401' },
      'failover',
      60,
      /^bad-value ovs-ipfix-failback-seconds "86401"/u,
    ],
  ] as const) {
    const { targets, delivery, conditions } = read({ column }, keys);
    assert.deepEqual([targets, delivery?.mode, delivery?.failbackSeconds], ['1 2', mode, seconds]);
    assert.equal(conditions.length, 1);
    assert.match(conditions[0] ?? '', said);
  }
});
