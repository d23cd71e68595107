// Translation of `sample` actions at scale and under change: thousands of flows while other clients are served, flow
// monitors that pause, flows that users change during the translation, and what flows keep.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { OpenFlowConnection } from '../../src/node-openflow/index.ts';
import type { Daemon } from '../support/daemon.ts';
import type { FlowRecordSink } from '../support/flow-records.ts';
import { daemonStatus } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { runProgram } from '../support/process.ts';
import { sampleAction, sampledBridgeOf, udpTo } from '../support/sampled-flows.ts';
import { DAEMON_FILE } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withSampledFlows } from '../support/with-sampled-flows.ts';
import { unlessDiffers } from '../versions/differences.ts';

let ovs: Ovs;
let sink: FlowRecordSink;
const { makeFlows, startDaemon } = withSampledFlows((running) => {
  ({
    ovs,
    sinks: [sink],
  } = running);
});

/** Returns flows that differ in their source address. */
function manyFlows(count: number, actions: string): string[] {
  return Array.from(
    { length: count },
    (_, index) =>
      `priority=5,udp,nw_src=10.${index >> 16}.${(index >> 8) & 255}.${index & 255},actions=${actions}`,
  );
}

/** `release` gives each bridge 30 s, and the database 5 s. */
const RELEASE_TIMEOUT_MS = 40_000;

/** Stops the daemon, which takes at most 5 s, and releases what a busy machine has not restored by then. */
async function stopAndRelease(running: Daemon): Promise<void> {
  await running.stop().catch((error: unknown) => {
    assert.match(String(error), /run "ovs-ipfix release"/u);
  });
  const command = [DAEMON_FILE, 'release', ovs.dbEndpoint];
  await runProgram(process.execPath, command, {
    environment: ovs.environment,
    timeoutMs: RELEASE_TIMEOUT_MS,
  });
}

/** Measures how long another client of the bridge waits for its barriers, in milliseconds, until it is stopped. */
async function probeBarriers(): Promise<() => Promise<{ median: number; max: number; count: number }>> {
  const socket = connect(`${ovs.rundir}/br0.mgmt`);
  await once(socket, 'connect');
  const connection = new OpenFlowConnection(socket, { versions: [4] });
  await connection.ready;
  const waits: number[] = [];
  const state = { isOver: false };
  const probing = (async () => {
    while (!state.isOver) {
      const start = performance.now();
      await connection.request({ type: 'barrier_request' });
      waits.push(performance.now() - start);
      await delay(3);
    }
  })();
  return async () => {
    state.isOver = true;
    await probing;
    connection.close();
    waits.sort((a, b) => a - b);
    return { median: waits[waits.length >> 1] ?? 0, max: waits.at(-1) ?? 0, count: waits.length };
  };
}

describe('at scale', () => {
  for (const { count, goalMs, boundMs } of [
    { count: 10_000, goalMs: 3000, boundMs: 10_000 },
    { count: 50_000, goalMs: 6000, boundMs: 25_000 },
  ]) {
    test(`translates ${count} flows soon after the start, while other clients are served, and restores them`, async (t) => {
      const bed = await makeFlows();
      await bed.addSet(1, sink.target);
      await bed.add(manyFlows(count, `${sampleAction(1)},NORMAL`));
      const before = await bed.dump();
      const stopProbe = await probeBarriers();
      const start = performance.now();
      const daemon = await startDaemon({ readyTimeoutMs: boundMs });
      const readyMs = performance.now() - start;
      const { median, max, count: probes } = await stopProbe();
      assert.equal(await bed.countDaemonActions(), count);
      t.diagnostic(
        `${count} flows: ready after ${readyMs.toFixed(0)} ms (goal ${goalMs}); another client's barrier took ` +
          `${median.toFixed(1)} ms in the median, ${max.toFixed(1)} ms at most, of ${probes}`,
      );
      assert.ok(readyMs < boundMs);
      assert.ok(median < 100, `${median} ms in the median`);
      assert.ok(max < 2000, `${max} ms at most`);
      assert.equal((await sampledBridgeOf(daemon)).session.translation.rewrites, count);
      await (count > 10_000 ? stopAndRelease(daemon) : daemon.stop());
      assert.ok((await bed.dump()) === before, 'the dump is as it was');
    });
  }
});

