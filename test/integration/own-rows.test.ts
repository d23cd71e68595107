// The daemon's own rows: what creates, moves and destroys them, and what becomes of a bridge that cannot have them.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { OvsdbClient, Replica, type Snapshot, type Uuid } from '../../src/ovsdb-client/index.ts';
import { startDaemon } from '../support/daemon.ts';
import {
  assertExact,
  datapathBridge,
  hookActions,
  Numbered,
  ownRows,
  sampledWhole,
  setSampler,
  startBoth,
} from '../support/datapath-bridge.ts';
import { diagnose, found } from '../support/doctor.ts';
import { exportingBridge } from '../support/exporting-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { udpFrame } from '../support/frames.ts';
import { createCollectorSet, daemonStatus, waitForBridge, waitForOwnRows } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** Milliseconds in which the own rows of a deleted bridge are destroyed. */
const GONE_MS_MAX = 100;
/** Attempts to see that: a machine that is busy with other tests may be late. */
const GONE_ATTEMPTS = 5;
/** Milliseconds in which the own set leaves an id that another client uses. */
const MOVED_MS_MAX = 1000;

const BOTH = ['IPFIX', 'Flow_Sample_Collector_Set'];

/** Returns when each snapshot of the database arrived that satisfies a condition for the first time. */
async function watchDatabase(
  t: TestContext,
  ovs: Ovs,
  conditions: Readonly<Record<string, (snapshot: Snapshot) => boolean>>,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  const replica = new Replica({
    database: 'Open_vSwitch',
    tables: { Open_vSwitch: ['bridges'], Bridge: ['name'], Flow_Sample_Collector_Set: ['id'] },
    onChange: (snapshot) => {
      for (const [name, condition] of Object.entries(conditions)) {
        if (!times.has(name) && condition(snapshot)) {
          times.set(name, performance.now());
        }
      }
    },
  });
  const socket = connect(ovs.dbEndpoint.replace('unix:', ''));
  const client = new OvsdbClient(socket);
  t.after(() => client.close());
  await replica.attach(client);
  return times;
}

/** Returns the uuid of a bridge's row. */
async function bridgeUuid(ovs: Ovs, name: string): Promise<string> {
  return (await ovs.vsctl('get', 'Bridge', name, '_uuid')).trim();
}

/**
 * Deletes a bridge from the root row only; returns the milliseconds until its row is gone, as the database reports both. NaN if
 * both were reported at once.
 */
async function deleteFromRoot(t: TestContext, ovs: Ovs, name: string): Promise<number> {
  const uuid = await bridgeUuid(ovs, name);
  const times = await watchDatabase(t, ovs, {
    orphan: (snapshot) =>
      snapshot.table('Bridge').has(uuid) &&
      [...snapshot.table('Open_vSwitch').values()].every(
        ({ columns }) => !(columns['bridges'] as readonly Uuid[]).some((bridge) => bridge.uuid === uuid),
      ),
    gone: (snapshot) => !snapshot.table('Bridge').has(uuid),
  });
  await ovs.transact({
    op: 'mutate',
    table: 'Open_vSwitch',
    where: [],
    mutations: [['bridges', 'delete', ['uuid', uuid]]],
  });
  await waitFor(() => times.has('gone'), { what: 'the row of the bridge is gone' });
  return (times.get('gone') ?? 0) - (times.get('orphan') ?? Number.NaN);
}

test(
  'a bridge that a client takes out of Open_vSwitch.bridges leaves no row, and can be added again',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
    const { ovs, daemon } = started;
    const taken: number[] = [];
    while (taken.length < GONE_ATTEMPTS && !taken.some((ms) => ms <= GONE_MS_MAX)) {
      const br = await exportingBridge(t, ovs, daemon);
      await setSampler(ovs, br.name, 'datapath');
      await waitForOwnRows(daemon, br.name);
      taken.push(await deleteFromRoot(t, ovs, br.name));
      await waitFor(async () => (await ownRows(ovs)).length === 0, { what: 'no own row is left' });
      await ovs.addBridge(br.name);
    }
    t.diagnostic(`destroyed after ${taken.map((ms) => ms.toFixed(1)).join(', ')} ms`);
    assert.ok(
      taken.some((ms) => ms <= GONE_MS_MAX),
      `after ${taken.join(', ')} ms`,
    );
  },
);

