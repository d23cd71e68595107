// A bridge session with a scripted switch that closes the connection at every message, sends garbage, answers late and
// restarts.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { NOTHING_DESIRED } from '../../src/control/bridge-desired.ts';
import type { OpenFlowMessageType } from '../../src/node-openflow/index.ts';
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
import type { Fault, SwitchBehaviour } from '../support/scripted-switch.ts';

const FLOWS = 3;
const SENT = [
  'desc_request',
  'get_config_request',
  'set_controller_id',
  'set_packet_in_format',
  'set_config',
  'set_async',
  'meter_features_request',
  'flow_monitor_request',
  'flow_stats_request',
  'meter_config_request',
  'meter_mod',
  'flow_mod',
  'barrier_request',
  'group_desc_request',
] as const satisfies readonly OpenFlowMessageType[];

const METERS_AND_HOOK = ['meter=65000', 'meter=65001', HOOK_PLACE];
const SAMPLING_FLOWS = Array.from({ length: FLOWS }, (_, index) => `table=3,priority=100,reg0=0x${index}`);

/** Returns the slot of a line of the transcript. */
function slotOf(line: string): string {
  return /(?:meter|table)=\S+/u.exec(line)?.[0] ?? line;
}

/** Prepares a bridge with users' flows, some of which sample, without starting it. */
function prepare(t: TestContext, behaviour: Partial<SwitchBehaviour> = {}): ScriptedBridge {
  const bridge = new ScriptedBridge(t, { behaviour, desired: samplingSets([1]) });
  for (let index = 0; index < FLOWS; index += 1) {
    const writes = { type: 'write_actions', actions: [output(index + 2)] } as const;
    bridge.doAsAnother(userFlow(index, [apply(sample(1), output(1)), writes]));
  }
  bridge.doAsAnother(userFlow(FLOWS, [apply(output(1))]));
  return bridge;
}

/** Returns the state of the switch before the installation and after it. */
async function reference(t: TestContext): Promise<{ before: string[]; installed: unknown }> {
  const bridge = prepare(t);
  const before = bridge.userFlows();
  await bridge.start();
  assert.equal(bridge.session.missing(), undefined);
  return { before, installed: stateOf(bridge) };
}

function stateOf(bridge: ScriptedBridge): unknown {
  const conditions = bridge.session.conditions();
  return [bridge.ofswitch.flows(), bridge.ofswitch.meters(), bridge.print().slice(1), conditions];
}

/** Closes the connection at the n-th message of a type, for each n that occurs; returns how often it was closed. */
async function dropAtEach(
  t: TestContext,
  type: OpenFlowMessageType,
  action: Fault['action'],
  script: (bridge: ScriptedBridge) => Promise<void>,
): Promise<number> {
  for (let from = 1; ; from += 1) {
    const bridge = prepare(t);
    bridge.ofswitch.fail({ type, action, from, times: 1 });
    await script(bridge);
    const drops = bridge.ofswitch.dialCount - 1;
    bridge.takeWarnings();
    if (drops === 0) {
      return from - 1;
    }
  }
}

test('reaches the same state over the next connection wherever the connection ends during the installation', async (t) => {
  const { installed } = await reference(t);
  let drops = 0;
  for (const type of SENT) {
    for (const action of ['hang up', 'hang up after'] as const) {
      const dropped = await dropAtEach(t, type, action, async (bridge) => {
        await bridge.start();
        await bridge.clock.advanceMs(5000);
        assert.deepEqual(stateOf(bridge), installed, `${action} at a ${type}`);
        assert.equal(bridge.session.missing(), undefined);
      });
      assert.ok(dropped > 0, `there is no ${type}`);
      drops += dropped;
    }
  }
  assert.ok(drops >= 40, `${drops} drops`);
});

test("removes everything and restores users' flows wherever the connection ends during the removal", async (t) => {
  const { before } = await reference(t);
  for (const type of ['flow_mod', 'meter_mod', 'barrier_request', 'flow_stats_request'] as const) {
    for (const action of ['hang up', 'hang up after'] as const) {
      for (let from = 1; from <= 6; from += 1) {
        const bridge = prepare(t);
        await bridge.start();
        bridge.ofswitch.fail({ type, action, from, times: 1 });
        const stopping = bridge.session.stop(3500);
        await bridge.clock.advanceMs(3500);
        assert.equal(await stopping, undefined, `${action} at ${type} ${from}`);
        assert.deepEqual([bridge.userFlows(), bridge.hasHook, bridge.ofswitch.meters()], [before, false, []]);
        bridge.takeWarnings();
      }
    }
  }
});

