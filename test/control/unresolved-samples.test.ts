import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlowTranslator } from '../../src/control/flow-translator.ts';
import { translateGroups } from '../../src/control/group-translator.ts';
import { UnresolvedSamples } from '../../src/control/unresolved-samples.ts';
import {
  type Action,
  type FieldBits,
  type FlowUpdate,
  type GroupDescription,
  matchField,
  type OpenFlowConnection,
  type SampleAction,
} from '../../src/node-openflow/index.ts';

const OPTIONS = { collectorSets: new Set([1]), meterId: 65_001 };
const HASH: FieldBits = { field: 'dp_hash', offset: 0, bitCount: 16 };
const REGISTER: FieldBits = { field: 'xxreg0', offset: 0, bitCount: 32 };

const sample = (
  observationPointId: SampleAction['observationPointId'],
  collectorSetId = 1,
): SampleAction => ({
  type: 'sample4',
  probability: 65_535,
  collectorSetId,
  observationDomainId: 7,
  observationPointId,
  samplingPort: 0xffff_ffff,
  direction: 0,
});

function flow(event: FlowUpdate['event'], ...actions: readonly Action[]): FlowUpdate {
  const instructions = [{ type: 'apply_actions', actions } as const];
  const times = { reason: 0, idleTimeout: 0, hardTimeout: 0, cookie: 5n };
  return {
    event,
    ...times,
    tableId: 3,
    priority: 100,
    match: [matchField('eth_type', 0x0800)],
    instructions,
  };
}

test('reports a flow whose point comes from a field that packet-ins lack, until it is changed or removed', () => {
  const translator = new FlowTranslator({ bridge: 'br0' });
  translator.setOptions(OPTIONS);
  const codes = () => translator.conditions().map(({ code }) => code);
  translator.observe(flow('added', sample(HASH)));
  const [condition] = translator.conditions();
  assert.equal(condition?.code, 'sample-field-unresolved');
  assert.match(condition.where, /^Bridge br0, flow table=3,priority=100,/u);
  assert.match(condition.message, /obs_point_id=dp_hash\[0\.\.15\]/u);
  assert.match(condition.action, /move:/u);
  translator.observe(flow('modified', sample(REGISTER)));
  assert.deepEqual(codes(), []);
  translator.observe(flow('modified', { type: 'clone', actions: [sample(HASH)] }));
  assert.deepEqual(codes(), ['sample-field-unresolved']);
  translator.observe(flow('removed'));
  assert.deepEqual(codes(), []);
});

test('reports samples of managed sets only, and updates the report when the sets change', () => {
  const translator = new FlowTranslator({ bridge: 'br0' });
  translator.setOptions(OPTIONS);
  translator.observe(flow('initial', sample(HASH, 2)));
  assert.deepEqual(translator.conditions(), []);
  translator.setOptions({ ...OPTIONS, collectorSets: new Set([2]) });
  assert.equal(translator.conditions().length, 1);
  translator.forget();
  assert.deepEqual(translator.conditions(), []);
});

test('reports twenty of many flows', () => {
  const unresolved = new UnresolvedSamples();
  for (let index = 0; index < 30; index += 1) {
    unresolved.update(`${index}`, [sample(HASH)], OPTIONS, () => `flow ${index}`);
  }
  const conditions = unresolved.conditions('br0');
  assert.equal(conditions.length, 20);
  assert.equal(conditions[19]?.where, 'Bridge br0, flow 19');
});

test('reports groups with their ids', async () => {
  const buckets = [sample(HASH), sample(REGISTER)].map((action, bucketId) => {
    const watch = { weight: 0, watchPort: null, watchGroup: null, otherProperties: Buffer.alloc(0) };
    return { bucketId, ...watch, actions: [action] };
  });
  const group: GroupDescription = { groupId: 9, groupType: 'all', buckets, properties: Buffer.alloc(0) };
  const fake: Pick<OpenFlowConnection, 'request' | 'transact'> = {
    request: (async () => ({
      type: 'group_desc_reply',
      entries: [group],
    })) as unknown as OpenFlowConnection['request'],
    transact: async () => [],
  };
  const { unresolved } = await translateGroups(fake as OpenFlowConnection, OPTIONS);
  assert.deepEqual([...unresolved], [[9, ['obs_point_id=dp_hash[0..15]']]]);
});
