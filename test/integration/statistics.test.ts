// How far sums of samples are from what has gone into the switch: an elephant in bursts over steady mice, 1-in-N by both samplers,
// and `sample` actions. All bridges get the same traffic at the same time.

import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExporterStatus } from '../../src/export/exporter-status.ts';
import {
  ELEPHANT,
  LENGTH_MAX,
  PATTERNS,
  type Pattern,
  type SentTraffic,
  sendTraffic,
} from '../support/bursty-traffic.ts';
import type { Daemon } from '../support/daemon.ts';
import { sampledWith } from '../support/datapath-bridge.ts';
import { FlowRecordSink } from '../support/flow-records.ts';
import {
  createCollectorSet,
  createIpfixRow,
  daemonStatus,
  waitForBridge,
  waitForHook,
} from '../support/ipfix-rows.ts';
import type { Ovs } from '../support/ovs.ts';
import { sampleAction } from '../support/sampled-flows.ts';
import { assertWithin, deviations, type Estimate, weightOf } from '../support/sampling-error.ts';
import { tier } from '../support/tiers.ts';
import { waitFor, waitUntilQuiet } from '../support/wait.ts';
import { withDaemon } from '../support/with-daemon.ts';

const INTERVALS = [1, 4, 64, 400];
const PROBABILITIES = [65_535, 21_846, 655];
const SAMPLERS = ['datapath', 'auto'] as const;
/** The rate that the bursts of a pattern exceed, and one that nothing does. */
const RATE = 5000;
const RATE_UNLIMITED = 1_000_000;
const PHASE_MS = 8000;
/** `auto` leaves packet-ins, and then P rises. */
const WARM_UP_MS = 40_000;
/** The `sample` actions of one bridge send three packet-ins for each packet: its bursts are smaller. */
const SETS_SHARE = 0.25;
const SETS_BRIDGE = 'sets';
const CACHED = { cache_active_timeout: 300, cache_max_flows: 1000 };
/** Milliseconds between two readings of P. */
const READ_MS = 500;

/** Something that exports: a bridge, or a collector set. */
interface Measured {
  readonly name: string;
  readonly bridge: string;
  readonly sink: FlowRecordSink;
  /** N of 1-in-N, or 65535/P. */
  readonly weight: number;
  readonly sampler: (typeof SAMPLERS)[number] | undefined;
}

const NEEDS = tier('ovs', 'daemon');

