// A real OVN with sampling ACLs: compares the records of the daemon with those of ovs-vswitchd's exporter for the same
// packets, restarts and recomputes OVN while the daemon runs, and counts how often ovn-controller computes all its flows anew because
// of the daemon.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { diagnose } from '../support/doctor.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { ethernet, ipv4, udp } from '../support/frames.ts';
import {
  createCollectorSet,
  createIpfixRow,
  daemonStatus,
  targetsArgument,
  waitForBridge,
  waitForHook,
} from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { recordDifferences, type SwitchRecord, SwitchRecordSink } from '../support/switch-records.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { APP_ESTABLISHED, APP_NEW, COLLECTOR_SET, HOSTS, OvnNetwork, POINTS } from './ovn-network.ts';

const NEEDS = tier('ovs', 'daemon', 'ovn');
const FLOWS = 8;
/** Each packet is sampled on both logical switches. */
const SAMPLES_PER_PACKET = 2;
const PACKETS_PER_FLOW = 3;
/** Milliseconds in which the daemons have nothing to do. */
const QUIET_MS = 60_000;
/** Readings of a count in a row that are equal when it has settled. */
const SAME_COUNTS = 5;
const SAMPLES = FLOWS * PACKETS_PER_FLOW * SAMPLES_PER_PACKET;

let ovs: Ovs;
let ovn: OvnNetwork;
let daemon: Daemon | undefined;
/** The collectors of the set and of the bridge. */
let sink: FlowRecordSink;
let bridgeSink: FlowRecordSink;

before(async () => {
  ovs = await startOvs();
  ovn = await OvnNetwork.start(ovs);
  sink = await FlowRecordSink.open();
  bridgeSink = await FlowRecordSink.open();
});

after(async () => {
  await daemon?.stop();
  await ovn.stop();
  await ovs.stop();
  await sink.close();
  await bridgeSink.close();
});

/** Returns a UDP packet from one host to the other, through the router. */
function packet(from: 'a' | 'b', clientPort: number): Buffer {
  const [source, target] = from === 'a' ? [HOSTS.a, HOSTS.b] : [HOSTS.b, HOSTS.a];
  const ports = from === 'a' ? [clientPort, 53] : [53, clientPort];
  return ethernet(
    { source: source.mac, destination: source.gateway },
    ipv4(
      { source: source.ip, destination: target.ip },
      udp({ source: ports[0] ?? 0, destination: ports[1] ?? 0 }),
    ),
  );
}

/** Sends connections from `a` to `b`: a request, its reply, and another request, for each of `FLOWS` client ports. */
async function sendConnections(): Promise<void> {
  await ovs.appctl('dpctl/flush-conntrack');
  for (let flow = 0; flow < FLOWS; flow += 1) {
    for (const from of ['a', 'b', 'a'] as const) {
      await ovs.inject(from, packet(from, 2000 + flow));
    }
  }
}

/** Returns the number of packets sent through a host's port. */
async function delivered(host: 'a' | 'b'): Promise<number> {
  const text = await ovs.ofctl('-O', 'OpenFlow15', 'dump-ports', 'br-int', host);
  return Number(/tx pkts=(\d+)/u.exec(text)?.[1]);
}

/** Sends connections; fails unless they reach their hosts as without the daemon. */
async function sendAndCount(): Promise<void> {
  const start = [await delivered('a'), await delivered('b')] as const;
  await sendConnections();
  await waitFor(async () => (await delivered('b')) >= start[1] + 2 * FLOWS, { what: 'requests arrive' });
  assert.equal((await delivered('a')) - start[0], FLOWS);
  assert.equal((await delivered('b')) - start[1], 2 * FLOWS);
}

interface Sample {
  readonly observationDomainId: number;
  readonly fields: SwitchRecord['fields'];
}

/** Returns a line for each record: application, point and ports; sorted, as OVN determines the order of a packet's samples. */
function lines(samples: readonly Sample[]): string[] {
  return samples.map(({ observationDomainId, fields }) => {
    const { observationPointId, sourceTransportPort, destinationTransportPort } = fields;
    const ports = `${String(sourceTransportPort)} -> ${String(destinationTransportPort)}`;
    return `${ports}: application ${observationDomainId >>> 24}, point ${String(observationPointId)}`;
  });
}

