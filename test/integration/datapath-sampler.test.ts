// The datapath as the sampler of a bridge, on a real switch: what is exported, changes of the sampler under traffic, and the
// daemon's own rows over kills, restarts and deleted bridges. Each injected frame has a number, which is its UDP source port.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose, found } from '../support/doctor.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createIpfixRow, daemonStatus, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { type Ovs, type OvsOptions, startOvs } from '../support/ovs.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

const CACHED = { cache_active_timeout: 60, cache_max_flows: 60_000 };
/** Frames injected at once, which OVS's queue of packet-ins holds. */
const PORTION = 50;
/** A rate that no test reaches. */
const RATE_MAX = 1_000_000;
/** Milliseconds after which P is what the row asks for: two changes with 5 s between them. */
const RISE_MS_MAX = 15_000;
/** Changes of the sampler; the last leads to the datapath. */
const CHANGE_COUNT = 20;
/** Milliseconds in which the own rows of a deleted bridge are destroyed. */
const GONE_MS_MAX = 100;

interface Started {
  readonly ovs: Ovs;
  readonly daemon: Daemon;
}

/** Starts both for one test. */
async function start(t: TestContext, options: OvsOptions = {}): Promise<Started> {
  const ovs = await startOvs(options);
  const endings: (() => Promise<unknown>)[] = [() => ovs.stop()];
  t.after(() => endInOrder(...endings));
  const daemon = await startDaemon(ovs);
  endings.unshift(() => daemon.kill());
  return { ovs, daemon };
}

/** Sets the sampler of a bridge, with a rate that is never reached. */
async function setSampler(ovs: Ovs, bridge: string, sampler: string): Promise<void> {
  const keys = [`ovs-ipfix-sampler=${sampler}`, `ovs-ipfix-max-rate=${RATE_MAX}`];
  await ovs.vsctl('set', 'Bridge', bridge, ...keys.map((key) => `external_ids:${key}`));
}

/** Makes a bridge whose packets are all sampled by the datapath. */
async function datapathBridge(t: TestContext, { ovs, daemon }: Started): Promise<ExportingBridge> {
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await setSampler(ovs, br.name, 'datapath');
  await sampledWhole(daemon, br.name);
  return br;
}

/** Waits until the datapath samples every packet. */
function sampledWhole(daemon: Daemon, bridge: string) {
  return waitForBridge(
    daemon,
    bridge,
    'the datapath samples every packet',
    ({ samplerChoice, session }) =>
      samplerChoice?.sampler === 'datapath' &&
      samplerChoice.probability === 65_535 &&
      session.hook === 'installed' &&
      session.hookReconciler.state === 'idle',
    RISE_MS_MAX,
  );
}

/** Returns the actions of the hook. */
async function hookActions(ovs: Ovs, bridge: string): Promise<string> {
  const flows = await ovs.ofctl('-O', 'OpenFlow14', 'dump-flows', bridge, 'table=0');
  return /reg11=0\/0x80000000 actions=(.*)/u.exec(flows)?.[1] ?? 'no hook';
}

/** Returns the names of own rows: "IPFIX" and "Flow_Sample_Collector_Set", each as often as there are. */
async function ownRows(ovs: Ovs): Promise<readonly string[]> {
  const rows: string[] = [];
  for (const table of ['IPFIX', 'Flow_Sample_Collector_Set']) {
    const select = { op: 'select', table, where: [], columns: ['external_ids'] };
    const [{ rows: found } = { rows: [] }] = (await ovs.transact(select)) as { rows: readonly object[] }[];
    rows.push(...found.filter((row) => JSON.stringify(row).includes('ovs-ipfix-owner')).map(() => table));
  }
  return rows;
}

const BOTH = ['IPFIX', 'Flow_Sample_Collector_Set'];

/** Numbered frames: `perFlow` of each flow. */
class Numbered {
  count = 0;
  octets = 0;
  readonly #br: ExportingBridge;
  readonly #ovs: Ovs;

  constructor(br: ExportingBridge, ovs: Ovs) {
    this.#br = br;
    this.#ovs = ovs;
  }

  /** Injects as many frames, each of a flow of its own. */
  async inject(count: number): Promise<void> {
    const frames = Array.from({ length: count }, (_, index) => {
      const number = this.count + index;
      return udpFrame({ sourcePort: 1 + number, dataBytes: 18 + (number % 20) * 60 });
    });
    this.count += count;
    this.octets += frames.reduce((sum, { length }) => sum + length, 0);
    await this.#ovs.injectMany(this.#br.name, this.#br.port, frames);
  }
}

