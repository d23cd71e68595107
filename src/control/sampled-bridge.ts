// One bridge that is or should be sampled: the session that reconciles the switch, and an exporter for the bridge as a whole
// (`Bridge.ipfix`) and for each of its collector sets. The session installs the hook and translates flows before the rows are
// adopted; an exporter exists as long as its row is adopted or native, and its cache is flushed when that ends.

import type { Condition } from '../config/condition.ts';
import type { BridgeConfig, BridgeSampling, FlowSampling } from '../config/configuration.ts';
import { type InterfaceList, NO_INTERFACES } from '../config/interfaces.ts';
import type { Exporter } from '../export/exporter.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import type { StopLoss } from '../export/exporter-status.ts';
import { BridgeIntake } from '../intake/bridge-intake.ts';
import { type BridgeInterface, IngressInterfaces } from '../intake/ingress-interfaces.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { clause } from '../runtime/sentence.ts';
import { type BridgeDesired, NOTHING_DESIRED } from './bridge-desired.ts';
import type { BridgeSession } from './bridge-session.ts';
import type { BridgeEvents } from './bridge-session-options.ts';
import { DatapathSampling } from './datapath-sampling.ts';
import { failOpenCondition } from './fail-open.ts';
import type { UnmeteredPolicy } from './hook-refusal.ts';
import type { OwnSet } from './own-rows-plan.ts';
import type { BridgeSamplingStatus, SampledBridgeStatus } from './sampled-bridge-status.ts';
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
  readonly log: Logger;
  /** The bridge's own rows: see `DatapathSampling`. */
  readonly ownSet: () => OwnSet | undefined;
  /** See `Leadership.isLeading`. */
  readonly isLeading: () => boolean;
  /** Returns whether sockets of a user may be those of ovs-vswitchd. */
  readonly isSwitchUser: (userId: number) => boolean;
  /** See `OwnRows.refusal`. */
  readonly ownRowsRefusal: () => string | undefined;
  readonly unmetered: UnmeteredPolicy;
  /** Called when `samplability` or `samplePort` has changed. */
  readonly onSamplability: () => void;
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
  readonly #datapath: DatapathSampling;
  /** What the rows ask for, apart from the hook's sampler. */
  #desired: BridgeDesired = NOTHING_DESIRED;
  #whole: RowExporter | undefined;
  #failOpen: Condition | undefined;
  #skippedInterfaces = NO_INTERFACES.skipped;
  #nextScanMs = 0;
  #isStarted = false;
  #isLeaving = false;

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
    this.#datapath = new DatapathSampling({
      ...parts,
      bridge: config.name,
      interfaces: this.#interfaces,
      onChange: () => this.#setDesired(),
      onPort: parts.onSamplability,
    });
    this.#session = parts.openBridge({
      onChange: () => this.#follow(),
      onConnection: (connection) => this.#datapath.connected(connection),
      onRemoved: () => this.#datapath.drain(),
      onPacketIn: (packetIn) => this.#intake.receive(packetIn),
      onPool: (meter, pool) => {
        this.#intake.observePool(meter, pool);
        if (meter === 'hook') {
          this.#datapath.observeDropped(pool.dropped);
        }
      },
      onLedgerEvent: (meter, event) => {
        this.#intake.restartLedger(meter, event);
        if (meter === 'hook') {
          this.#datapath.observeDropped(undefined);
        }
      },
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
    this.#desired = {
      maxSampleRate: config.maxSampleRate,
      hook: sampling && {
        observationDomainId: sampling.observationDomainId,
        observationPointId: sampling.observationPointId,
      },
      keepsHookMeter: false,
      collectorSets,
    };
    this.#datapath.configure(config, sampling);
    this.#setDesired();
  }

  /** The port on 127.0.0.1 that ovs-vswitchd sends samples to: see `DatapathSampling.port`. */
  get samplePort(): number | undefined {
    return this.#datapath.port;
  }

  /** Whether the datapath samples the packets of the bridge. */
  get isSampledByDatapath(): boolean {
    return this.#datapath.hook().sample !== undefined;
  }

  /** See `DatapathSampling.avoidedSetIds`. */
  get avoidedSetIds(): ReadonlySet<number> {
    return this.#datapath.avoidedSetIds;
  }

  /** Sets the desired state of the switch, with the sampler that is chosen now; while the bridge is removed, that is nothing. */
  #setDesired(): void {
    if (this.#isLeaving) {
      return;
    }
    const { hook } = this.#desired;
    const { sampler, sample, keepsHookMeter } = this.#datapath.hook();
    this.#session.setDesired({
      ...this.#desired,
      hook: hook === undefined || sampler === 'none' ? undefined : { ...hook, sample },
      keepsHookMeter,
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
  async remove(): Promise<string | undefined> {
    this.#isLeaving = true;
    this.#watch.stop();
    const left = await this.#session.stop(REMOVAL_MS_MAX);
    await this.#datapath.stop();
    return left;
  }

  /** Leaves everything in the switch, where another daemon uses it now. */
  async abandon(): Promise<void> {
    this.#isLeaving = true;
    this.#watch.stop();
    await this.#session.abandon();
    await this.#datapath.stop();
  }

  /** Flushes the caches to the collectors and closes them; resolves to what could not be sent in the time of a stop. */
  flush(): Promise<readonly StopLoss[]> {
    const stopping = this.exporters().map(({ exporter }) => exporter.stop());
    return Promise.all([...stopping, ...this.#leaving]);
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
      this.#datapath.missing() ??
      (this.#failOpen && `Bridge ${this.name} is not sampled: ${clause(this.#failOpen.message)}.`)
    );
  }

  conditions(): readonly Condition[] {
    return [
      ...(this.#failOpen === undefined ? [] : [this.#failOpen]),
      ...this.#session.conditions(),
      ...this.#datapath.conditions(),
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
      samplerChoice: this.#datapath.choiceStatus(),
      ownRows: this.#datapath.ownRowsStatus(),
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
    const datapath = this.#datapath.intakeStatus();
    return (
      whole && sampler && { ...rowStatus(whole.row), sampler, datapath, exporter: whole.exporter.status() }
    );
  }

  #configureWhole(sampling: BridgeSampling | undefined): void {
    const whole = this.#whole;
    if (sampling === undefined) {
      this.#whole = undefined;
      this.#setHookSink(undefined);
      if (whole !== undefined) {
        this.#retire(whole.exporter);
      }
    } else if (whole === undefined) {
      const exporter = this.#makeExporter(`bridge ${this.name}`, sampling);
      this.#whole = { row: sampling, exporter };
      this.#setHookSink(exporter);
    } else {
      whole.row = sampling;
      whole.exporter.configure(sampling.exporter);
    }
  }

  /** Both samplers have the sink: while one takes over from the other, samples of both are on their way. */
  #setHookSink(sink: Exporter | undefined): void {
    this.#intake.setHookSink(sink);
    this.#datapath.setSink(sink);
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
