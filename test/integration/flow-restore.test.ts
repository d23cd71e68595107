// A restart of ovs-vswitchd that keeps the flows (support/flow-restore.ts) restores the daemon's flows and actions, but not its
// meters, and a `controller` action whose meter does not exist when its flow is added is not metered, even if the meter is
// added later. These tests restart with a daemon that runs, was stopped, or was killed. Users' flows are compared with those
// after a restart without the daemon: ovs-save reads and writes them over the bridge's highest OpenFlow version, in which some
// actions are printed differently.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RELEASE_TIMEOUT_MS } from '../../src/control/release.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { type Metering, meteringOf, restartWithSavedFlows } from '../support/flow-restore.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { BackgroundProgram } from '../support/process.ts';
import { SampledFlows, sampleAction, udpTo } from '../support/sampled-flows.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const NEEDS = tier('ovs', 'daemon');
/** A target without a collector. */
const COLLECTOR = '127.0.0.1:9';
/** A packet that the hook and one companion send to the daemon. */
const SAMPLED = 'in_port=1,udp,udp_dst=53';
const BOTH_METERED: Metering = { metered: 2, unmetered: 0 };
const NOTHING: Metering = { metered: 0, unmetered: 0 };
/** The hook's hard timeout, and a second until the switch expires it. */
const HOOK_LIFE_MS = 31_000;
/** How long a program that must wait for the restored flows is observed not to end. */
const HEAD_START_MS = 2000;

const USERS_FLOWS = [
  `priority=40000,idle_timeout=600,cookie=0x1234,udp,tp_dst=53,actions=${sampleAction(1)},output:2`,
  `priority=40000,udp,tp_dst=54,actions=clone(${sampleAction(1, 8)},output:2),NORMAL`,
  `priority=5,tcp,actions=${sampleAction(2)},write_actions(output:2),goto_table:3`,
  'priority=5,icmp,actions=load:0x7->NXM_NX_REG3[],resubmit(,4),output:2',
  'table=3,priority=1,tcp,actions=group:9',
  'table=4,priority=1,actions=learn(table=5,hard_timeout=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])',
  'priority=0,actions=NORMAL',
];

/** A bridge with users' flows, exported as a whole and for a collector set; saved and restored once without the daemon. */
interface Restored {
  readonly ovs: Ovs;
  readonly bridge: SampledFlows;
  /** Runs the daemon until it is stopped, killed, or the test ends. */
  run: () => Promise<Daemon>;
  restart: (hooks?: Parameters<typeof restartWithSavedFlows>[2]) => Promise<void>;
  metering(): Promise<Metering>;
  /** Fails unless users' flows, groups and meters are the same as before the daemon first ran. */
  assertUntouched(): Promise<void>;
}

async function setUp(t: TestContext): Promise<Restored> {
  // The daemon loses vswitchd, and vswitchd a daemon that is killed.
  const ovs = await startOvs({
    allowedWarnings: [/rconn.*connection (dropped|reset)/u, /Connection refused/u],
  });
  const daemons: Daemon[] = [];
  t.after(() =>
    endInOrder(
      () => killAll(daemons),
      () => ovs.stop(),
    ),
  );
  const bridge = await SampledFlows.make(ovs);
  await createIpfixRow(ovs, 'br0', [COLLECTOR]);
  await bridge.addSet(1, COLLECTOR);
  await bridge.ofctl('-O', 'OpenFlow15', 'add-group', 'br0', 'group_id=9,type=all,bucket=output:2');
  await bridge.add(USERS_FLOWS);
  await restartWithSavedFlows(ovs, 'br0');
  const before = await everything(bridge);
  assert.match(before, /write_actions\(output:2\),goto_table:3/u);
  return {
    ovs,
    bridge,
    run: async () => {
      const daemon = await startDaemon(ovs);
      daemons.push(daemon);
      return daemon;
    },
    restart: (hooks) => restartWithSavedFlows(ovs, 'br0', hooks),
    metering: () => meteringOf(ovs, 'br0', SAMPLED),
    assertUntouched: async () => assert.equal(await everything(bridge), before),
  };
}