/** Disables caching, so that all flows are exported; returns the packets and octets of each number. */
async function exported(br: ExportingBridge, numbered: Numbered) {
  await br.waitForStatus(`${numbered.count} samples`, ({ exporter }) => exporter.samples >= numbered.count);
  const { exporter } = await br.waitForStatus(
    'flows are cached',
    ({ exporter: { cache } }) => cache.flows > 0,
  );
  await br.set({ cache_active_timeout: 0 });
  const packets = new Map<number, number>();
  let octets = 0;
  for (const { fields } of await br.sink.waitForRecords(exporter.cache.flows)) {
    const number = Number(fields['sourceTransportPort']) - 1;
    packets.set(number, (packets.get(number) ?? 0) + Number(fields['packetDeltaCount']));
    octets += Number(fields['layer2OctetDeltaCount']);
  }
  return { packets, octets };
}

/** Fails unless each number is exported as one packet. */
function assertExact({ packets, octets }: Awaited<ReturnType<typeof exported>>, numbered: Numbered): void {
  const wrong = Array.from({ length: numbered.count }, (_, number) => [number, packets.get(number) ?? 0]);
  assert.deepEqual(
    wrong.filter(([, count]) => count !== 1),
    [],
  );
  assert.equal(octets, numbered.octets);
}

test(
  'has the datapath sample by the hook and own rows, and removes both',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await start(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    const status = await sampledWhole(daemon, br.name);
    const id = status.ownRows?.collectorSetId;
    assert.match(
      await hookActions(ovs, br.name),
      new RegExp(`^sample\\(probability=65535,collector_set_id=${id},`, 'u'),
    );
    assert.deepEqual(await ownRows(ovs), BOTH);
    assert.equal(
      await ovs.vsctl('get', 'IPFIX', br.row, 'targets'),
      '[]\n',
      'the row of the user is adopted',
    );
    assert.equal(status.samplerChoice?.path, 'good');
    await waitFor(
      async () => !(await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name)).includes('meter='),
      { what: 'the unused meter is gone', timeoutMs: 10_000 },
    );
    await waitFor(
      async () => {
        const { upcalls } = await daemonStatus(daemon);
        return upcalls.some(({ datapath, lost }) => datapath.endsWith('@ovs-dummy') && lost === 0);
      },
      { what: 'ovs-vswitchd has said what its datapath lost', timeoutMs: 15_000 },
    );
    await daemon.stop();
    assert.deepEqual(await ownRows(ovs), []);
    assert.equal(await hookActions(ovs, br.name), 'no hook');
  },
);

test(
  'a bridge that a client takes out of Open_vSwitch.bridges leaves no row, and can be added again',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await start(t);
    const { ovs } = started;
    const br = await datapathBridge(t, started);
    const [{ rows: found } = { rows: [] }] = (await ovs.transact({
      op: 'select',
      table: 'Bridge',
      where: [['name', '==', br.name]],
      columns: ['_uuid'],
    })) as { rows: { _uuid: unknown }[] }[];
    await ovs.transact({
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [['bridges', 'delete', found[0]?._uuid]],
    });
    const count = async () => {
      const select = { op: 'select', table: 'Bridge', where: [['name', '==', br.name]], columns: ['name'] };
      const [{ rows } = { rows: [] }] = (await ovs.transact(select)) as { rows: readonly object[] }[];
      return rows.length;
    };
    await waitFor(async () => (await count()) === 0, {
      what: 'the row of the bridge is gone',
      timeoutMs: GONE_MS_MAX,
    });
    assert.deepEqual(await ownRows(ovs), []);
    await ovs.addBridge(br.name);
  },
);

test(
  'release removes the own rows of a killed daemon, and so does the next start',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await start(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    await daemon.kill();
    assert.deepEqual(await ownRows(ovs), BOTH);
    const next = await startDaemon(ovs);
    t.after(() => next.kill());
    const status = await sampledWhole(next, br.name);
    assert.deepEqual(await ownRows(ovs), BOTH, 'those of the new daemon in place of the old');
    assert.match(
      await hookActions(ovs, br.name),
      new RegExp(`collector_set_id=${status.ownRows?.collectorSetId},`, 'u'),
    );
    await next.kill();
    found(
      await diagnose({ ...process.env, ...ovs.environment } as Record<string, string>),
      'stale-own-rows',
      /Flow_Sample_Collector_Set/u,
    );
    await ovs.run(process.execPath, DAEMON_FILE, 'release', '--db', ovs.dbEndpoint);
    assert.deepEqual(await ownRows(ovs), []);
    assert.equal(await hookActions(ovs, br.name), 'no hook');
  },
);

