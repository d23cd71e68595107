// One bridge that is or should be sampled: the session that keeps the switch as desired, and an exporter for the bridge as a
// whole (`Bridge.ipfix`) and for each of its collector sets. The session installs what the rows ask for before they are
// adopted; an exporter lives as long as its row is adopted or native, and what its cache holds is flushed when that ends.

import type { BridgeConfig, BridgeSampling, FlowSampling } from '../config/configuration.ts';
import type { Problem } from '../config/problem.ts';
import { Exporter, type ExporterParts, type ExporterStatus } from '../export/exporter.ts';
import { ProbabilitySampler, type ProbabilitySamplerStatus } from '../flow/probability-sampler.ts';
import { PacketSampler, type PacketSamplerStatus } from '../flow/sampler.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import { clause } from '../runtime/sentence.ts';
import { BridgeSession, type BridgeSessionOptions, type BridgeSessionStatus } from './bridge-session.ts';
import { failOpenProblem } from './fail-open.ts';
import { type Samplability, SamplingWatch } from './sampling-watch.ts';
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
  Omit<BridgeSessionOptions, 'bridge' | 'onPacketIn' | 'onPool' | 'onSamplePool' | 'onChange'> & {
    /** Called when `samplability` has changed. */
    readonly onSamplability: () => void;
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
  /** Whether packets reach the daemon: see sampling-watch.ts. */
  readonly samplability: Samplability;
  readonly sampling: BridgeSamplingStatus | undefined;
  readonly flowSampling: readonly FlowSamplingStatus[];
  /** What the meter of the `sample` actions of all sets has counted; received is the sum over the sets. */
  readonly samplePool: PacketSamplerStatus;
  /** Packet-ins without an exporter now, such as those before a row is adopted; they are not counted in flows. */
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
  readonly exporter: Exporter;
}

interface CollectorSetExport {
  ipfixRow: string;
  readonly sampler: ProbabilitySampler;
  readonly exporter: Exporter;
}

/** Milliseconds that a bridge may take at a stop until nothing of ours is in it. */
const REMOVAL_MS_MAX = 3500;
/** Milliseconds between two scans for stale actions. */
const SCAN_INTERVAL_MS = 60_000;

export class SampledBridge {
  readonly name: string;
  readonly #parts: SampledBridgeParts;
  readonly #session: BridgeSession;
  /** Keeps the account of the sample actions' meter; what it would keep is decided by each set's own sampler. */
  readonly #samplePool: PacketSampler;
  readonly #sets = new Map<number, CollectorSetExport>();
  /** Exporters that are no longer wanted and still flush. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #watch: SamplingWatch;
  /** Exists as long as the hook is desired, so that it counts all that the hook's meter counts. */
  #sampler: PacketSampler | undefined;
  #whole: WholeBridge | undefined;
  /** Collector sets whose `sample` actions should reach the daemon, by id. */
  #desiredSets: ReadonlySet<number> = new Set();
  #failOpen: Problem | undefined;
  #nextScanMs = 0;
  #isStarted = false;
  #foreignPacketIns = 0;

