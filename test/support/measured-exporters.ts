// Exporters whose records are compared with what has gone into the switch: of bridges that are sampled 1-in-N, and of collector
// sets. All get the same traffic at the same time.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { ExporterStatus } from '../../src/export/exporter-status.ts';
import { ELEPHANT, LENGTH_MAX, type Pattern, type SentTraffic, sendTraffic } from './bursty-traffic.ts';
import type { Daemon } from './daemon.ts';
import type { FlowRecordSink } from './flow-records.ts';
import { daemonStatus } from './ipfix-rows.ts';
import type { Ovs } from './ovs.ts';
import { assertWithin, deviations, type Estimate, weightOf } from './sampling-error.ts';
import { waitFor, waitUntilQuiet } from './wait.ts';

/** Something that exports: a bridge, or a collector set. */
export interface Measured {
  readonly name: string;
  readonly bridge: string;
  readonly port: string;
  readonly sink: FlowRecordSink;
  /** N of 1-in-N, or 65535/P. */
  readonly weight: number;
}

/** Columns of their rows: all flows stay in the cache. */
export const MEASURED_ROW = { cache_active_timeout: 300, cache_max_flows: 1000 };
/** Milliseconds of the pattern's time. */
const PHASE_MS = 7000;
/** Milliseconds between two readings of P. */
const READ_MS = 300;
/** Milliseconds in which a busy switch processes what waits for it. */
const SETTLE_MS_MAX = 60_000;
const PROBABILITY_ALL = 65_535;

export class MeasuredExporters {
  readonly #ovs: Ovs;
  readonly #daemon: Daemon;
  readonly #measured: readonly Measured[];
  /** Records that each had got when its sink was last cleared. */
  readonly #cleared = new Map<string, number>();

  constructor(ovs: Ovs, daemon: Daemon, measured: readonly Measured[]) {
    this.#ovs = ovs;
    this.#daemon = daemon;
    this.#measured = measured;
  }

