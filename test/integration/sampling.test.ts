// 1-in-N sampling over a real switch: the weight of a sample, that the totals come out right within chance, and that the
// account of what was not sampled, dropped by the meter or lost adds up to the pool that the switch has counted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Daemon } from '../support/daemon.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import type { Ovs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const CACHED = { cache_active_timeout: 60, cache_max_flows: 10_000 };
const FLOW_COUNT = 16;
/** Frames injected at once, which OVS's queue of packet-ins holds. */
const PORTION = 80;
/** Largest rate of a bridge's row, in packet-ins a second. */
const RATE_MAX = 1_000_000;
/** Largest deviation in standard errors; a correct sampler exceeds it in one run of 16,000. */
const STANDARD_ERRORS_MAX = 4;

let ovs: Ovs;
let daemon: Daemon;

withDaemon((running) => {
  ({ ovs, daemon } = running);
});

/** Returns frames of several flows in turn, each with its own size. */
function mixedFrames(count: number): Buffer[] {
  const flows = Array.from({ length: FLOW_COUNT }, (_, index) =>
    udpFrame({ sourcePort: 1 + index, dataBytes: 18 + 60 * index }),
  );
  return Array.from({ length: count }, (_, index) => flows[index % FLOW_COUNT] ?? Buffer.alloc(0));
}

async function setMaxRate(br: ExportingBridge, rate: number): Promise<void> {
  // These tests are about packet-ins: after drops, `auto` would leave them.
  const keys = ['ovs-ipfix-sampler=packet-in', `ovs-ipfix-max-rate=${rate}`];
  await ovs.vsctl('set', 'Bridge', br.name, ...keys.map((key) => `external_ids:${key}`));
  await waitFor(async () => (await meters(br)).includes(`rate=${rate} `), { what: 'the meter has the rate' });
}

async function meters(br: ExportingBridge): Promise<string> {
  return ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name);
}

/** Waits until the meter has counted all frames and each has arrived or is lost, and returns the status. */
function afterPool(br: ExportingBridge, packetCount: number) {
  return br.waitForStatus(
    `${packetCount} packets are accounted for`,
    ({ sampler }) => sampler.observedPackets >= packetCount && sampler.inTransit === 0,
  );
}

/** Disables caching, so that all flows are exported, and returns the sums of their records. */
async function totals(
  br: ExportingBridge,
): Promise<{ packets: number; octets: number; byPort: Map<number, number> }> {
  const { exporter } = await br.waitForStatus('flows are cached', ({ exporter }) => exporter.cache.flows > 0);
  await br.set({ cache_active_timeout: 0 });
  const byPort = new Map<number, number>();
  let packets = 0;
  let octets = 0;
  for (const { fields } of await br.sink.waitForRecords(exporter.cache.flows)) {
    const count = Number(fields['packetDeltaCount']);
    packets += count;
    octets += Number(fields['layer2OctetDeltaCount']);
    byPort.set(Number(fields['sourceTransportPort']), count);
  }
  return { packets, octets, byPort };
}

test('at 1 in 16 the records represent all packets, within chance', tier('ovs', 'daemon'), async (t) => {
  const interval = 16;
  const count = 20_000;
  const br = await exportingBridge(t, ovs, daemon, { ...CACHED, sampling: interval });
  // The meter must let everything pass here, or the machine's pace would be what is measured.
  await setMaxRate(br, RATE_MAX);
  const frames = mixedFrames(count);
  // In portions that OVS's queue of packet-ins holds, so that this is about chance and not about losses.
  for (let at = 0; at < count; at += PORTION) {
    await ovs.injectMany(br.name, br.port, frames.slice(at, at + PORTION));
  }
  const { sampler } = await afterPool(br, count);
  t.diagnostic(`pool ${sampler.observedPackets}, received ${sampler.received}, lost ${sampler.lost}`);
  assert.equal(sampler.observedPackets, count);
  assert.equal(
    sampler.observedOctets,
    frames.reduce((sum, frame) => sum + frame.length, 0),
  );

  const { packets, octets, byPort } = await totals(br);
  assert.equal(packets, sampler.selected * interval);
  for (const weighed of byPort.values()) {
    assert.equal(weighed % interval, 0);
  }
  assert.equal(octets % interval, 0);
  const arrived = sampler.received;
  const standardError = Math.sqrt((interval - 1) / arrived);
  const deviation = packets / arrived - 1;
  t.diagnostic(
    `total off by ${(100 * deviation).toFixed(2)}%, standard error ${(100 * standardError).toFixed(2)}%`,
  );
  assert.ok(Math.abs(deviation) < STANDARD_ERRORS_MAX * standardError);
});

