// A bridge session with Open vSwitch before 3.0, with an unknown switch, and without any flow monitor.

import assert from 'node:assert/strict';
import { test } from 'node:test';
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

const OVS_2_15 = { monitors: 'OpenFlow 1.0 only', software: '2.15.0' } as const;
const UNKNOWN = { monitors: 'OpenFlow 1.0 only', software: 'a switch of ours' } as const;
const ANOTHER_CLIENT = [
  'bridge br0: another client modified the hook or its meters; reinstalled (add the hook)',
];
const MINUTES_5 = 300_000;

test('monitors flows over a second connection in OpenFlow 1.0 before Open vSwitch 3.0', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: HOOK_DESIRED });
  await bridge.start();
  assert.deepEqual(bridge.print(), [
    'connection: up, OpenFlow 1.4, flow monitor OpenFlow 1.0',
    'hook: installed',
    'translation: off',
    'conditions: ',
  ]);
  assert.deepEqual(
    [...bridge.ofswitch.versions()],
    [
      [1, 5],
      [2, 1],
    ],
  );
  assert.deepEqual(bridge.ofswitch.takeTranscript(/flow_monitor_request|error .*OpenFlow 1/u), [
    '2 <- flow_monitor_request add id=1 flags=add,delete,modify table=0,reg11=0x0/0x80000000',
  ]);
  assert.equal(bridge.session.status().switchVersion, '2.15');
});

test('reinstalls a deleted hook immediately before Open vSwitch 3.0', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: HOOK_DESIRED });
  await bridge.start();
  for (let time = 1; time <= 3; time += 1) {
    await bridge.clock.advanceMs(1234);
    bridge.ofswitch.takeTranscript();
    bridge.deleteHook();
    await bridge.clock.advanceMs(0);
    assert.deepEqual(bridge.ofswitch.takeTranscript(/^switch:/u), [
      `switch: removed ${HOOK_PLACE} (deleted)`,
      `switch: added ${HOOK_PLACE}`,
    ]);
    assert.equal(bridge.session.status().hookRepairs, time);
    assert.deepEqual(bridge.takeWarnings(), ANOTHER_CLIENT);
  }
});

test('keeps the hook for minutes without blaming another client, with any monitor', async (t) => {
  const switches = [
    {},
    OVS_2_15,
    UNKNOWN,
    { ...OVS_2_15, versions: [5] },
    { monitors: 'refused', software: '3.1.0' },
  ] as const;
  for (const behaviour of switches) {
    const bridge = new ScriptedBridge(t, { behaviour, desired: HOOK_DESIRED });
    await bridge.start();
    bridge.ofswitch.takeTranscript();
    await bridge.clock.advanceMs(MINUTES_5);
    const transcript = bridge.ofswitch.takeTranscript(/^switch:|flow_mod/u);
    assert.equal(transcript.length, 30);
    assert.ok(transcript.every((line) => line.startsWith(`1 <- flow_mod modify_strict ${HOOK_PLACE}`)));
    assert.deepEqual([bridge.session.status().hookRepairs, bridge.session.missing()], [0, undefined]);
  }
});

test('polls a switch that answers the monitor request with an error of OpenFlow 1.0, and stays connected', async (t) => {
  const bridge = new ScriptedBridge(t, {
    behaviour: { ...UNKNOWN, versions: [5, 6] },
    desired: HOOK_DESIRED,
  });
  const printed = await runScript(
    bridge.clock,
    () => [...bridge.print(), `hook is there: ${bridge.hasHook}`],
    [
      { atMs: 0, what: 'start', act: () => bridge.start() },
      { atMs: 4500, what: 'another client deletes the hook', act: () => bridge.deleteHook() },
      { atMs: 5000, what: 'the next poll' },
      { atMs: MINUTES_5, what: 'five minutes later' },
    ],
  );
  assert.deepEqual(printed, [
    '0 ms: start',
    '  connection: up, OpenFlow 1.4, flow monitor none',
    '  hook: installed',
    '  translation: off',
    '  conditions: ',
    '  hook is there: true',
    '4500 ms: another client deletes the hook',
    '  hook is there: false',
    '5000 ms: the next poll',
    '  hook is there: true',
    `${MINUTES_5} ms: five minutes later`,
  ]);
  assert.deepEqual(bridge.takeWarnings(), ANOTHER_CLIENT);
  const transcript = bridge.ofswitch.takeTranscript(
    /error .*OpenFlow 1|opened|closed|modify_strict|hard timeout/u,
  );
  assert.deepEqual(transcript.slice(0, 2), ['1 opened', '1 -> error OFPMOFC_BAD_FLAGS (OpenFlow 1.0)']);
  assert.equal(transcript.filter((line) => line.includes('modify_strict')).length, transcript.length - 2);
});

test('polls a bridge without OpenFlow 1.0 on an old Open vSwitch, and reinstalls its hook within a second', async (t) => {
  const behaviour = { ...OVS_2_15, versions: [5] as const };
  const bridge = new ScriptedBridge(t, { behaviour, desired: HOOK_DESIRED });
  await bridge.start();
  assert.equal(bridge.session.status().flowMonitor, 'none');
  await bridge.clock.advanceMs(10_300);
  bridge.deleteHook();
  await bridge.clock.advanceMs(699);
  assert.equal(bridge.hasHook, false);
  await bridge.clock.advanceMs(1);
  assert.equal(bridge.hasHook, true);
  assert.deepEqual(bridge.takeWarnings(), ANOTHER_CLIENT);
  bridge.ofswitch.takeTranscript();
  await bridge.clock.advanceMs(MINUTES_5);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/^switch:|flow_monitor|\bopened/u), []);
});