  /** `isDesired` says for which IPFIX rows, by uuid, the switch should be programmed. */
  constructor(config: BridgeConfig, isDesired: (row: string) => boolean, parts: SampledBridgeParts) {
    this.name = config.name;
    this.#parts = parts;
    this.#samplePool = new PacketSampler({ interval: 1, seed: parts.randomSeed() });
    this.#watch = new SamplingWatch({ clock: parts.clock, onChange: parts.onSamplability });
    this.#session = new BridgeSession({
      ...parts,
      bridge: config.name,
      onChange: () => this.#follow(),
      onPacketIn: (packetIn) => this.#receive(packetIn),
      onPool: (pool) => this.#sampler?.observePool(pool),
      onSamplePool: (pool) => this.#samplePool.observePool(pool),
    });
    this.configure(config, isDesired);
  }

  start(): void {
    this.#isStarted = true;
    this.#whole?.exporter.start();
    for (const set of this.#sets.values()) {
      set.exporter.start();
    }
    this.#session.start();
  }

  /**
   * Follows changed rows; caches and what did not change go on. Exporters exist for rows that are ours and are ready before
   * the switch is changed; the switch has what is desired for all rows that are ours or are to be adopted.
   */
  configure(config: BridgeConfig, isDesired: (row: string) => boolean): void {
    const sampling = config.sampling && isDesired(config.sampling.ipfixRow) ? config.sampling : undefined;
    this.#configureSampler(sampling);
    this.#configureWhole(sampling?.isOurs === true ? sampling : undefined);
    for (const flowSampling of config.flowSampling.values()) {
      if (flowSampling.isOurs) {
        this.#configureSet(flowSampling);
      }
    }
    for (const [id, set] of this.#sets) {
      if (config.flowSampling.get(id)?.isOurs !== true) {
        this.#sets.delete(id);
        this.#retire(set.exporter);
      }
    }
    const desiredSets = [...config.flowSampling.values()].filter((set) => isDesired(set.ipfixRow));
    this.#desiredSets = new Set(desiredSets.map((set) => set.collectorSetId));
    this.#failOpen = config.isFailOpen ? failOpenProblem(this.name) : undefined;
    this.#session.setDesired({
      maxSampleRate: config.maxSampleRate,
      hook: sampling && {
        observationDomainId: sampling.observationDomainId,
        observationPointId: sampling.observationPointId,
      },
      collectorSets: this.#desiredSets,
    });
    this.#follow();
  }

  /**
   * Removes everything from the switch, then flushes the caches to the collectors: sources stop before sinks. Resolves to a
   * sentence about what is left in the switch, or undefined.
   */
  async stop(): Promise<string | undefined> {
    this.#watch.stop();
    const left = await this.#session.stop(REMOVAL_MS_MAX);
    const exporters = [this.#whole?.exporter, ...[...this.#sets.values()].map((set) => set.exporter)];
    await Promise.all([...exporters.map((exporter) => exporter?.stop()), ...this.#leaving]);
    return left;
  }

  /** See `BridgeSession.resync`. */
  resync(): void {
    this.#session.resync();
  }

  /** Whether packets reach the daemon; a row is adopted and handed back by this. */
  get samplability(): Samplability {
    return this.#watch.state;
  }

  /** What keeps this bridge from being sampled right now, as a sentence; undefined when everything is installed. */
  missing(): string | undefined {
    return (
      this.#session.missing() ??
      (this.#failOpen && `Bridge ${this.name} is not sampled: ${clause(this.#failOpen.message)}.`)
    );
  }

  problems(): readonly Problem[] {
    return [...(this.#failOpen === undefined ? [] : [this.#failOpen]), ...this.#session.problems()];
  }

  #follow(): void {
    if (this.missing() === undefined) {
      this.#watch.update('installed');
    } else {
      this.#watch.update(this.#session.isRewriting ? 'rewriting flows' : 'missing');
    }
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
      samplability: this.#watch.state,
      sampling:
        whole === undefined || this.#sampler === undefined
          ? undefined
          : { ipfixRow: whole.ipfixRow, sampler: this.#sampler.status(), exporter: whole.exporter.status() },
      flowSampling: [...this.#sets]
        .sort(([a], [b]) => a - b)
        .map(([collectorSetId, { ipfixRow, sampler, exporter }]) => ({
          collectorSetId,
          ipfixRow,
          sampler: sampler.status(),
          exporter: exporter.status(),
          flows: session.translation.flowsBySet.get(collectorSetId) ?? 0,
          groups: session.translation.groupsBySet.get(collectorSetId) ?? 0,
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
      const exporter = this.#makeExporter(`bridge ${this.name}`, sampling);
      this.#whole = { ipfixRow: sampling.ipfixRow, exporter };
    } else {
      whole.ipfixRow = sampling.ipfixRow;
      whole.exporter.configure(sampling.exporter);
    }
  }

  #configureSampler(sampling: BridgeSampling | undefined): void {
    if (sampling === undefined) {
      this.#sampler = undefined;
    } else if (this.#sampler === undefined) {
      this.#sampler = new PacketSampler({ interval: sampling.interval, seed: this.#parts.randomSeed() });
    } else {
      this.#sampler.setInterval(sampling.interval);
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
    const sampler = this.#sampler;
    const whole = this.#whole;
    if (sampler?.keep() !== true) {
      this.#foreignPacketIns += sampler === undefined ? 1 : 0;
    } else if (whole === undefined) {
      // The row is not adopted yet, and ovs-vswitchd exports the packet.
      this.#foreignPacketIns += 1;
    } else {
      const { bytes, userdataStart } = packetIn;
      const domainId = userdataDomainId(bytes, userdataStart);
      const pointId = userdataPointId(bytes, userdataStart);
      this.#export(whole.exporter, packetIn, sampler.weight(), domainId, pointId);
    }
  }

  /** Only ids that come from fields cost objects: `isFromFields`. */
  #receiveFromSample(packetIn: PacketInView, isFromFields: boolean): void {
    const { bytes, userdataStart } = packetIn;
    const set = this.#sets.get(userdataCollectorSet(bytes, userdataStart));
    const probability = userdataProbability(bytes, userdataStart);
    this.#samplePool.keep();
    if (set === undefined || probability === 0) {
      // Of a row that is not adopted yet, of a set that was removed meanwhile, or of an action that a killed daemon left.
      this.#foreignPacketIns += 1;
      if (!this.#desiredSets.has(userdataCollectorSet(bytes, userdataStart))) {
        this.#noteUnexpected();
      }
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

  /** Actions of sets that are not configured are removed; the scan reads all flows, so that one a minute is enough. */
  #noteUnexpected(): void {
    const nowMs = this.#parts.clock.monotonicMicros() / 1000;
    if (nowMs >= this.#nextScanMs) {
      this.#nextScanMs = nowMs + SCAN_INTERVAL_MS;
      this.#session.scanForStaleActions();
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
