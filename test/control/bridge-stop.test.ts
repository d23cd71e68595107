// What a stop leaves in a bridge, and what it reports.

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

/** Makes a bridge with a hook and `flows` translated flows; returns users' flows before the translation, too. */
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
  /** Duration in milliseconds. */
  readonly ms: number;
}

/** Stops the session, calls `act` at `atMs` during the stop, and advances time until the stop has ended. */
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

/** Closes the connection, and refuses new ones. */
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

test('a stop while disconnected reconnects and removes everything', async (t) => {
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

test('a stop during a backoff does not wait for its end', async (t) => {
  const { bridge, before } = await installed(t, 1);
  bridge.ofswitch.behaviour.isListening = false;
  bridge.ofswitch.hangUp();
  await bridge.clock.advanceMs(20_050);
  bridge.ofswitch.behaviour.isListening = true;
  assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
  assertClean(bridge, before);
  bridge.takeWarnings();
});

test('a stop that cannot connect reports in time what may be left, with the command that removes it', async (t) => {
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

test('a stop does not wait for a deleted bridge, in which nothing is left', async (t) => {
  for (const desired of [HOOK_DESIRED, samplingSets([1])]) {
    let isGone = false;
    const { bridge } = await installed(t, 1, { desired, isBridgeGone: () => isGone });
    await disconnect(bridge);
    isGone = true;
    assert.deepEqual(await stop(bridge), { left: undefined, ms: 0 });
    bridge.takeWarnings();
  }
});

test("a stop waits for a stopped Open vSwitch only if saved flows may restore the daemon's actions", async (t) => {
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

test('a stop reads flows again that are restored after the connection', async (t) => {
  let isRestoring = false;
  const { bridge, before } = await installed(t, 3, { isRestoringFlows: () => isRestoring });
  const saved = bridge.ofswitch.flowTable
    .filter(({ tableId }) => tableId === 3)
    .map(({ instructions }) => instructions);
  isRestoring = true;
  bridge.ofswitch.restart();
  // The bridge is clean when the connection ends; over the next connection flows are not read without a reason.
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

test('a stop reports a restore of saved flows that does not end in time', async (t) => {
  let isRestoring = false;
  const { bridge } = await installed(t, 3, { isRestoringFlows: () => isRestoring });
  isRestoring = true;
  const { left } = await stop(bridge);
  assert.match(
    left ?? '',
    /^Bridge br0: the flows that OVS restores .*run "ovs-ipfix release" after the restore\.$/u,
  );
});

test('a session that installed nothing stops immediately, connected or not', async (t) => {
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
  assert.match(left ?? '', /^Bridge br0 still has .*the daemon's actions in 3 flows; run/u);
  assert.ok(ms <= STOP_MS);
  assert.equal(bridge.hasHook, false);
  assert.notDeepEqual(bridge.userFlows(), before);
});

test('a stop restores the flows when the flow monitor resumes', async (t) => {
  const { bridge, before } = await installed(t, 3);
  bridge.ofswitch.pauseMonitors();
  await bridge.clock.advanceMs(0);
  const { left, ms } = await stop(bridge, 1000, () => bridge.ofswitch.resumeMonitors());
  assert.equal(left, undefined);
  assert.ok(ms >= 1000 && ms <= 1200);
  assertClean(bridge, before);
});

test('a switch that never answers barriers does not delay the stop, which reports what is left', async (t) => {
  const { bridge } = await installed(t, 3);
  bridge.ofswitch.fail({ type: 'barrier_request', action: 'ignore' });
  const { left, ms } = await stop(bridge);
  assert.match(left ?? '', /^Bridge br0 still has the hook or its meters/u);
  assert.match(left ?? '', COMMAND);
  assert.ok(ms <= STOP_MS + 1000, `${ms} ms`);
  bridge.takeWarnings();
});

test('a stop on a switch without a flow monitor restores all of many translated flows, or reports their number', async (t) => {
  const flows = 6 * REWRITE_BATCH;
  const behaviour = { monitors: 'refused', software: '3.1.0' } as const;
  const { bridge, before } = await installed(t, flows, { behaviour });
  assert.equal((await stop(bridge)).left, undefined);
  assertClean(bridge, before);
  const slow = await installed(t, flows, { behaviour });
  slow.bridge.ofswitch.behaviour.answerMs = { barrier_request: 1000 };
  const { left, ms } = await stop(slow.bridge);
  const [, reported] = /^Bridge br0 still has .*the daemon's actions in (\d+) flows?/u.exec(left ?? '') ?? [];
  assert.match(left ?? '', COMMAND);
  const still = slow.bridge.userFlows().filter((flow) => flow.includes('controller(')).length;
  assert.ok(
    still > 0 && Number(reported) >= still && Number(reported) <= still + REWRITE_BATCH,
    `${reported} of ${still}`,
  );
  assert.ok(ms <= STOP_MS + 1000, `${ms} ms`);
});

test('a stop reports a refused restoration with the flow and the reason', async (t) => {
  const { bridge } = await installed(t, 2);
  bridge.ofswitch.fail({
    type: 'flow_mod',
    action: 'refuse',
    errorName: 'OFPBRC_EPERM',
    when: (message) => message.type === 'flow_mod' && message.tableId === 3,
  });
  const { left, ms } = await stop(bridge);
  assert.ok(ms < 500, `it was retried for ${ms} ms, which cannot help`);
  assert.match(
    left ?? '',
    /Some companion actions could not be removed\. Bridge br0, flow table=3,priority=100,reg0=0x0: .*OFPBRC_EPERM/u,
  );
  assert.match(left ?? '', COMMAND);
  assert.equal(bridge.hasHook, false);
  bridge.takeWarnings();
});

test('a stop reports a hook that the switch does not remove', async (t) => {
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