async function killAll(daemons: readonly Daemon[]): Promise<void> {
  for (const daemon of daemons) {
    daemon.signal('SIGCONT');
    await daemon.kill();
  }
}

/** Returns flows, groups and meters as printed by ovs-ofctl. */
async function everything(bridge: SampledFlows): Promise<string> {
  const ofctl = (command: string) => bridge.ofctl('-O', 'OpenFlow15', command, 'br0');
  const parts = [await bridge.dump('OpenFlow15'), await ofctl('dump-groups'), await ofctl('dump-meters')];
  return parts.join('\n').replaceAll(/\(xid=0x[0-9a-f]+\)/gu, '');
}

/** Runs the command of the unit's ExecStopPost. */
function startRelease(ovs: Ovs): Promise<BackgroundProgram> {
  return BackgroundProgram.start(
    process.execPath,
    [DAEMON_FILE, 'release', '--unless-held', ovs.dbEndpoint],
    {
      environment: ovs.environment,
    },
  );
}

async function release(ovs: Ovs): Promise<void> {
  const program = await startRelease(ovs);
  const { exitCode } = await program.exited;
  assert.equal(exitCode, 0, program.stderr);
}

/** Waits for a promise for a limited time: it may be pending until a later step of the test. */
async function firstOf(promise: Promise<unknown> | undefined, timeoutMs: number): Promise<void> {
  const end = new AbortController();
  await Promise.race([promise, delay(timeoutMs, undefined, { signal: end.signal })]);
  end.abort();
}

/** Waits until nothing of the daemon is left in the bridge. */
async function assertReleased(restored: Restored): Promise<void> {
  assert.deepEqual(await restored.metering(), NOTHING);
  await restored.assertUntouched();
}

/** Waits until the daemon's meters count the packets of hook and companion. Returns the milliseconds. */
async function waitForMeters(restored: Restored): Promise<number> {
  const { ovs, bridge } = restored;
  const sinceMs = performance.now();
  await waitFor(async () => isSame(await restored.metering(), BOTH_METERED), {
    what: 'hook and companion are metered',
  });
  const tookMs = performance.now() - sinceMs;
  const before = await countedByMeters(bridge);
  await ovs.inject('p1', udpTo(53), udpTo(53), udpTo(53));
  const counted = (await countedByMeters(bridge)).map((count, index) => count - (before[index] ?? 0));
  assert.deepEqual(counted, [3, 3]);
  return tookMs;
}

/** Returns the packets counted by the hook's meter and by that of the companions. */
async function countedByMeters(bridge: SampledFlows): Promise<number[]> {
  const text = await bridge.ofctl('-O', 'OpenFlow15', 'meter-stats', 'br0');
  return [65_000, 65_001].map((id) => {
    const count = new RegExp(`meter:${id} .*packet_in_count:(\\d+)`, 'u').exec(text)?.[1];
    return Number(count ?? Number.NaN);
  });
}

function isSame(a: Metering, b: Metering): boolean {
  return a.metered === b.metered && a.unmetered === b.unmetered;
}

test('a running daemon installs its meters before the flows are restored', NEEDS, async (t) => {
  const restored = await setUp(t);
  const daemon = await restored.run();
  await restored.restart({ beforeRestore: () => daemon.waitForReady() });
  const tookMs = await waitForMeters(restored);
  t.diagnostic(`metered ${tookMs.toFixed(0)} ms after the end of the restart`);
  await daemon.stop();
  await restored.assertUntouched();
});

test('a running daemon that connects after the flows are restored has them metered', NEEDS, async (t) => {
  const restored = await setUp(t);
  const daemon = await restored.run();
  daemon.signal('SIGSTOP');
  await restored.restart({
    afterRestore: async () => {
      assert.deepEqual(await restored.metering(), { metered: 0, unmetered: 2 });
      daemon.signal('SIGCONT');
    },
  });
  const tookMs = await waitForMeters(restored);
  t.diagnostic(`metered ${tookMs.toFixed(0)} ms after the end of the restart`);
  await daemon.stop();
  await restored.assertUntouched();
});

