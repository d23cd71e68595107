// Two daemons of one OVS: a standby takes over from a holder that is dead, frozen or cut off from the database; never two are
// active, each packet is exported once, and a holder that was frozen or cut off leaves the switch to the other one. Frames are
// numbered by their UDP source port; the row caches nothing, so each packet is a record.

import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TAKEOVER_MS } from '../../src/control/deputy-watch.ts';
import { CertificateFolder, tlsArguments } from '../support/certificates.ts';
import { CuttableProxy } from '../support/cuttable-proxy.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { sampledWhole } from '../support/datapath-bridge.ts';
import { lastFirst } from '../support/end-in-order.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { daemonStatus, waitForBridge } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const UNCACHED = { cache_active_timeout: 0, cache_max_flows: 0 };
const PORTION = 50;
/** As long as a take-over may take, and something for a loaded machine. */
const TAKEOVER_MS_MAX = 3000 + 3000;
/** The line of the gap that a failover leaves. */
const FAILOVER_GAP =
  /not sampled for (\d+) ms from \S+: the hook was being confirmed after a start or a failover/u;
const PROVED = /still the active daemon; samples waited for \d+ ms/gu;
/** Longer than a lease. */
const PAUSE_MS = 2500;
/** Milliseconds in which nothing may be written to the database. */
const QUIET_MS = 3000;

interface Pair {
  readonly ovs: Ovs;
  readonly br: ExportingBridge;
  /** The active daemon, and the standby. */
  readonly first: Daemon;
  readonly second: Daemon;
  /** Injects the next numbered frames. */
  readonly inject: () => Promise<void>;
  /** Fails unless each frame so far has been exported once. */
  readonly assertEachOnce: () => Promise<void>;
}

/**
 * Starts OVS and two daemons, which connect to the database by a unix socket, or with `tls` by ssl; the first connects by
 * `endpoint`, if it is given.
 */
