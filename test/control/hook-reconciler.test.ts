// The hook reconciler with a scripted switch, without the rest of a bridge session.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BridgeConnection } from '../../src/control/bridge-connection.ts';
import { isInHookSlot } from '../../src/control/hook.ts';
import { type HookDesired, NO_HOOK } from '../../src/control/hook-desired.ts';
import { HookReconciler } from '../../src/control/hook-reconciler.ts';
import type { UnmeteredPolicy } from '../../src/control/hook-refusal.ts';
import {
  flowMod,
  METER_FLAGS,
  type MessageOf,
  matchField,
  type OpenFlowMessage,
} from '../../src/node-openflow/index.ts';
import { Log } from '../../src/runtime/log.ts';
import { runScript } from '../support/event-script.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { HOOK_PLACE, MARK, output } from '../support/scripted-bridge.ts';
import { ScriptedSwitch, type SwitchBehaviour } from '../support/scripted-switch.ts';
import { StateTrace } from '../support/state-tables.ts';

const DESIRED: HookDesired = {
  hook: { observationDomainId: 1, observationPointId: 2 },
  keepsHookMeter: false,
  hasSampleMeter: true,
  keepsSampleMeter: false,
  maxSampleRate: 1000,
};
const METER = 'meter=65000 pktps burst stats drop:1000:100';
const SAMPLE_METER = 'meter=65001 pktps burst stats drop:1000:100';

/** Returns a flow mod of another client for the hook's slot. */
function inSlot(command: 'add' | 'modify_strict' | 'delete_strict', port?: number): MessageOf<'flow_mod'> {
  const match = [matchField(`reg${MARK.register}`, 0, 2 ** MARK.bit)];
  const actions = port === undefined ? [] : [output(port)];
  const instructions = [{ type: 'apply_actions', actions }] as const;
  return { type: 'flow_mod', ...flowMod({ command, priority: 65_535, match, instructions }) };
}

function meterMod(command: 'add' | 'modify' | 'delete', meterId: number, rate = 5): MessageOf<'meter_mod'> {
  const bands = command === 'delete' ? [] : [{ type: 'drop', rate, burstSize: 0 } as const];
  return { type: 'meter_mod', command, meterId, flags: METER_FLAGS.pktps, bands };
}

/** Whether a message refreshes the hard timeout. */
function isRefresh(message: OpenFlowMessage): boolean {
  return message.type === 'flow_mod' && message.command === 'modify_strict';
}

class HookScript {
  readonly clock = new ManualClock();
  readonly ofswitch: ScriptedSwitch;
  readonly reconciler: HookReconciler;
  readonly pools: string[] = [];
  readonly sights: string[] = [];
  readonly trace = new StateTrace('hook-reconciler.ts');
  readonly #log: Log;
  #lines: string[] = [];
  #connection: BridgeConnection | undefined;

  constructor(
    t: TestContext,
    behaviour: Partial<SwitchBehaviour> = {},
    unmetered: UnmeteredPolicy = 'refuse',
  ) {
    const { clock } = this;
    this.ofswitch = new ScriptedSwitch({ clock, behaviour });
    this.#log = new Log({ clock, destination: (line) => this.#lines.push(line) });
    this.reconciler = new HookReconciler({
      bridge: 'br0',
      clock,
      log: this.#log.logger('control'),
      unmetered,
      onPool: (meter, { packets, dropped }) => this.pools.push(`${meter} ${packets} ${dropped}`),
      onLedgerEvent: (meter, event) => this.pools.push(`${meter} ${event}`),
      onHook: (sight) => this.sights.push(sight),
      onSampleMeterAdded: () => this.pools.push('sample meter added'),
      onChange: () => this.trace.note(this.reconciler.state),
    });
    this.trace.note(this.reconciler.state);
    t.after(() => {
      this.reconciler.stop();
      assert.deepEqual(this.trace.undocumented, []);
      assert.deepEqual(this.takeWarnings(), []);
    });
  }

