// The translation of users' flows by a bridge session with a scripted switch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_DESIRED } from '../../src/control/bridge-desired.ts';
import { REWRITE_BATCH } from '../../src/control/flow-translator.ts';
import { translateActions } from '../../src/control/translation.ts';
import { type Action, appliedActions, METER_FLAGS, type MessageOf } from '../../src/node-openflow/index.ts';
import { runScript } from '../support/event-script.ts';
import {
  apply,
  HOOK_DESIRED,
  HOOK_PLACE,
  output,
  ScriptedBridge,
  sample,
  samplingSets,
  userFlow,
} from '../support/scripted-bridge.ts';

/** Returns the group mod by which another client adds or modifies a group with one bucket. */
function groupMod(command: 'add' | 'modify', actions: readonly Action[]): MessageOf<'group_mod'> {
  const noPort = 0xffff_ffff;
  return {
    type: 'group_mod',
    command,
    groupId: 5,
    groupType: 'all',
    buckets: [
      {
        bucketId: 0,
        weight: null,
        watchPort: noPort,
        watchGroup: noPort,
        actions,
        otherProperties: Buffer.alloc(0),
      },
    ],
    properties: Buffer.alloc(0),
    commandBucketId: null,
  };
}

const OURS = /controller\(/u;
const writes = { type: 'write_actions', actions: [output(2)] } as const;

test('reads flows, rewrites them when the meter is installed, and restores them when nothing is desired', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  for (let index = 0; index < 3; index += 1) {
    bridge.doAsAnother(userFlow(index, [apply(sample(1), output(1)), writes]));
  }
  bridge.doAsAnother(userFlow(3, [apply(sample(2), output(1))]));
  const before = bridge.userFlows();
  bridge.ofswitch.takeTranscript();
  await bridge.start();
  assert.deepEqual(bridge.translation.states, ['off', 'pending', 'reading', 'rewriting', 'translated']);
  assert.equal(bridge.userFlows().filter((flow) => OURS.test(flow)).length, 3);
  const transcript = bridge.ofswitch.takeTranscript(/switch: (?:added|modified)/u);
  assert.ok(
    transcript.findIndex((line) => line.includes('meter=65001')) <
      transcript.findIndex((line) => line.includes('reg0')),
  );
  bridge.session.setDesired(NOTHING_DESIRED);
  await bridge.clock.advanceMs(0);
  assert.deepEqual([bridge.session.status().translation.state, bridge.userFlows()], ['off', before]);
  assert.deepEqual([bridge.hasHook, bridge.ofswitch.meters()], [false, []]);
});

test("never modifies users' flows over OpenFlow 1.0 alone, in the state unsafe", async (t) => {
  const bridge = new ScriptedBridge(t, {
    behaviour: { versions: [1] },
    desired: samplingSets([1]),
    unmetered: 'allow',
  });
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(1)), writes]));
  const before = bridge.userFlows();
  const printed = await runScript(bridge.clock, () => bridge.print(), [
    { atMs: 0, what: 'start', act: () => bridge.start() },
    {
      atMs: 1000,
      what: 'a user adds a flow',
      act: () => bridge.doAsAnother(userFlow(2, [apply(sample(1))])),
    },
    { atMs: 60_000, what: 'a minute later' },
    { atMs: 60_001, what: 'nothing desired', act: () => bridge.session.setDesired(NOTHING_DESIRED) },
  ]);
  assert.deepEqual(printed, [
    '0 ms: start',
    '  connection: up, OpenFlow 1.0, flow monitor main',
    '  hook: installed',
    '  translation: unsafe',
    '  conditions: flows-shown-in-part',
    '1000 ms: a user adds a flow',
    '60000 ms: a minute later',
    '60001 ms: nothing desired',
    '  hook: absent',
    '  translation: off',
    '  conditions: ',
  ]);
  const sent = bridge.ofswitch.takeTranscript(/<- flow_mod [^t]/u);
  assert.ok(sent.length > 0 && sent.every((line) => line.includes(HOOK_PLACE)));
  assert.deepEqual(
    bridge.userFlows().filter((flow) => flow.includes('reg0=0x1 ')),
    before,
  );
});