async function startPair(
  t: TestContext,
  { endpoint, tls }: { endpoint?: (ovs: Ovs) => Promise<string>; tls?: readonly string[] } = {},
): Promise<Pair> {
  const atEnd = lastFirst(t);
  const ofTls = tls === undefined ? {} : { remotes: ['pssl:0:127.0.0.1'], databaseArguments: tls };
  const ovs = await startOvs({ allowedWarnings: [/\|WARN\|/u], ...ofTls });
  atEnd(() => ovs.stop());
  const direct = tls === undefined ? [] : ['--db', `ssl:127.0.0.1:${await ovs.remotePort()}`, ...tls];
  const args = endpoint === undefined ? direct : ['--db', await endpoint(ovs), ...(tls ?? [])];
  const first = await startDaemon(ovs, { arguments: args });
  atEnd(() => first.kill());
  const br = await exportingBridge(t, ovs, first, UNCACHED);
  const second = await startDaemon(ovs, { arguments: direct, waitForReady: false });
  atEnd(() => second.kill());
  await waitFor(
    async () => {
      const [one, two] = await Promise.all([daemonStatus(first), daemonStatus(second)]);
      return one.database.hasStandby && two.database.lock === 'waiting';
    },
    { what: 'the second stands by, and the first knows it', timeoutMs: 15_000 },
  );
  let count = 0;
  const inject = async () => {
    const frames = Array.from({ length: PORTION }, (_, index) => udpFrame({ sourcePort: 1 + count + index }));
    count += PORTION;
    await ovs.injectMany(br.name, br.port, frames);
  };
  const assertEachOnce = async () => {
    const numbers = () => br.sink.records.map(({ fields }) => Number(fields['sourceTransportPort']));
    await waitFor(() => new Set(numbers()).size === count, {
      what: `${count} packets have been exported`,
    });
    const counts = new Map<number, number>();
    for (const number of numbers()) {
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    assert.deepEqual(
      [...counts].filter(([, each]) => each !== 1),
      [],
    );
  };
  return { ovs, br, first, second, inject, assertEachOnce };
}

/** Waits until a daemon is the active one and samples the bridge; returns the milliseconds. */
async function becomesActive(daemon: Daemon, br: ExportingBridge): Promise<number> {
  const beginMs = performance.now();
  await waitForBridge(
    daemon,
    br.name,
    'the bridge is hooked by the other daemon',
    ({ session }) => session.hook === 'installed',
    TAKEOVER_MS_MAX,
  );
  await daemon.waitForReady(TAKEOVER_MS_MAX);
  return Math.round(performance.now() - beginMs);
}

async function standsBy(daemon: Daemon): Promise<void> {
  await waitFor(async () => (await daemonStatus(daemon)).database.lock === 'waiting', {
    what: 'the previous holder stands by',
    timeoutMs: TAKEOVER_MS_MAX,
  });
}

/** Waits until one of two daemons is active; fails if both ever are. */
async function oneTakesOver(one: Daemon, other: Daemon): Promise<void> {
  await waitFor(
    async () => {
      // The old holder first: it must have stopped before the other one begins.
      const isOld = (await daemonStatus(one)).database.isLeading;
      const isNew = (await daemonStatus(other)).database.isLeading;
      assert.ok(!(isOld && isNew) || !(await daemonStatus(one)).database.isLeading, 'both are active');
      return isNew;
    },
    { what: 'the other daemon is active', timeoutMs: TAKEOVER_MS_MAX },
  );
}

/** The arguments of both sides of a connection with TLS. */
async function tlsOf(): Promise<readonly string[]> {
  const folder = await CertificateFolder.create();
  const ca = await folder.authority('ca');
  return tlsArguments(await folder.issue('both', ca), ca);
}

for (const over of ['unix', 'ssl'] as const) {
  test(
    `a standby takes over from a holder that is frozen, over ${over}, which then leaves the switch to it`,
    tier('ovs', 'daemon'),
    async (t) => {
      const pair = await startPair(t, over === 'unix' ? {} : { tls: await tlsOf() });
      const { br, first, second } = pair;
      await pair.inject();
      await pair.assertEachOnce();
      first.signal('SIGSTOP');
      t.diagnostic(`taken over in ${await becomesActive(second, br)} ms`);
      await waitFor(() => FAILOVER_GAP.exec(second.log), { what: 'the gap of the take-over is logged' });
      // It includes the time without a sign of life.
      assert.ok(Number(FAILOVER_GAP.exec(second.log)?.[1]) >= TAKEOVER_MS);
      await pair.inject();
      await pair.assertEachOnce();
      first.signal('SIGCONT');
      await standsBy(first);
      await pair.inject();
      await pair.assertEachOnce();
      const { session } = await waitForBridge(second, br.name, 'its status', () => true);
      assert.deepEqual([session.hook, session.hookRepairs], ['installed', 0]);
      // And back, from a holder that is dead.
      await second.kill();
      t.diagnostic(`taken over from a dead holder in ${await becomesActive(first, br)} ms`);
      await pair.inject();
      await pair.assertEachOnce();
    },
  );
}

test(
  'a bridge that is replaced while its daemon is frozen was not sampled until then, which the standby logs',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, br, first, second, inject, assertEachOnce } = await startPair(t);
    await inject();
    await assertEachOnce();
    first.signal('SIGSTOP');
    await ovs.vsctl(
      'del-br',
      br.name,
      '--',
      'add-br',
      br.name,
      '--',
      'set',
      'Bridge',
      br.name,
      'datapath_type=dummy',
    );
    const gap = new RegExp(
      `bridge ${br.name}: not sampled for (\\d+) ms from \\S+: a row of it was replaced`,
      'u',
    );
    await waitFor(() => gap.exec(second.log), {
      what: 'the gap until the bridge was replaced is logged',
      timeoutMs: TAKEOVER_MS_MAX,
    });
    first.signal('SIGCONT');
    await standsBy(first);
    assert.doesNotMatch(first.log, gap);
  },
);

for (const over of ['tcp', 'ssl'] as const) {
  test(
    `a standby takes over from a holder that is cut off from the database, over ${over}, after that has stopped`,
    tier('ovs', 'daemon'),
    async (t) => {
      let proxy: CuttableProxy | undefined;
      const pair = await startPair(t, {
        endpoint: async (ovs) => {
          proxy = await CuttableProxy.open(
            over === 'tcp' ? join(ovs.rundir, 'db.sock') : await ovs.remotePort(),
          );
          return `${over}:127.0.0.1:${proxy.port}`;
        },
        ...(over === 'tcp' ? {} : { tls: await tlsOf() }),
      });
      t.after(() => proxy?.close());
      const { br, first, second } = pair;
      await pair.inject();
      await pair.assertEachOnce();
      proxy?.cut();
      await oneTakesOver(first, second);
      await becomesActive(second, br);
      await pair.inject();
      await pair.assertEachOnce();
      assert.match(first.log, /does not confirm that this daemon is the active one/u);
      proxy?.heal();
      await standsBy(first);
      await pair.inject();
      await pair.assertEachOnce();
      const { session } = await waitForBridge(second, br.name, 'its status', () => true);
      assert.equal(session.hookRepairs, 0);
    },
  );
}

