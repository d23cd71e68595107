// A bridge with a controller: Open vSwitch's learning switch (ovs-testcontroller) over OpenFlow, in both fail modes. The
// controller adds a flow for each pair of hosts that it has learned.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Daemon } from '../support/daemon.ts';
import { bridgeStatus, daemonStatus, waitForHook } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { BackgroundProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';
import { HOSTS, ping, startTwoHosts, type TwoHosts } from '../support/two-hosts.ts';
import { waitFor, waitUntilQuiet } from '../support/wait.ts';

const NEEDS = tier('ovs', 'daemon', 'namespaces', 'testcontroller');
type FailMode = 'secure' | 'standalone';
/** Warnings of vswitchd about a missing controller, and that it forwards on its own. */
const CONTROLLER_AWAY = [
  /\|rconn\|WARN\|br0<->unix:/,
  /\|fail_open\|WARN\|/,
  /\|stream_unix\|ERR\|.*connection to .*controller\.sock failed/,
];

/** A bridge with two hosts whose controller is not started yet. */
interface ControlledBridge extends TwoHosts {
  startController(): Promise<BackgroundProgram>;
}

async function makeBridge(t: TestContext, failMode: FailMode): Promise<ControlledBridge> {
  const bridge = await startTwoHosts(t, { failMode, allowedWarnings: CONTROLLER_AWAY });
  const { ovs } = bridge;
  const socket = join(ovs.rundir, 'controller.sock');
  await ovs.vsctl('--no-wait', 'set-controller', 'br0', `unix:${socket}`);
  await ovs.vsctl('--no-wait', 'set', 'Controller', 'br0', 'max_backoff=1000');
  return {
    ...bridge,
    startController: async () => {
      const args = [`punix:${socket}`, '--max-idle=permanent', '-vconsole:off', '-vsyslog:off'];
      const controller = await BackgroundProgram.start('ovs-testcontroller', args, {
        environment: ovs.environment,
      });
      bridge.atEnd(() => controller.stop());
      await waitFor(async () => (await isConnected(ovs)) === 'true', {
        what: 'the controller is connected',
        timeoutMs: 10_000,
      });
      return controller;
    },
  };
}

async function isConnected(ovs: Ovs): Promise<string> {
  return (await ovs.vsctl('get', 'Controller', 'br0', 'is_connected')).trim();
}

async function pingBothWays({ hosts }: ControlledBridge): Promise<void> {
  await ping(hosts[0], '10.9.0.2');
  await ping(hosts[1], '10.9.0.1');
  await ping(hosts[0], 'fd09::2');
}

/** Returns what both ports have received, by the switch's counters. */
async function receivedPackets(ovs: Ovs): Promise<number> {
  const counts = await Promise.all(HOSTS.map(({ port }) => ovs.receivedPackets('br0', port)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Fails unless the records, which stay in the cache until the row is removed, have each packet of the ports. */
async function assertRecordsAgree(bridge: ControlledBridge, before: number): Promise<void> {
  const { ovs, sink, hosts } = bridge;
  for (const host of hosts) {
    await host.bringDown();
  }
  const total = await waitUntilQuiet(() => receivedPackets(ovs), {
    what: 'the ports are silent',
    quietMs: 200,
  });
  await ovs.vsctl('clear', 'Bridge', 'br0', 'ipfix');
  const records = await sink.waitForPackets(total - before);
  const packetsOf = (source: string, protocol: number) =>
    records
      .filter(
        ({ fields }) => fields['sourceMacAddress'] === source && fields['protocolIdentifier'] === protocol,
      )
      .reduce((sum, { fields }) => sum + Number(fields['packetDeltaCount']), 0);
  // 50 requests and 50 replies of IPv4 each way.
  for (const { mac } of HOSTS) {
    assert.equal(packetsOf(mac, 1), 100);
  }
}

for (const failMode of ['secure', 'standalone'] as const) {
  test(
    `${failMode}: hosts reach each other by way of the controller, and each packet is in a record`,
    NEEDS,
    async (t) => {
      const bridge = await makeBridge(t, failMode);
      const { ovs, hosts } = bridge;
      await bridge.startController();
      const before = await receivedPackets(ovs);
      const daemon = await bridge.startDaemon();
      await waitForHook(daemon, 'br0');
      for (const host of hosts) {
        await host.bringUp();
      }
      await pingBothWays(bridge);
      assert.deepEqual((await daemonStatus(daemon)).conditions, []);
      // The bridge has the controller's flows and the hook.
      assert.match(await ovs.ofctl('dump-flows', 'br0'), /priority=1,icmp,in_port=1/u);
      await assertRecordsAgree(bridge, before);
    },
  );
}

/** Starts a bridge with controller, daemon and hosts; waits until the hosts have reached each other. */
async function startAll(
  t: TestContext,
  failMode: FailMode,
): Promise<ControlledBridge & { readonly controller: BackgroundProgram; readonly daemon: Daemon }> {
  const bridge = await makeBridge(t, failMode);
  const controller = await bridge.startController();
  const daemon = await bridge.startDaemon();
  const [first, second] = bridge.hosts;
  for (const host of bridge.hosts) {
    await host.bringUp();
  }
  // A host that repeats an ARP request would need the controller.
  await first.run(...permanentNeighbour(HOSTS[1]));
  await second.run(...permanentNeighbour(HOSTS[0]));
  await ping(first, '10.9.0.2');
  return { ...bridge, controller, daemon };
}

function permanentNeighbour({ ipv4, mac }: { readonly ipv4: string; readonly mac: string }): string[] {
  const address = ipv4.replace(/\/.*/u, '');
  return ['ip', 'neighbour', 'replace', address, 'lladdr', mac, 'nud', 'permanent', 'dev', 'eth0'];
}

/** Sends pings; fails unless each packet that the ports receive is sampled. */
async function assertSampled(bridge: ControlledBridge, daemon: Daemon): Promise<void> {
  const notSampled = async () => {
    const status = await bridgeStatus(daemon, 'br0');
    return (await receivedPackets(bridge.ovs)) - (status?.sampler.received ?? 0);
  };
  const look = { what: 'samples and ports agree', quietMs: 300 };
  const before = await waitUntilQuiet(notSampled, look);
  await ping(bridge.hosts[0], '10.9.0.2');
  assert.equal(await waitUntilQuiet(notSampled, look), before);
}

test(
  'secure: while the controller is away, what still passes is sampled; once it is back, all is',
  NEEDS,
  async (t) => {
    const bridge = await startAll(t, 'secure');
    const { ovs, controller, daemon } = bridge;
    await controller.stop();
    await waitFor(async () => (await isConnected(ovs)) === 'false', {
      what: 'the controller is away',
      timeoutMs: 15_000,
    });
    await daemon.waitForReady();
    // The bridge still has the controller's flows of these hosts.
    await assertSampled(bridge, daemon);
    await bridge.startController();
    await waitForHook(daemon, 'br0');
    await assertSampled(bridge, daemon);
  },
);

test(
  'standalone: while the controller is away, the bridge is reported as not sampled; once it is back, all is',
  NEEDS,
  async (t) => {
    const bridge = await startAll(t, 'standalone');
    const { hosts, controller, daemon } = bridge;
    await controller.stop();
    // OVS waits for three times the controller's inactivity probe before it forwards on its own.
    await daemon.waitForRefusal(/fail_mode is standalone/u, 40_000);
    const codes = (await daemonStatus(daemon)).conditions.map(({ code }) => code);
    assert.ok(codes.includes('fail-open'), codes.join());
    await ping(hosts[0], '10.9.0.2');
    await bridge.startController();
    await daemon.waitForReady(20_000);
    await waitForHook(daemon, 'br0');
    await assertSampled(bridge, daemon);
    assert.deepEqual((await daemonStatus(daemon)).conditions, []);
  },
);