  async connect(): Promise<void> {
    const connection = await BridgeConnection.open(await this.ofswitch.dial(), {
      bridge: 'br0',
      mark: MARK,
      log: this.#log.logger('control'),
      isLeading: () => true,
      onPacketIn: () => {},
      onMeterModified: (meterId) => this.reconciler.meterModified(meterId),
      onGroupModified: () => {},
      onFlowEvents: (events) => {
        for (const event of events) {
          if ('match' in event && isInHookSlot(event, MARK)) {
            this.reconciler.observe(event);
          }
        }
      },
    });
    this.#connection = connection;
    void connection.ended.then(() => this.reconciler.disconnected());
    this.ofswitch.takeTranscript();
    this.reconciler.connected(connection);
    await this.clock.advanceMs(0);
  }

  /** Sets the desired state and runs everything that follows immediately. */
  async setDesired(desired: HookDesired): Promise<void> {
    this.reconciler.setDesired(desired);
    this.trace.note(this.reconciler.state);
    await this.clock.advanceMs(0);
  }

  async doAsAnother(message: Parameters<ScriptedSwitch['doAsAnother']>[0]): Promise<void> {
    assert.equal(this.ofswitch.doAsAnother(message), undefined);
    await this.clock.advanceMs(0);
  }

  /** Returns the number of messages sent since the transcript was last taken. */
  takeMessageCount(): number {
    return this.ofswitch.takeTranscript(/^\d+ <- /u).length;
  }

  takeWarnings(): string[] {
    const lines = this.#lines.splice(0).filter((line) => /\|(?:WARN|ERR)\|/u.test(line));
    return lines.map((line) => line.split('|').slice(4).join('|'));
  }

  get isConnected(): boolean {
    return this.ofswitch.connections.length > 0 && this.#connection !== undefined;
  }

  print(): string[] {
    return [
      `state: ${this.reconciler.state}`,
      `flows: ${this.ofswitch
        .flows()
        .map((flow) => flow.split(' ')[0])
        .join('; ')}`,
      `meters: ${this.ofswitch.meters().join('; ')}`,
      `condition: ${this.reconciler.condition?.code ?? 'none'}`,
      `repairs: ${this.reconciler.repairs}`,
    ];
  }
}

const INSTALLED = ['  state: installed', `  flows: ${HOOK_PLACE}`, `  meters: ${METER}; ${SAMPLE_METER}`];
/** Most messages of one reconciliation, as stated in the head of hook-reconciler.ts. */
const RECONCILIATION_MESSAGES_MAX = 14;

test('installs the meters before the hook, and reads the hook and its meter back', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  assert.deepEqual(
    hook.ofswitch.takeTranscript(/<-|switch:/u).map((line) => line.replace(/ actions=.*/u, '')),
    [
      '1 <- flow_stats_request table=0,reg11=0x0/0x80000000',
      '1 <- meter_config_request meter=65000',
      '1 <- meter_config_request meter=65001',
      `1 <- meter_mod add ${METER}`,
      `switch: added ${METER}`,
      `1 <- meter_mod add ${SAMPLE_METER}`,
      `switch: added ${SAMPLE_METER}`,
      '1 <- barrier_request',
      `1 <- flow_mod add ${HOOK_PLACE} cookie=0x6f76732d69706678 hard_timeout=30`,
      `switch: added ${HOOK_PLACE}`,
      '1 <- barrier_request',
      '1 <- flow_stats_request table=0,reg11=0x0/0x80000000',
      '1 <- meter_config_request meter=65000',
      '1 <- meter_stats_request meter=65000',
      '1 <- meter_stats_request meter=65001',
    ],
  );
  assert.deepEqual(hook.trace.states, ['absent', 'pending', 'installed']);
});

const SAMPLED: HookDesired = {
  ...NO_HOOK,
  hook: {
    observationDomainId: 1,
    observationPointId: 2,
    sample: {
      probability: 655,
      collectorSetId: 0xffff_fe00,
      observationDomainId: 9,
      observationPointId: 8,
    },
  },
};

test('needs no meter for a hook that the datapath samples', async (t) => {
  for (const behaviour of [{ versions: [1] } as const, {}]) {
    const hook = new HookScript(t, behaviour);
    await hook.setDesired(SAMPLED);
    await hook.connect();
    assert.deepEqual(hook.print().slice(0, 3), ['state: installed', `flows: ${HOOK_PLACE}`, 'meters: ']);
    assert.deepEqual(hook.pools, []);
  }
});