test(
  'after a restart of the database one of two daemons is active, and never both',
  tier('ovs', 'daemon'),
  async (t) => {
    const pair = await startPair(t);
    const { ovs, first, second } = pair;
    await pair.inject();
    await ovs.restartOvsdbServer();
    const active = await waitFor(
      async () => {
        const isFirst = (await daemonStatus(first)).database.isLeading;
        const isSecond = (await daemonStatus(second)).database.isLeading;
        assert.ok(
          !(isFirst && isSecond) || !(await daemonStatus(first)).database.isLeading,
          'both are active',
        );
        const locks = [(await daemonStatus(first)).database.lock, (await daemonStatus(second)).database.lock];
        return locks.includes('held') && locks.includes('waiting') && (isFirst ? first : isSecond && second);
      },
      { what: 'one daemon is active', timeoutMs: TAKEOVER_MS_MAX },
    );
    await becomesActive(active, pair.br);
    await pair.inject();
    await pair.assertEachOnce();
  },
);

test(
  'a daemon alone goes on after it was frozen, once the database has confirmed it, with what has waited',
  tier('ovs', 'daemon'),
  async (t) => {
    const atEnd = lastFirst(t);
    const ovs = await startOvs({ allowedWarnings: [/\|WARN\|/u] });
    atEnd(() => ovs.stop());
    const daemon = await startDaemon(ovs);
    atEnd(() => daemon.kill());
    const br = await exportingBridge(t, ovs, daemon, UNCACHED);
    for (const [index, sampler] of ['packet-in', 'datapath'].entries()) {
      await ovs.vsctl('set', 'Bridge', br.name, `external_ids:ovs-ipfix-sampler=${sampler}`);
      await daemon.waitForReady();
      if (sampler === 'datapath') {
        await sampledWhole(daemon, br.name);
      }
      br.sink.clear();
      daemon.signal('SIGSTOP');
      const endMs = performance.now() + PAUSE_MS;
      const frames = Array.from({ length: PORTION }, (_, at) => udpFrame({ sourcePort: 1 + at }));
      await ovs.injectMany(br.name, br.port, frames);
      await waitFor(() => performance.now() > endMs, { what: 'the pause has passed' });
      daemon.signal('SIGCONT');
      await waitFor(() => (daemon.log.match(PROVED)?.length ?? 0) > index, {
        what: 'the daemon has proved that it is the active one',
      });
      await br.sink.waitForRecords(PORTION);
      const ports = new Set(br.sink.records.map(({ fields }) => fields['sourceTransportPort']));
      assert.deepEqual([br.sink.records.length, ports.size], [PORTION, PORTION]);
      const { samples } = (await daemonStatus(daemon)).database;
      assert.deepEqual([samples.waiting, samples.dropped], [0, 0]);
      assert.ok(samples.delayed > 0);
    }
  },
);

test(
  'a standby logs no gap of its predecessor that handed the rows back and logged its own',
  tier('ovs', 'daemon'),
  async (t) => {
    const { first, second } = await startPair(t);
    await first.kill('SIGTERM');
    const takenOver = /not sampled for \d+ ms from \S+: its row was taken over/u;
    await waitFor(() => takenOver.test(second.log), { what: 'the second has taken the row over' });
    assert.match(first.log, /not sampled for \d+ ms from \S+: its row was handed back/u);
    assert.doesNotMatch(second.log, /was replaced or removed/u);
  },
);

test('a pair of daemons writes nothing to the database', tier('ovs', 'daemon'), async (t) => {
  const { ovs, first } = await startPair(t);
  await first.waitForReady();
  const size = async () => (await stat(join(ovs.rundir, 'conf.db'))).size;
  const state = async () => [
    await size(),
    await ovs.vsctl('get', 'Open_vSwitch', '.', 'next_cfg', 'external_ids'),
  ];
  const before = await state();
  const endMs = performance.now() + QUIET_MS;
  await waitFor(() => performance.now() > endMs, { what: 'some seconds have passed' });
  assert.deepEqual(await state(), before);
});
