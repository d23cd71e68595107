// Properties of the batches in which flows are rewritten before Open vSwitch 3.0: each flow is in one, and one request selects it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ObservedFlow } from '../../src/control/flow-rewriting.ts';
import { keyOf } from '../../src/control/flow-rewriting.ts';
import { BatchPlan, commonMatch, READ_EACH_MAX } from '../../src/control/rewriting-batch.ts';
import { type MatchField, matchField } from '../../src/node-openflow/index.ts';

const UDP = [matchField('eth_type', 0x0800), matchField('ip_proto', 17)];

function flow(tableId: number, match: readonly MatchField[], priority = 5): ObservedFlow {
  return { tableId, priority, hardTimeout: 0, match, instructions: [] };
}

const from = (address: number, tableId = 0) =>
  flow(tableId, [...UDP, matchField('ip_src', address), matchField('udp_dst', 53)]);

/** All batches of the flows, and how many of the flows the request for each of them selects. */
function plan(flows: readonly ObservedFlow[], max: number) {
  const byKey = new Map(flows.map((each) => [keyOf(each), each]));
  const pending = new Set(byKey.keys());
  const batches: {
    readonly size: number;
    readonly selected: number;
    readonly match: readonly MatchField[];
  }[] = [];
  const batchPlan = new BatchPlan();
  while (pending.size > 0) {
    const keys = batchPlan.next(pending, byKey, max);
    assert.ok(keys.length > 0 && keys.length <= Math.max(max, READ_EACH_MAX));
    const batch = keys.map((key) => byKey.get(key) as ObservedFlow);
    assert.equal(new Set(batch.map(({ tableId }) => tableId)).size, 1);
    const match = commonMatch(batch);
    assert.ok(batch.every((each) => isSelected(each, match)));
    const tableId = batch[0]?.tableId;
    const selected = flows.filter((each) => each.tableId === tableId && isSelected(each, match)).length;
    batches.push({ size: batch.length, selected, match });
    for (const key of keys) {
      assert.ok(pending.delete(key), 'each flow is in one batch');
    }
  }
  return batches;
}

/** As a flow statistics request does it: the flow fixes all bits that the request does, to the same values. */
function isSelected({ match }: ObservedFlow, request: readonly MatchField[]): boolean {
  return request.every(({ field, value, mask }) => {
    const own = match.find((each) => each.field === field);
    return (
      own !== undefined &&
      value.every((byte, index) => {
        const bits = mask?.[index] ?? 0xff;
        const ownBits = own.mask?.[index] ?? 0xff;
        return (bits & ~ownBits) === 0 && ((byte ^ (own.value[index] ?? 0)) & bits) === 0;
      })
    );
  });
}

test('flows that differ in an address are divided by its low bits, and each request reads no other flow', () => {
  const flows = Array.from({ length: 10_000 }, (_, index) => from(0x0a00_0000 + index));
  const batches = plan(flows, 500);
  assert.equal(batches.length, 32);
  assert.ok(batches.every(({ size, selected }) => selected === size));
  assert.deepEqual(
    batches[0]?.match.map(({ field, mask }) => [field, mask?.toString('hex')]),
    [
      ['eth_type', undefined],
      ['nw_proto', undefined],
      ['ip_src', 'ffffc01f'],
      ['udp_dst', undefined],
    ],
  );
});

test('flows of many kinds and tables are taken a few at a time, and flows with one match but several priorities too', () => {
  const kinds = Array.from({ length: 100 }, (_, index) => flow(index % 3, [matchField('ip_proto', index)]));
  assert.ok(plan(kinds, 500).every(({ size }) => size <= READ_EACH_MAX));
  const priorities = Array.from({ length: 1200 }, (_, index) => flow(0, UDP, index));
  assert.deepEqual(
    plan(priorities, 500).map(({ size }) => size),
    [200, 500, 500],
  );
});

test('VLAN tags, masked and fixed fields are the same in all flows of a batch that is read at once', () => {
  const flows = Array.from({ length: 300 }, (_, index) =>
    flow(0, [matchField('vlan_vid', 0x1000 + (index % 2)), matchField('metadata', index)]),
  );
  for (const { match } of plan(flows, 500)) {
    assert.equal(match.find(({ field }) => field === 'vlan_vid')?.mask, undefined);
    assert.ok(match.some(({ field }) => field === 'vlan_vid'));
  }
});

test('any flows are in one batch each, which its request selects', () => {
  const match = fc.record({
    tableId: fc.nat({ max: 2 }),
    address: fc.nat({ max: 0xffff_ffff }),
    port: fc.option(fc.nat({ max: 0xffff })),
    register: fc.option(fc.tuple(fc.nat({ max: 255 }), fc.constantFrom(0xff, 0xffff_ffff))),
    priority: fc.nat({ max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(match, { maxLength: 200 }), fc.integer({ min: 21, max: 60 }), (given, max) => {
      const flows = given.map(({ tableId, address, port, register, priority }) =>
        flow(
          tableId,
          [
            ...UDP,
            matchField('ip_src', address),
            ...(port === null ? [] : [matchField('udp_dst', port)]),
            ...(register === null ? [] : [matchField('reg0', ...register)]),
          ],
          priority,
        ),
      );
      plan(flows, max);
    }),
    { seed: 7, numRuns: 200 },
  );
});
