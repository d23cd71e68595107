import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigurationTables, readConfiguration } from '../../src/config/configuration.ts';
import type { DatabaseRow } from '../../src/config/ipfix-row.ts';

const IPFIX = '11111111-1111-4111-8111-111111111111';

function bridge(name: string, columns: Record<string, unknown> = {}): DatabaseRow {
  return {
    uuid: `uuid of ${name}`,
    columns: { name, ipfix: { uuid: IPFIX }, external_ids: new Map(), ...columns },
  };
}

function tables(
  ipfix: Record<string, unknown>,
  rest: Partial<ConfigurationTables> = {},
): ConfigurationTables {
  const columns = {
    targets: [],
    external_ids: new Map([['ovs-ipfix-targets', '127.0.0.1:4739']]),
    other_config: new Map(),
    cache_active_timeout: undefined,
    cache_max_flows: undefined,
    ...ipfix,
  };
  return {
    bridges: [bridge('br0')],
    ipfix: new Map([[IPFIX, { uuid: IPFIX, columns }]]),
    collectorSets: [],
    controllers: new Map(),
    ...rest,
  };
}

const codes = (input: ConfigurationTables) =>
  readConfiguration(input, 1400).conditions.map((condition) => condition.code);

test('gives a native row with only targets the defaults of ovs-vswitchd', () => {
  const { bridges, conditions } = readConfiguration(tables({}), 1400);
  assert.deepEqual(conditions, []);
  assert.deepEqual(bridges.get('br0'), {
    name: 'br0',
    maxSampleRate: 5000,
    samplerPolicy: 'auto',
    hasKernelDatapath: false,
    isFailOpen: false,
    sampling: {
      ipfixRow: IPFIX,
      isOurs: true,
      rowSetsFormat: false,
      targetsPlace: { name: 'external_ids:ovs-ipfix-targets', setting: 'external_ids:ovs-ipfix-targets=' },
      interval: 400,
      observationDomainId: 0,
      observationPointId: 0,
      exporter: {
        targets: [{ host: '127.0.0.1', port: 4739, text: '127.0.0.1:4739' }],
        delivery: undefined,
        activeTimeoutSeconds: 0,
        flowsMax: 0,
        templateIntervalSeconds: 600,
        messageBytesMax: 1400,
        recordFormat: 'extended',
        hasTunnels: false,
        optionsRecords: undefined,
      },
    },
    flowSampling: new Map(),
  });
});

test('reads each column of a row', () => {
  const input = tables({
    sampling: 3,
    obs_domain_id: 7,
    obs_point_id: 9,
    cache_active_timeout: 60,
    cache_max_flows: 13,
    template_interval: 30,
  });
  const sampling = readConfiguration(input, 1400).bridges.get('br0')?.sampling;
  assert.equal(sampling?.interval, 3);
  assert.equal(sampling.observationDomainId, 7);
  assert.equal(sampling.observationPointId, 9);
  assert.equal(sampling.exporter.activeTimeoutSeconds, 60);
  assert.equal(sampling.exporter.flowsMax, 13);
  assert.equal(sampling.exporter.templateIntervalSeconds, 30);
});

test('does not manage a row whose targets ovs-vswitchd has, nor one without held targets', () => {
  for (const columns of [
    { targets: ['127.0.0.1:1'], external_ids: new Map() },
    { targets: ['127.0.0.1:1'] },
    { external_ids: new Map() },
  ]) {
    assert.notEqual(readConfiguration(tables(columns), 1400).bridges.get('br0')?.sampling?.isOurs, true);
  }
});

test('uses new targets of an adopted row before they are adopted, with all other changes', () => {
  const externalIds = new Map([
    ['ovs-ipfix-targets', '127.0.0.1:1'],
    ['ovs-ipfix-state', 'adopted'],
  ]);
  const input = tables({ targets: ['127.0.0.1:2'], external_ids: externalIds });
  assert.deepEqual(
    readConfiguration(input, 1400)
      .bridges.get('br0')
      ?.sampling?.exporter.targets.map((t) => t.port),
    [2],
  );
});

