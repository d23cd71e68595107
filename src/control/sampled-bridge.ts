// One bridge whose packets are exported: what is programmed into the switch for it, and an exporter for the bridge as a
// whole (`Bridge.ipfix`) and for each of its collector sets. It lives as long as one of these has an IPFIX row of ours with
// a usable target; when that ends, what the caches hold is flushed.

import type { BridgeConfig, BridgeSampling, FlowSampling } from '../config/configuration.ts';
import type { Problem } from '../config/problem.ts';
import { Exporter, type ExporterParts, type ExporterStatus } from '../export/exporter.ts';
import { ProbabilitySampler, type ProbabilitySamplerStatus } from '../flow/probability-sampler.ts';
import { PacketSampler, type PacketSamplerStatus } from '../flow/sampler.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { BridgeSession, type BridgeSessionOptions, type BridgeSessionStatus } from './bridge-session.ts';
import {
  idsFromFields,
  KIND_BRIDGE,
  KIND_SAMPLE_FIELDS,
  KIND_UNKNOWN,
  userdataCollectorSet,
  userdataDomainId,
  userdataKind,
  userdataPointId,
  userdataProbability,
} from './userdata.ts';

/** What a sampled bridge needs from outside: what its parts need, but for what it gives them itself. */
export type SampledBridgeParts = ExporterParts &
  Omit<BridgeSessionOptions, 'bridge' | 'onPacketIn' | 'onPool' | 'onSamplePool' | 'sweeps'> & {
    /** The exporters' clock, which a batch of samples reads once. */
    readonly sampleClock: Clock;
    /** Random 32-bit numbers for samplers. */
    readonly randomSeed: () => number;
  };

/** A bridge as a whole, for operators. */
export interface BridgeSamplingStatus {
  readonly ipfixRow: string;
  readonly sampler: PacketSamplerStatus;
  readonly exporter: ExporterStatus;
}

/** A collector set, for operators. */
export interface FlowSamplingStatus {
  readonly collectorSetId: number;
  readonly ipfixRow: string;
  readonly sampler: ProbabilitySamplerStatus;
  readonly exporter: ExporterStatus;
  /** Flows and groups whose `sample` actions for this set reach us. */
  readonly flows: number;
  readonly groups: number;
}

/** Everything that an operator may want to know about a bridge; plain data. */
export interface SampledBridgeStatus {
  readonly bridge: string;
  readonly session: BridgeSessionStatus;
  readonly sampling: BridgeSamplingStatus | undefined;
  readonly flowSampling: readonly FlowSamplingStatus[];
  /** What the meter of the `sample` actions of all sets has counted; received is the sum over the sets. */
  readonly samplePool: PacketSamplerStatus;
  /** Packet-ins of nothing that is configured now; they are not counted in flows. */
  readonly foreignPacketIns: number;
}

/** An exporter and what it exports for: the whole bridge, or one of its collector sets. */
export interface RunningExporter {
  readonly bridge: string;
  readonly collectorSetId: number | undefined;
  readonly exporter: Exporter;
}

interface WholeBridge {
  ipfixRow: string;
  readonly sampler: PacketSampler;
  readonly exporter: Exporter;
}

interface CollectorSetExport {
  ipfixRow: string;
  readonly sampler: ProbabilitySampler;
  readonly exporter: Exporter;
}

export class SampledBridge {
  readonly name: string;
  readonly #parts: SampledBridgeParts;
  readonly #session: BridgeSession;
  /** Keeps the account of the sample actions' meter; what it would keep is decided by each set's own sampler. */
  readonly #samplePool: PacketSampler;
  readonly #sets = new Map<number, CollectorSetExport>();
  /** Exporters that are no longer wanted and still flush. */
  readonly #leaving = new Set<Promise<void>>();
  #whole: WholeBridge | undefined;
  #isStarted = false;
  #foreignPacketIns = 0;