  /** The ports that traffic goes into. */
  get ports(): readonly string[] {
    return [...new Set(this.#measured.map(({ port }) => port))];
  }

  /**
   * Sends traffic, and fails unless elephant, mice and all are within six standard errors, and exact where every packet is
   * sampled and none is lost. Returns the samplers that the bridges had meanwhile.
   */
  async measure(t: TestContext, pattern: Pattern): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    await this.#clear();
    const lostBefore = await this.#lost();
    const watch = new SamplerWatch(this.#daemon);
    await watch.read();
    const sent = await watch.during(sendTraffic(this.#ovs, this.ports, pattern, PHASE_MS));
    await this.settle();
    await this.#flush();
    const lost = await this.#lost();
    for (const each of this.#measured) {
      const weight = Math.max(each.weight, weightOf(watch.least(each.bridge)));
      const slack = (lost.get(each.bridge) ?? 0) - (lostBefore.get(each.bridge) ?? 0);
      compare(t, each, sent, { weight, slack });
    }
    return watch.samplers;
  }

  /** Waits until no sample arrives any more. */
  async settle(): Promise<void> {
    const samples = async () => {
      const exporters = await Promise.all(this.#measured.map(({ bridge }) => this.#exportersOf(bridge)));
      return exporters.flat().reduce((sum, exporter) => sum + exporter.samples, 0);
    };
    await waitUntilQuiet(samples, {
      what: 'no sample arrives any more',
      quietMs: 1500,
      timeoutMs: SETTLE_MS_MAX,
      intervalMs: 200,
    });
  }

  /** Forgets the records so far, and the flows in the caches. */
  async #clear(): Promise<void> {
    await this.#daemon.appctl('flush');
    for (const { name, bridge, sink } of this.#measured) {
      const collectors = (await this.#exportersOf(bridge)).flatMap((exporter) => exporter.collectors);
      this.#cleared.set(name, collectors.find(({ target }) => target === sink.target)?.recordsSent ?? 0);
      sink.clear();
    }
  }

  /** Has all flows exported, and waits until the collectors have them. */
  async #flush(): Promise<void> {
    await this.#daemon.appctl('flush');
    for (const { name, bridge, sink } of this.#measured) {
      await waitFor(
        async () => {
          const exporter = (await this.#exportersOf(bridge)).find(({ collectors }) =>
            collectors.some(({ target }) => target === sink.target),
          );
          const sent = exporter?.collectors[0]?.recordsSent ?? 0;
          return exporter?.cache.flows === 0 && sink.records.length === sent - (this.#cleared.get(name) ?? 0);
        },
        { what: `${name}: the records have arrived`, timeoutMs: 10_000, intervalMs: 100 },
      );
    }
  }

  async #exportersOf(name: string): Promise<readonly ExporterStatus[]> {
    const { bridges } = await daemonStatus(this.#daemon);
    const status = bridges.find(({ bridge }) => bridge === name);
    return [status?.sampling, ...(status?.flowSampling ?? [])].flatMap((each) => each?.exporter ?? []);
  }

  /** Packets of bridges that were lost on their way to the daemon, and are compensated. */
  async #lost(): Promise<ReadonlyMap<string, number>> {
    const { bridges } = await daemonStatus(this.#daemon);
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
}

/** The samplers of bridges in a time, and their least P. */
class SamplerWatch {
  readonly samplers = new Map<string, Set<string>>();
  readonly #least = new Map<string, number>();
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async read(): Promise<void> {
    for (const { bridge, samplerChoice } of (await daemonStatus(this.#daemon)).bridges) {
      if (samplerChoice === undefined) {
        continue;
      }
      const { sampler, probability } = samplerChoice;
      this.samplers.set(bridge, (this.samplers.get(bridge) ?? new Set()).add(sampler));
      if (sampler === 'datapath') {
        this.#least.set(bridge, Math.min(this.least(bridge), probability));
      }
    }
  }

  /** Reads until the promise is resolved, and once more; resolves to its value. */
  async during<Value>(awaited: Promise<Value>): Promise<Value> {
    const state = { isOver: false };
    const ended = awaited.finally(() => {
      state.isOver = true;
    });
    while (!state.isOver) {
      await this.read();
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, READ_MS))]);
    }
    await this.read();
    return ended;
  }

  /** The least P while the datapath sampled. */
  least(bridge: string): number {
    return this.#least.get(bridge) ?? PROBABILITY_ALL;
  }
}

function compare(
  t: TestContext,
  { name, sink }: Measured,
  { elephant, mice }: SentTraffic,
  { weight, slack }: { readonly weight: number; readonly slack: number },
): void {
  const parts = [
    ['elephant', elephant, sumOf(sink, (port) => port === ELEPHANT)],
    ['mice', mice, sumOf(sink, (port) => port !== ELEPHANT)],
    ['all', elephant.plus(mice), sumOf(sink, () => true)],
  ] as const;
  const shown = parts.map(([part, truth, estimate]) => {
    const { packets, octets } = deviations(estimate, truth, weight);
    return `${part} ${packets.toFixed(2)} ${octets.toFixed(2)}`;
  });
  t.diagnostic(`${name}: weight ${weight.toFixed(1)}, ${slack} lost; standard errors: ${shown.join(', ')}`);
  // The fraction of a weight is carried from sample to sample.
  const carried = Number.isInteger(weight) ? 0 : weight;
  for (const [part, truth, estimate] of parts) {
    assertWithin(`${name}, ${part}`, estimate, truth, {
      weight,
      slack: slack + carried,
      lengthMax: LENGTH_MAX,
    });
  }
  assert.ok(slack >= 0);
}

function sumOf(sink: FlowRecordSink, isChosen: (port: unknown) => boolean): Estimate {
  const chosen = sink.records.filter(({ fields }) => isChosen(fields['sourceTransportPort']));
  const sum = (field: string) => chosen.reduce((total, { fields }) => total + Number(fields[field]), 0);
  return { packets: sum('packetDeltaCount'), octets: sum('layer2OctetDeltaCount') };
}