test('reports a bad target with row, column and value, and uses the valid ones', () => {
  const input = tables({ external_ids: new Map([['ovs-ipfix-targets', '127.0.0.1:1,1.2.3:9 127.0.0.1:2']]) });
  const { bridges, conditions } = readConfiguration(input, 1400);
  assert.equal(bridges.get('br0')?.sampling?.exporter.targets.length, 2);
  assert.equal(conditions.length, 1);
  assert.equal(conditions[0]?.code, 'bad-target');
  assert.equal(conditions[0].where, `IPFIX row ${IPFIX} (bridge br0), external_ids:ovs-ipfix-targets`);
  assert.match(conditions[0].message, /1\.2\.3:9/u);
  assert.match(conditions[0].action, /"ovs-vsctl set IPFIX \S+ external_ids:ovs-ipfix-targets=\.\.\."/u);
  const adopted = new Map([
    ['ovs-ipfix-targets', '127.0.0.1:1 1.2.3:9'],
    ['ovs-ipfix-state', 'adopted'],
  ]);
  const [ofColumn] = readConfiguration(tables({ external_ids: adopted }), 1400).conditions;
  assert.equal(ofColumn?.where, `IPFIX row ${IPFIX} (bridge br0), column targets`);
  assert.match(ofColumn.action, /"ovs-vsctl set IPFIX \S+ targets=\.\.\."/u);
});

test('makes no exporter for a row without a valid target', () => {
  const input = tables({ external_ids: new Map([['ovs-ipfix-targets', 'nonsense:target:here']]) });
  assert.equal(readConfiguration(input, 1400).bridges.get('br0')?.sampling, undefined);
  assert.deepEqual(codes(input), ['bad-target', 'no-usable-target']);
});

test('reports a value out of range, uses the default, and keeps the other columns', () => {
  const { bridges, conditions } = readConfiguration(tables({ sampling: 0, obs_domain_id: 5 }), 1400);
  assert.deepEqual(
    conditions.map((condition) => condition.where),
    [`IPFIX row ${IPFIX} (bridge br0), column sampling`],
  );
  assert.equal(bridges.get('br0')?.sampling?.interval, 400);
  assert.equal(bridges.get('br0')?.sampling?.observationDomainId, 5);
});

test('reports that one of the two cache columns alone turns caching off', () => {
  assert.deepEqual(codes(tables({ cache_active_timeout: 60 })), ['caching-disabled']);
  assert.deepEqual(codes(tables({ cache_max_flows: 60 })), ['caching-disabled']);
  assert.deepEqual(codes(tables({ cache_active_timeout: 60, cache_max_flows: 60 })), []);
});

test('reports a database without the cache columns', () => {
  const input = tables({});
  const row = input.ipfix.get(IPFIX);
  const { cache_active_timeout: _timeout, cache_max_flows: _flows, ...columns } = row?.columns ?? {};
  assert.deepEqual(codes({ ...input, ipfix: new Map([[IPFIX, { uuid: IPFIX, columns }]]) }), [
    'no-cache-columns',
  ]);
});

test('reports unknown keys with the prefix ovs-ipfix, and no others', () => {
  const externalIds = new Map([
    ['ovs-ipfix-targets', '127.0.0.1'],
    ['ovs-ipfix-tragets', 'x'],
    ['owner', 'me'],
  ]);
  assert.deepEqual(codes(tables({ external_ids: externalIds })), ['unknown-key']);
  const bridges = [bridge('br0', { external_ids: new Map([['ovs-ipfix-rate', '5']]) })];
  assert.deepEqual(codes(tables({}, { bridges })), ['unknown-key']);
});

test('reads the rate of a bridge from its row, and reports an invalid one', () => {
  const rate = (text: string) => {
    const bridges = [bridge('br0', { external_ids: new Map([['ovs-ipfix-max-rate', text]]) })];
    const { bridges: read, conditions } = readConfiguration(tables({}, { bridges }), 1400);
    return [read.get('br0')?.maxSampleRate, conditions.length];
  };
  assert.deepEqual(rate('100'), [100, 0]);
  assert.deepEqual(rate('1000000'), [1_000_000, 0]);
  for (const bad of ['0', '1000001', '-5', '1e3', '', 'many', '99999999']) {
    assert.deepEqual(rate(bad), [5000, 1], bad);
  }
});

test('reads the sampler of a bridge from its row, and reports an invalid one', () => {
  const policy = (text: string) => {
    const bridges = [bridge('br0', { external_ids: new Map([['ovs-ipfix-sampler', text]]) })];
    const { bridges: read, conditions } = readConfiguration(tables({}, { bridges }), 1400);
    return [read.get('br0')?.samplerPolicy, conditions.map(({ where }) => where)];
  };
  for (const valid of ['packet-in', 'datapath', 'auto']) {
    assert.deepEqual(policy(valid), [valid, []]);
  }
  for (const bad of ['', 'kernel', 'Auto']) {
    assert.deepEqual(policy(bad), ['auto', ['Bridge br0, external_ids:ovs-ipfix-sampler']]);
  }
});