describe('concurrent changes by users', () => {
  const pauses = async () =>
    Number(await ovs.appctl('coverage/read-counter', 'ofmonitor_pause').catch(() => 'NaN'));

  for (const protocols of [
    ['OpenFlow10', 'OpenFlow13'],
    ['OpenFlow13', 'OpenFlow14'],
  ]) {
    const needs = protocols.includes('OpenFlow10') ? {} : unlessDiffers({ skip: false }, 'flow-monitor');
    test(
      `a burst of changes that pauses the flow monitor ends as the user wrote it, and translated (${protocols.join()})`,
      needs,
      async (t) => {
        const bed = await makeFlows(protocols);
        await bed.addSet(1, sink.target);
        const count = 20_000;
        const daemon = await startDaemon();
        const before = await pauses();
        daemon.signal('SIGSTOP');
        await bed.add(manyFlows(count, `${sampleAction(1, 1)},NORMAL`));
        await bed.add(manyFlows(count, `${sampleAction(1, 2)},NORMAL`));
        await bed.add(manyFlows(1000, 'NORMAL'));
        await bed.ofctl('-O', 'OpenFlow13', 'del-flows', 'br0', 'udp,nw_src=10.0.4.0/24');
        assert.ok((await pauses()) > before, 'the flow monitor was paused');
        const start = performance.now();
        daemon.signal('SIGCONT');
        // 256 flows are deleted, and the first 1,000 do not sample any more.
        const isWanted = (dump: string) => {
          const lines = dump.split('\n').filter((line) => line.includes('nw_src'));
          const sampling = lines.filter((line) => line.includes('sample('));
          return (
            lines.length === count - 256 &&
            sampling.length === count - 256 - 1000 &&
            sampling.every((line) => line.includes('obs_domain_id=2,') && line.includes('id=18768'))
          );
        };
        await waitFor(async () => isWanted(await bed.dump()), {
          what: 'all flows are as wanted and translated',
          timeoutMs: 20_000,
          intervalMs: 200,
        });
        const { rewrites } = (await sampledBridgeOf(daemon)).session.translation;
        t.diagnostic(`${(performance.now() - start).toFixed(0)} ms after SIGCONT, ${rewrites} rewritings`);
        assert.ok(rewrites <= 4 * count);
        await stopAndRelease(daemon);
        assert.equal(await bed.countDaemonActions(), 0);
      },
    );
  }

  test('samples that a user removes during the translation are not written again', async (t) => {
    const bed = await makeFlows();
    await bed.addSet(1, sink.target);
    const count = 10_000;
    for (let round = 0; round < 3; round += 1) {
      await bed.add(manyFlows(count, `${sampleAction(1)},output:1`));
      const daemon = await startDaemon({ waitForReady: false });
      const seen = await waitFor(
        async () => {
          // A request for one flow is answered immediately; a dump of all would take as long as the translation.
          const last = `udp,nw_src=10.0.${20 + round * 8}.0`;
          return (await bed.ofctl('-O', 'OpenFlow13', 'dump-flows', 'br0', last)).includes('id=18768');
        },
        { what: 'some flows are translated', timeoutMs: 20_000, intervalMs: 1 },
      );
      assert.ok(seen);
      await bed.ofctl('-O', 'OpenFlow13', 'mod-flows', 'br0', 'udp,actions=output:2');
      await daemon.waitForReady(20_000);
      await waitFor(
        async () => (await daemonStatus(daemon)).bridges[0]?.session.translationReconciler.state === 'idle',
        {
          what: 'nothing is left to do',
        },
      );
      const { rewrites } = (await sampledBridgeOf(daemon)).session.translation;
      t.diagnostic(`round ${round}: ${rewrites} rewritings`);
      const undone = (await bed.dump())
        .split('\n')
        .filter((line) => /sample|id=18768|output:1\b/u.test(line));
      assert.deepEqual([undone.length, undone[0]], [0, undefined]);
      await daemon.stop();
    }
  });
});