  constructor(config: BridgeConfig, parts: SampledBridgeParts) {
    this.name = config.name;
    this.#parts = parts;
    this.#samplePool = new PacketSampler({ interval: 1, seed: parts.randomSeed() });
    this.#session = new BridgeSession({
      ...parts,
      bridge: config.name,
      sweeps: false,
      onPacketIn: (packetIn) => this.#receive(packetIn),
      onPool: (pool) => this.#whole?.sampler.observePool(pool),
      onSamplePool: (pool) => this.#samplePool.observePool(pool),
    });
    this.configure(config);
  }

  start(): void {
    this.#isStarted = true;
    this.#whole?.exporter.start();
    for (const set of this.#sets.values()) {
      set.exporter.start();
    }
    this.#session.start();
  }

  /** Takes over changed rows; caches and what did not change go on. Sinks are ready before the switch is told. */
  configure(config: BridgeConfig): void {
    this.#configureWhole(config.sampling);
    for (const sampling of config.flowSampling.values()) {
      this.#configureSet(sampling);
    }
    for (const [id, set] of this.#sets) {
      if (!config.flowSampling.has(id)) {
        this.#sets.delete(id);
        this.#retire(set.exporter);
      }
    }
    const { sampling } = config;
    this.#session.setWish({
      maxSampleRate: config.maxSampleRate,
      hook: sampling && {
        observationDomainId: sampling.observationDomainId,
        observationPointId: sampling.observationPointId,
      },
      collectorSets: new Set(config.flowSampling.keys()),
    });
  }

  /** Takes everything out of the switch, then flushes the caches to the collectors: sources stop before sinks. */
  async stop(): Promise<void> {
    await this.#session.stop();
    const exporters = [this.#whole?.exporter, ...[...this.#sets.values()].map((set) => set.exporter)];
    await Promise.all([...exporters.map((exporter) => exporter?.stop()), ...this.#leaving]);
  }

  /** See `BridgeSession.lookAgain`. */
  lookAgain(): void {
    this.#session.lookAgain();
  }

  /** What keeps this bridge from being sampled right now, as a sentence; undefined when everything is in place. */
  missing(): string | undefined {
    return this.#session.missing();
  }

  problems(): readonly Problem[] {
    return this.#session.problems();
  }

  exporters(): readonly RunningExporter[] {
    const bridge = this.name;
    const sets = [...this.#sets].map(([id, { exporter }]) => ({ bridge, collectorSetId: id, exporter }));
    const whole = this.#whole;
    if (whole === undefined) return sets;
    return [{ bridge, collectorSetId: undefined, exporter: whole.exporter }, ...sets];
  }

  status(): SampledBridgeStatus {
    const session = this.#session.status();
    const whole = this.#whole;
    return {
      bridge: this.name,
      session,
      sampling: whole && {
        ipfixRow: whole.ipfixRow,
        sampler: whole.sampler.status(),
        exporter: whole.exporter.status(),
      },
      flowSampling: [...this.#sets]
        .sort(([a], [b]) => a - b)
        .map(([collectorSetId, { ipfixRow, sampler, exporter }]) => ({
          collectorSetId,
          ipfixRow,
          sampler: sampler.status(),
          exporter: exporter.status(),
          flows: session.translation.flowsBySet.get(collectorSetId) ?? 0,
          groups: session.groupsBySet.get(collectorSetId) ?? 0,
        })),
      samplePool: this.#samplePool.status(),
      foreignPacketIns: this.#foreignPacketIns,
    };
  }

  #configureWhole(sampling: BridgeSampling | undefined): void {
    const whole = this.#whole;
    if (sampling === undefined) {
      this.#whole = undefined;
      if (whole !== undefined) {
        this.#retire(whole.exporter);
      }
    } else if (whole === undefined) {
      const sampler = new PacketSampler({ interval: sampling.interval, seed: this.#parts.randomSeed() });
      const exporter = this.#makeExporter(`bridge ${this.name}`, sampling);
      this.#whole = { ipfixRow: sampling.ipfixRow, sampler, exporter };
    } else {
      whole.ipfixRow = sampling.ipfixRow;
      whole.sampler.setInterval(sampling.interval);
      whole.exporter.configure(sampling.exporter);
    }
  }

  #configureSet(sampling: FlowSampling): void {
    const { collectorSetId, ipfixRow } = sampling;
    const set = this.#sets.get(collectorSetId);
    if (set === undefined) {
      const exporter = this.#makeExporter(`bridge ${this.name} collector set ${collectorSetId}`, sampling);
      const sampler = new ProbabilitySampler(this.#parts.randomSeed(), this.#samplePool.expansionCell);
      this.#sets.set(collectorSetId, { ipfixRow, sampler, exporter });
    } else {
      set.ipfixRow = ipfixRow;
      set.exporter.configure(sampling.exporter);
    }
  }

  #makeExporter(name: string, sampling: BridgeSampling | FlowSampling): Exporter {
    const exporter = new Exporter(name, sampling.exporter, {
      ...this.#parts,
      clock: this.#parts.sampleClock,
    });
    if (this.#isStarted) {
      exporter.start();
    }
    return exporter;
  }

  #retire(exporter: Exporter): void {
    const leaving = exporter.stop().then(() => {
      this.#leaving.delete(leaving);
    });
    this.#leaving.add(leaving);
  }

  /** The packet path: nothing is allocated here. The view is only good until this returns. */
  #receive(packetIn: PacketInView): void {
    const { bytes, userdataStart } = packetIn;
    const kind = userdataKind(bytes, userdataStart, packetIn.userdataEnd);
    if (kind === KIND_BRIDGE) {
      this.#receiveFromHook(packetIn);
    } else if (kind === KIND_UNKNOWN) {
      this.#foreignPacketIns += 1;
    } else {
      this.#receiveFromSample(packetIn, kind === KIND_SAMPLE_FIELDS);
    }
  }

  #receiveFromHook(packetIn: PacketInView): void {
    const whole = this.#whole;
    if (whole === undefined) {
      this.#foreignPacketIns += 1;
    } else if (whole.sampler.keep()) {
      const { bytes, userdataStart } = packetIn;
      const domainId = userdataDomainId(bytes, userdataStart);
      const pointId = userdataPointId(bytes, userdataStart);
      this.#export(whole.exporter, packetIn, whole.sampler.weight(), domainId, pointId);
    }
  }

  /** Only ids that come from fields cost objects: `isFromFields`. */
  #receiveFromSample(packetIn: PacketInView, isFromFields: boolean): void {
    const { bytes, userdataStart } = packetIn;
    const set = this.#sets.get(userdataCollectorSet(bytes, userdataStart));
    const probability = userdataProbability(bytes, userdataStart);
    this.#samplePool.keep();
    if (set === undefined || probability === 0) {
      // Left behind by a daemon that was killed, or on its way when the set went.
      this.#foreignPacketIns += 1;
      this.#session.sweep();
      return;
    }
    if (!set.sampler.keep(probability)) {
      return;
    }
    const weight = set.sampler.weight(probability);
    if (isFromFields) {
      const { domainId, pointId } = idsFromFields(packetIn);
      this.#export(set.exporter, packetIn, weight, domainId, pointId);
    } else {
      const domainId = userdataDomainId(bytes, userdataStart);
      this.#export(set.exporter, packetIn, weight, domainId, userdataPointId(bytes, userdataStart));
    }
  }

  #export(
    exporter: Exporter,
    packetIn: PacketInView,
    weight: number,
    domainId: number,
    pointId: number,
  ): void {
    const { bytes, packetStart, packetEnd, fullLength } = packetIn;
    exporter.sample(bytes, packetStart, packetEnd, fullLength, weight, domainId, pointId);
  }
}
