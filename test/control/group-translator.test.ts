import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staleGroups, translateGroups } from '../../src/control/group-translator.ts';
import {
  type Action,
  type GroupBucket,
  type GroupDescription,
  type OpenFlowConnection,
  OpenFlowEncodeError,
  type OpenFlowMessage,
  OpenFlowRequestError,
  type SampleAction,
} from '../../src/node-openflow/index.ts';
import { companion, OUTPUT, sample as sampleOf, watching } from './translator-script.ts';

const sample = (collectorSetId: number): SampleAction => sampleOf(collectorSetId, 9);
const ours = (collectorSetId: number): Action => companion(sample(collectorSetId));

function bucket(bucketId: number, ...actions: readonly Action[]): GroupBucket {
  const unknown = Buffer.from([0xff, 0xff, 0, 8, 1, 2, 3, 4]);
  return { bucketId, weight: 3, watchPort: null, watchGroup: null, actions, otherProperties: unknown };
}

function group(groupId: number, ...buckets: readonly GroupBucket[]): GroupDescription {
  return { groupId, groupType: 'select', buckets, properties: Buffer.from('selection method') };
}

function refusal(name: string): OpenFlowRequestError {
  const report = { errorType: 6, errorCode: 1, vendor: 0, name, data: Buffer.alloc(0) };
  return new OpenFlowRequestError(report, 'group_mod', 1, 0);
}

interface FakeOptions {
  readonly refuses?: number;
  /** The group whose translation exceeds the size of a message. */
  readonly tooLarge?: number;
  readonly hasNoGroups?: boolean;
}

/** Makes a switch that has groups only. */
function fakeSwitch(groups: readonly GroupDescription[], options: FakeOptions = {}) {
  const table = new Map(groups.map((each) => [each.groupId, each]));
  const sent: OpenFlowMessage[] = [];
  const fake: Pick<OpenFlowConnection, 'request' | 'transact'> = {
    request: (async (message: OpenFlowMessage) => {
      assert.equal(message.type, 'group_desc_request');
      if (options.hasNoGroups === true) {
        throw refusal('OFPBRC_BAD_STAT');
      }
      return { type: 'group_desc_reply', entries: [...table.values()] };
    }) as OpenFlowConnection['request'],
    transact: async (messages) => {
      for (const message of messages) {
        assert.ok(message.type === 'group_mod' && message.command === 'modify');
        const { groupId, groupType, buckets, properties } = message;
        if (groupId === options.tooLarge) {
          throw new OpenFlowEncodeError('group_mod', 6, 'takes 70000 bytes');
        }
        sent.push(message);
        if (groupId === options.refuses) {
          return [refusal('OFPGMFC_INVALID_GROUP')];
        }
        table.set(groupId, { groupId, groupType, buckets, properties });
      }
      return [];
    },
  };
  return { connection: fake as OpenFlowConnection, sent, groups: () => [...table.values()] };
}

test('translates buckets with managed samples, and changes nothing else of a group', async () => {
  const before = [
    group(1, bucket(4, sample(1), OUTPUT), bucket(9, OUTPUT)),
    group(2, bucket(1, OUTPUT)),
    group(3, bucket(1, sample(9))),
    group(4, bucket(1, { type: 'clone', actions: [sample(1), sample(2)] })),
  ];
  const { connection, sent, groups } = fakeSwitch(before);
  assert.notDeepEqual(await staleGroups(connection, watching(1, 2)), []);
  const { groupsBySet, rewrites, refusals } = await translateGroups(connection, watching(1, 2));
  assert.deepEqual(groups(), [
    group(1, bucket(4, sample(1), ours(1), OUTPUT), bucket(9, OUTPUT)),
    before[1],
    before[2],
    group(4, bucket(1, { type: 'clone', actions: [sample(1), ours(1), sample(2), ours(2)] })),
  ]);
  assert.equal(rewrites, 2);
  assert.equal(refusals.size, 0);
  assert.deepEqual(
    [...groupsBySet],
    [
      [1, 2],
      [2, 1],
    ],
  );
  // A correct group is not rewritten.
  assert.deepEqual(await staleGroups(connection, watching(1, 2)), []);
  assert.equal((await translateGroups(connection, watching(1, 2))).rewrites, 0);
  assert.equal(sent.length, 2);
});

test('restores groups without a managed set', async () => {
  const before = [group(1, bucket(4, sample(1), OUTPUT)), group(2, bucket(1, sample(2)))];
  const { connection, groups } = fakeSwitch(before);
  await translateGroups(connection, watching(1, 2));
  assert.notDeepEqual(await staleGroups(connection, watching()), []);
  const { groupsBySet } = await translateGroups(connection, watching());
  assert.deepEqual(groups(), before);
  assert.equal(groupsBySet.size, 0);
});

test('reports a group that is refused or too large, does not count it, and translates the others', async () => {
  const before = [1, 2, 3].map((id) => group(id, bucket(1, sample(1))));
  const { connection, groups } = fakeSwitch(before, { refuses: 1, tooLarge: 2 });
  const { groupsBySet, refusals } = await translateGroups(connection, watching(1));
  assert.deepEqual([...refusals.keys()], [1, 2]);
  assert.match(refusals.get(1) ?? '', /OFPGMFC_INVALID_GROUP/u);
  assert.match(refusals.get(2) ?? '', /70000 bytes/u);
  assert.deepEqual([...groupsBySet], [[1, 1]]);
  assert.deepEqual(groups(), [before[0], before[1], group(3, bucket(1, sample(1), ours(1)))]);
});

test('translates nothing on a switch without groups, and rejects when the connection ends', async () => {
  const { connection } = fakeSwitch([], { hasNoGroups: true });
  assert.deepEqual(await staleGroups(connection, watching(1)), []);
  assert.deepEqual(await translateGroups(connection, watching(1)), {
    groupsBySet: new Map(),
    rewrites: 0,
    refusals: new Map(),
    unresolved: new Map(),
  });
  const ended = { request: () => Promise.reject(new Error('the connection is over')) };
  await assert.rejects(translateGroups(ended as unknown as OpenFlowConnection, watching(1)), /over/u);
});