test('knows the bridges whose packets the kernel forwards', () => {
  const bridges = ['', 'system', 'netdev'].map((type, index) =>
    bridge(`br${index}`, { datapath_type: type }),
  );
  const { bridges: read } = readConfiguration(tables({}, { bridges }), 1400);
  assert.deepEqual(
    [...read.values()].map((each) => each.hasKernelDatapath),
    [true, true, false],
  );
});

test('lets two bridges share a row', () => {
  const { bridges, ipfixRows } = readConfiguration(
    tables({}, { bridges: [bridge('br0'), bridge('br1')] }),
    1400,
  );
  assert.deepEqual(
    [...bridges.values()].map((each) => each.sampling?.ipfixRow),
    [IPFIX, IPFIX],
  );
  assert.deepEqual(
    ipfixRows.map((used) => used.bridges),
    [['br0', 'br1']],
  );
});

test('exports for a collector set with a managed row, with its bridge and its id', () => {
  const collectorSets = [
    { uuid: 'set', columns: { id: 3, bridge: { uuid: 'uuid of br1' }, ipfix: { uuid: IPFIX } } },
  ];
  const bridges = [bridge('br0', { ipfix: undefined }), bridge('br1', { ipfix: undefined })];
  const {
    bridges: read,
    ipfixRows,
    conditions,
  } = readConfiguration(tables({}, { bridges, collectorSets }), 1400);
  assert.deepEqual(conditions, []);
  assert.deepEqual(
    ipfixRows.map((used) => used.bridges),
    [['br1']],
  );
  assert.equal(read.get('br0')?.flowSampling.size, 0);
  assert.equal(read.get('br1')?.sampling, undefined);
  assert.equal(read.get('br1')?.flowSampling.get(3)?.ipfixRow, IPFIX);
  assert.equal(read.get('br1')?.flowSampling.get(3)?.exporter.targets.length, 1);
});

test('only reports a collector set without a row, without a target, or of a missing bridge', () => {
  const set = (columns: Record<string, unknown>) => [
    { uuid: 'set', columns: { id: 3, bridge: { uuid: 'uuid of br0' }, ...columns } },
  ];
  const none = { ...tables({}), bridges: [bridge('br0', { ipfix: undefined })] };
  assert.deepEqual(codes({ ...none, collectorSets: set({}) }), ['no-ipfix-row']);
  assert.deepEqual(
    codes({ ...none, collectorSets: set({ ipfix: { uuid: IPFIX }, bridge: { uuid: 'x' } }) }),
    ['dangling-reference'],
  );
  const noTarget = tables({ external_ids: new Map([['ovs-ipfix-targets', '']]) });
  assert.deepEqual(
    codes({ ...noTarget, bridges: none.bridges, collectorSets: set({ ipfix: { uuid: IPFIX } }) }),
    ['no-usable-target'],
  );
});

test('only reports a reference to a missing row', () => {
  assert.deepEqual(codes(tables({}, { ipfix: new Map() })), ['dangling-reference']);
});

test('does not report a collector set with only a local group, which is for the kernel', () => {
  const set = (columns: Record<string, unknown>) => ({
    ...tables({}, { bridges: [bridge('br0', { ipfix: undefined })] }),
    collectorSets: [{ uuid: 'set', columns: { id: 3, bridge: { uuid: 'uuid of br0' }, ...columns } }],
  });
  assert.deepEqual(codes(set({ local_group_id: 7 })), []);
  assert.deepEqual(codes(set({ local_group_id: 0 })), []);
  // Databases before OVS 3.4 have no such column, and later ones have it unset.
  assert.deepEqual(codes(set({})), ['no-ipfix-row']);
  assert.deepEqual(codes(set({ local_group_id: undefined })), ['no-ipfix-row']);
  const { bridges } = readConfiguration(set({ local_group_id: 7, ipfix: { uuid: IPFIX } }), 1400);
  assert.equal(bridges.get('br0')?.flowSampling.size, 1);
});

/** A row with these keys in other_config, and the version of Open vSwitch. */
const withKeys = (
  keys: Record<string, string>,
  ovsVersion?: string,
  columns: Record<string, unknown> = {},
) => ({
  ...tables({ other_config: new Map(Object.entries(keys)), ...columns }),
  ovsVersion,
});

/** Targets that vswitchd has: the row is not ours. */
const THEIRS = { targets: ['127.0.0.1:1'], external_ids: new Map() };