test(
  'leaves an id that a flow of another client has, and the client can add its row then',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
    const { ovs, daemon } = started;
    const br = await datapathBridge(t, started);
    const { ownRows: before } = await sampledWhole(daemon, br.name);
    const id = before?.collectorSetId ?? 0;
    const sink = await FlowRecordSink.open();
    t.after(() => sink.close());
    await assert.rejects(createCollectorSet(ovs, br.name, id, sink.target), /identical values/u);
    const times = await watchDatabase(t, ovs, {
      moved: (snapshot) =>
        [...snapshot.table('Flow_Sample_Collector_Set').values()].every(
          ({ columns }) => columns['id'] !== id,
        ),
    });
    const sample = `sample(probability=65535,collector_set_id=${id},obs_domain_id=1,obs_point_id=2)`;
    await ovs.ofctl('add-flow', br.name, `priority=5,udp,tp_src=65535,actions=${sample}`);
    const beginMs = performance.now();
    await br.inject(udpFrame({ sourcePort: 65_535 }));
    await waitFor(() => times.has('moved'), { what: 'the own set has another id' });
    const movedMs = (times.get('moved') ?? 0) - beginMs;
    t.diagnostic(`moved after ${movedMs.toFixed(0)} ms`);
    assert.ok(movedMs <= MOVED_MS_MAX, `after ${movedMs} ms`);
    const after = await sampledWhole(daemon, br.name);
    assert.notEqual(after.ownRows?.collectorSetId, id);
    assert.match(daemon.log, new RegExp(`another client uses collector set ${id}`, 'u'));
    assert.match(
      await hookActions(ovs, br.name),
      new RegExp(`collector_set_id=${after.ownRows?.collectorSetId},`, 'u'),
    );
    assert.deepEqual(await ownRows(ovs), BOTH, 'nothing else is left');
    await createCollectorSet(ovs, br.name, id, sink.target);
    await waitForBridge(daemon, br.name, 'the set', ({ flowSampling }) => flowSampling.length === 1);
    await daemon.waitForReady();
    await br.inject(udpFrame({ sourcePort: 65_535 }));
    const [record] = await sink.waitForRecords(1);
    assert.equal(record?.observationDomainId, 1);
  },
);

test(
  'release removes the own rows of a killed daemon, and so does the next start',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
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
  'samples by packet-ins where the database has no collector sets, without a condition unless it is told otherwise',
  tier('ovs', 'daemon'),
  async (t) => {
    const { ovs, daemon } = await startBoth(t, { collectorSets: false, allowedWarnings: [/lacks/u] });
    const br = await exportingBridge(t, ovs, daemon, { cache_active_timeout: 60, cache_max_flows: 100 });
    const numbered = new Numbered(br, ovs);
    await numbered.inject(10);
    const codes = async () => (await daemonStatus(daemon)).conditions.map(({ code }) => code);
    assert.deepEqual(await codes(), []);
    await setSampler(ovs, br.name, 'datapath');
    await waitFor(async () => (await codes()).join() === 'no-own-rows', { what: 'the condition' });
    assert.match(await hookActions(ovs, br.name), /^controller\(/u);
    await setSampler(ovs, br.name, 'auto');
    await waitFor(async () => (await codes()).length === 0, { what: 'no condition' });
    await daemon.waitForReady();
    assert.doesNotMatch(daemon.log, /own rows/u);
    await assertExact(br, numbered);
  },
);
