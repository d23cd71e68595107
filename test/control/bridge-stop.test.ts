// What a stop leaves in a bridge, and what it says about it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { REWRITE_BATCH } from '../../src/control/flow-translator.ts';
import {
  apply,
  HOOK_DESIRED,
  output,
  ScriptedBridge,
  type ScriptedBridgeOptions,
  sample,
  samplingSets,
  userFlow,
} from '../support/scripted-bridge.ts';

/** As in sampled-bridge.ts. */
const STOP_MS = 3500;
const COMMAND = /; run "ovs-ipfix release"\.$/u;

/** A bridge with a hook and `flows` translated flows, and its users' flows as they were before. */
async function installed(t: TestContext, flows: number, options: ScriptedBridgeOptions = {}) {
  const bridge = new ScriptedBridge(t, { desired: samplingSets([1]), ...options });
  for (let index = 0; index < flows; index += 1) {
    bridge.doAsAnother(userFlow(index, [apply(sample(1), output(1)), { type: 'goto_table', tableId: 7 }]));
  }
  const before = bridge.userFlows();
  await bridge.start();
  await bridge.clock.advanceMs(1500);
  assert.equal(bridge.session.missing(), undefined);
  return { bridge, before };
}

interface Stopped {
  readonly left: string | undefined;
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** Stops the session, has `act` happen at `atMs` during it, and lets time pass until the stop has ended. */
async function stop(bridge: ScriptedBridge, atMs = 0, act: () => void = () => {}): Promise<Stopped> {
  const stops: Stopped[] = [];
  const startMicros = bridge.clock.monotonicMicros();
  void bridge.session.stop(STOP_MS).then((left) => {
    stops.push({ left, ms: (bridge.clock.monotonicMicros() - startMicros) / 1000 });
  });
  for (let ms = 0; stops.length === 0 && ms < 2 * STOP_MS; ms += 50) {
    if (ms === atMs) {
      act();
    }
    await bridge.clock.advanceMs(50);
  }
  const [stopped] = stops;
  assert.ok(stopped, 'the stop has not ended');
  return stopped;
}

/** Ends the connection, and refuses new ones. */
async function disconnect(bridge: ScriptedBridge): Promise<void> {
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp();
  await bridge.clock.advanceMs(100);
}

function assertClean(bridge: ScriptedBridge, before: readonly string[]): void {
  assert.deepEqual([bridge.userFlows(), bridge.hasHook, bridge.ofswitch.meters()], [before, false, []]);
}

test('a stop removes everything and closes the connections', async (t) => {
  for (const behaviour of [
    {},
    { monitors: 'OpenFlow 1.0 only', software: '2.15.0' },
    { versions: [6] },
  ] as const) {
    const { bridge, before } = await installed(t, 3, { behaviour });
    assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
    assertClean(bridge, before);
    assert.deepEqual(bridge.ofswitch.connections, []);
    assert.equal(bridge.clock.pendingCount, 0);
  }
});

test('a stop while disconnected connects again and cleans up', async (t) => {
  const { bridge, before } = await installed(t, 3);
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp();
  await bridge.clock.advanceMs(20_000);
  const { left, ms } = await stop(bridge, 1200, () => {
    bridge.ofswitch.behaviour.isListening = true;
  });
  assert.equal(left, undefined);
  assert.ok(ms >= 1200 && ms <= 2300, `${ms} ms`);
  assertClean(bridge, before);
  assert.ok(bridge.takeWarnings().every((line) => line.includes('connection lost')));
});

test('a stop during the pause between two attempts does not wait for its end', async (t) => {
  const { bridge, before } = await installed(t, 1);
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp();
  await bridge.clock.advanceMs(20_050);
  bridge.ofswitch.behaviour.isListening = true;
  assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
  assertClean(bridge, before);
  bridge.takeWarnings();
});

test('a stop that cannot connect says within its time what may be left, and the command that removes it', async (t) => {
  const { bridge } = await installed(t, 1);
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp();
  await bridge.clock.advanceMs(100);
  const { left, ms } = await stop(bridge);
  assert.match(left ?? '', /^Bridge br0 could not be reached: .*ECONNREFUSED.* may be left there/u);
  assert.match(left ?? '', COMMAND);
  assert.ok(ms <= STOP_MS, `${ms} ms`);
  bridge.takeWarnings();
});

test('a bridge that is gone has nothing left, and is not waited for', async (t) => {
  for (const desired of [HOOK_DESIRED, samplingSets([1])]) {
    let isGone = false;
    const { bridge } = await installed(t, 1, { desired, isBridgeGone: () => isGone });
    await disconnect(bridge);
    isGone = true;
    assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
    bridge.takeWarnings();
  }
});

test('an Open vSwitch that is stopped is only waited for where saved flows may bring our actions back', async (t) => {
  for (const [desired, ms] of [
    [HOOK_DESIRED, 0],
    [samplingSets([1]), 2000],
  ] as const) {
    let isStopped = false;
    const { bridge } = await installed(t, 1, { desired, isSwitchStopped: () => isStopped });
    await disconnect(bridge);
    isStopped = true;
    assert.deepEqual(await stop(bridge), { left: undefined, ms });
    bridge.takeWarnings();
  }
});

test('a stop during a restart of Open vSwitch cleans the flows that it restores', async (t) => {
  let isRestoring = false;
  const { bridge, before } = await installed(t, 3, { isRestoringFlows: () => isRestoring });
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.restart('flows');
  await bridge.clock.advanceMs(100);
  isRestoring = true;
  const { left, ms } = await stop(bridge, 1000, () => {
    bridge.ofswitch.behaviour.isListening = true;
    isRestoring = false;
  });
  assert.equal(left, undefined);
  assert.ok(ms >= 1000 && ms <= STOP_MS, `${ms} ms`);
  assertClean(bridge, before);
  bridge.takeWarnings();
});

test('flows that are restored after we have connected are read again before the stop ends', async (t) => {
  let isRestoring = false;
  const { bridge, before } = await installed(t, 3, { isRestoringFlows: () => isRestoring });
  const saved = bridge.ofswitch.flowTable
    .filter(({ tableId }) => tableId === 3)
    .map(({ instructions }) => instructions);
  isRestoring = true;
  bridge.ofswitch.restart();
  // The bridge is clean already when the line drops; over the next connection flows are not read without a reason.
  bridge.clock.setTimer(() => bridge.ofswitch.hangUp(), 500);
  const { left, ms } = await stop(bridge, 1000, () => {
    for (const [index, instructions] of saved.entries()) {
      bridge.doAsAnother(userFlow(index, instructions));
    }
    isRestoring = false;
  });
  assert.equal(left, undefined);
  assert.ok(ms >= 1000 && ms <= STOP_MS, `${ms} ms`);
  assertClean(bridge, before);
  bridge.takeWarnings();
});

test('a restoration of saved flows that does not end during the stop is reported', async (t) => {
  let isRestoring = false;
  const { bridge } = await installed(t, 3, { isRestoringFlows: () => isRestoring });
  isRestoring = true;
  const { left } = await stop(bridge);
  assert.match(
    left ?? '',
    /^Bridge br0: the flows that OVS restores .*run "ovs-ipfix release" when it has ended\.$/u,
  );
});

test('a session that never installed anything is stopped at once, connected or not', async (t) => {
  for (const isListening of [true, false]) {
    const bridge = new ScriptedBridge(t, { behaviour: { isListening } });
    await bridge.start();
    assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
  }
});

test('a stop while the flow monitor is paused removes the hook and reports the flows', async (t) => {
  const { bridge, before } = await installed(t, 3);
  bridge.ofswitch.pauseMonitors();
  await bridge.clock.advanceMs(0);
  const { left, ms } = await stop(bridge);
  assert.match(left ?? '', /^Bridge br0 still has .*our actions in 3 flows; run/u);
  assert.ok(ms <= STOP_MS);
  assert.equal(bridge.hasHook, false);
  assert.notDeepEqual(bridge.userFlows(), before);
});

test('a flow monitor that goes on during the stop lets the flows be restored', async (t) => {
  const { bridge, before } = await installed(t, 3);
  bridge.ofswitch.pauseMonitors();
  await bridge.clock.advanceMs(0);
  const { left, ms } = await stop(bridge, 1000, () => bridge.ofswitch.resumeMonitors());
  assert.equal(left, undefined);
  assert.ok(ms >= 1000 && ms <= 1200);
  assertClean(bridge, before);
});

test('a switch that never answers barriers does not delay the stop, and what is left is reported', async (t) => {
  const { bridge } = await installed(t, 3);
  bridge.ofswitch.fail({ type: 'barrier_request', action: 'ignore' });
  const { left, ms } = await stop(bridge);
  assert.match(left ?? '', /^Bridge br0 still has the hook or its meters/u);
  assert.match(left ?? '', COMMAND);
  assert.ok(ms <= STOP_MS + 1000, `${ms} ms`);
  bridge.takeWarnings();
});

test('many translated flows on a switch without a flow monitor are all restored, or reported with their number', async (t) => {
  const flows = 6 * REWRITE_BATCH;
  const behaviour = { monitors: 'refused', software: '3.1.0' } as const;
  const { bridge, before } = await installed(t, flows, { behaviour });
  assert.equal((await stop(bridge)).left, undefined);
  assertClean(bridge, before);
  const slow = await installed(t, flows, { behaviour });
  slow.bridge.ofswitch.behaviour.answerMs = { barrier_request: 1000 };
  const { left, ms } = await stop(slow.bridge);
  const [, reported] = /^Bridge br0 still has .*our actions in (\d+) flows/u.exec(left ?? '') ?? [];
  assert.match(left ?? '', COMMAND);
  const still = slow.bridge.userFlows().filter((flow) => flow.includes('controller(')).length;
  assert.ok(
    still > 0 && Number(reported) >= still && Number(reported) <= still + REWRITE_BATCH,
    `${reported} of ${still}`,
  );
  assert.ok(ms <= STOP_MS + 1000, `${ms} ms`);
});

test('a refused restoration is reported with the flow and the reason', async (t) => {
  const { bridge } = await installed(t, 2);
  bridge.ofswitch.fail({
    type: 'flow_mod',
    action: 'refuse',
    errorName: 'OFPBRC_EPERM',
    when: (message) => message.type === 'flow_mod' && message.tableId === 3,
  });
  const { left, ms } = await stop(bridge);
  assert.ok(ms < 500, `it was retried for ${ms} ms although that cannot help`);
  assert.match(
    left ?? '',
    /Actions of ours are left behind\. Bridge br0, flow table=3,priority=100,reg0=0x0: .*OFPBRC_EPERM/u,
  );
  assert.match(left ?? '', COMMAND);
  assert.equal(bridge.hasHook, false);
  bridge.takeWarnings();
});

test('a hook that the switch keeps is reported', async (t) => {
  const { bridge } = await installed(t, 0, { desired: HOOK_DESIRED });
  bridge.ofswitch.fail({
    type: 'flow_mod',
    action: 'refuse',
    errorName: 'OFPBRC_EPERM',
    when: (message) => message.type === 'flow_mod' && message.command.startsWith('delete'),
  });
  const { left } = await stop(bridge);
  assert.match(
    left ?? '',
    /^Bridge br0 still has the hook or its meters: .*refused to remove the hook.*OFPBRC_EPERM/u,
  );
  assert.match(left ?? '', COMMAND);
  bridge.takeWarnings();
});