test(
  'a running daemon has flows metered in whatever order it connects and flows are restored',
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    const daemon = await restored.run();
    await restored.restart();
    t.diagnostic(`${JSON.stringify(await restored.metering())} right after the restart`);
    const tookMs = await waitForMeters(restored);
    t.diagnostic(`metered ${tookMs.toFixed(0)} ms after the end of the restart`);
    await daemon.stop();
    await restored.assertUntouched();
  },
);

test('nothing of the daemon is saved if it was stopped before the restart', NEEDS, async (t) => {
  const restored = await setUp(t);
  await (await restored.run()).stop();
  await restored.restart();
  assert.deepEqual(await restored.metering(), NOTHING);
  await restored.assertUntouched();
});

test(
  "nothing of the daemon is saved if it was killed and the unit's ExecStopPost ran before the restart",
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    await (await restored.run()).kill();
    assert.deepEqual(await restored.metering(), BOTH_METERED);
    await release(restored.ovs);
    await restored.restart();
    assert.deepEqual(await restored.metering(), NOTHING);
    await restored.assertUntouched();
  },
);

test(
  'release after the restart removes everything of a daemon that was killed without ExecStopPost',
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    await (await restored.run()).kill();
    await restored.restart();
    assert.deepEqual(await restored.metering(), { metered: 0, unmetered: 2 });
    await restored.ovs.appctl('time/warp', String(HOOK_LIFE_MS));
    await waitFor(async () => !(await restored.bridge.dump()).includes('hard_timeout=30'), {
      what: 'the switch has removed the hook',
    });
    await release(restored.ovs);
    assert.deepEqual(await restored.metering(), NOTHING);
    await restored.assertUntouched();
  },
);

test(
  'nothing of a daemon that is stopped while vswitchd is down stays in the restored flows',
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    const daemon = await restored.run();
    await restored.restart({
      whileDown: async () => daemon.signal('SIGTERM'),
      beforeRestore: () => firstOf(daemon.exited, HEAD_START_MS),
    });
    await daemon.exited;
    await assertReleased(restored);
  },
);

test(
  'nothing stays if the daemon is killed and ExecStopPost runs while vswitchd is down',
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    const daemon = await restored.run();
    let releasing: BackgroundProgram | undefined;
    await restored.restart({
      whileDown: async () => {
        await daemon.kill();
        releasing = await startRelease(restored.ovs);
      },
      beforeRestore: async () => firstOf(releasing?.exited, HEAD_START_MS),
    });
    assert.equal((await releasing?.exited)?.exitCode, 0, releasing?.stderr);
    await assertReleased(restored);
  },
);

test(
  "another client replaces all meters by its own: our actions use ours, not the client's",
  NEEDS,
  async (t) => {
    const restored = await setUp(t);
    const { bridge } = restored;
    const daemon = await restored.run();
    daemon.signal('SIGSTOP');
    await restored.ovs.deleteMeters('br0');
    await bridge.ofctl('-O', 'OpenFlow15', 'add-meter', 'br0', 'meter=1,pktps,band=type=drop,rate=1000');
    await bridge.ofctl('-O', 'OpenFlow15', 'add-meter', 'br0', 'meter=2,pktps,band=type=drop,rate=1000');
    daemon.signal('SIGCONT');
    await waitFor(async () => !(await countedByMeters(bridge)).some(Number.isNaN), {
      what: 'our meters are back',
    });
    await waitForMeters(restored);
    await bridge.ofctl('-O', 'OpenFlow15', 'del-meter', 'br0', 'meter=1');
    await bridge.ofctl('-O', 'OpenFlow15', 'del-meter', 'br0', 'meter=2');
    await daemon.stop();
    await restored.assertUntouched();
  },
);

test('release ends soon if vswitchd does not run, as there is nothing to remove', NEEDS, async (t) => {
  const { ovs, run } = await setUp(t);
  await (await run()).kill();
  await ovs.killVswitchd();
  const releasing = await startRelease(ovs);
  await firstOf(releasing.exited, 2 * RELEASE_TIMEOUT_MS);
  const isOver = releasing.exit !== undefined;
  await releasing.stop('SIGKILL');
  assert.ok(isOver, `release has not ended in ${2 * RELEASE_TIMEOUT_MS} ms`);
});