describe('with an elephant over mice', NEEDS, () => {
  let ovs: Ovs;
  let daemon: Daemon;
  const measured: Measured[] = [];
  /** Records that each had got when its sink was last cleared. */
  const cleared = new Map<string, number>();
  withDaemon(
    (running) => {
      ({ ovs, daemon } = running);
    },
    { skip: NEEDS.skip },
  );
  before(async () => {
    for (const sampler of SAMPLERS) {
      for (const interval of INTERVALS) {
        measured.push(await addBridge(ovs, sampler, interval));
      }
    }
    measured.push(...(await addSets(ovs)));
    for (const { bridge, sampler, weight } of measured) {
      if (sampler === 'datapath') {
        await sampledWith(daemon, bridge, Math.ceil(weightOf(weight)));
      } else if (sampler === 'auto') {
        await waitForHook(daemon, bridge);
      }
    }
    await daemon.waitForReady();
  });
  after(() => Promise.all(measured.map(({ sink }) => sink.close())));

  test('below the rate: packet-ins and the datapath, steady', async (t) => {
    await measure(t, PATTERNS.steady, 'packet-in');
  });

  test('auto takes the datapath after two rare bursts, and P rises', async (t) => {
    const autos = measured.filter(({ sampler }) => sampler === 'auto');
    const done = new Set<string>();
    const watched = (async () => {
      for (const { bridge, weight } of autos) {
        await waitForBridge(
          daemon,
          bridge,
          'the datapath samples',
          ({ samplerChoice }) =>
            samplerChoice?.sampler === 'datapath' &&
            samplerChoice.probability === Math.ceil(weightOf(weight)),
          WARM_UP_MS,
        );
        done.add(bridge);
      }
    })();
    const ports = autos.map(({ bridge }) => ({ port: `${bridge}-in` }));
    const isOver = () => done.size === autos.length;
    await Promise.all([sendTraffic(ovs, ports, PATTERNS.rare, WARM_UP_MS, isOver), watched]);
    await settle(autos);
    await daemon.appctl('flush');
    for (const { samplerChoice } of (await daemonStatus(daemon)).bridges) {
      t.diagnostic(`${samplerChoice?.sampler}: ${samplerChoice?.reason}`);
    }
  });

  for (const pattern of [PATTERNS.rare, PATTERNS.short, PATTERNS.long]) {
    test(`the elephant sends ${pattern.name}`, async (t) => {
      await measure(t, pattern, 'datapath');
    });
  }

  /** Sends and compares; `expected` is the sampler that `auto` has meanwhile. */
  async function measure(
    t: TestContext,
    pattern: Pattern,
    expected: 'packet-in' | 'datapath',
  ): Promise<void> {
    const bridges = [...new Set(measured.map(({ bridge }) => bridge))];
    const ports = bridges.map((bridge) => ({
      port: `${bridge}-in`,
      elephantShare: bridge === SETS_BRIDGE ? SETS_SHARE : 1,
    }));
    await clearSinks(measured);
    const lostBefore = await lostPackets();
    const least = new LeastProbability(daemon);
    await least.read();
    const sending = sendTraffic(ovs, ports, pattern, PHASE_MS);
    const isSent = { value: false };
    const reading = (async () => {
      while (!isSent.value) {
        await delay(READ_MS);
        await least.read();
      }
    })();
    const sent = await sending;
    isSent.value = true;
    await reading;
    await settle(measured);
    await flush(measured);
    const lost = await lostPackets();
    for (const each of measured) {
      const traffic = sent[bridges.indexOf(each.bridge)];
      assert.ok(traffic !== undefined);
      const sampler = each.sampler === undefined ? undefined : least.samplers.get(each.bridge);
      if (each.sampler !== undefined) {
        assert.equal(sampler, each.sampler === 'auto' ? expected : 'datapath', each.name);
      }
      const probability = sampler === 'datapath' ? least.of(each.bridge) : 65_535;
      const weight = Math.max(each.weight, weightOf(probability));
      const slack = (lost.get(each.bridge) ?? 0) - (lostBefore.get(each.bridge) ?? 0);
      compare(t, each, traffic, { weight, slack });
    }
  }

  /** Packets of bridges that were lost on their way to the daemon, and compensated. */
  async function lostPackets(): Promise<ReadonlyMap<string, number>> {
    const { bridges } = await daemonStatus(daemon);
    return new Map(
      bridges.map(({ bridge, sampling, sampleActionMeter }) => [
        bridge,
        (sampling?.datapath?.packets.lost ?? 0) +
          (sampling?.sampler.lost ?? 0) +
          (sampling?.sampler.droppedByMeter ?? 0) +
          sampleActionMeter.lost +
          sampleActionMeter.droppedByMeter,
      ]),
    );
  }

  /** Waits until no sample arrives any more. */
  async function settle(which: readonly Measured[]): Promise<void> {
    const bridges = new Set(which.map(({ bridge }) => bridge));
    const samples = async () => {
      const status = await daemonStatus(daemon);
      return status.bridges
        .filter(({ bridge }) => bridges.has(bridge))
        .flatMap(({ sampling, flowSampling }) => [sampling, ...flowSampling])
        .reduce((sum, sampling) => sum + (sampling?.exporter.samples ?? 0), 0);
    };
    await waitUntilQuiet(samples, {
      what: 'no sample arrives any more',
      quietMs: 1500,
      timeoutMs: 30_000,
      intervalMs: 100,
    });
  }

  /** Has all flows exported, and waits until the collectors have them. */
  async function flush(which: readonly Measured[]): Promise<void> {
    await daemon.appctl('flush');
    for (const { name, bridge, sink } of which) {
      await waitFor(
        async () => {
          const [exporter] = (await exportersOf(bridge)).filter(({ collectors }) =>
            collectors.some(({ target }) => target === sink.target),
          );
          const sent = exporter?.collectors[0]?.recordsSent ?? 0;
          return exporter?.cache.flows === 0 && sink.records.length === sent - (cleared.get(name) ?? 0);
        },
        { what: `${name}: the records have arrived`, timeoutMs: 10_000, intervalMs: 100 },
      );
    }
  }

  /** Forgets the records so far. */
  async function clearSinks(which: readonly Measured[]): Promise<void> {
    for (const { name, bridge, sink } of which) {
      const collectors = (await exportersOf(bridge)).flatMap((exporter) => exporter.collectors);
      cleared.set(name, collectors.find(({ target }) => target === sink.target)?.recordsSent ?? 0);
      sink.clear();
    }
  }

  async function exportersOf(name: string): Promise<readonly ExporterStatus[]> {
    const { bridges } = await daemonStatus(daemon);
    const status = bridges.find(({ bridge }) => bridge === name);
    return [status?.sampling, ...(status?.flowSampling ?? [])].flatMap((each) => each?.exporter ?? []);
  }
});