test('reports output sampling for exported rows, in the words for the version', () => {
  const key = { 'enable-output-sampling': 'True' };
  assert.deepEqual(codes(withKeys(key, '3.2.0')), ['output-sampling-not-done']);
  assert.deepEqual(codes(withKeys(key)), ['output-sampling-not-done']);
  assert.deepEqual(codes(withKeys({ 'enable-output-sampling': 'false' }, '3.5.0')), []);
  assert.deepEqual(codes(withKeys(key, '3.5.0', THEIRS)), [], 'ovs-vswitchd does what the key says');
  const [inverted, output] = readConfiguration(withKeys(key, '3.1.0'), 1400).conditions;
  assert.equal(inverted?.code, 'sampling-keys-inverted');
  assert.equal(output?.code, 'output-sampling-not-done');
  assert.match(output.message, /3\.1\.0 inverts the key/u);
  assert.match(output.action, /--adopt=marked/u);
});

test('reports keys that this Open vSwitch inverts, whoever exports', () => {
  const key = { 'enable-input-sampling': 'false' };
  assert.deepEqual(codes(withKeys(key, '2.17.12')), ['sampling-keys-inverted']);
  assert.deepEqual(codes(withKeys(key, '3.1.7', THEIRS)), ['sampling-keys-inverted']);
  assert.deepEqual(codes(withKeys({}, '2.17.12')), []);
});

test('does not sample a bridge whose row disables input sampling for its version, but its sets', () => {
  const collectorSets = [
    { uuid: 's', columns: { id: 3, bridge: { uuid: 'uuid of br0' }, ipfix: { uuid: IPFIX } } },
  ];
  const cases = [
    ['false', '3.2.0', true],
    ['False', undefined, true],
    ['true', '3.2.0', false],
    ['false', '3.1.0', false],
    ['true', '3.1.0', true],
  ] as const;
  for (const [value, version, isDisabled] of cases) {
    const input = { ...withKeys({ 'enable-input-sampling': value }, version), collectorSets };
    const { bridges, ipfixRows } = readConfiguration(input, 1400);
    assert.equal(ipfixRows[0]?.inputSamplingDisabled !== undefined, isDisabled, `${value} in ${version}`);
    assert.equal(bridges.get('br0')?.sampling === undefined, isDisabled);
    assert.equal(bridges.get('br0')?.flowSampling.size, 1);
  }
});

test('ignores the sampling keys of a row that only collector sets use', () => {
  const input = withKeys({ 'enable-input-sampling': 'true', 'enable-output-sampling': 'true' }, '3.1.0');
  const collectorSets = [
    { uuid: 's', columns: { id: 3, bridge: { uuid: 'uuid of br0' }, ipfix: { uuid: IPFIX } } },
  ];
  const onlySets = { ...input, bridges: [bridge('br0', { ipfix: undefined })], collectorSets };
  assert.deepEqual(codes(onlySets), []);
  assert.equal(readConfiguration(onlySets, 1400).ipfixRows[0]?.inputSamplingDisabled, undefined);
});

test('reports by name settings that only ovs-vswitchd supports, and not where it exports', () => {
  const settings = { 'enable-tunnel-sampling': 'true', virtual_obs_id: 'vm-7' };
  const input = withKeys(settings, '3.5.0', { stats_interval: 60 });
  const { conditions } = readConfiguration(input, 1400);
  assert.deepEqual(
    conditions.map(({ code }) => code),
    ['setting-not-supported', 'setting-not-supported', 'setting-not-supported'],
  );
  assert.match(conditions[0]?.message ?? '', /tunnelType/u);
  assert.match(conditions[1]?.message ?? '', /virtualObsID/u);
  assert.match(conditions[2]?.message ?? '', /statistics records/u);
  assert.match(conditions[2]?.where ?? '', /stats_interval$/u);
  assert.deepEqual(codes(withKeys(settings, '3.5.0', { stats_interval: 60, ...THEIRS })), []);
  assert.deepEqual(codes(withKeys({ 'enable-tunnel-sampling': 'false', virtual_obs_id: '' }, '3.5.0')), []);
});