test("does not restore flows with the daemon's actions over OpenFlow 1.0 alone, and reports them", async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(1)), writes]));
  await bridge.start();
  const translated = bridge.userFlows();
  assert.match(translated[0] ?? '', OURS);
  bridge.ofswitch.behaviour.versions = [1];
  bridge.ofswitch.restart('flows');
  await bridge.clock.advanceMs(1000);
  assert.equal(bridge.session.status().translation.state, 'unsafe');
  bridge.takeWarnings();
  bridge.ofswitch.takeTranscript();
  const left = bridge.session.stop(3500);
  await bridge.clock.advanceMs(3500);
  assert.match(
    (await left) ?? '',
    /^Bridge br0: 1 flow keeps the daemon's actions, .*run "ovs-ipfix release"\.$/u,
  );
  assert.deepEqual(bridge.userFlows(), translated);
  const sent = bridge.ofswitch.takeTranscript(/<- flow_mod [^t]/u);
  assert.ok(sent.every((line) => line.includes(HOOK_PLACE)));
  bridge.takeWarnings();
});

test('does not delay the hook and its refresh by a long translation', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  const flows = 20 * REWRITE_BATCH;
  for (let index = 0; index < flows; index += 1) {
    bridge.doAsAnother(userFlow(index, [apply(sample(1))]));
  }
  bridge.ofswitch.takeTranscript();
  // Each batch takes 2 s and all of them 40 s, as tens of thousands of flows do on a slow switch.
  bridge.ofswitch.behaviour.answerMs = { barrier_request: 2000 };
  const printed = await runScript(
    bridge.clock,
    () => [...bridge.print(), `hook is there: ${bridge.hasHook}`],
    [
      { atMs: 0, what: 'start', act: () => bridge.start() },
      { atMs: 8000, what: 'the hook and its meters are installed' },
      { atMs: 40_000, what: 'most of the flows are rewritten' },
      { atMs: 40_001, what: 'another client deletes the hook', act: () => bridge.deleteHook() },
      { atMs: 46_000, what: 'after at most two batches' },
      { atMs: 60_000, what: 'all flows are rewritten' },
    ],
  );
  assert.deepEqual(printed, [
    '0 ms: start',
    '  connection: opening',
    '  hook: pending',
    '  translation: pending',
    '  conditions: ',
    '  hook is there: false',
    '8000 ms: the hook and its meters are installed',
    '  connection: up, OpenFlow 1.4, flow monitor main',
    '  hook: installed',
    '  translation: rewriting',
    '  conditions: translation-in-progress',
    '  hook is there: true',
    '40000 ms: most of the flows are rewritten',
    '40001 ms: another client deletes the hook',
    '  hook is there: false',
    '46000 ms: after at most two batches',
    '  hook is there: true',
    '60000 ms: all flows are rewritten',
    '  translation: translated',
    '  conditions: ',
  ]);
  const transcript = bridge.ofswitch.takeTranscript(/modify_strict table=0|hard timeout/u);
  assert.ok(transcript.length >= 3 && transcript.every((line) => line.includes('modify_strict')));
  assert.ok(bridge.pools.length > 15, `${bridge.pools.length} polls`);
  assert.equal(bridge.takeWarnings().length, 1);
  assert.ok(bridge.userFlows().every((flow) => OURS.test(flow)));
});

test('translates a flow that a user changes, and changes nothing else of it', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  await bridge.start();
  bridge.ofswitch.takeTranscript();
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(3)), writes]));
  await bridge.clock.advanceMs(0);
  bridge.doAsAnother(userFlow(1, [apply(output(4), sample(1))], 'modify_strict'));
  await bridge.clock.advanceMs(0);
  assert.match(bridge.userFlows()[0] ?? '', /actions=output:4,sample\(.*\),controller\(.*\)$/u);
  bridge.doAsAnother(userFlow(1, [apply(output(4))], 'modify_strict'));
  await bridge.clock.advanceMs(0);
  assert.match(bridge.userFlows()[0] ?? '', /actions=output:4$/u);
  assert.equal(bridge.session.status().translation.rewrites, 2);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/flow_stats_request all/u), []);
});

