// Users who modify flows while the daemon rewrites them, on a scripted switch like Open vSwitch before 3.0, where no flow
// monitor shows flows whole.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { OpenFlowMessage } from '../../src/node-openflow/index.ts';
import { apply, output, ScriptedBridge, sample, samplingSets, userFlow } from '../support/scripted-bridge.ts';

const OVS_2_15 = { monitors: 'OpenFlow 1.0 only', software: '2.15.0' } as const;
const OURS = /controller\(/u;
/** What OpenFlow 1.0 does not show. */
const hidden = { type: 'write_actions', actions: [output(7)] } as const;
const SAMPLING = [apply(sample(1), output(1))];

/** A bridge with so many flows that sample. */
function bridgeWith(t: TestContext, count: number, behaviour = {}): ScriptedBridge {
  const bridge = new ScriptedBridge(t, {
    behaviour: { ...OVS_2_15, ...behaviour },
    desired: samplingSets([1]),
  });
  for (let index = 0; index < count; index += 1) {
    bridge.doAsAnother(userFlow(index, SAMPLING));
  }
  return bridge;
}

const isUserTable = (message: OpenFlowMessage) => 'tableId' in message && message.tableId === 3;
/** The first message of those that read and write a batch. */
const isFirst = (message: OpenFlowMessage) =>
  (message.type === 'flow_stats_request' || message.type === 'flow_mod') && isUserTable(message);
/** The write itself: a modification, or the commit of many. */
const isWrite = (message: OpenFlowMessage) =>
  (message.type === 'flow_mod' && isUserTable(message)) ||
  (message.type === 'bundle_control' && message.control === 'commit_request');

/** Has another client act right before the switch executes the `nth` such message. */
function before(
  bridge: ScriptedBridge,
  is: (message: OpenFlowMessage) => boolean,
  act: () => void,
  nth = 1,
): void {
  let seen = 0;
  const when = (message: OpenFlowMessage) => {
    if (is(message)) {
      seen += 1;
      if (seen === nth) {
        act();
      }
    }
    return false;
  };
  for (const type of ['flow_stats_request', 'flow_mod', 'bundle_control'] as const) {
    bridge.ofswitch.fail({ type, action: 'ignore', when });
  }
}

function translation(bridge: ScriptedBridge) {
  const { state, pending, restored, lost } = bridge.session.status().translation;
  return { state, pending, restored, lost };
}

for (const count of [3, 100]) {
  test(`a user who modifies ${count} flows right before they are written gets them as he modified them`, async (t) => {
    const bridge = bridgeWith(t, count);
    before(bridge, isFirst, () => {
      for (let index = 0; index < count; index += 1) {
        bridge.doAsAnother(userFlow(index, [apply(output(2)), hidden], 'modify_strict'));
      }
    });
    await bridge.start();
    await bridge.clock.advanceMs(20_000);
    const flows = bridge.userFlows();
    assert.equal(flows.length, count);
    assert.deepEqual(
      flows.filter((flow) => !flow.endsWith(' actions=output:2,write_actions(output:7)')),
      [],
    );
    assert.deepEqual(translation(bridge), { state: 'translated', pending: 0, restored: count, lost: 0 });
    assert.deepEqual(bridge.session.conditions(), []);
  });
}

test('a flow that still samples after the modification has our action behind the new actions', async (t) => {
  const bridge = bridgeWith(t, 30);
  const modified = [apply(sample(1), output(2)), hidden];
  before(bridge, isFirst, () => bridge.doAsAnother(userFlow(5, modified, 'modify_strict')));
  await bridge.start();
  await bridge.clock.advanceMs(20_000);
  const flows = bridge.userFlows();
  assert.ok(flows.every((flow) => OURS.test(flow)));
  const [flow] = flows.filter((each) => each.includes('reg0=0x5 '));
  assert.match(flow ?? '', /controller\(.*\),output:2,write_actions\(output:7\)$/u);
  assert.deepEqual(translation(bridge), { state: 'translated', pending: 0, restored: 1, lost: 0 });
});

test('a second modification while the first one is restored is the one that stays', async (t) => {
  const bridge = bridgeWith(t, 2);
  const modify = (port: number) => () =>
    bridge.doAsAnother(userFlow(1, [apply(output(port)), hidden], 'modify_strict'));
  before(bridge, isFirst, modify(2));
  // Two flows are read and written; then the first message about the flow that is restored.
  before(bridge, isFirst, modify(3), 5);
  await bridge.start();
  await bridge.clock.advanceMs(20_000);
  const [flow] = bridge.userFlows().filter((each) => each.includes('reg0=0x1 '));
  assert.equal(flow, 'table=3,priority=100,reg0=0x1 actions=output:3,write_actions(output:7)');
  assert.equal(translation(bridge).lost, 0);
});

test('a flow that is deleted right before it is written stays deleted, and is not counted', async (t) => {
  const bridge = bridgeWith(t, 30);
  before(bridge, isFirst, () => bridge.doAsAnother(userFlow(5, [], 'delete_strict')));
  await bridge.start();
  await bridge.clock.advanceMs(20_000);
  assert.equal(bridge.userFlows().length, 29);
  const { translation: status } = bridge.session.status();
  assert.deepEqual([status.state, status.flowsBySet.get(1), status.restored], ['translated', 29, 0]);
});

for (const count of [3, 100]) {
  test(`a modification between reading and writing one of ${count} flows is reported as lost, until the flow is modified again`, async (t) => {
    const bridge = bridgeWith(t, count);
    const modify = () => bridge.doAsAnother(userFlow(0, [apply(output(2)), hidden], 'modify_strict'));
    before(bridge, isWrite, modify);
    await bridge.start();
    await bridge.clock.advanceMs(20_000);
    assert.match(bridge.userFlows()[0] ?? '', OURS);
    assert.deepEqual(translation(bridge), { state: 'translated', pending: 0, restored: 0, lost: 1 });
    const [problem] = bridge.session.conditions();
    assert.deepEqual(
      [problem?.code, problem?.where],
      ['change-overwritten', 'Bridge br0, flow table=3,priority=100,reg0=0x0'],
    );
    modify();
    await bridge.clock.advanceMs(20_000);
    assert.doesNotMatch(bridge.userFlows()[0] ?? '', OURS);
    assert.deepEqual(bridge.session.conditions(), []);
  });
}

test('a user who modifies a flow right after it is written keeps the modification, and nothing is reported', async (t) => {
  const bridge = bridgeWith(t, 30);
  // The flow monitor is read after each batch: its barrier is behind the commit.
  let isWritten = false;
  const when = (message: OpenFlowMessage) => {
    const isAfter = isWritten && message.type === 'barrier_request';
    isWritten ||= isWrite(message);
    if (isAfter) {
      isWritten = false;
      bridge.doAsAnother(userFlow(4, [apply(output(2)), hidden], 'modify_strict'));
    }
    return false;
  };
  bridge.ofswitch.fail({ type: 'bundle_control', action: 'ignore', when });
  bridge.ofswitch.fail({ type: 'barrier_request', action: 'ignore', when });
  await bridge.start();
  await bridge.clock.advanceMs(20_000);
  const [flow] = bridge.userFlows().filter((each) => each.includes('reg0=0x4 '));
  assert.equal(flow, 'table=3,priority=100,reg0=0x4 actions=output:2,write_actions(output:7)');
  assert.deepEqual(translation(bridge), { state: 'translated', pending: 0, restored: 0, lost: 0 });
});

test('a switch without bundles has its flows read and written a few at a time', async (t) => {
  const bridge = bridgeWith(t, 100);
  bridge.ofswitch.fail({ type: 'bundle_control', action: 'refuse', errorName: 'OFPBRC_BAD_TYPE' });
  await bridge.start();
  assert.equal(bridge.userFlows().filter((flow) => OURS.test(flow)).length, 100);
  assert.deepEqual(translation(bridge), { state: 'translated', pending: 0, restored: 0, lost: 0 });
});

test('a flow that the switch refuses in a bundle is reported, and the others are written', async (t) => {
  const bridge = bridgeWith(t, 100);
  const isRefused = (message: OpenFlowMessage) =>
    message.type === 'bundle_add_message' &&
    message.message.type === 'flow_mod' &&
    message.message.match[0]?.value.at(-1) === 9;
  bridge.ofswitch.fail({
    type: 'bundle_add_message',
    action: 'refuse',
    errorName: 'OFPBAC_BAD_OUT_GROUP',
    when: isRefused,
  });
  await bridge.start();
  assert.equal(bridge.userFlows().filter((flow) => OURS.test(flow)).length, 99);
  assert.deepEqual(
    bridge.session.conditions().map(({ code, where }) => [code, where]),
    [['translation-refused', 'Bridge br0, flow table=3,priority=100,reg0=0x9']],
  );
  bridge.takeWarnings();
});

test('many flows are restored when nothing is desired, with what a user modifies meanwhile', async (t) => {
  const bridge = bridgeWith(t, 100);
  await bridge.start();
  await bridge.clock.advanceMs(20_000);
  assert.equal(bridge.userFlows().filter((flow) => OURS.test(flow)).length, 100);
  before(bridge, isFirst, () =>
    bridge.doAsAnother(userFlow(6, [apply(sample(1), output(2)), hidden], 'modify_strict')),
  );
  bridge.session.setDesired({ ...samplingSets([]), hook: undefined });
  await bridge.clock.advanceMs(20_000);
  const flows = bridge.userFlows();
  assert.ok(flows.every((flow) => !OURS.test(flow)));
  assert.equal(flows.filter((flow) => flow.endsWith('output:1')).length, 99);
  assert.equal(flows.filter((flow) => flow.endsWith('output:2,write_actions(output:7)')).length, 1);
  assert.equal(bridge.session.status().translation.state, 'off');
});