test('reads the record format of a row, and uses that of the process for other rows and invalid values', () => {
  const withFormat = (format: string | undefined) =>
    tables({
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ...(format === undefined ? [] : [['ovs-ipfix-record-format', format] as const]),
      ]),
    });
  const formatOf = (format: string | undefined, ofProcess: 'original' | 'extended') =>
    readConfiguration(withFormat(format), 1400, ofProcess).bridges.get('br0')?.sampling?.exporter
      .recordFormat;
  for (const ofProcess of ['original', 'extended'] as const) {
    assert.equal(formatOf('extended', ofProcess), 'extended');
    assert.equal(formatOf('original', ofProcess), 'original');
    assert.equal(formatOf(undefined, ofProcess), ofProcess);
    assert.equal(formatOf('Extended', ofProcess), ofProcess);
  }
  assert.deepEqual(codes(withFormat('extended')), []);
  const [condition, ...others] = readConfiguration(withFormat('both'), 1400).conditions;
  assert.deepEqual(others, []);
  assert.equal(condition?.code, 'bad-value');
  assert.match(condition.where, /^IPFIX row .*, external_ids:ovs-ipfix-record-format$/u);
  assert.equal(condition.message, '"both" is not one of original and extended; the default is used.');
});

test('repeats templates by the column, then by the key, then after 600 s', () => {
  const withKey = (seconds: string, columns = {}) =>
    tables({
      ...columns,
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ['ovs-ipfix-template-interval', seconds],
      ]),
    });
  const intervalOf = (input: ConfigurationTables) =>
    readConfiguration(input, 1400).bridges.get('br0')?.sampling?.exporter.templateIntervalSeconds;
  assert.equal(intervalOf(withKey('60')), 60);
  assert.equal(intervalOf(withKey('60', { template_interval: 30 })), 30);
  assert.deepEqual(codes(withKey('3600')), []);
  for (const invalid of ['0', '3601', '1m', '']) {
    assert.equal(intervalOf(withKey(invalid)), 600);
    const [condition, ...others] = readConfiguration(withKey(invalid), 1400).conditions;
    assert.deepEqual(others, []);
    assert.equal(condition?.code, 'bad-value');
    assert.match(condition.where, /^IPFIX row .*, external_ids:ovs-ipfix-template-interval$/u);
  }
});

test('the longest message is that of the row, or of the process', () => {
  const withKey = (bytes: string) =>
    tables({
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ['ovs-ipfix-message-bytes-max', bytes],
      ]),
    });
  const bytesOf = (input: ConfigurationTables) =>
    readConfiguration(input, 1400).bridges.get('br0')?.sampling?.exporter.messageBytesMax;
  assert.equal(bytesOf(tables({})), 1400);
  assert.equal(bytesOf(withKey('512')), 512);
  assert.equal(bytesOf(withKey('65535')), 65_535);
  for (const invalid of ['511', '65536', '1e3', '-600']) {
    assert.equal(bytesOf(withKey(invalid)), 1400);
    assert.deepEqual(
      readConfiguration(withKey(invalid), 1400).conditions.map(({ code, where }) => [
        code,
        where.split(':').at(-1),
      ]),
      [['bad-value', 'ovs-ipfix-message-bytes-max']],
    );
  }
});

test('reports a collector that is written twice, and uses it once', () => {
  const withTargets = (text: string) => tables({ external_ids: new Map([['ovs-ipfix-targets', text]]) });
  for (const [text, used] of [
    ['127.0.0.1 127.0.0.1:4739', '127.0.0.1:4739'],
    ['[2001:db8::1] [2001:db8:0:0::1]:4739', '[2001:db8::1]:4739'],
    ['flows.example Flows.Example', 'flows.example:4739'],
    ['127.0.0.1:04739 127.0.0.1', '127.0.0.1:4739'],
    ['[::ffff:127.0.0.1]:4739 127.0.0.1', '127.0.0.1:4739'],
  ] as const) {
    const { bridges, conditions } = readConfiguration(withTargets(text), 1400);
    assert.deepEqual(
      bridges.get('br0')?.sampling?.exporter.targets.map((target) => target.text),
      [used],
    );
    assert.deepEqual(
      conditions.map(({ code, ipfixRow }) => [code, ipfixRow !== undefined]),
      [['duplicate-target', true]],
    );
    const [first, second] = text.split(' ');
    assert.ok(conditions[0]?.message.includes(`The target "${second}" is the same collector as "${first}",`));
  }
  assert.deepEqual(codes(withTargets('127.0.0.1:1 127.0.0.1:2')), []);
});