test('changes the sampler and the probability by one message, and removes an unused meter afterwards', async (t) => {
  const hook = new HookScript(t);
  await hook.connect();
  await hook.setDesired({ ...DESIRED, hasSampleMeter: false });
  const changesTo = async (desired: HookDesired) => {
    hook.ofswitch.takeTranscript();
    await hook.setDesired(desired);
    return hook.ofswitch.takeTranscript(/<- (?:flow|meter)_mod/u).map((line) => line.split(' ')[3]);
  };
  assert.deepEqual(await changesTo({ ...SAMPLED, maxSampleRate: 1000, keepsHookMeter: true }), [
    'modify_strict',
  ]);
  assert.deepEqual(hook.ofswitch.meters(), [METER]);
  assert.deepEqual(await changesTo({ ...DESIRED, hasSampleMeter: false }), ['modify_strict']);
  assert.deepEqual(await changesTo(SAMPLED), ['modify_strict', 'delete']);
  assert.ok(SAMPLED.hook?.sample);
  const sample = { ...SAMPLED.hook.sample, probability: 1310 };
  assert.deepEqual(await changesTo({ ...SAMPLED, hook: { ...SAMPLED.hook, sample } }), ['modify_strict']);
  assert.deepEqual(await changesTo({ ...DESIRED, hasSampleMeter: false }), ['add', 'modify_strict']);
});

test('stays hooked while the probability changes, but not while the sampler does', async (t) => {
  const hook = new HookScript(t);
  await hook.connect();
  await hook.setDesired(SAMPLED);
  assert.ok(SAMPLED.hook?.sample);
  const sample = { ...SAMPLED.hook.sample, probability: 1310, observationPointId: 9 };
  const { reconciler } = hook;
  reconciler.setDesired({ ...SAMPLED, hook: { ...SAMPLED.hook, sample } });
  assert.deepEqual([reconciler.state, reconciler.isHooked, reconciler.isSettled], ['installed', true, false]);
  await hook.setDesired({ ...SAMPLED, hook: { ...SAMPLED.hook, sample } });
  assert.ok(reconciler.isSettled);
  reconciler.setDesired({ ...DESIRED, hasSampleMeter: false });
  assert.deepEqual([reconciler.state, reconciler.isHooked], ['pending', false]);
  await hook.setDesired({ ...DESIRED, hasSampleMeter: false });
  assert.ok(reconciler.isHooked);
});

test('leaves a meter of another client alone that the hook does not need', async (t) => {
  const hook = new HookScript(t);
  await hook.connect();
  await hook.doAsAnother(meterMod('add', 65_000));
  const before = hook.ofswitch.meters();
  await hook.setDesired({ ...SAMPLED, maxSampleRate: 1000, keepsHookMeter: true });
  assert.equal(hook.reconciler.state, 'installed');
  assert.deepEqual(hook.ofswitch.meters(), before);
});

test('sends at most 14 messages in a reconciliation that installs, repairs, changes or removes', async (t) => {
  for (const versions of [
    [1, 5],
    [1, 4],
    [1, 6],
  ] as const) {
    const hook = new HookScript(t, { versions });
    const counts: Record<string, number> = {};
    const count = async (what: string, act: () => unknown) => {
      hook.takeMessageCount();
      await act();
      await hook.clock.advanceMs(0);
      counts[what] = hook.takeMessageCount();
    };
    await hook.connect();
    await count('install', () => hook.setDesired(DESIRED));
    await count('repair the hook', () => hook.doAsAnother(inSlot('delete_strict')));
    await count('repair a meter', () => hook.doAsAnother(meterMod('delete', 65_000)));
    await count('change of rate', () => hook.setDesired({ ...DESIRED, maxSampleRate: 500 }));
    const moved = { observationDomainId: 7, observationPointId: 7 };
    await count('change of both', () => hook.setDesired({ ...DESIRED, maxSampleRate: 400, hook: moved }));
    await count('remove', () => hook.setDesired(NO_HOOK));
    assert.deepEqual([hook.ofswitch.flows(), hook.ofswitch.meters()], [[], []]);
    for (const [what, messages] of Object.entries(counts)) {
      assert.ok(messages > 0 && messages <= RECONCILIATION_MESSAGES_MAX, `${what}: ${messages} messages`);
    }
    assert.equal(hook.reconciler.repairs, 2);
    assert.equal(hook.takeWarnings().length, 2);
  }
});

