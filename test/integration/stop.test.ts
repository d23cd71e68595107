// The order and the time of a stop: rows are handed back before the caches are flushed, what is frozen does not keep the process
// alive, and one signal is one stop, however the daemon was started.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type Daemon, STOP_TIMEOUT_MS, startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { bridgeStatus, createIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { programEnvironment } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { UdpSink } from '../support/udp-sink.ts';
import { waitFor } from '../support/wait.ts';

const CACHED = { cache_active_timeout: 600, cache_max_flows: 100_000 };
const FLOW_COUNT = 3000;
const PORTION = 50;
/** As in src/control/hand-back.ts, and something for the machine. */
const ROWS_END_MS = 2000 + 300;

/** The OVS and daemon of a test. */
interface Setup {
  readonly ovs: Ovs;
  readonly daemon: Daemon;
  readonly br: ExportingBridge;
}

async function setUp(t: TestContext, ...args: readonly string[]): Promise<Setup> {
  const ovs = await startOvs({ allowedWarnings: [/\|WARN\|/u] });
  const daemon = await startDaemon(ovs, { arguments: args });
  t.after(() =>
    endInOrder(
      () => daemon.kill(),
      () => ovs.stop(),
    ),
  );
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  return { ovs, daemon, br };
}

/** Sends the signal, and waits for the end of the process. */
async function end(daemon: Daemon, ...signals: readonly NodeJS.Signals[]) {
  const beginMs = performance.now();
  for (const signal of signals) {
    daemon.signal(signal);
  }
  const { exitCode } = await daemon.exited;
  return { exitCode, ms: Math.round(performance.now() - beginMs) };
}

/** Resolves to the milliseconds until the targets of the row are in its column. */
async function rowReturns({ ovs, br }: Setup): Promise<number> {
  const beginMs = performance.now();
  await waitFor(async () => (await ovs.vsctl('get', 'IPFIX', br.row, 'targets')).includes(br.sink.target), {
    what: 'the row is handed back',
  });
  return performance.now() - beginMs;
}

