// One bridge that is or should be sampled: the session that reconciles the switch, and an exporter for the bridge as a whole
// (`Bridge.ipfix`) and for each of its collector sets. The session installs the hook and translates flows before the rows are
// adopted; an exporter exists as long as its row is adopted or native, and its cache is flushed when that ends.

import type { Condition } from '../config/condition.ts';
import type { BridgeConfig, BridgeSampling, FlowSampling } from '../config/configuration.ts';
import { type InterfaceList, NO_INTERFACES } from '../config/interfaces.ts';
import { type Exporter, type ExporterStatus } from '../export/exporter.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import type { StopLoss } from '../export/exporter-status.ts';
import { BridgeIntake, type HookSamplerStatus } from '../intake/bridge-intake.ts';
import {
  type BridgeInterface,
  IngressInterfaces,
  type IngressInterfacesStatus,
} from '../intake/ingress-interfaces.ts';
import type { MeterLedgerStatus } from '../intake/meter-ledger.ts';
import type { SamplerStatus } from '../intake/sampler.ts';
import type { Clock } from '../runtime/clock.ts';
import { clause } from '../runtime/sentence.ts';
import type { BridgeEvents, BridgeSession } from './bridge-session.ts';
import type { BridgeSessionStatus } from './bridge-session-status.ts';
import { failOpenCondition } from './fail-open.ts';
import { type Samplability, SamplingWatch } from './sampling-watch.ts';
import { segmentedCondition } from './segmented.ts';

/** The dependencies of a sampled bridge. */
export interface SampledBridgeParts {
  readonly clock: Clock;
  /** Makes the session of the bridge with the given callbacks. */
  readonly openBridge: (events: BridgeEvents) => BridgeSession;
  /** Makes an exporter; `name` is for its log lines. */
  readonly makeExporter: (name: string, options: ExporterOptions) => Exporter;
  /** Random 32-bit numbers for samplers. */
  readonly randomSeed: () => number;
  /** Called when `samplability` has changed. */
  readonly onSamplability: () => void;
}

/** The status of a bridge that is sampled as a whole. */
export interface BridgeSamplingStatus {
  readonly ipfixRow: string;
  /** See `BridgeSampling.rowSetsFormat`. */
  readonly rowSetsFormat: boolean;
  readonly sampler: HookSamplerStatus;
  readonly exporter: ExporterStatus;
}

/** The status of a collector set. */
export interface FlowSamplingStatus {
  readonly collectorSetId: number;
  readonly ipfixRow: string;
  /** See `BridgeSampling.rowSetsFormat`. */
  readonly rowSetsFormat: boolean;
  readonly sampler: SamplerStatus;
  readonly exporter: ExporterStatus;
  /** Numbers of flows and groups whose `sample` actions for this set reach the daemon. */
  readonly flows: number;
  readonly groups: number;
}

/** The interfaces of a bridge, for operators. */
export interface BridgeInterfacesStatus extends IngressInterfacesStatus {
  /** See `InterfaceList.skipped`. */
  readonly skipped: number;
}

/** The status of a bridge; plain data. */
export interface SampledBridgeStatus {
  readonly bridge: string;
  readonly session: BridgeSessionStatus;
  /** Whether packets reach the daemon: see sampling-watch.ts. */
  readonly samplability: Samplability;
  readonly sampling: BridgeSamplingStatus | undefined;
  readonly flowSampling: readonly FlowSamplingStatus[];
  /** The meter that the `sample` actions of all sets share. */
  readonly sampleActionMeter: MeterLedgerStatus;
  /** See `BridgeIntake.unmanagedPacketIns`. */
  readonly unmanagedPacketIns: number;
  readonly interfaces: BridgeInterfacesStatus;
}

/** The interfaces of one bridge, by port. */
export interface BridgeInterfaces {
  readonly bridge: string;
  readonly interfaces: readonly BridgeInterface[];
}

/** An exporter and what it exports for: the whole bridge, or one of its collector sets. */
export interface RunningExporter {
  readonly bridge: string;
  readonly collectorSetId: number | undefined;
  readonly exporter: Exporter;
  /** The interfaces that the numbers in its flows are of. */
  readonly interfaces: Pick<IngressInterfaces, 'list' | 'namesOf'>;
}

/** An exporter and what it exports for now. */
interface RowExporter {
  row: Pick<FlowSampling, 'ipfixRow' | 'rowSetsFormat'>;
  readonly exporter: Exporter;
}