test('refreshes the hard timeout every ten seconds, so that the hook never expires', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.ofswitch.takeTranscript();
  await hook.clock.advanceMs(300_000);
  const transcript = hook.ofswitch.takeTranscript();
  assert.equal(transcript.filter((line) => line.includes('flow_mod modify_strict')).length, 30);
  assert.deepEqual(
    transcript.filter((line) => line.startsWith('switch:') || line.includes(' flow_mod add ')),
    [],
  );
  assert.equal(hook.reconciler.repairs, 0);
});

test('reinstalls a hook whose timeout could not be refreshed, and does not blame another client', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.ofswitch.fail({ type: 'flow_mod', action: 'ignore', when: isRefresh });
  hook.ofswitch.takeTranscript();
  await hook.clock.advanceMs(30_000);
  assert.deepEqual(hook.ofswitch.takeTranscript(/^switch:/u), [
    `switch: removed ${HOOK_PLACE} (hard timeout)`,
    `switch: added ${HOOK_PLACE}`,
  ]);
  assert.deepEqual(hook.takeWarnings(), [
    "bridge br0: the hook's hard timeout expired before it was refreshed; reinstalled (add the hook)",
  ]);
  await hook.doAsAnother(inSlot('delete_strict'));
  assert.deepEqual(hook.takeWarnings(), [
    'bridge br0: another client modified the hook or its meters; reinstalled (add the hook)',
  ]);
});

test('repairs the hook or a meter that another client modified immediately', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  const printed = await runScript(hook.clock, () => hook.print(), [
    { atMs: 0, what: 'connected', act: () => hook.connect() },
    { atMs: 100, what: 'hook deleted', act: () => hook.doAsAnother(inSlot('delete_strict')) },
    { atMs: 200, what: 'hook modified', act: () => hook.doAsAnother(inSlot('modify_strict', 3)) },
    { atMs: 300, what: 'meter deleted', act: () => hook.doAsAnother(meterMod('delete', 65_001)) },
  ]);
  assert.deepEqual(printed, [
    '0 ms: connected',
    ...INSTALLED,
    '  condition: none',
    '  repairs: 0',
    '100 ms: hook deleted',
    '  repairs: 1',
    '200 ms: hook modified',
    '  repairs: 2',
    '300 ms: meter deleted',
    '  repairs: 3',
  ]);
  assert.equal(hook.ofswitch.flows().length, 1);
  assert.equal(hook.takeWarnings().length, 3);
  // The deleted meter is that of other flows, and the hook samples meanwhile.
  const changes = hook.sights.filter((sight, index) => sight !== hook.sights[index - 1]);
  assert.deepEqual(changes, ['missing', 'installed', 'missing', 'installed', 'missing', 'installed']);
});

test('sees that another client modified the hook, also if it was replaced before it is read', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.sights.length = 0;
  // The reconciliation has read the slot, and replaces what another client does to it meanwhile.
  hook.reconciler.setDesired({ ...DESIRED, hook: { observationDomainId: 7, observationPointId: 8 } });
  const when = () => {
    hook.ofswitch.doAsAnother(inSlot('modify_strict', 3));
    return false;
  };
  hook.ofswitch.fail({ type: 'flow_mod', action: 'refuse', when });
  await hook.clock.advanceMs(0);
  assert.deepEqual(hook.sights, ['missing', 'installed', 'installed']);
});

test('sees a change by another client also before the hook is read back, as proofs do not wait for that', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.ofswitch.fail({ type: 'flow_stats_request', action: 'ignore' });
  hook.reconciler.resync();
  await hook.clock.advanceMs(0);
  assert.equal(hook.sights.at(-1), 'installed');
  await hook.doAsAnother(inSlot('delete_strict'));
  assert.equal(hook.sights.at(-1), 'missing');
});

