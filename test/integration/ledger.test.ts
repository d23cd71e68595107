// The ledger of the hook's meter on a real switch, over what makes the meter's counters start anew: restarts of ovs-vswitchd,
// changes of the rate, and another client that deletes the meter. Each injected frame has a number, which is its UDP source port.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Daemon } from '../support/daemon.ts';
import { type ExportingBridge, exportingBridge } from '../support/exporting-bridge.ts';
import { udpFrame } from '../support/frames.ts';
import { waitForHook } from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { tier } from '../support/tiers.ts';
import { waitFor } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const CACHED = { cache_active_timeout: 60, cache_max_flows: 60_000 };
/** Frames injected at once, which OVS's queue of packet-ins holds. */
const PORTION = 80;
/** A rate that no test reaches. */
const RATE_MAX = 1_000_000;
/** Milliseconds of traffic after an event. */
const TRAFFIC_MS = 6000;

let ovs: Ovs;
let daemon: Daemon;

withDaemon((running) => {
  ({ ovs, daemon } = running);
});

/** Injects numbered frames. */
class Numbered {
  count = 0;
  readonly #br: ExportingBridge;

  constructor(br: ExportingBridge) {
    this.#br = br;
  }

  /** Injects as many frames, each with the next number and a size that depends on it. */
  async inject(count: number): Promise<void> {
    const frames = Array.from({ length: count }, (_, index) => this.#frame(this.count + index));
    this.count += count;
    await ovs.injectMany(this.#br.name, this.#br.port, frames);
  }

  /** Injects while the daemon does not read, so that the switch loses what its queue cannot hold. */
  async injectUnread(count: number): Promise<void> {
    daemon.signal('SIGSTOP');
    try {
      await this.inject(count);
    } finally {
      daemon.signal('SIGCONT');
    }
  }

  get octets(): number {
    return Array.from({ length: this.count }, (_, number) => this.#frame(number).length).reduce(
      (a, b) => a + b,
      0,
    );
  }

  #frame(number: number): Buffer {
    return udpFrame({ sourcePort: 1 + number, dataBytes: 18 + (number % 20) * 60 });
  }
}

async function setMaxRate(br: ExportingBridge, rate: number): Promise<void> {
  await ovs.vsctl('set', 'Bridge', br.name, `external_ids:ovs-ipfix-max-rate=${rate}`);
  const hasRate = async () =>
    (await ovs.ofctl('-O', 'OpenFlow15', 'dump-meters', br.name)).includes(`rate=${rate} `);
  await waitFor(hasRate, { what: 'the meter has the rate' });
  // The hook is installed when the meter has been read: what it counts from here on is observed.
  await daemon.waitForReady();
}

/** Waits until the meter has counted all frames of the current account, and all of them have arrived or are lost. */
function settled(br: ExportingBridge, packetCount: number) {
  return br.waitForStatus(
    `${packetCount} packets are accounted for`,
    ({ sampler }) => sampler.observedPackets >= packetCount && sampler.inTransit === 0,
  );
}

/** Disables caching, so that all flows are exported, and returns the sums of their records and the numbers that they have. */
async function totals(br: ExportingBridge) {
  const { exporter } = await br.waitForStatus('flows are cached', ({ exporter }) => exporter.cache.flows > 0);
  await br.set({ cache_active_timeout: 0 });
  const numbers = new Set<number>();
  let packets = 0;
  let octets = 0;
  for (const { fields } of await br.sink.waitForRecords(exporter.cache.flows)) {
    packets += Number(fields['packetDeltaCount']);
    octets += Number(fields['layer2OctetDeltaCount']);
    numbers.add(Number(fields['sourceTransportPort']) - 1);
  }
  return { packets, octets, numbers };
}

/** Causes a loss, and sends traffic until it is compensated. */
async function loseAndCompensate(br: ExportingBridge, numbered: Numbered): Promise<void> {
  await numbered.injectUnread(3000);
  const { sampler } = await settled(br, numbered.count);
  assert.ok(sampler.lost > 0, JSON.stringify(sampler));
  await waitFor(
    async () => {
      await numbered.inject(PORTION);
      const status = (await settled(br, numbered.count)).sampler;
      return Math.abs(status.pendingLossPackets) < 1 && Math.abs(status.pendingLossOctets) < 2000;
    },
    { what: 'the loss is compensated', timeoutMs: 60_000 },
  );
}

async function sendTraffic(numbered: Numbered): Promise<void> {
  const begin = performance.now();
  while (performance.now() - begin < TRAFFIC_MS) {
    await numbered.inject(PORTION);
  }
}

const EVENTS = {
  connectionLost: async (br: ExportingBridge) => {
    await ovs.restartVswitchd();
    await waitForHook(daemon, br.name);
  },
  rateChanged: (br: ExportingBridge) => setMaxRate(br, RATE_MAX - 1),
} as const;

for (const [event, cause] of Object.entries(EVENTS) as [
  keyof typeof EVENTS,
  (br: ExportingBridge) => Promise<void>,
][]) {
  test(
    `exports all packets after a loss and the event ${event}`,
    tier('ovs', 'daemon'),
    async (t: TestContext) => {
      const br = await exportingBridge(t, ovs, daemon, CACHED);
      await setMaxRate(br, RATE_MAX);
      const numbered = new Numbered(br);
      await loseAndCompensate(br, numbered);
      const before = (await settled(br, numbered.count)).sampler;
      await cause(br);
      await br.waitForStatus(
        'the ledger has restarted',
        ({ sampler }) => sampler.restarts[event] === before.restarts[event] + 1,
      );
      const firstAfter = numbered.count;
      await sendTraffic(numbered);
      const { sampler } = await settled(br, numbered.count);
      assert.equal(sampler.observedPackets, numbered.count);
      assert.equal(sampler.observedOctets, numbered.octets);
      assert.equal(sampler.received + sampler.lost, numbered.count);
      assert.equal(sampler.lost, before.lost, 'nothing was lost after the event');
      const { packets, octets, numbers } = await totals(br);
      t.diagnostic(
        `${packets} of ${numbered.count} packets, ${octets} of ${numbered.octets} octets, ${numbered.count - firstAfter} after`,
      );
      const open = sampler.pendingLossPackets + sampler.writtenOffPackets;
      assert.ok(
        Math.abs(packets + open - numbered.count) <= 1,
        `${packets} of ${numbered.count}, ${open} open`,
      );
      const openOctets = sampler.pendingLossOctets + sampler.writtenOffOctets;
      assert.ok(
        Math.abs(octets + openOctets - numbered.octets) <= 2,
        `${octets} of ${numbered.octets}, ${openOctets}`,
      );
      assert.deepEqual(
        Array.from({ length: numbered.count - firstAfter }, (_, index) => firstAfter + index).filter(
          (number) => !numbers.has(number),
        ),
        [],
      );
    },
  );
}

test(
  'a meter that another client deletes hides no later loss',
  tier('ovs', 'daemon'),
  async (t: TestContext) => {
    const br = await exportingBridge(t, ovs, daemon, CACHED);
    await setMaxRate(br, RATE_MAX);
    const numbered = new Numbered(br);
    await numbered.inject(PORTION);
    await settled(br, PORTION);
    // These may arrive after the last reading of the old meter.
    for (let portion = 0; portion < 5; portion += 1) {
      await numbered.inject(PORTION);
    }
    await ovs.deleteMeters(br.name);
    const before = await br.waitForStatus(
      'the ledger has restarted',
      ({ sampler }) => sampler.restarts.meterModified === 1 && sampler.received === numbered.count,
    );
    await waitForHook(daemon, br.name);
    await numbered.injectUnread(3000);
    const { sampler } = await settled(br, before.sampler.observedPackets + 3000);
    t.diagnostic(
      `${sampler.unobservedPackets} unobserved, ${sampler.lost} lost, ${sampler.received} received`,
    );
    assert.equal(sampler.lost, numbered.count - sampler.received);
    assert.ok(sampler.lost > 500, `${sampler.lost}`);
    assert.equal(sampler.observedPackets + sampler.unobservedPackets, numbered.count);
  },
);