test(
  'exports every packet of N = 1 with its octets, over a restart of ovs-vswitchd',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await start(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    const numbered = new Numbered(br, ovs);
    await numbered.inject(2000);
    const before = await br.waitForStatus('all arrive', ({ datapath }) => (datapath?.selected ?? 0) >= 2000);
    assert.equal(before.datapath?.packets.lost, 0);
    assert.equal(before.datapath?.otherDomains, 0);
    await ovs.restartVswitchd();
    await waitForHook(daemon, br.name);
    await waitForBridge(
      daemon,
      br.name,
      'samples arrive from the new ovs-vswitchd',
      ({ datapath, samplerChoice }) =>
        samplerChoice?.path === 'good' && (datapath?.tests ?? 0) > (before.datapath?.tests ?? 0),
    );
    assert.match(await hookActions(ovs, br.name), /^sample\(probability=65535,/u);
    await numbered.inject(2000);
    assertExact(await exported(br, numbered), numbered);
    const { datapath } = await br.waitForStatus('the status', () => true);
    assert.equal(datapath?.packets.lost, 0);
  },
);

test(
  'loses and doubles nothing in changes of the sampler under traffic',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await start(t);
    const { ovs } = started;
    const br = await datapathBridge(t, started);
    const numbered = new Numbered(br, ovs);
    const traffic = { isOver: false };
    const sent = (async () => {
      while (!traffic.isOver) {
        await numbered.inject(PORTION);
      }
    })();
    let changes = 0;
    try {
      for (; changes < CHANGE_COUNT; changes += 1) {
        const sampler = changes % 2 === 0 ? 'packet-in' : 'datapath';
        await setSampler(ovs, br.name, sampler);
        const first = sampler === 'datapath' ? 'sample(' : 'controller(';
        await waitFor(async () => (await hookActions(ovs, br.name)).startsWith(first), {
          what: `the hook of the sampler ${sampler}`,
        });
        const begin = numbered.count;
        await waitFor(() => numbered.count > begin + PORTION, { what: 'traffic with this sampler' });
      }
    } finally {
      traffic.isOver = true;
      await sent;
    }
    const { sampler, datapath, samplerChoice } = await br.waitForStatus(
      'all samples',
      ({ exporter }) => exporter.samples >= numbered.count,
    );
    t.diagnostic(
      `${numbered.count} packets: ${sampler.received} by packet-ins, ${datapath?.selected} by the datapath; ${samplerChoice?.changes} changes`,
    );
    assert.equal(sampler.lost, 0);
    assert.ok(sampler.received > 0 && (datapath?.selected ?? 0) > 0);
    assert.equal(sampler.received + (datapath?.selected ?? 0), numbered.count);
    assertExact(await exported(br, numbered), numbered);
  },
);

test('samples a bridge that has no meters, over OpenFlow 1.0', tier('ovs', 'daemon'), async (t) => {
  const started = await start(t);
  const { ovs, daemon } = started;
  const br = await datapathBridge(t, started);
  await ovs.vsctl('set', 'Bridge', br.name, 'protocols=OpenFlow10');
  await waitForBridge(
    daemon,
    br.name,
    'the datapath samples over OpenFlow 1.0',
    ({ session, samplerChoice }) =>
      session.protocol === 'OpenFlow 1.0' &&
      session.hook === 'installed' &&
      samplerChoice?.sampler === 'datapath',
  );
  const numbered = new Numbered(br, ovs);
  await numbered.inject(500);
  assertExact(await exported(br, numbered), numbered);
});

test('auto leaves packet-ins when the meter drops', tier('ovs', 'daemon'), async (t) => {
  const started = await start(t);
  const { ovs, daemon } = started;
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await ovs.vsctl(
    'set',
    'Bridge',
    br.name,
    'external_ids:ovs-ipfix-sampler=auto',
    'external_ids:ovs-ipfix-max-rate=100',
  );
  const waiting = await waitForBridge(
    daemon,
    br.name,
    'the path is tested',
    ({ samplerChoice }) => samplerChoice?.path === 'good',
  );
  assert.equal(waiting.samplerChoice?.sampler, 'packet-in');
  const numbered = new Numbered(br, ovs);
  const chosen = await waitFor(
    async () => {
      await numbered.inject(400);
      const { samplerChoice } = await br.waitForStatus('the status', () => true);
      return samplerChoice?.sampler === 'datapath' && samplerChoice;
    },
    { what: 'the datapath samples', timeoutMs: 15_000 },
  );
  assert.equal(chosen.reason, 'meter dropped');
  await waitFor(async () => (await hookActions(ovs, br.name)).startsWith('sample('), {
    what: 'the hook has the sample action',
  });
  assert.match(await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name), /meter=65000/u, 'it may return');
});

test(
  'uses packet-ins, with a condition, where ovs-vswitchd has another network namespace',
  tier('ovs', 'daemon', 'namespaces'),
  async (t) => {
    const { ovs, daemon } = await start(t, { mode: 'netdev' });
    await ovs.addBridge('br0');
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    await createIpfixRow(ovs, 'br0', [sink.target]);
    await setSampler(ovs, 'br0', 'datapath');
    const { samplerChoice } = await waitForBridge(
      daemon,
      'br0',
      'the path has failed',
      (status) => status.samplerChoice?.path === 'failed',
    );
    assert.equal(samplerChoice?.sampler, 'packet-in');
    assert.match(await hookActions(ovs, 'br0'), /^controller\(/u);
    const { conditions } = await daemonStatus(daemon);
    const found = conditions.find(({ code }) => code === 'datapath-unreachable');
    assert.equal(found?.severity, 'warning');
    assert.match(found.action, /share its network namespace/u);
    await daemon.waitForReady();
  },
);