test('polls the hook while the second connection is down, and does nothing else', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: HOOK_DESIRED });
  await bridge.start();
  const [, monitor] = bridge.ofswitch.connections;
  assert.ok(monitor);
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp(monitor);
  await bridge.clock.advanceMs(0);
  assert.equal(bridge.session.status().flowMonitor, 'none');
  assert.match(bridge.takeWarnings()[0] ?? '', /flow monitor: connection lost/u);
  bridge.deleteHook();
  await bridge.clock.advanceMs(1000);
  assert.equal(bridge.hasHook, true);
  assert.deepEqual(bridge.takeWarnings(), ANOTHER_CLIENT);
  bridge.ofswitch.behaviour.isListening = true;
  await bridge.clock.advanceMs(1000);
  assert.equal(bridge.session.status().flowMonitor, 'OpenFlow 1.0');
  bridge.ofswitch.takeTranscript();
  await bridge.clock.advanceMs(20_000);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/^switch:/u), []);
  assert.equal(bridge.session.status().connection.upCount, 1);
});

test('reads a flow whose change was reported in OpenFlow 1.0 over the main connection, and rewrites it whole', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: samplingSets([1]) });
  await bridge.start();
  await bridge.clock.advanceMs(1000);
  bridge.ofswitch.takeTranscript();
  const writes = { type: 'write_actions', actions: [output(2)] } as const;
  const jump = { type: 'goto_table', tableId: 7 } as const;
  bridge.doAsAnother(userFlow(1, [apply(sample(1)), writes, jump]));
  await bridge.clock.advanceMs(0);
  const [flow] = bridge.userFlows();
  assert.match(
    flow ?? '',
    /^table=3,priority=100,reg0=0x1 actions=sample\(.*\),controller\(.*\),write_actions\(output:2\),goto_table:7$/u,
  );
  const place = 'table=3,priority=100,reg0=0x1';
  const transcript = bridge.ofswitch.takeTranscript(/^\d .*(?:flow_stats|flow_mod|flow_monitor)/u);
  assert.deepEqual(
    transcript.map((line) => line.replace(/ actions=.*/u, '')),
    [
      `2 -> flow_monitor_update added ${place}`,
      '1 <- flow_stats_request all tables',
      `1 -> flow_stats_reply of 2: ${HOOK_PLACE}; ${place}`,
      `1 <- flow_stats_request ${place.replace('priority=100,', '')}`,
      `1 -> flow_stats_reply of 1: ${place}`,
      `1 <- flow_mod modify_strict ${place}`,
      `2 -> flow_monitor_update modified ${place}`,
    ],
  );
  await bridge.clock.advanceMs(5000);
  assert.deepEqual(bridge.ofswitch.takeTranscript(/flow_stats_request all|flow_mod .*reg0/u), []);
});

test('reads flows again after the pause for a change that is reported while they are read', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: samplingSets([1]) });
  await bridge.start();
  await bridge.clock.advanceMs(1000);
  bridge.ofswitch.behaviour.answerMs = { flow_stats_request: 200 };
  bridge.doAsAnother(userFlow(1, [apply(sample(1))]));
  await bridge.clock.advanceMs(100);
  bridge.doAsAnother(userFlow(2, [apply(sample(1))]));
  const translated = async (ms: number) => {
    await bridge.clock.advanceMs(ms);
    return bridge.userFlows().filter((flow) => flow.includes('controller(')).length;
  };
  assert.equal(await translated(150), 1);
  assert.equal(await translated(1700), 1);
  assert.equal(await translated(400), 2);
});

test("keeps a user's modification of a flow during a dump of all flows", async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: OVS_2_15, desired: samplingSets([1]) });
  await bridge.start();
  await bridge.clock.advanceMs(1000);
  bridge.ofswitch.behaviour.answerMs = { flow_stats_request: 500 };
  bridge.doAsAnother(userFlow(1, [apply(sample(1), output(1))]));
  await bridge.clock.advanceMs(100);
  bridge.doAsAnother({ ...userFlow(1, [apply(sample(1), output(2))]), command: 'modify_strict' });
  await bridge.clock.advanceMs(12_000);
  const [flow] = bridge.userFlows();
  assert.match(flow ?? '', /controller\(/u);
  assert.match(flow ?? '', /output:2$/u);
});

test('dumps all flows in at most a tenth of the time, and again after a change', async (t) => {
  for (const behaviour of [OVS_2_15, { ...OVS_2_15, versions: [5] as const }]) {
    const bridge = new ScriptedBridge(t, { behaviour, desired: samplingSets([1]) });
    await bridge.start();
    await bridge.clock.advanceMs(2000);
    assert.equal(bridge.session.status().translation.state, 'translated');
    // The reply to a dump takes half a second, and a user changes flows all the time.
    bridge.ofswitch.behaviour.answerMs = { flow_stats_request: 500 };
    bridge.ofswitch.takeTranscript();
    for (let index = 0; index < 300; index += 1) {
      bridge.doAsAnother(userFlow(index, [apply(sample(1))]));
      await bridge.clock.advanceMs(200);
    }
    const dumps = bridge.ofswitch.takeTranscript(/<- flow_stats_request all tables/u).length;
    assert.ok(dumps >= 10 && dumps <= 13, `${dumps} dumps of half a second in a minute`);
    await bridge.clock.advanceMs(11_000);
    assert.ok(bridge.userFlows().every((flow) => flow.includes('controller(')));
    assert.equal(bridge.hasHook, true);
  }
});