test('recovers from garbage, another version and unexpected replies', async (t) => {
  const { installed } = await reference(t);
  const causes: readonly [string, (bridge: ScriptedBridge) => void, number][] = [
    ['garbage', ({ ofswitch }) => ofswitch.sendGarbage(), 2],
    [
      'a header that is too long',
      ({ ofswitch }) => ofswitch.sendGarbage(Buffer.from('050affff00000000', 'hex')),
      2,
    ],
    ['OpenFlow 1.5', ({ ofswitch }) => ofswitch.speakVersion(6), 2],
    ['version 9', ({ ofswitch }) => ofswitch.speakVersion(9), 2],
    ['a barrier reply', ({ ofswitch }) => ofswitch.sendGarbage(Buffer.from('0515000800000777', 'hex')), 1],
    [
      'an error of 1.0',
      ({ ofswitch }) => ofswitch.sendGarbage(Buffer.from('0101000c0000000100010002', 'hex')),
      1,
    ],
  ];
  for (const [what, cause, connections] of causes) {
    const bridge = prepare(t);
    await bridge.start();
    cause(bridge);
    await bridge.clock.advanceMs(30_000);
    assert.deepEqual(stateOf(bridge), installed, what);
    assert.equal(bridge.ofswitch.dialCount, connections, what);
    assert.equal(bridge.session.status().hookRepairs, 0, what);
    bridge.takeWarnings();
  }
});

test('recovers from garbage during a reconciliation', async (t) => {
  const { installed } = await reference(t);
  for (const type of ['meter_config_request', 'barrier_request', 'flow_monitor_request'] as const) {
    const bridge = prepare(t);
    bridge.ofswitch.hold(type);
    await bridge.start();
    bridge.ofswitch.sendGarbage();
    bridge.ofswitch.release();
    await bridge.clock.advanceMs(5000);
    assert.deepEqual(stateOf(bridge), installed, type);
    bridge.takeWarnings();
  }
});

test('reaches the same state with replies that are seconds late', async (t) => {
  const { before, installed } = await reference(t);
  const bridge = prepare(t);
  bridge.ofswitch.behaviour.answerMs = {
    flow_stats_request: 900,
    barrier_request: 700,
    meter_config_request: 300,
  };
  await bridge.start();
  await bridge.clock.advanceMs(30_000);
  assert.deepEqual(stateOf(bridge), installed);
  assert.deepEqual([bridge.ofswitch.dialCount, bridge.session.status().hookRepairs], [1, 0]);
  bridge.session.setDesired(NOTHING_DESIRED);
  await bridge.clock.advanceMs(10_000);
  assert.deepEqual([bridge.userFlows(), bridge.hasHook, bridge.ofswitch.meters()], [before, false, []]);
});

test('reconnects to a switch that accepts connections and sends no hello', async (t) => {
  const bridge = new ScriptedBridge(t, { behaviour: { saysHello: false }, desired: HOOK_DESIRED });
  const printed = await runScript(bridge.clock, () => bridge.print(), [
    { atMs: 0, what: 'start', act: () => bridge.start() },
    { atMs: 10_000, what: 'no hello for ten seconds' },
    {
      atMs: 25_000,
      what: 'the switch says hello again',
      act: () => {
        bridge.ofswitch.behaviour.saysHello = true;
      },
    },
    { atMs: 32_000, what: 'after the next attempt' },
  ]);
  assert.deepEqual(printed, [
    '0 ms: start',
    '  connection: opening',
    '  hook: pending',
    '  translation: off',
    '  conditions: ',
    '10000 ms: no hello for ten seconds',
    '  connection: backoff',
    '25000 ms: the switch says hello again',
    '  connection: opening',
    '32000 ms: after the next attempt',
    '  connection: up, OpenFlow 1.4, flow monitor main',
    '  hook: installed',
  ]);
});

test('repairs a switch that restarted with its flows but without meters, after a refused connection', async (t) => {
  for (const keeps of ['nothing', 'flows'] as const) {
    const bridge = prepare(t);
    await bridge.start();
    const installed = bridge.ofswitch.meters();
    bridge.ofswitch.takeTranscript();
    bridge.ofswitch.behaviour.isListening = false;
    bridge.ofswitch.restart(keeps);
    const printed = await runScript(bridge.clock, () => bridge.print(), [
      { atMs: 0, what: 'restarting' },
      { atMs: 4000, what: 'unreachable for seconds' },
      {
        atMs: 4001,
        what: 'listening again',
        act: () => {
          bridge.ofswitch.behaviour.isListening = true;
        },
      },
      { atMs: 6000, what: 'connected' },
    ]);
    assert.deepEqual(printed, [
      '0 ms: restarting',
      '  connection: backoff',
      '  hook: pending',
      '  translation: pending',
      '  conditions: ',
      '4000 ms: unreachable for seconds',
      '  conditions: bridge-unreachable',
      '4001 ms: listening again',
      '6000 ms: connected',
      '  connection: up, OpenFlow 1.4, flow monitor main',
      '  hook: installed',
      '  translation: translated',
      '  conditions: ',
    ]);
    assert.deepEqual([bridge.ofswitch.meters(), bridge.hasHook], [installed, true]);
    assert.equal(bridge.session.status().hookRepairs, 0);
    // OVS looks up the meter of an action when the flow is written: kept flows are written again, after the meters.
    const written = bridge.ofswitch.takeTranscript(/<- (?:meter_mod add|flow_mod)/u).map(slotOf);
    assert.deepEqual(
      written,
      keeps === 'nothing' ? METERS_AND_HOOK : [...METERS_AND_HOOK, ...SAMPLING_FLOWS],
    );
    assert.match(bridge.takeWarnings().join('\n'), /^bridge br0: connection lost \([^\n]*$/u);
  }
});