/** Returns the expected lines of a connection, by the network's ACLs. */
function expectedLines(): string[] {
  const { sw0, sw1 } = POINTS;
  return Array.from({ length: FLOWS }, (_, flow) => 2000 + flow).flatMap((port) => [
    `${port} -> 53: application ${APP_NEW}, point ${sw0.new}`,
    `${port} -> 53: application ${APP_NEW}, point ${sw1.new}`,
    `53 -> ${port}: application ${APP_ESTABLISHED}, point ${sw1.established}`,
    `53 -> ${port}: application ${APP_ESTABLISHED}, point ${sw0.established}`,
    `${port} -> 53: application ${APP_ESTABLISHED}, point ${sw0.established}`,
    `${port} -> 53: application ${APP_ESTABLISHED}, point ${sw1.established}`,
  ]);
}

test('records of sampling ACLs have the same points as those of vswitchd', NEEDS, async (t) => {
  const switchSink = await SwitchRecordSink.open();
  t.after(() => switchSink.close());
  await createCollectorSet(ovs, 'br-int', COLLECTOR_SET, switchSink.target);
  // ovn-controller writes `sample` actions only for sets that exist.
  await waitFor(async () => (await ovn.flows()).some((flow) => flow.includes('sample(')), {
    what: 'OVN samples',
  });
  await sendAndCount();
  const theirs = await switchSink.waitForPackets(SAMPLES);
  assert.deepEqual(lines(theirs), expectedLines());

  const before = await ovn.flows();
  const [row] = (await ovs.vsctl('--bare', '--columns=ipfix', 'list', 'Flow_Sample_Collector_Set')).split(
    '\n',
  );
  await ovs.vsctl('set', 'IPFIX', row ?? '', targetsArgument([sink.target]));
  daemon = await startDaemon(ovs);
  await sendAndCount();
  const ours = await sink.waitForRecords(SAMPLES);
  assert.deepEqual(lines(ours), expectedLines());
  for (const [index, record] of ours.entries()) {
    assert.equal(record.observationDomainId, theirs[index]?.observationDomainId);
    assert.deepEqual([...recordDifferences('original', theirs[index]?.fields, record.fields).values()], []);
  }
  assert.deepEqual((await daemonStatus(daemon)).conditions, []);
  await daemon.stop();
  assert.deepEqual(await ovn.flows(), before);
});

test('a sampled br-int forwards as before, and the doctor has nothing to report', NEEDS, async () => {
  await createIpfixRow(ovs, 'br-int', [bridgeSink.target], { sampling: 1, obs_domain_id: 5 });
  daemon = await startDaemon(ovs);
  await waitForHook(daemon, 'br-int');
  sink.expectNewSession();
  sink.clear();
  await sendAndCount();
  // Two threads of ovs-vswitchd may handle a request and its reply, so their order is not compared.
  assert.deepEqual(lines(await sink.waitForRecords(SAMPLES)).sort(), [...expectedLines()].sort());
  await bridgeSink.waitForRecords(FLOWS * PACKETS_PER_FLOW);
  const { findings } = await diagnose(ovs.environment);
  assert.deepEqual(
    findings.filter(({ where }) => where.includes('br-int')),
    [],
  );
  assert.deepEqual(
    findings.filter(({ severity }) => severity !== 'note'),
    [],
  );
});