/** Fills the cache of the bridge with so many flows. */
async function fill({ ovs, daemon, br }: Setup, flowCount: number): Promise<void> {
  await ovs.vsctl('set', 'Bridge', br.name, 'external_ids:ovs-ipfix-max-rate=100000');
  await br.waitForStatus('the rate', ({ session }) => session.meterRate === 100_000);
  const frames = Array.from({ length: flowCount }, (_, index) => udpFrame({ sourcePort: index + 1 }));
  await waitFor(
    async () => {
      for (let at = 0; at < flowCount; at += PORTION) {
        await ovs.injectMany(br.name, br.port, frames.slice(at, at + PORTION));
      }
      return (await bridgeStatus(daemon, br.name))?.exporter.cache.flows === flowCount;
    },
    { what: `${flowCount} flows are in the cache`, timeoutMs: 60_000 },
  );
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal}, three times, is one clean stop`, tier('ovs', 'daemon'), async (t) => {
    const setup = await setUp(t);
    await setup.br.sample(udpFrame({}));
    const { exitCode, ms } = await end(setup.daemon, signal, signal, signal);
    t.diagnostic(`ended within ${ms} ms`);
    assert.equal(exitCode, 0, setup.daemon.log);
    await rowReturns(setup);
    await setup.br.sink.waitForRecords(1);
    assert.equal((await setup.ovs.ofctl('dump-flows', setup.br.name)).includes('controller('), false);
  });
}

test(
  'Ctrl-C on run --pidfile, which signals both processes, is one clean stop',
  tier('ovs', 'daemon'),
  async (t) => {
    const ovs = await startOvs();
    const sink = await UdpSink.open();
    await ovs.addBridge('br0');
    const row = await createIpfixRow(ovs, 'br0', [sink.target], { sampling: 1 });
    // In a process group of its own, as a command of a terminal.
    const program = spawn(process.execPath, [DAEMON_FILE, 'run', '--db', ovs.dbEndpoint, '--pidfile'], {
      env: programEnvironment(ovs.environment),
      detached: true,
      stdio: 'ignore',
    });
    t.after(() =>
      endInOrder(
        async () => program.kill('SIGKILL'),
        () => sink.close(),
        () => ovs.stop(),
      ),
    );
    await waitFor(() => ovs.appctl('-t', 'ovs-ipfix', 'ready').catch(() => false as const), {
      what: 'ready by name',
      timeoutMs: 20_000,
    });
    assert.ok(program.pid);
    process.kill(-program.pid, 'SIGINT');
    const [exitCode] = await once(program, 'exit');
    assert.equal(exitCode, 0);
    assert.match(await ovs.vsctl('get', 'IPFIX', row, 'targets'), new RegExp(sink.target, 'u'));
    assert.equal(await ovs.vsctl('get', 'IPFIX', row, 'external_ids'), '{}\n');
  },
);

test(
  'rows are handed back before the caches are flushed, and all flows arrive',
  tier('ovs', 'daemon'),
  async (t) => {
    const setup = await setUp(t, '--message-rate-max', '300', '--message-bytes-max', '512');
    // Half of the time of the flush at this rate.
    const flowCount = FLOW_COUNT / 2;
    await fill(setup, flowCount);
    const ended = end(setup.daemon, 'SIGTERM');
    const rowsMs = await rowReturns(setup);
    const arrived = setup.br.sink.records.length;
    const { exitCode, ms } = await ended;
    t.diagnostic(`rows after ${Math.round(rowsMs)} ms, end after ${ms} ms`);
    assert.ok(arrived < flowCount, 'the flush goes on after the hand-back');
    assert.equal(exitCode, 0, setup.daemon.log);
    await setup.br.sink.waitForRecords(flowCount);
  },
);

test(
  'flows that do not fit into the time of a stop are reported, with exit code 1',
  tier('ovs', 'daemon'),
  async (t) => {
    const setup = await setUp(t, '--message-rate-max', '100', '--message-bytes-max', '512');
    await fill(setup, FLOW_COUNT);
    const { exitCode, ms } = await end(setup.daemon, 'SIGTERM');
    assert.equal(exitCode, 1, setup.daemon.log);
    assert.ok(ms < STOP_TIMEOUT_MS, `ended after ${ms} ms`);
    const unsent = Number(
      /^ovs-ipfix: ([\d,]+) flows were not sent in time: they are lost\.$/mu
        .exec(setup.daemon.log)?.[1]
        ?.replaceAll(',', ''),
    );
    assert.ok(unsent > 0, setup.daemon.log);
    await setup.br.sink.waitForRecords(FLOW_COUNT - unsent);
  },
);

test(
  'a frozen ovsdb-server: the caches are flushed, and the process ends in time',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, daemon, br } = await setUp(t);
    await br.sample(udpFrame({}));
    process.kill(ovs.ovsdbServerPid, 'SIGSTOP');
    const { exitCode, ms } = await end(daemon, 'SIGTERM');
    process.kill(ovs.ovsdbServerPid, 'SIGCONT');
    t.diagnostic(`ended after ${ms} ms`);
    assert.ok(ms < STOP_TIMEOUT_MS, `ended after ${ms} ms`);
    assert.equal(exitCode, 1);
    assert.match(daemon.log, /^ovs-ipfix: .*rows could not be handed back.*run "ovs-ipfix release"\.$/mu);
    await br.sink.waitForRecords(1);
  },
);

test(
  'a frozen ovs-vswitchd: rows are handed back, caches flushed, and the process ends in time',
  tier('ovs', 'daemon'),
  async (t) => {
    const setup = await setUp(t);
    const { ovs, daemon, br } = setup;
    await br.sample(udpFrame({}));
    process.kill(ovs.vswitchdPid, 'SIGSTOP');
    const ended = end(daemon, 'SIGTERM');
    const query = ['--no-wait', 'get', 'IPFIX', br.row, 'targets'];
    const beginMs = performance.now();
    await waitFor(async () => (await ovs.vsctl(...query)).includes(br.sink.target), {
      what: 'the row is handed back',
    });
    const rowsMs = performance.now() - beginMs;
    const { exitCode, ms } = await ended;
    process.kill(ovs.vswitchdPid, 'SIGCONT');
    t.diagnostic(`rows after ${Math.round(rowsMs)} ms, end after ${ms} ms`);
    assert.ok(rowsMs < ROWS_END_MS, `rows after ${rowsMs} ms`);
    assert.ok(ms < STOP_TIMEOUT_MS, `ended after ${ms} ms`);
    assert.equal(exitCode, 1);
    assert.match(daemon.log, /^ovs-ipfix: .*run "ovs-ipfix release"\.$/mu);
    await br.sink.waitForRecords(1);
  },
);
