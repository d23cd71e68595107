// How far the sums of `sample` actions are from what has gone into the switch: an elephant in bursts over steady mice.

import { after, before, describe, test } from 'node:test';
import { PATTERNS } from '../support/bursty-traffic.ts';
import type { Daemon } from '../support/daemon.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import { createCollectorSet, daemonStatus } from '../support/ipfix-rows.ts';
import { MEASURED_ROW, type Measured, MeasuredExporters } from '../support/measured-exporters.ts';
import type { Ovs } from '../support/ovs.ts';
import { sampleAction } from '../support/sampled-flows.ts';
import { weightOf } from '../support/sampling-error.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const PROBABILITIES = [65_535, 21_846, 655];
const BRIDGE = 'br0';
const PORT = 'p1';

const NEEDS = tier('ovs', 'daemon');

describe('sample actions', NEEDS, () => {
  let ovs: Ovs;
  let daemon: Daemon;
  let exporters: MeasuredExporters;
  const sets: Measured[] = [];
  withDaemon(
    (running) => {
      ({ ovs, daemon } = running);
    },
    { skip: NEEDS.skip },
  );
  before(async () => {
    await ovs.addBridge(BRIDGE);
    await ovs.addDummyPort(BRIDGE, PORT);
    await ovs.vsctl('set', 'Bridge', BRIDGE, 'external_ids:ovs-ipfix-max-rate=1000000');
    for (const [index, probability] of PROBABILITIES.entries()) {
      const sink = await FlowRecordSink.open();
      const columns = Object.entries(MEASURED_ROW).map(([column, value]) => `${column}=${value}`);
      await createCollectorSet(ovs, BRIDGE, index + 1, sink.target, ...columns);
      const name = `P = ${probability}`;
      sets.push({ name, bridge: BRIDGE, port: PORT, sink, weight: weightOf(probability) });
    }
    const actions = PROBABILITIES.map((probability, index) => sampleAction(index + 1, 7, 9, probability));
    await ovs.ofctl('add-flow', BRIDGE, `priority=5,actions=${actions.join(',')}`);
    await waitFor(
      async () => {
        const [status] = (await daemonStatus(daemon)).bridges;
        return status?.flowSampling.filter(({ flows }) => flows === 1).length === PROBABILITIES.length;
      },
      { what: 'all sets are exported' },
    );
    await daemon.waitForReady();
    exporters = new MeasuredExporters(ovs, daemon, sets);
  });
  after(() => Promise.all(sets.map(({ sink }) => sink.close())));

  for (const pattern of Object.values(PATTERNS)) {
    test(pattern.name, async (t) => {
      await exporters.measure(t, pattern);
    });
  }
});