test('sees the hook all the time while its actions change, and not after the connection has ended', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  await hook.setDesired({ ...DESIRED, hook: { observationDomainId: 7, observationPointId: 8 } });
  await hook.clock.advanceMs(1000);
  assert.deepEqual(hook.sights, ['missing', 'installed', 'installed', 'installed']);
  hook.ofswitch.hangUp();
  await hook.clock.advanceMs(0);
  assert.equal(hook.sights.at(-1), 'disconnected');
});

test('finds a deleted hook by the next poll without a flow monitor', async (t) => {
  const hook = new HookScript(t, { monitors: 'refused', software: '3.1.0' });
  await hook.setDesired(DESIRED);
  const printed = await runScript(hook.clock, () => hook.print(), [
    { atMs: 0, what: 'connected', act: () => hook.connect() },
    { atMs: 5500, what: 'hook deleted', act: () => hook.doAsAnother(inSlot('delete_strict')) },
    { atMs: 5999, what: 'before the poll' },
    { atMs: 6000, what: 'poll' },
    { atMs: 200_000, what: 'refreshed all the time' },
  ]);
  assert.deepEqual(printed, [
    '0 ms: connected',
    ...INSTALLED,
    '  condition: none',
    '  repairs: 0',
    '5500 ms: hook deleted',
    '  flows: ',
    '5999 ms: before the poll',
    '6000 ms: poll',
    `  flows: ${HOOK_PLACE}`,
    '  repairs: 1',
    '200000 ms: refreshed all the time',
  ]);
  assert.equal(hook.takeWarnings().length, 1);
});

test('finds a meter that was deleted without a notification by the next poll', async (t) => {
  const hook = new HookScript(t, { versions: [4] });
  hook.ofswitch.fail({ type: 'set_async_config2', action: 'refuse' });
  await hook.setDesired(DESIRED);
  await hook.connect();
  for (const meterId of [65_000, 65_001]) {
    await hook.doAsAnother(meterMod('delete', meterId));
    assert.equal(hook.ofswitch.meters().length, 1);
    await hook.clock.advanceMs(1000);
    assert.deepEqual(hook.ofswitch.meters(), [METER, SAMPLE_METER]);
  }
  assert.equal(hook.takeWarnings().length, 2);
});

test('reads the counters of the meters each second, and reports the events at which they start anew', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  const added = ['hook meterAdded', 'sample meterAdded'];
  assert.deepEqual(hook.pools.splice(0), [...added, 'hook 0 0', 'sample 0 0', 'sample meter added']);
  hook.ofswitch.countPackets(65_000, 9, 4);
  hook.ofswitch.countPackets(65_001, 3);
  await hook.clock.advanceMs(1000);
  assert.deepEqual(hook.pools.splice(0), ['hook 9 4', 'sample 3 0']);
  await hook.doAsAnother(meterMod('delete', 65_000));
  assert.deepEqual(hook.pools.splice(0), ['hook meterModified', 'hook meterAdded', 'hook 0 0']);
  await hook.clock.advanceMs(5000);
  assert.equal(hook.pools.splice(0).length, 10);
  // The old meter is read once more before its rate changes.
  hook.ofswitch.countPackets(65_000, 7, 2);
  await hook.setDesired({ ...DESIRED, maxSampleRate: 500 });
  assert.deepEqual(hook.pools.splice(0), [
    'hook 7 2',
    'hook rateChanged',
    'sample 3 0',
    'sample rateChanged',
    'hook 0 0',
    'sample 0 0',
  ]);
  assert.equal(hook.takeWarnings().length, 1);
});

test('starts a new account when another client sets a meter to what it is', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.ofswitch.countPackets(65_000, 9, 4);
  hook.pools.splice(0);
  const same = { flags: METER_FLAGS.pktps | METER_FLAGS.burst | METER_FLAGS.stats };
  const bands = [{ type: 'drop', rate: 1000, burstSize: 100 } as const];
  await hook.doAsAnother({ ...meterMod('modify', 65_000), ...same, bands });
  assert.deepEqual(hook.pools.splice(0), ['hook meterModified', 'hook 0 0']);
  assert.equal(hook.reconciler.repairs, 0);
});

