// How far the sums of 1-in-N sampling are from what has gone into the switch, by both samplers: an elephant in bursts over steady
// mice. The bridges with `auto` begin with packet-ins, and have the datapath sample when the bursts exceed their rate.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FLOOD, PATTERNS, sendTraffic } from '../support/bursty-traffic.ts';
import type { Daemon } from '../support/daemon.ts';
import { sampledWith } from '../support/datapath-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { createIpfixRow, waitForBridge, waitForHook } from '../support/ipfix-rows.ts';
import { MEASURED_ROW, type Measured, MeasuredExporters } from '../support/measured-exporters.ts';
import type { Ovs } from '../support/ovs.ts';
import { weightOf } from '../support/sampling-error.ts';
import { tier } from '../support/tiers.ts';
import { withDaemon } from '../support/with-daemon.ts';

const INTERVALS = [1, 4, 64, 400];
const SAMPLERS = ['datapath', 'auto'] as const;
/** Rates that nothing exceeds, and that all bursts do. */
const RATE_UNLIMITED = 1_000_000;
const RATE_EXCEEDED = 150;
/** Milliseconds after which `auto` has left packet-ins. */
const LEAVE_MS = 60_000;

const NEEDS = tier('ovs', 'daemon');

describe('1-in-N', NEEDS, () => {
  let ovs: Ovs;
  let daemon: Daemon;
  let exporters: MeasuredExporters;
  const bridges: (Measured & { readonly sampler: (typeof SAMPLERS)[number] })[] = [];
  const autos = () => bridges.filter(({ sampler }) => sampler === 'auto');
  withDaemon(
    (running) => {
      ({ ovs, daemon } = running);
    },
    { skip: NEEDS.skip },
  );
  before(async () => {
    for (const sampler of SAMPLERS) {
      for (const interval of INTERVALS) {
        bridges.push(await addBridge(ovs, sampler, interval));
      }
    }
    for (const { bridge, sampler, weight } of bridges) {
      await (sampler === 'datapath'
        ? sampledWith(daemon, bridge, Math.ceil(weightOf(weight)))
        : waitForHook(daemon, bridge));
    }
    exporters = new MeasuredExporters(ovs, daemon, bridges);
  });
  after(() => Promise.all(bridges.map(({ sink }) => sink.close())));

  test('steady, below the rate: packet-ins and the datapath', async (t) => {
    const samplers = await exporters.measure(t, PATTERNS.steady);
    for (const { bridge } of autos()) {
      assert.deepEqual([...(samplers.get(bridge) ?? [])], ['packet-in']);
    }
  });

  test('auto leaves packet-ins when the rate is exceeded', async () => {
    for (const { bridge } of autos()) {
      await ovs.vsctl('set', 'Bridge', bridge, `external_ids:ovs-ipfix-max-rate=${RATE_EXCEEDED}`);
    }
    const left = Promise.all(
      autos().map(({ bridge }) =>
        waitForBridge(
          daemon,
          bridge,
          'the datapath samples',
          ({ samplerChoice }) => samplerChoice?.sampler === 'datapath',
          LEAVE_MS,
        ),
      ),
    );
    const state = { isLeft: false };
    const watched = left.finally(() => {
      state.isLeft = true;
    });
    const ports = autos().map(({ port }) => port);
    await Promise.all([watched, sendTraffic(ovs, ports, FLOOD, LEAVE_MS, () => state.isLeft)]);
    for (const { samplerChoice } of await left) {
      assert.equal(samplerChoice?.reason, 'meter dropped');
    }
    await exporters.settle();
  });

  for (const pattern of [PATTERNS.rare, PATTERNS.short, PATTERNS.long]) {
    test(`the elephant sends ${pattern.name}`, async (t) => {
      const samplers = await exporters.measure(t, pattern);
      assert.deepEqual(new Set([...samplers.values()].flatMap((each) => [...each])), new Set(['datapath']));
    });
  }
});

async function addBridge(ovs: Ovs, sampler: (typeof SAMPLERS)[number], interval: number) {
  const bridge = `${sampler}-${interval}`;
  const port = `${bridge}-in`;
  await ovs.addBridge(bridge);
  await ovs.addDummyPort(bridge, port);
  const keys = [`ovs-ipfix-sampler=${sampler}`, `ovs-ipfix-max-rate=${RATE_UNLIMITED}`];
  await ovs.vsctl('set', 'Bridge', bridge, ...keys.map((key) => `external_ids:${key}`));
  const sink = await FlowRecordSink.open();
  await createIpfixRow(ovs, bridge, [sink.target], { sampling: interval, ...MEASURED_ROW });
  return { name: bridge, bridge, port, sink, weight: interval, sampler };
}