describe('what flows keep', () => {
  const stripped = (dump: string) =>
    dump.replaceAll(/ duration=[\d.]+s,/gu, '').replaceAll(/,(idle|hard)_age=\d+/gu, '');
  const withoutOurs = (dump: string) => dump.replaceAll(/,controller\([^)]*id=18768[^)]*\)/gu, '');

  test('counters, cookies, timeouts, flags and importance are the same before, during and after the translation', async () => {
    const bed = await makeFlows();
    await bed.add(
      [
        `cookie=0xdeadbeef12345678,priority=9,udp,tp_dst=1,idle_timeout=1000,hard_timeout=2000,importance=77,send_flow_rem,actions=${sampleAction(1)},output:2`,
        `cookie=0x1,table=5,priority=8,udp,tp_dst=2,idle_timeout=65535,reset_counts,actions=clone(${sampleAction(1)}),output:2`,
        `cookie=0x2,priority=7,udp,tp_dst=3,importance=1,no_byte_counts,actions=${sampleAction(1)},goto_table:6`,
        `cookie=0x3,priority=7,udp,tp_dst=4,no_packet_counts,check_overlap,actions=${sampleAction(1)},resubmit(,5),write_metadata:0x5`,
      ],
      'OpenFlow14',
    );
    await ovs.inject('p1', udpTo(1), udpTo(1), udpTo(3), udpTo(4));
    const look = async () => stripped(await bed.dump('OpenFlow14', '--stats'));
    const settled = async () => {
      await ovs.appctl('revalidator/purge');
      return look();
    };
    const before = await settled();
    assert.match(before, /n_packets=2, n_bytes=\d\d+,.*importance=77/u);
    // Not earlier, because vswitchd would have exported the earlier packets.
    await bed.addSet(1, sink.target);
    const daemon = await startDaemon();
    assert.equal(await bed.countDaemonActions(), 4);
    assert.equal(withoutOurs(await settled()), before);
    await ovs.inject('p1', udpTo(1), udpTo(1), udpTo(1));
    await sink.waitForPackets(3);
    const more = before
      .replace('n_packets=2,', 'n_packets=5,')
      .replace(/(n_packets=5, n_bytes=)(\d+)/u, (_, head, bytes) => `${head}${(Number(bytes) / 2) * 5}`);
    assert.equal(withoutOurs(await settled()), more);
    await daemon.stop();
    assert.equal(await settled(), more);
  });

  test('translated flows that time out are removed, and are not counted any more', async () => {
    const bed = await makeFlows();
    await bed.addSet(1, sink.target);
    const daemon = await startDaemon();
    await bed.add([
      `priority=9,udp,tp_dst=1,idle_timeout=1,actions=${sampleAction(1)},output:2`,
      `priority=9,udp,tp_dst=2,hard_timeout=2,actions=${sampleAction(1)},output:2`,
      `priority=9,udp,tp_dst=3,actions=${sampleAction(1)},output:2`,
    ]);
    await bed.waitForDaemonActions(3);
    const flows = async () => (await sampledBridgeOf(daemon)).flowSampling[0]?.flows;
    assert.equal(await flows(), 3);
    await waitFor(async () => (await flows()) === 1, { what: 'two flows have timed out', timeoutMs: 8000 });
    await bed.waitForDaemonActions(1);
    const { conditions } = await daemonStatus(daemon);
    assert.deepEqual(
      conditions.map(({ code }) => code),
      ['hard-timeout-restarts'],
    );
    await daemon.stop();
  });

  test('many flows of each kind of field are translated and restored, each written once', async () => {
    const bed = await makeFlows();
    await bed.addSet(1, sink.target);
    const hex = (index: number, digits: number) => index.toString(16).padStart(digits, '0');
    const fields: ((index: number) => string)[] = [
      (index) => `udp,tp_dst=${index}`,
      (index) => `tcp6,ipv6_src=2001:db8::${hex(index, 1)},tp_src=${index}`,
      (index) => `dl_src=00:00:00:00:01:${hex(index, 2)}`,
      (index) => `dl_vlan=${index % 2},metadata=0x${hex(index, 1)}`,
      (index) => `dl_vlan=7,dl_vlan_pcp=${index % 8},ip,nw_src=10.0.0.${index}`,
      (index) => `reg3=0x${hex(index, 1)}`,
      (index) => `reg4=0x${hex(index, 1)},reg5=0x${hex(index * 7, 1)},ct_state=+trk`,
      (index) => `tun_id=0x${hex(index, 1)},tun_src=10.0.0.${index}`,
      (index) => `arp,arp_spa=10.0.0.${index}`,
      (index) => `ct_mark=0x${hex(index, 1)},ip,nw_dst=10.0.0.0/24,nw_src=10.${index}.0.0/16`,
      (index) => `ipv6,ipv6_label=0x${hex(index, 1)}`,
      (index) => `icmp6,icmp_type=135,nd_target=2001:db8::${hex(index, 1)}`,
      (index) => `in_port=1,sctp,tp_dst=${index},nw_tos=32`,
      (index) => `ct_label=0x${hex(index, 20)},xreg4=0x${hex(index, 1)}`,
    ];
    const count = 120;
    const flows = fields.flatMap((match, kind) =>
      Array.from(
        { length: count },
        (_, index) =>
          `table=${kind % 3},priority=${kind + 1},${match(index + 1)},actions=${sampleAction(1)},output:2`,
      ),
    );
    await bed.add(flows);
    const before = await bed.dump();
    const daemon = await startDaemon();
    assert.equal(await bed.countDaemonActions(), flows.length);
    const { translation } = (await sampledBridgeOf(daemon)).session;
    const { rewrites, restored, lost } = translation;
    assert.deepEqual({ rewrites, restored, lost }, { rewrites: flows.length, restored: 0, lost: 0 });
    await daemon.stop();
    assert.ok((await bed.dump()) === before, 'the dump is as it was');
  });

  test('a flow that is too large for another action is reported, and the others are translated', async () => {
    const bed = await makeFlows();
    await bed.addSet(1, sink.target);
    const large = Array.from({ length: 800 }, () => sampleAction(1)).join(',');
    await bed.add([
      `priority=9,udp,tp_dst=1,actions=${large},output:2`,
      ...manyFlows(500, `${sampleAction(1)},output:2`),
    ]);
    const before = await bed.dump();
    const daemon = await startDaemon();
    assert.equal(await bed.countDaemonActions(), 500);
    const [condition] = (await daemonStatus(daemon)).conditions;
    assert.equal(condition?.code, 'translation-refused');
    assert.match(condition.where, /tcp|udp|tp_dst|udp_dst/u);
    await daemon.stop();
    assert.ok((await bed.dump()) === before);
  });
});