test(
  'counts what the meter drops, and compensates for it by what arrives then',
  tier('ovs', 'daemon'),
  async (t) => {
    const br = await exportingBridge(t, ovs, daemon, CACHED);
    await setMaxRate(br, 200);
    // A steady overload of some seconds, and then slow traffic that passes the meter, to compensate the pending loss.
    let count = 0;
    let octetCount = 0;
    const inject = async (portion: number) => {
      const frames = mixedFrames(portion);
      count += portion;
      octetCount += frames.reduce((sum, frame) => sum + frame.length, 0);
      await ovs.injectMany(br.name, br.port, frames);
    };
    const begin = performance.now();
    while (performance.now() - begin < 4000) {
      await inject(200);
    }
    const status = await daemon.appctl('status');
    const during = (await afterPool(br, count)).sampler;
    t.diagnostic(
      `pool ${count}: ${during.droppedByMeter} dropped, each represents ${during.compensationFactor}`,
    );
    assert.ok(during.droppedByMeter > count / 2 && during.compensationFactor > 2, JSON.stringify(during));
    assert.match(status, /each packet-in represents \d+\.\d\d packets/u);
    await waitFor(
      async () => {
        await inject(100);
        const { pendingLossPackets, pendingLossOctets } = (await afterPool(br, count)).sampler;
        return Math.abs(pendingLossPackets) < 1 && Math.abs(pendingLossOctets) < 1;
      },
      { what: 'all loss is compensated', timeoutMs: 30_000 },
    );
    const { sampler } = await afterPool(br, count);
    assert.equal(sampler.received + sampler.droppedByMeter + sampler.lost, count);
    const { packets, octets } = await totals(br);
    t.diagnostic(
      `records represent ${packets} of ${count} packets and ${octets} of ${octetCount} octets, ` +
        `${sampler.writtenOffPackets} and ${sampler.writtenOffOctets} written off`,
    );
    // Each packet was wanted (1 in 1), so that there is no chance in the sum.
    assert.ok(Math.abs(packets - count) <= 2 + sampler.writtenOffPackets, `${packets} of ${count}`);
    const octetsOff = Math.abs(octets - octetCount);
    assert.ok(octetsOff <= 2 + sampler.writtenOffOctets, `${octets} of ${octetCount} octets`);
  },
);

test('packets that passed the meter and never came are counted as lost', tier('ovs', 'daemon'), async (t) => {
  const count = 5000;
  const br = await exportingBridge(t, ovs, daemon, CACHED);
  await setMaxRate(br, RATE_MAX);
  // A daemon that does not read for a while: the switch keeps what its queue holds.
  daemon.signal('SIGSTOP');
  try {
    await ovs.injectMany(br.name, br.port, mixedFrames(count));
  } finally {
    daemon.signal('SIGCONT');
  }
  const { sampler } = await afterPool(br, count);
  t.diagnostic(`pool ${sampler.observedPackets}: received ${sampler.received}, lost ${sampler.lost}`);
  assert.equal(sampler.observedPackets, count);
  assert.equal(sampler.droppedByMeter, 0);
  assert.ok(sampler.lost > 0);
  assert.equal(sampler.received + sampler.lost, count);
  const { packets } = await totals(br);
  assert.equal(packets, sampler.received);
});