/** The least P of each bridge in a time, and its last sampler. */
class LeastProbability {
  readonly samplers = new Map<string, string>();
  readonly #least = new Map<string, number>();
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async read(): Promise<void> {
    for (const { bridge, samplerChoice } of (await daemonStatus(this.#daemon)).bridges) {
      if (samplerChoice !== undefined) {
        this.samplers.set(bridge, samplerChoice.sampler);
        this.#least.set(bridge, Math.min(this.of(bridge), samplerChoice.probability));
      }
    }
  }

  of(bridge: string): number {
    return this.#least.get(bridge) ?? 65_535;
  }
}

/** Fails unless elephant, mice and all are within six standard errors. */
function compare(
  t: TestContext,
  { name, sink }: Measured,
  { elephant, mice }: SentTraffic,
  { weight, slack }: { readonly weight: number; readonly slack: number },
): void {
  const isElephant = (port: unknown) => port === ELEPHANT;
  const parts = [
    ['elephant', elephant, sumOf(sink, isElephant)],
    ['mice', mice, sumOf(sink, (port) => !isElephant(port))],
    ['all', elephant.plus(mice), sumOf(sink, () => true)],
  ] as const;
  const shown = parts.map(([part, truth, estimate]) => {
    const { packets, octets } = deviations(estimate, truth, weight);
    return `${part} ${packets.toFixed(2)} ${octets.toFixed(2)}`;
  });
  t.diagnostic(`${name}: weight ${weight.toFixed(1)}, ${slack} lost; standard errors: ${shown.join(', ')}`);
  for (const [part, truth, estimate] of parts) {
    // The fraction of a weight is carried from sample to sample.
    const carried = Number.isInteger(weight) ? 0 : weight;
    assertWithin(`${name}, ${part}`, estimate, truth, {
      weight,
      slack: slack + carried,
      lengthMax: LENGTH_MAX,
    });
  }
}

function sumOf(sink: FlowRecordSink, isChosen: (port: unknown) => boolean): Estimate {
  const chosen = sink.records.filter(({ fields }) => isChosen(fields['sourceTransportPort']));
  const sum = (field: string) => chosen.reduce((total, { fields }) => total + Number(fields[field]), 0);
  return { packets: sum('packetDeltaCount'), octets: sum('layer2OctetDeltaCount') };
}

/** Adds a bridge that is sampled 1-in-N as a whole. */
async function addBridge(ovs: Ovs, sampler: 'datapath' | 'auto', interval: number): Promise<Measured> {
  const bridge = `${sampler}-${interval}`;
  await ovs.addBridge(bridge);
  await ovs.addDummyPort(bridge, `${bridge}-in`);
  const rate = sampler === 'auto' ? RATE : RATE_UNLIMITED;
  const keys = [`ovs-ipfix-sampler=${sampler}`, `ovs-ipfix-max-rate=${rate}`];
  await ovs.vsctl('set', 'Bridge', bridge, ...keys.map((key) => `external_ids:${key}`));
  const sink = await FlowRecordSink.open();
  await createIpfixRow(ovs, bridge, [sink.target], { sampling: interval, ...CACHED });
  return { name: bridge, bridge, sink, weight: interval, sampler };
}

/** Adds a bridge whose only flow has a `sample` action for each probability. */
async function addSets(ovs: Ovs): Promise<readonly Measured[]> {
  await ovs.addBridge(SETS_BRIDGE);
  await ovs.addDummyPort(SETS_BRIDGE, `${SETS_BRIDGE}-in`);
  await ovs.vsctl('set', 'Bridge', SETS_BRIDGE, `external_ids:ovs-ipfix-max-rate=${RATE_UNLIMITED}`);
  const sets: Measured[] = [];
  for (const [index, probability] of PROBABILITIES.entries()) {
    const sink = await FlowRecordSink.open();
    const columns = Object.entries(CACHED).map(([column, value]) => `${column}=${value}`);
    await createCollectorSet(ovs, SETS_BRIDGE, index + 1, sink.target, ...columns);
    const name = `sample action with P = ${probability}`;
    sets.push({ name, bridge: SETS_BRIDGE, sink, weight: weightOf(probability), sampler: undefined });
  }
  const actions = PROBABILITIES.map((probability, index) => sampleAction(index + 1, 7, 9, probability));
  await ovs.ofctl('add-flow', SETS_BRIDGE, `priority=5,actions=${actions.join(',')}`);
  return sets;
}
