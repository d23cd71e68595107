// One bridge that is or should be sampled: the session that reconciles the switch, and an exporter for the bridge as a whole
// (`Bridge.ipfix`) and for each of its collector sets. The session installs the hook and translates flows before the rows are
// adopted; an exporter exists as long as its row is adopted or native, and its cache is flushed when that ends.

import type { Condition } from '../config/condition.ts';
import type { BridgeConfig, BridgeSampling, FlowSampling } from '../config/configuration.ts';
import { type InterfaceList, NO_INTERFACES } from '../config/interfaces.ts';
import type { Exporter } from '../export/exporter.ts';
import type { StopLoss } from '../export/exporter-status.ts';
import { BridgeIntake } from '../intake/bridge-intake.ts';
import { IngressInterfaces } from '../intake/ingress-interfaces.ts';
import { clause } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { type BridgeDesired, NOTHING_DESIRED } from './bridge-desired.ts';
import type { BridgeSession } from './bridge-session.ts';
import { BridgeSets } from './bridge-sets.ts';
import { conditionsOfCollectors } from './collector-conditions.ts';
import { DatapathSampling } from './datapath-sampling.ts';
import { failOpenCondition } from './fail-open.ts';
import type { Leaving } from './gap-record.ts';
import type { Redirection } from './ownership.ts';
import { SampleProbabilities } from './sample-probabilities.ts';
import type {
  BridgeInterfaces,
  RowExporter,
  RunningExporter,
  SampledBridgeParts,
} from './sampled-bridge-parts.ts';
import type { BridgeSamplingStatus, SampledBridgeStatus } from './sampled-bridge-status.ts';
import { SamplingGaps } from './sampling-gaps.ts';
import { type Samplability, SamplingWatch } from './sampling-watch.ts';
import { SeenRows } from './seen-rows.ts';
import { segmentedCondition } from './segmented.ts';

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
  readonly #sets: BridgeSets;
  readonly #probabilities = new SampleProbabilities();
  readonly #gaps: SamplingGaps;
  /** Exporters that are not needed any more and still flush. */
  readonly #leaving = new Set<Promise<StopLoss>>();
  readonly #watch: SamplingWatch;
  readonly #datapath: DatapathSampling;
  readonly #seen = new SeenRows();
  /** What the rows ask for, apart from the hook's sampler. */
  #desired: BridgeDesired = NOTHING_DESIRED;
  #whole: RowExporter | undefined;
  #failOpen: Condition | undefined;
  #skippedInterfaces = NO_INTERFACES.skipped;
  #nextScanMs = 0;
  /** Applies the rows to the sampling by the datapath again. */
  #configureDatapath = () => {};
  #isStarted = false;
  /** The row that was to be taken over at the last configuration; empty for none, and undefined before the first. */
  #adoptingRow: string | undefined;
  #isLeaving = false;

  /** `isDesired`: for which IPFIX rows, by UUID, the switch should be programmed. */
  constructor(config: BridgeConfig, isDesired: (row: string) => boolean, parts: SampledBridgeParts) {
    this.name = config.name;
    this.#parts = parts;
    this.#intake = new BridgeIntake({
      interfaces: this.#interfaces,
      randomSeed: parts.randomSeed,
      onUnexpectedSet: () => this.#scan(),
    });
    this.#gaps = new SamplingGaps({ ...parts, bridge: config.name });
    this.#watch = new SamplingWatch({ clock: parts.clock, onChange: parts.onSamplability });
    this.#datapath = new DatapathSampling({
      ...parts,
      bridge: config.name,
      interfaces: this.#interfaces,
      gaps: this.#gaps,
      onChange: () => this.#setDesired(),
      onPort: parts.onSamplability,
      onPath: (path, fault) => this.#sets.setPath(path, fault),
    });
    this.#sets = new BridgeSets({
      ...parts,
      bridge: config.name,
      interfaces: this.#interfaces,
      probabilities: this.#probabilities,
      intake: this.#intake,
      makeExporter: (name, sampling) => this.#makeExporter(name, sampling),
      retire: (exporter) => this.#retire(exporter),
      onRedirections: parts.onSamplability,
    });
    this.#session = parts.openBridge({
      probabilities: this.#probabilities,
      onChange: () => this.#follow(),
      onConnection: (connection) => this.#connected(connection),
      onRemoved: () => this.#datapath.drain(),
      onHook: (sight) => this.#gaps.see(sight),
      onPacketIn: parts.gate.packetIns((packetIn) => {
        this.#gaps.seen();
        this.#intake.receive(packetIn);
      }),
      onPool: (meter, pool) => {
        parts.gate.whenOpen(() => this.#intake.observePool(meter, pool));
        if (meter === 'hook') {
          this.#datapath.observeDropped(pool.dropped);
        }
      },
      onLedgerEvent: (meter, event) => {
        this.#intake.restartLedger(meter, event);
        if (meter === 'hook') {
          this.#datapath.observeDropped(undefined);
        }
        if (meter === 'hook' && event === 'meterModified') {
          // What is lost until the new account begins is in no count.
          this.#gaps.see('missing');
        }
      },
    });
    this.configure(config, isDesired);
  }

  start(): void {
    this.#isStarted = true;
    this.#whole?.exporter.start();
    this.#sets.start();
    this.#session.start();
  }

  /**
   * Applies changed rows; caches are kept. Exporters exist for adopted and native rows, and are ready before the switch is
   * changed; the desired state of the switch includes rows that are to be adopted. Returns whether rows have changed.
   */
  configure(config: BridgeConfig, isDesired: (row: string) => boolean): boolean {
    const change = this.#seen.update(config, isDesired, this.#parts.ownSet());
    const needsRows = change === 'rows' || this.#sets.isIncomplete;
    if (needsRows) {
      this.#configureRows(config, isDesired);
    }
    if (needsRows || change === 'own rows') {
      this.#configureDatapath();
      this.#setDesired();
    }
    return change === 'rows';
  }

  #configureRows(config: BridgeConfig, isDesired: (row: string) => boolean): void {
    const sampling = config.sampling && isDesired(config.sampling.ipfixRow) ? config.sampling : undefined;
    this.#intake.setHookInterval(sampling?.interval);
    this.#configureWhole(sampling?.isOurs === true ? sampling : undefined);
    this.#adoptingRow = sampling?.isOurs === false ? sampling.ipfixRow : '';
    const sets = this.#sets.configure(config, isDesired);
    this.#failOpen = config.isFailOpen ? failOpenCondition(this.name) : undefined;
    this.#desired = {
      maxSampleRate: config.maxSampleRate,
      hook: sampling && {
        observationDomainId: sampling.observationDomainId,
        observationPointId: sampling.observationPointId,
      },
      keepsHookMeter: false,
      ...sets,
    };
    this.#configureDatapath = () => this.#datapath.configure(config, sampling, this.#sets.needsPath);
  }

  /** The bridge has a new connection, or none any more; whether it has meters decides about its sets. */
  #connected(connection: BridgeConnection | undefined): void {
    this.#datapath.connected(connection);
    const sets = this.#sets.setMeters(connection && connection.meters.hook !== undefined);
    if (sets !== undefined) {
      this.#desired = { ...this.#desired, ...sets };
      this.#configureDatapath();
      this.#setDesired();
    }
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

  /** Removes everything from the switch; resolves to a sentence about what is left there. `handsBack`: the row is handed back then. */
  async remove(handsBack: boolean): Promise<string | undefined> {
    this.#leave(handsBack ? 'handed back' : 'ended');
    const left = await this.#session.stop(REMOVAL_MS_MAX);
    await this.#datapath.stop();
    return left;
  }

  /** Leaves everything in the switch, where another daemon uses it now. */
  async abandon(): Promise<void> {
    this.#leave('left to another');
    await this.#session.abandon();
    await this.#datapath.stop();
  }

  #leave(leaving: Leaving): void {
    this.#isLeaving = true;
    this.#gaps.leave(leaving, this.#parts.rowWrites.writingMicros);
    this.#sets.leave(leaving);
    this.#watch.stop();
  }

  /**
   * Flushes the caches to the collectors and closes them; resolves to what could not be sent in the time of a stop. `isHandedBack`:
   * the row was handed back.
   */
  async flush(isHandedBack: boolean): Promise<readonly StopLoss[]> {
    if (isHandedBack) {
      this.#gaps.endNow();
    }
    await this.#sets.stop(isHandedBack);
    const stopping = this.exporters().map(({ exporter }) => exporter.stop());
    return Promise.all([...stopping, ...this.#leaving]);
  }

  /** See `BridgeSession.resync`. */
  resync(): void {
    this.#session.resync();
  }

  /** See `BridgeSets.redirections`. */
  redirections(): ReadonlyMap<string, Redirection> {
    return this.#sets.redirections();
  }

  /** See `BridgeSets.missing`. */
  missingRedirection(): string | undefined {
    return this.#sets.missing();
  }

  /** Whether packets reach the daemon, on which adoption and release of rows depend. */
  get samplability(): Samplability {
    return this.#watch.state;
  }

  /** Returns a sentence why this bridge is not sampled; undefined when everything is installed. */
  missing(): string | undefined {
    return (
      this.#session.missing() ??
      this.#sets.missingExporters() ??
      this.#datapath.missing() ??
      (this.#failOpen && `Bridge ${this.name} is not sampled: ${clause(this.#failOpen.message)}.`)
    );
  }

  conditions(): readonly Condition[] {
    return [
      ...(this.#failOpen === undefined ? [] : [this.#failOpen]),
      ...this.#session.conditions(),
      ...this.#datapath.conditions(),
      ...this.#sets.conditions(),
      ...this.exporters().flatMap(conditionsOfCollectors),
      ...(this.#intake.hasSurplus ? [segmentedCondition(this.name)] : []),
    ];
  }

  #follow(): void {
    if (this.missing() === undefined) {
      this.#watch.update('installed');
      this.#sets.installed();
    } else {
      this.#watch.update(this.#session.isRewriting ? 'rewriting flows' : 'missing');
    }
  }

  exporters(): readonly RunningExporter[] {
    const sets = this.#sets.exporters();
    if (this.#whole === undefined) {
      return sets;
    }
    const { row, exporter } = this.#whole;
    const about = { bridge: this.name, interfaces: this.#interfaces, collectorSetId: undefined };
    return [{ ...about, ipfixRow: row.ipfixRow, targetsPlace: row.targetsPlace, exporter }, ...sets];
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
      flowSampling: this.#sets.status(session),
      sampleActionMeter: this.#intake.sampleActionMeterStatus(),
      unmanagedPacketIns: this.#intake.unmanagedPacketIns,
      gaps: this.#gaps.status(),
      interfaces: { ...this.#interfaces.status(), skipped: this.#skippedInterfaces },
    };
  }

  #wholeStatus(): BridgeSamplingStatus | undefined {
    const sampler = this.#intake.hookStatus();
    if (this.#whole === undefined || sampler === undefined) {
      return undefined;
    }
    const { row, exporter } = this.#whole;
    const { ipfixRow, rowSetsFormat } = row;
    const datapath = this.#datapath.intakeStatus();
    return { ipfixRow, rowSetsFormat, sampler, datapath, exporter: exporter.status() };
  }

  #configureWhole(sampling: BridgeSampling | undefined): void {
    const whole = this.#whole;
    if (sampling === undefined) {
      this.#whole = undefined;
      this.#setHookSink(undefined);
      this.#gaps.expectNothing();
      if (whole !== undefined) {
        this.#retire(whole.exporter);
      }
    } else if (whole === undefined) {
      const exporter = this.#makeExporter(`bridge ${this.name}`, sampling);
      this.#whole = { row: sampling, exporter };
      this.#setHookSink(exporter);
      this.#gaps.expect({
        isTakenOver: this.#adoptingRow === sampling.ipfixRow,
        writtenMicros: this.#parts.rowWrites.writtenMicros,
        previousEndMicros: this.#adoptingRow === undefined ? this.#parts.previousEndMicros : undefined,
      });
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