test('reads the options of a row, keeps those that it knows, and reports the others', () => {
  const withOptions = (options: string) =>
    tables({
      sampling: 64,
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ['ovs-ipfix-options', options],
      ]),
    });
  const optionsOf = (options: string) =>
    readConfiguration(withOptions(options), 1400).bridges.get('br0')?.sampling?.exporter.optionsRecords;
  const both = { samplingPopulation: 64, hasInterfaces: true };
  assert.deepEqual(optionsOf('sampling,interfaces'), both);
  assert.deepEqual(optionsOf(' interfaces , sampling,,interfaces'), both);
  assert.deepEqual(optionsOf('sampling'), { ...both, hasInterfaces: false });
  assert.deepEqual(optionsOf('interfaces'), { ...both, samplingPopulation: undefined });
  assert.equal(optionsOf(''), undefined);
  assert.deepEqual(codes(withOptions('sampling,interfaces')), []);
  assert.deepEqual(codes(withOptions('')), []);

  assert.deepEqual(optionsOf('Sampling,interfaces,ports'), { ...both, samplingPopulation: undefined });
  assert.equal(optionsOf('ports'), undefined);
  const [condition, ...others] = readConfiguration(withOptions('Sampling,interfaces,ports'), 1400).conditions;
  assert.deepEqual(others, []);
  assert.equal(condition?.code, 'bad-value');
  assert.match(condition.where, /^IPFIX row .*, external_ids:ovs-ipfix-options$/u);
  assert.equal(
    condition.message,
    'Not among the options sampling, interfaces, tunnel: "Sampling", "ports". In effect: interfaces.',
  );
  assert.match(condition.action, /external_ids:ovs-ipfix-options=\\"sampling,interfaces,tunnel\\"/u);
});

test('a collector set has no sampling interval of the row in its options', () => {
  const input = tables(
    {
      sampling: 64,
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ['ovs-ipfix-options', 'sampling'],
      ]),
    },
    {
      collectorSets: [
        {
          uuid: 'set',
          columns: { id: 3, bridge: { uuid: 'uuid of br0' }, ipfix: { uuid: IPFIX } },
        },
      ],
    },
  );
  const { sampling, flowSampling } = readConfiguration(input, 1400).bridges.get('br0')!;
  assert.equal(sampling?.exporter.optionsRecords?.samplingPopulation, 64);
  assert.equal(flowSampling.get(3)?.exporter.optionsRecords?.samplingPopulation, 1);
});

test('reads the option tunnel, which needs the format extended', () => {
  const withFormat = (format: string, other: Readonly<Record<string, string>> = {}) =>
    tables({
      external_ids: new Map([
        ['ovs-ipfix-targets', '127.0.0.1:4739'],
        ['ovs-ipfix-options', 'tunnel'],
        ['ovs-ipfix-record-format', format],
      ]),
      other_config: new Map(Object.entries(other)),
    });
  const extended = readConfiguration(withFormat('extended'), 1400);
  assert.deepEqual(extended.conditions, []);
  const exporter = extended.bridges.get('br0')?.sampling?.exporter;
  assert.equal(exporter?.hasTunnels, true);
  assert.equal(exporter.optionsRecords, undefined);
  assert.deepEqual(codes(withFormat('original')), ['setting-not-supported']);
  const [condition] = readConfiguration(withFormat('original'), 1400).conditions;
  assert.match(condition?.message ?? '', /^Records of the format original have no elements of tunnels/u);
  // Records have what the key of ovs-vswitchd asks for.
  assert.deepEqual(codes(withFormat('extended', { 'enable-tunnel-sampling': 'true' })), []);
});

test('makes the name of a bridge and what conditions quote of rows safe to show', () => {
  const name = 'br\u001b]0;x\u0007\nready';
  const shown = 'br\\x1b]0;x\\x07\\x0aready';
  const input = tables(
    { external_ids: new Map([['ovs-ipfix-targets', '127.0.0.1:4739,evil\u001b[2J\u202e']]) },
    { bridges: [bridge(name, { external_ids: new Map([['ovs-ipfix-\u009b', '1']]) })] },
  );
  const { bridges, conditions, ipfixRows } = readConfiguration(input, 1400);
  assert.deepEqual(
    [...bridges.keys(), bridges.get(shown)?.name, ipfixRows[0]?.bridges],
    [shown, shown, [shown]],
  );
  assert.deepEqual(conditions.map(({ code }) => code).sort(), ['bad-target', 'unknown-key']);
  for (const condition of conditions) {
    assert.doesNotMatch(Object.values(condition).join(''), /[\p{Cc}\u202e]/u);
    assert.ok(condition.where.includes(shown), condition.where);
  }
  assert.match(conditions.map(({ message }) => message).join(' '), /evil\\x1b\[2J\\u202e/u);
});