test('ends the accounts of both meters with the connection, and starts them on the next one', async (t) => {
  const hook = new HookScript(t);
  await hook.setDesired(DESIRED);
  await hook.connect();
  hook.ofswitch.countPackets(65_000, 9, 4);
  hook.pools.splice(0);
  hook.ofswitch.connections[0]?.end();
  await hook.clock.advanceMs(0);
  assert.deepEqual(hook.pools.splice(0), ['hook connectionLost', 'sample connectionLost']);
  await hook.connect();
  assert.deepEqual(hook.pools.splice(0), ['hook 9 4', 'sample 0 0']);
});

test('refuses a bridge without meters, or hooks it without a meter if allowed', async (t) => {
  for (const meters of ['none', 'refused'] as const) {
    const refused = new HookScript(t, { meters });
    await refused.setDesired(DESIRED);
    const printed = await runScript(refused.clock, () => refused.print(), [
      { atMs: 0, what: 'connected', act: () => refused.connect() },
      { atMs: 60_000, what: 'retried for a minute' },
      { atMs: 60_001, what: 'no longer desired', act: () => refused.setDesired(NO_HOOK) },
    ]);
    assert.deepEqual(printed, [
      '0 ms: connected',
      '  state: refused',
      '  flows: ',
      '  meters: ',
      '  condition: no-meters',
      '  repairs: 0',
      '60000 ms: retried for a minute',
      '60001 ms: no longer desired',
      '  state: absent',
      '  condition: none',
    ]);
    assert.match(refused.takeWarnings()[0] ?? '', /no OpenFlow meters over OpenFlow 1\.4/u);
    const allowed = new HookScript(t, { meters }, 'allow');
    await allowed.setDesired(DESIRED);
    await allowed.connect();
    assert.equal(allowed.reconciler.state, 'installed');
    assert.match(allowed.ofswitch.flows()[0] ?? '', /^(?!.*meter_id).*controller\(/u);
    await allowed.clock.advanceMs(60_000);
    assert.deepEqual([allowed.ofswitch.flows().length, allowed.reconciler.repairs], [1, 0]);
  }
});

test("does not use, change or delete another client's meter, and installs the hook when it is deleted", async (t) => {
  const hook = new HookScript(t);
  await hook.doAsAnother(meterMod('add', 65_000));
  await hook.setDesired(DESIRED);
  const unmanaged = '  meters: meter=65000 pktps drop:5:0';
  const printed = await runScript(hook.clock, () => hook.print(), [
    { atMs: 0, what: 'connected', act: () => hook.connect() },
    { atMs: 10_000, what: 'not desired', act: () => hook.setDesired(NO_HOOK) },
    { atMs: 10_001, what: 'desired again', act: () => hook.setDesired(DESIRED) },
    {
      atMs: 20_000,
      what: 'the other client deletes it',
      act: () => hook.doAsAnother(meterMod('delete', 65_000)),
    },
  ]);
  assert.deepEqual(printed, [
    '0 ms: connected',
    '  state: refused',
    '  flows: ',
    unmanaged,
    '  condition: meter-in-use',
    '  repairs: 0',
    '10000 ms: not desired',
    '  state: absent',
    '  condition: none',
    '10001 ms: desired again',
    '  state: refused',
    '  condition: meter-in-use',
    '20000 ms: the other client deletes it',
    ...INSTALLED,
    '  condition: none',
  ]);
  assert.match(hook.takeWarnings()[0] ?? '', /meter 65000 belongs to another client/u);
});

test("does not replace or delete another client's flow in the hook's slot", async (t) => {
  for (const behaviour of [{}, { monitors: 'refused', software: '3.1.0' }] as const) {
    const hook = new HookScript(t, behaviour);
    await hook.doAsAnother(inSlot('add', 3));
    await hook.setDesired(DESIRED);
    const printed = await runScript(hook.clock, () => hook.print(), [
      { atMs: 0, what: 'connected', act: () => hook.connect() },
      { atMs: 30_000, what: 'retried' },
      { atMs: 30_001, what: 'not desired', act: () => hook.setDesired(NO_HOOK) },
      { atMs: 40_000, what: 'later' },
    ]);
    assert.deepEqual(printed, [
      '0 ms: connected',
      '  state: refused',
      `  flows: ${HOOK_PLACE}`,
      '  meters: ',
      '  condition: hook-slot-in-use',
      '  repairs: 0',
      '30000 ms: retried',
      '30001 ms: not desired',
      '  state: absent',
      '  condition: none',
      '40000 ms: later',
    ]);
    assert.match(hook.ofswitch.flows()[0] ?? '', /actions=output:3$/u);
    assert.deepEqual(hook.ofswitch.takeTranscript(/^switch:|<- (?:flow|meter)_mod/u), []);
    assert.match(hook.takeWarnings()[0] ?? '', /A flow of another client/u);
  }
});

test('reports a hook that the switch accepts without effect, and installs it by a later reconciliation', async (t) => {
  const hook = new HookScript(t);
  hook.ofswitch.fail({ type: 'flow_mod', action: 'ignore', times: 1 });
  await hook.setDesired(DESIRED);
  await hook.connect();
  assert.deepEqual([hook.reconciler.state, hook.reconciler.condition?.code], ['refused', 'hook-refused']);
  assert.deepEqual(hook.takeWarnings(), [
    'bridge br0: Bridge br0 accepted the request to add the hook but did not do it',
  ]);
  await hook.clock.advanceMs(100);
  assert.deepEqual([hook.reconciler.state, hook.reconciler.condition], ['installed', undefined]);
});

test('reports a refusal with its reason, and retries with a backoff that doubles up to five seconds', async (t) => {
  const hook = new HookScript(t);
  hook.ofswitch.fail({ type: 'flow_mod', action: 'refuse', errorName: 'OFPFMFC_TABLE_FULL' });
  await hook.setDesired(DESIRED);
  await hook.connect();
  const passesAt = async (ms: number) => {
    await hook.clock.advanceMs(ms);
    return hook.reconciler.reconciler().reconcileCount;
  };
  const { reconcileCount: first } = hook.reconciler.reconciler();
  assert.match(hook.reconciler.condition?.message ?? '', /refused to add the hook: .*OFPFMFC_TABLE_FULL/u);
  const pauses = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
  for (const [index, pause] of pauses.entries()) {
    assert.equal(await passesAt(pause - 1), first + index);
    assert.equal(await passesAt(1), first + index + 1);
  }
  hook.ofswitch.recover();
  await hook.clock.advanceMs(5000);
  assert.equal(hook.reconciler.state, 'installed');
  assert.match(hook.takeWarnings()[0] ?? '', /OFPFMFC_TABLE_FULL/u);
});

test('disconnects a switch that answers only echo requests after ten seconds', async (t) => {
  for (const type of ['flow_stats_request', 'barrier_request', 'meter_stats_request'] as const) {
    const isPoll = type === 'meter_stats_request';
    const hook = new HookScript(t);
    await hook.setDesired(DESIRED);
    await hook.connect();
    hook.ofswitch.fail({ type, action: 'ignore' });
    if (!isPoll) {
      await hook.doAsAnother(inSlot('delete_strict'));
    }
    await hook.clock.advanceMs(isPoll ? 10_999 : 9999);
    assert.ok(hook.isConnected, type);
    await hook.clock.advanceMs(1);
    assert.ok(!hook.isConnected, type);
    assert.equal(hook.reconciler.state, isPoll ? 'pending' : 'refused');
    assert.equal(
      hook.reconciler.condition?.message,
      isPoll ? undefined : 'bridge br0 has not answered for 10000 ms.',
    );
    hook.ofswitch.recover();
    await hook.connect();
    assert.deepEqual([hook.reconciler.state, hook.reconciler.condition], ['installed', undefined]);
    const warnings = hook.takeWarnings().filter((line) => !line.includes('has not answered'));
    assert.equal(warnings.length, type === 'barrier_request' ? 1 : 0);
  }
});
