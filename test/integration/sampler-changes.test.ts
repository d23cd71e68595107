// Changes of the sampler of a bridge under numbered traffic: nothing is lost, and nothing is counted twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertExact,
  datapathBridge,
  hookActions,
  Numbered,
  setSampler,
  startBoth,
} from '../support/datapath-bridge.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';

/** Frames injected at once, which OVS's queue of packet-ins holds. */
const PORTION = 50;
/** Changes of the sampler; the last leads to the datapath. */
const CHANGE_COUNT = 100;

test(
  'loses and doubles nothing in changes of the sampler under traffic',
  tier('ovs', 'daemon'),
  async (t) => {
    const started = await startBoth(t);
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
    await assertExact(br, numbered);
  },
);