test('rewrites nothing while the flow monitor is paused, and everything when it resumes', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  await bridge.start();
  bridge.ofswitch.pauseMonitors();
  await bridge.clock.advanceMs(0);
  bridge.doAsAnother(userFlow(1, [apply(sample(1))]));
  await bridge.clock.advanceMs(2000);
  assert.doesNotMatch(bridge.userFlows()[0] ?? '', OURS);
  bridge.ofswitch.resumeMonitors();
  await bridge.clock.advanceMs(0);
  assert.match(bridge.userFlows()[0] ?? '', OURS);
});

test("applies a change of sets after a pause of the monitor, without undoing a user's change", async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  bridge.doAsAnother(userFlow(1, [apply(sample(2), output(1))]));
  await bridge.start();
  bridge.ofswitch.pauseMonitors();
  await bridge.clock.advanceMs(0);
  bridge.session.setDesired(samplingSets([1, 2]));
  bridge.doAsAnother(userFlow(1, [apply(sample(2), output(9))], 'modify_strict'));
  await bridge.clock.advanceMs(2000);
  assert.match(bridge.userFlows()[0] ?? '', /actions=sample\([^)]*\),output:9$/u);
  bridge.ofswitch.resumeMonitors();
  await bridge.clock.advanceMs(0);
  assert.match(bridge.userFlows()[0] ?? '', /actions=sample\(.*\),controller\(.*\),output:9$/u);
});

test("does not overwrite a user's change whose report is in transit", async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  bridge.doAsAnother(userFlow(1, [apply(sample(2), output(1))]));
  await bridge.start();
  bridge.ofswitch.takeTranscript();
  bridge.doAsAnother(userFlow(1, [apply(sample(2), output(9))], 'modify_strict'));
  bridge.session.setDesired(samplingSets([1, 2]));
  await bridge.clock.advanceMs(0);
  const sent = bridge.ofswitch.takeTranscript(/<- flow_mod modify_strict table=3/u);
  assert.equal(sent.length, 1);
  assert.match(sent[0] ?? '', /,output:9$/u);
});

test('prefers a change that is reported before the reply with all flows', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: HOOK_DESIRED });
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(1))]));
  await bridge.start();
  bridge.ofswitch.hold('flow_monitor_request');
  bridge.session.setDesired(samplingSets([1]));
  await bridge.clock.advanceMs(0);
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(9))], 'modify_strict'));
  bridge.doAsAnother(userFlow(2, [apply(sample(1), output(2))]));
  await bridge.clock.advanceMs(0);
  bridge.ofswitch.release();
  await bridge.clock.advanceMs(0);
  const [first, second] = bridge.userFlows();
  assert.match(first ?? '', /controller\(.*\),output:9$/u);
  assert.match(second ?? '', /controller\(.*\),output:2$/u);
});

/** What an earlier version, which rewrote groups, has left in one. */
const LEFT_IN_GROUP = translateActions([sample(1), output(1)], {
  collectorSets: new Set([1]),
  meterId: 65_001,
});

test('leaves groups as they are, and removes what an earlier version has left there, over OpenFlow 1.5 only', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  bridge.doAsAnother(groupMod('add', [sample(1), output(1)]));
  await bridge.start();
  assert.deepEqual(bridge.ofswitch.takeTranscript(/<- group_mod/u), []);
  bridge.doAsAnother(groupMod('modify', LEFT_IN_GROUP));
  await bridge.clock.advanceMs(0);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/speaks|<- group_mod/u), [
    '2 speaks OpenFlow 1.5',
    '2 <- group_mod modify group=5,type=all,buckets=1',
  ]);
  bridge.doAsAnother(groupMod('modify', [sample(1), output(2)]));
  await bridge.clock.advanceMs(0);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/<- group_mod/u), []);
  bridge.session.setDesired(NOTHING_DESIRED);
  await bridge.clock.advanceMs(0);
  assert.deepEqual([bridge.session.status().translation.state, bridge.ofswitch.meters()], ['off', []]);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/<- group_mod/u), []);
});