/** Milliseconds that the removal from a bridge may take at a stop. */
const REMOVAL_MS_MAX = 3500;
/** Milliseconds between two scans for stale actions. */
const SCAN_INTERVAL_MS = 60_000;

export class SampledBridge {
  readonly name: string;
  readonly #parts: SampledBridgeParts;
  readonly #session: BridgeSession;
  readonly #intake: BridgeIntake;
  readonly #interfaces = new IngressInterfaces();
  readonly #sets = new Map<number, RowExporter>();
  /** Exporters that are not needed any more and still flush. */
  readonly #leaving = new Set<Promise<StopLoss>>();
  readonly #watch: SamplingWatch;
  #whole: RowExporter | undefined;
  #failOpen: Condition | undefined;
  #skippedInterfaces = NO_INTERFACES.skipped;
  #nextScanMs = 0;
  #isStarted = false;

  /** `isDesired` says for which IPFIX rows, by uuid, the switch should be programmed. */
  constructor(config: BridgeConfig, isDesired: (row: string) => boolean, parts: SampledBridgeParts) {
    this.name = config.name;
    this.#parts = parts;
    this.#intake = new BridgeIntake({
      interfaces: this.#interfaces,
      randomSeed: parts.randomSeed,
      onUnexpectedSet: () => this.#scan(),
    });
    this.#watch = new SamplingWatch({ clock: parts.clock, onChange: parts.onSamplability });
    this.#session = parts.openBridge({
      onChange: () => this.#follow(),
      onPacketIn: (packetIn) => this.#intake.receive(packetIn),
      onPool: (meter, pool) => this.#intake.observePool(meter, pool),
      onLedgerEvent: (meter, event) => this.#intake.restartLedger(meter, event),
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
   * Applies changed rows; caches are kept. Exporters exist for adopted and native rows, and are ready before the switch is
   * changed; the desired state of the switch includes rows that are to be adopted.
   */
  configure(config: BridgeConfig, isDesired: (row: string) => boolean): void {
    const sampling = config.sampling && isDesired(config.sampling.ipfixRow) ? config.sampling : undefined;
    this.#intake.setHookInterval(sampling?.interval);
    this.#configureWhole(sampling?.isOurs === true ? sampling : undefined);
    for (const flowSampling of config.flowSampling.values()) {
      if (flowSampling.isOurs) {
        this.#configureSet(flowSampling);
      }
    }
    for (const [id, set] of this.#sets) {
      if (config.flowSampling.get(id)?.isOurs !== true) {
        this.#sets.delete(id);
        this.#intake.removeSet(id);
        this.#retire(set.exporter);
      }
    }
    const desiredSets = [...config.flowSampling.values()].filter((set) => isDesired(set.ipfixRow));
    const collectorSets = new Set(desiredSets.map((set) => set.collectorSetId));
    this.#intake.setExpectedSets(collectorSets);
    this.#failOpen = config.isFailOpen ? failOpenCondition(this.name) : undefined;
    this.#session.setDesired({
      maxSampleRate: config.maxSampleRate,
      hook: sampling && {
        observationDomainId: sampling.observationDomainId,
        observationPointId: sampling.observationPointId,
      },
      collectorSets,
    });
    this.#follow();
  }

  /** Sets the interfaces that the bridge has from now on. */
  setInterfaces({ interfaces, skipped }: InterfaceList): void {
    this.#interfaces.replace(interfaces);
    this.#skippedInterfaces = skipped;
    const described = this.#interfaces.described();
    for (const { exporter } of this.exporters()) {
      exporter.setInterfaces(described);
    }
  }

  /** Removes everything from the switch; resolves to a sentence about what is left there, or undefined. */
  remove(): Promise<string | undefined> {
    this.#watch.stop();
    return this.#session.stop(REMOVAL_MS_MAX);
  }

  /** Leaves everything in the switch, where another daemon uses it now. */
  abandon(): Promise<void> {
    this.#watch.stop();
    return this.#session.abandon();
  }

  /** Flushes the caches to the collectors and closes them; resolves to what could not be sent in the time of a stop. */
  async flush(): Promise<StopLoss> {
    const stopping = this.exporters().map(({ exporter }) => exporter.stop());
    const losses = await Promise.all([...stopping, ...this.#leaving]);
    return {
      flowsUnsent: losses.reduce((sum, { flowsUnsent }) => sum + flowsUnsent, 0),
      recordsLost: losses.reduce((sum, { recordsLost }) => sum + recordsLost, 0),
    };
  }

  /** See `BridgeSession.resync`. */
  resync(): void {
    this.#session.resync();
  }

  /** Whether packets reach the daemon, on which adoption and release of rows depend. */
  get samplability(): Samplability {
    return this.#watch.state;
  }

  /** Returns a sentence why this bridge is not sampled; undefined when everything is installed. */
  missing(): string | undefined {
    return (
      this.#session.missing() ??
      (this.#failOpen && `Bridge ${this.name} is not sampled: ${clause(this.#failOpen.message)}.`)
    );
  }

  conditions(): readonly Condition[] {
    return [
      ...(this.#failOpen === undefined ? [] : [this.#failOpen]),
      ...this.#session.conditions(),
      ...(this.#intake.hasSurplus ? [segmentedCondition(this.name)] : []),
    ];
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
    const interfaces = this.#interfaces;
    const sets = [...this.#sets].map(([id, { exporter }]) => ({
      bridge,
      collectorSetId: id,
      exporter,
      interfaces,
    }));
    const whole = this.#whole;
    if (whole === undefined) {
      return sets;
    }
    return [{ bridge, collectorSetId: undefined, exporter: whole.exporter, interfaces }, ...sets];
  }

  interfaces(): BridgeInterfaces {
    return { bridge: this.name, interfaces: this.#interfaces.list };
  }

  status(): SampledBridgeStatus {
    const session = this.#session.status();
    return {
      bridge: this.name,
      session,
      samplability: this.#watch.state,
      sampling: this.#wholeStatus(),
      flowSampling: [...this.#sets]
        .sort(([a], [b]) => a - b)
        .flatMap(([collectorSetId, { row, exporter }]) => {
          const sampler = this.#intake.setStatus(collectorSetId);
          const flows = session.translation.flowsBySet.get(collectorSetId) ?? 0;
          const groups = session.translation.groupsBySet.get(collectorSetId) ?? 0;
          const status = { collectorSetId, ...rowStatus(row), exporter: exporter.status(), flows, groups };
          return sampler === undefined ? [] : [{ ...status, sampler }];
        }),
      sampleActionMeter: this.#intake.sampleActionMeterStatus(),
      unmanagedPacketIns: this.#intake.unmanagedPacketIns,
      interfaces: { ...this.#interfaces.status(), skipped: this.#skippedInterfaces },
    };
  }

  #wholeStatus(): BridgeSamplingStatus | undefined {
    const whole = this.#whole;
    const sampler = this.#intake.hookStatus();
    return whole && sampler && { ...rowStatus(whole.row), sampler, exporter: whole.exporter.status() };
  }

  #configureWhole(sampling: BridgeSampling | undefined): void {
    const whole = this.#whole;
    if (sampling === undefined) {
      this.#whole = undefined;
      this.#intake.setHookSink(undefined);
      if (whole !== undefined) {
        this.#retire(whole.exporter);
      }
    } else if (whole === undefined) {
      const exporter = this.#makeExporter(`bridge ${this.name}`, sampling);
      this.#whole = { row: sampling, exporter };
      this.#intake.setHookSink(exporter);
    } else {
      whole.row = sampling;
      whole.exporter.configure(sampling.exporter);
    }
  }

  #configureSet(sampling: FlowSampling): void {
    const { collectorSetId } = sampling;
    const set = this.#sets.get(collectorSetId);
    if (set === undefined) {
      const exporter = this.#makeExporter(`bridge ${this.name} collector set ${collectorSetId}`, sampling);
      this.#sets.set(collectorSetId, { row: sampling, exporter });
      this.#intake.addSet(collectorSetId, exporter);
    } else {
      set.row = sampling;
      set.exporter.configure(sampling.exporter);
    }
  }

  #makeExporter(name: string, sampling: BridgeSampling | FlowSampling): Exporter {
    const exporter = this.#parts.makeExporter(name, sampling.exporter);
    exporter.setInterfaces(this.#interfaces.described());
    if (this.#isStarted) {
      exporter.start();
    }
    return exporter;
  }

  #retire(exporter: Exporter): void {
    const leaving = exporter.stop().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** Removes actions of sets that are not configured, once a minute, as the scan reads all flows. */
  #scan(): void {
    const nowMs = this.#parts.clock.monotonicMicros() / 1000;
    if (nowMs >= this.#nextScanMs) {
      this.#nextScanMs = nowMs + SCAN_INTERVAL_MS;
      this.#session.scanForStaleActions();
    }
  }
}

function rowStatus({ ipfixRow, rowSetsFormat }: RowExporter['row']): RowExporter['row'] {
  return { ipfixRow, rowSetsFormat };
}