const DISTURBANCES: readonly [what: string, disturb: () => Promise<unknown>][] = [
  ['ovn-controller has been restarted', () => ovn.restartController('SIGTERM')],
  ['ovn-controller has been killed and started', () => ovn.restartController('SIGKILL')],
  [
    'ovn-controller has recomputed',
    async () => {
      await ovn.controllerCommand('inc-engine/recompute');
      await ovn.sync();
    },
  ],
  [
    'an ACL has been added and removed',
    async () => {
      await ovn.nbctl('--wait=hv', 'acl-add', 'sw0', 'from-lport', '200', 'tcp', 'allow-related');
      await ovn.nbctl('--wait=hv', 'acl-del', 'sw0', 'from-lport', '200', 'tcp');
    },
  ],
];
for (const [what, disturb] of DISTURBANCES) {
  test(`once ${what}, each packet is sampled as before`, NEEDS, async () => {
    assert.ok(daemon !== undefined);
    const running = daemon;
    sink.clear();
    bridgeSink.clear();
    await disturb();
    await waitFor(async () => (await unsampled()).length === 0, { what: 'all actions are translated' });
    await waitForHook(running, 'br-int');
    await ovs.appctl('revalidator/wait');
    await sendAndCount();
    assert.deepEqual(lines(await sink.waitForRecords(SAMPLES)), expectedLines());
    await bridgeSink.waitForRecords(FLOWS * PACKETS_PER_FLOW);
  });
}

/** Returns the flows with a `sample` action that is not followed by an action of the daemon. */
async function unsampled(): Promise<readonly string[]> {
  const flows = await ovn.flows();
  return flows.filter((flow) => flow.includes('sample(') && !flow.includes('id=18768'));
}

/** Returns how often ovn-controller has computed all logical flows anew. */
async function recomputations(): Promise<number> {
  await ovn.sync();
  const text = await ovn.controllerCommand('inc-engine/show-stats');
  return Number(/^Node: (?:logical_flow|lflow)_output\n- recompute: *(\d+)$/mu.exec(text)?.[1]);
}

/** Returns the same when it has not changed for a while: a change may be seen after the answer to a request that followed it. */
async function settledRecomputations(): Promise<number> {
  let last = await recomputations();
  let sameCount = 0;
  await waitFor(
    async () => {
      const count = await recomputations();
      sameCount = count === last ? sameCount + 1 : 0;
      last = count;
      return sameCount === SAME_COUNTS;
    },
    { what: 'ovn-controller has seen all changes', intervalMs: 200, timeoutMs: 30_000 },
  );
  return last;
}

test(
  'a change of the sampler makes ovn-controller compute nothing anew, but for the own rows',
  NEEDS,
  async () => {
    assert.ok(daemon !== undefined);
    const running = daemon;
    const change = async (sampler: 'packet-in' | 'datapath') => {
      await ovs.vsctl('set', 'Bridge', 'br-int', `external_ids:ovs-ipfix-sampler=${sampler}`);
      await waitForBridge(running, 'br-int', `the sampler ${sampler}`, ({ samplerChoice }) =>
        sampler === 'datapath'
          ? samplerChoice?.sampler === 'datapath' && samplerChoice.path === 'good'
          : samplerChoice?.policy !== 'datapath',
      );
    };
    const before = await settledRecomputations();
    await change('datapath');
    // The first time adds a collector set.
    assert.equal(await settledRecomputations(), before + 1);
    for (const sampler of ['packet-in', 'datapath', 'packet-in', 'datapath'] as const) {
      await change(sampler);
    }
    assert.equal(await settledRecomputations(), before + 1);
    await ovs.vsctl('remove', 'Bridge', 'br-int', 'external_ids', 'ovs-ipfix-sampler');
  },
);

test('ovn-controller computes nothing anew for a minute, without and with a standby', NEEDS, async (t) => {
  assert.ok(daemon !== undefined);
  const running = daemon;
  const assertQuiet = async () => {
    const before = await recomputations();
    await setTimeout(QUIET_MS);
    assert.equal(await recomputations(), before);
  };
  await assertQuiet();
  const standby = await startDaemon(ovs, { waitForReady: false });
  t.after(() => standby.stop());
  await waitFor(async () => (await daemonStatus(running)).database.hasStandby, {
    what: 'a standby is known',
  });
  await assertQuiet();
});

test('br-int has only the flows of OVN after the daemon has stopped', NEEDS, async () => {
  await daemon?.stop();
  daemon = undefined;
  const text = (await ovn.flows()).join('\n');
  assert.match(text, /sample\(/u);
  assert.doesNotMatch(text, /id=18768/u);
  assert.doesNotMatch(await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', 'br-int'), /meter=/u);
  await sendAndCount();
});