test('reports what is left in groups of a bridge without OpenFlow 1.5', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: { versions: [1, 4, 5] }, desired: samplingSets([1]) });
  bridge.doAsAnother(groupMod('add', LEFT_IN_GROUP));
  await bridge.start();
  assert.deepEqual(bridge.print().slice(2), ['translation: translated', 'conditions: translation-refused']);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/<- group_mod/u), []);
  assert.match(bridge.takeWarnings()[0] ?? '', /group 5: .*only OpenFlow 1\.5 shows all of a group/u);
});

test('reports a flow that the switch refuses, and translates the others and installs the hook', async (t) => {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]) });
  for (let index = 0; index < 5; index += 1) {
    bridge.doAsAnother(userFlow(index, [apply(sample(1))]));
  }
  bridge.ofswitch.fail({
    type: 'flow_mod',
    action: 'refuse',
    errorName: 'OFPBAC_BAD_ARGUMENT',
    when: (message) => message.type === 'flow_mod' && message.tableId === 3,
    from: 2,
    times: 1,
  });
  await bridge.start();
  assert.deepEqual(bridge.print().slice(1), [
    'hook: installed',
    'translation: translated',
    'conditions: translation-refused',
  ]);
  assert.equal(bridge.userFlows().filter((flow) => OURS.test(flow)).length, 4);
  assert.match(bridge.takeWarnings()[0] ?? '', /OFPBAC_BAD_ARGUMENT/u);
  bridge.session.setDesired(NOTHING_DESIRED);
  await bridge.clock.advanceMs(0);
  assert.equal(bridge.session.status().translation.state, 'off');
  assert.ok(bridge.userFlows().every((flow) => !OURS.test(flow)));
});

test('removes stale actions without a desired set, found by one search of each connection, and then their meter', async (t) => {
  const killed = new ScriptedBridge(t, { desired: samplingSets([1]) });
  killed.doAsAnother(userFlow(1, [apply(sample(1), output(1)), writes]));
  const before = killed.userFlows();
  await killed.start();
  const instructions = killed.ofswitch.flowTable.find(({ tableId }) => tableId === 3)?.instructions ?? [];
  const bridge = new ScriptedBridge(t, { desired: HOOK_DESIRED });
  bridge.doAsAnother(userFlow(1, instructions));
  bridge.doAsAnother(groupMod('add', appliedActions(instructions)));
  assert.match(bridge.userFlows()[0] ?? '', OURS);
  bridge.doAsAnother({
    type: 'meter_mod',
    command: 'add',
    meterId: 65_001,
    flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats,
    bands: [{ type: 'drop', rate: 1000, burstSize: 100 }],
  });
  bridge.ofswitch.takeTranscript();
  await bridge.start();
  assert.deepEqual([bridge.session.status().translation.state, bridge.userFlows()], ['off', before]);
  const changes = bridge.ofswitch.takeTranscript(
    /out_port|<- (?:flow_mod modify_strict table=3|group_mod|meter_mod delete)/u,
  );
  assert.deepEqual(
    changes.map((line) => line.split(' ').slice(2, 4).join(' ')),
    ['flow_stats_request all', 'flow_mod modify_strict', 'group_mod modify', 'meter_mod delete'],
  );
  bridge.ofswitch.restart('flows');
  await bridge.clock.advanceMs(60_000);
  assert.equal(bridge.ofswitch.takeTranscript(/out_port/u).length, 1);
  assert.match(bridge.takeWarnings().join(), /^bridge br0: connection lost/u);
});

test('removes a stale action without a desired set that only a group has', async (t) => {
  const killed = new ScriptedBridge(t, { desired: samplingSets([1]) });
  killed.doAsAnother(userFlow(1, [apply(sample(1), output(1))]));
  await killed.start();
  const instructions = killed.ofswitch.flowTable.find(({ tableId }) => tableId === 3)?.instructions ?? [];
  const bridge = new ScriptedBridge(t, { desired: HOOK_DESIRED });
  bridge.doAsAnother(groupMod('add', appliedActions(instructions)));
  bridge.ofswitch.takeTranscript();
  await bridge.start();
  assert.equal(bridge.ofswitch.takeTranscript(/<- group_mod modify/u).length, 1);
  assert.equal(bridge.session.status().translation.state, 'off');
});
