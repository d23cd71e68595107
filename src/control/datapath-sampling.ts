// The samplers of one whole bridge where `ovs-ipfix-sampler` is `datapath` or `auto`: chooses the sampler and the probability, and
// receives what the datapath samples. The hook that follows from it is installed by the bridge's session, and the own rows by
// own-rows.ts. Once a second it reads the hook's counters; up to ten times a second it counts samples (sampling-tick.ts).

import type { SamplerPolicy } from '../config/bridge-keys.ts';
import type { Condition } from '../config/condition.ts';
import type { BridgeConfig, BridgeSampling } from '../config/configuration.ts';
import type { SampleSink } from '../intake/bridge-intake.ts';
import { DatapathIntake, type DatapathIntakeStatus } from '../intake/datapath-intake.ts';
import { PROBABILITY_ALL } from '../intake/sampler.ts';
import { reasonOf } from '../runtime/sentence.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import { drainSamples } from './datapath-drain.ts';
import { DatapathPath, type OwnRowsStatus } from './datapath-path.ts';
import type { DatapathSamplingParts } from './datapath-sampling-parts.ts';
import type { SamplerChoiceStatus } from './datapath-sampling-status.ts';
import type { HookSample } from './hook.ts';
import { HookProof } from './hook-proof.ts';
import { HookRate } from './hook-rate.ts';
import { otherTemplateReporter } from './other-template.ts';
import { OwnRowsWatch, unreachableBridge } from './own-rows-watch.ts';
import { BURST_MS, ProbabilityControl } from './probability-control.ts';
import { type PathState, SamplerChoice, type SamplerName } from './sampler-choice.ts';
import { SamplingTick } from './sampling-tick.ts';
import { SetIdWatch } from './set-id-watch.ts';

/** The hook that follows from the choice of the sampler. */
export interface HookChoice {
  /** `none`: no hook. */
  readonly sampler: SamplerName;
  /** The hook's `sample` action; undefined: it sends packet-ins. */
  readonly sample: HookSample | undefined;
  readonly keepsHookMeter: boolean;
}

/** Milliseconds after a change of the sampler in which samples of the datapath are received and the hook's meter is kept. */
const LINGER_MS = 5000;
/** Milliseconds after the adoption of a row in which ovs-vswitchd ends its own export. */
const EXPORT_END_MS = BURST_MS;

export class DatapathSampling {
  readonly #parts: DatapathSamplingParts;
  readonly #domainToken: number;
  readonly #intake: DatapathIntake;
  readonly #path: DatapathPath;
  readonly #rowsWatch = new OwnRowsWatch();
  readonly #setIdWatch = new SetIdWatch();
  readonly #rate = new HookRate();
  readonly #proof: HookProof;
  readonly #choice: SamplerChoice;
  readonly #control: ProbabilityControl;
  #policy: SamplerPolicy = 'packet-in';
  /** The state of the path when `onPath` was last called. */
  #notedPath: PathState = 'untested';
  /** Whether the bridge is sampled as a whole; otherwise samples are those of its sets only. */
  #isWhole = false;
  #hasKernelDatapath = false;
  #maxSampleRate = 0;
  /** Since when the bridge's row is adopted or native; undefined: ovs-vswitchd exports for it, and would sample probes. */
  #oursMs: number | undefined;
  /** Whether the daemon has or wants a socket and own rows: from when the datapath should sample first, to the end. */
  #isOpen = false;
  /** The slot of the bridge's ids in the observation points of its samples. */
  #slot = 0;
  #connection: BridgeConnection | undefined;
  readonly #ticks: SamplingTick;
  #samplesCounted = 0;
  /** Samples that the hook's counters let expect since the last check of the path. */
  #expected = 0;
  /** When the sampler last changed, and when the datapath last sampled. */
  #changedMs = Number.NEGATIVE_INFINITY;
  #usedMs = Number.NEGATIVE_INFINITY;
  /** Packets that the hook's meter has dropped; undefined before the first reading since it was added. */
  #dropped: bigint | undefined;
  #hasDropped = false;

  constructor(parts: DatapathSamplingParts) {
    this.#parts = parts;
    const { randomSeed, interfaces, clock } = parts;
    const domainToken = randomSeed();
    this.#domainToken = domainToken;
    const onOtherTemplate = otherTemplateReporter(parts.bridge, parts.log);
    this.#intake = new DatapathIntake({ domainToken, randomSeed, interfaces, onOtherTemplate });
    this.#path = new DatapathPath({
      ...parts,
      domainToken,
      recordsReceived: () => this.#intake.records,
      onDatagram: parts.gate.datagrams((bytes) => {
        parts.gaps.seen();
        this.#intake.receive(bytes, bytes.length);
        this.#ticks.noteDatagram();
      }),
      onNewExporter: (isFresh) => this.#intake.restartAccount(isFresh),
    });
    this.#proof = new HookProof(parts);
    this.#ticks = new SamplingTick(clock, () => this.#tick());
    this.#choice = new SamplerChoice(clock.wallMicros());
    this.#control = new ProbabilityControl({ interval: 1, maxSampleRate: 1 }, this.#nowMs());
  }

  /**
   * Applies the rows; `sampling` undefined: the bridge is not sampled as a whole. `needsPath`: samples have to reach the daemon for
   * collector sets.
   */
  configure(config: BridgeConfig, sampling: BridgeSampling | undefined, needsPath: boolean): void {
    this.#isWhole = sampling !== undefined;
    this.#policy = sampling === undefined && !needsPath ? 'packet-in' : config.samplerPolicy;
    this.#hasKernelDatapath = config.hasKernelDatapath;
    this.#maxSampleRate = config.maxSampleRate;
    this.#oursMs = sampling?.isOurs === true ? (this.#oursMs ?? this.#nowMs()) : undefined;
    if (sampling !== undefined) {
      const { interval, observationDomainId, observationPointId } = sampling;
      this.#slot = this.#intake.setIds(observationDomainId, observationPointId);
      this.#intake.setInterval(interval);
      this.#control.setLimits({ interval, maxSampleRate: config.maxSampleRate }, this.#nowMs());
    }
    if (this.#policy !== 'packet-in') {
      this.#ticks.start(this.#parts.bridge);
    }
    this.#path.followRows();
    this.#hurry();
    this.#decide();
  }

  /** Sets where the samples of the datapath go; undefined while the bridge's row is not adopted. */
  setSink(sink: SampleSink | undefined): void {
    this.#intake.setSink(sink);
  }

  /** The bridge has a new connection, or none any more. */
  connected(connection: BridgeConnection | undefined): void {
    this.#connection = connection;
    this.#proof.connected(connection);
    this.#rate.restart();
    this.#hurry();
    if (connection === undefined) {
      this.#path.disconnected();
    } else {
      this.#path.connected();
    }
    this.#decide();
  }

  /** Notes what the hook's meter has dropped; undefined: its account restarts. */
  observeDropped(dropped: bigint | undefined): void {
    this.#hasDropped ||= dropped !== undefined && this.#dropped !== undefined && dropped > this.#dropped;
    this.#dropped = dropped;
  }

  /** The port on 127.0.0.1 that samples are sent to; undefined if the bridge needs none, or before it is open. */
  get port(): number | undefined {
    return this.#path.port;
  }

  /** Ids that the own set must not have, because flows of other clients have them. */
  get avoidedSetIds(): ReadonlySet<number> {
    return this.#setIdWatch.avoided;
  }

  /** The hook that is desired now. */
  hook(): HookChoice {
    const { sampler } = this.#choice;
    const { ownSet } = this.#path;
    if (sampler !== 'datapath' || ownSet === undefined) {
      return { sampler, sample: undefined, keepsHookMeter: false };
    }
    const { probability } = this.#control;
    const sample = {
      probability,
      collectorSetId: ownSet.collectorSetId,
      observationDomainId: this.#domainToken,
      observationPointId: this.#intake.pointOf(probability, this.#slot),
    };
    const isNew = this.#nowMs() - this.#changedMs < LINGER_MS;
    return { sampler, sample, keepsHookMeter: this.#policy === 'auto' || isNew };
  }

  /** Returns a sentence why the bridge has no sampler; undefined if it has one. */
  missing(): string | undefined {
    const { sampler, reason } = this.#choice.status();
    return this.#isWhole && sampler === 'none'
      ? `Bridge ${this.#parts.bridge} is not sampled: ${reason}.`
      : undefined;
  }

  conditions(): readonly Condition[] {
    const isUnreachable = this.#isWhole && this.#choice.prefersDatapath && this.#pathState === 'failed';
    const isSampled = this.#choice.sampler !== 'none';
    return isUnreachable ? [unreachableBridge(this.#parts.bridge, this.#rowsWatch.fault, isSampled)] : [];
  }

  /** The choice of the sampler; undefined where `ovs-ipfix-sampler` is `packet-in`. */
  choiceStatus(): SamplerChoiceStatus | undefined {
    if (!this.#ticks.isRunning) {
      return undefined;
    }
    const { sinceMicros, ...choice } = this.#choice.status();
    return {
      policy: this.#policy,
      ...choice,
      since: new Date(sinceMicros / 1000).toISOString(),
      path: this.#pathState,
      probability: this.#control.probability,
      probabilityChanges: this.#control.changes,
      packetRate: this.#control.packetRate,
    };
  }

  /** What the datapath's samples have brought; undefined where `ovs-ipfix-sampler` is `packet-in`. */
  intakeStatus(): DatapathIntakeStatus | undefined {
    return !this.#ticks.isRunning ? undefined : this.#intake.status();
  }

  ownRowsStatus(): OwnRowsStatus | undefined {
    return this.#path.status();
  }

  /** Receives what is on its way after the hook has been removed, and reports what of it does not arrive. */
  async drain(): Promise<void> {
    this.#ticks.stop();
    if (this.#choice.sampler === 'datapath' || this.#nowMs() - this.#usedMs < LINGER_MS) {
      const { account } = this.#intake;
      await drainSamples({ ...this.#parts, account, readSent: () => this.#readSent() });
    }
  }

  /** Closes the socket. */
  async stop(): Promise<void> {
    this.#ticks.stop();
    await this.#path.close();
  }

  /** The path is tested again, or the hook changes: the next tick comes soon. */
  #hurry(): void {
    if (this.#isOpen) {
      this.#ticks.hurry();
    }
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    if (this.#policy === 'packet-in' && nowMs - this.#usedMs >= LINGER_MS) {
      this.#end();
      return;
    }
    const isSampled = this.#choice.sampler === 'datapath';
    // A gap would begin with one of the few samples before it, while P rises after a start.
    const isRising = isSampled && this.#oursMs !== undefined && this.#control.isRising;
    const isProving = isRising && this.#proof.ask();
    const elapsedMs = this.#ticks.next(!this.#isOpen || (isSampled && this.#path.isSettled && !isProving));
    const { samples } = this.#intake;
    const count = samples - this.#samplesCounted;
    this.#samplesCounted = samples;
    if (isSampled) {
      this.#usedMs = nowMs;
      if (this.#control.countSamples(count, elapsedMs, nowMs)) {
        this.#parts.onChange();
      }
    }
    this.#leaveUsedId();
    if (this.#mayProbe(nowMs)) {
      this.#path.check(this.#connection, this.#expected, nowMs);
    }
    if (this.#isOpen) {
      const { port, ownSet } = this.#path;
      this.#rowsWatch.check(
        { port, hasOwnSet: ownSet !== undefined, refusal: this.#parts.ownRowsRefusal() },
        nowMs,
      );
    }
    this.#expected = 0;
    this.#decide();
    if (this.#ticks.takeReading()) {
      this.#readHook().catch((error: unknown) => {
        // The session reports a lost connection, and the next reading follows in a second.
        this.#parts.log.debug(`bridge ${this.#parts.bridge}: ${reasonOf(error)}`);
      });
    }
  }

  /**
   * Whether a probe may be sent: where packet-ins sample meanwhile, not before ovs-vswitchd has ended its own export, whose
   * records would have the probe; and not while samples wait that would show that the path works.
   */
  #mayProbe(nowMs: number): boolean {
    const isEnded = this.#oursMs !== undefined && nowMs - this.#oursMs >= EXPORT_END_MS;
    return this.#parts.gate.isOpen && (isEnded || !this.#isWhole || !this.#hasPacketIns);
  }

  /** Whether packet-ins can sample the bridge. */
  get #hasPacketIns(): boolean {
    return this.#parts.unmetered === 'allow' || this.#connection?.meters.hook !== undefined;
  }

  /** Has the own set move to another id when another client uses it. */
  #leaveUsedId(): void {
    const used = this.#setIdWatch.check(this.#path.ownSet?.collectorSetId, this.#intake.counts());
    if (used !== undefined) {
      this.#parts.log.warn(
        `bridge ${this.#parts.bridge}: a flow of another client uses collector set ${used}; own set moved to another id`,
      );
      this.#parts.onPort();
    }
  }

  /** The row asks for packet-ins, and no sample of the datapath is on its way any more. */
  #end(): void {
    this.#ticks.stop();
    this.#isOpen = false;
    this.#rowsWatch.reset();
    this.#path.close().catch((error: unknown) => {
      this.#parts.log.warn(`bridge ${this.#parts.bridge}: ${reasonOf(error)}`);
    });
    this.#parts.onPort();
  }

  async #readHook(): Promise<void> {
    const connection = this.#connection;
    const packets = await this.#proof.readPackets();
    const sent = await this.#readSent();
    if (connection === undefined || connection !== this.#connection) {
      return;
    }
    if (sent !== undefined) {
      this.#intake.account.observeSent(sent);
    }
    const nowMs = this.#nowMs();
    const packetRate = packets === undefined ? undefined : this.#rate.read(packets, nowMs);
    if (this.#choice.sampler === 'datapath') {
      this.#expected += (this.#rate.lastPackets * this.#control.probability) / PROBABILITY_ALL;
    }
    const second = { hasDropped: this.#hasDropped, packetRate, maxSampleRate: this.#maxSampleRate };
    this.#hasDropped = false;
    if (this.#choice.passSecond(second, this.#parts.clock.wallMicros())) {
      this.#noteChoice();
    }
    if (packetRate !== undefined) {
      this.#control.measure(packetRate, nowMs);
    }
    this.#parts.onChange();
  }

  /** Reads the number of samples that ovs-vswitchd has sent; undefined without own rows, or if they have changed meanwhile. */
  async #readSent(): Promise<number | undefined> {
    const { ownSet } = this.#path;
    const sent = ownSet && (await this.#connection?.readSampledCount(ownSet.collectorSetId));
    return sent === undefined || ownSet !== this.#path.ownSet ? undefined : Number(sent);
  }

  #decide(): void {
    if (this.#pathState !== this.#notedPath) {
      this.#notedPath = this.#pathState;
      this.#parts.onPath(this.#notedPath, this.#rowsWatch.fault);
    }
    const meters = this.#connection?.meters;
    const facts = {
      policy: this.#policy,
      hasKernelDatapath: this.#hasKernelDatapath,
      hasMeters: meters && meters.hook !== undefined,
      allowsUnmetered: this.#parts.unmetered === 'allow',
      path: this.#pathState,
    };
    if (this.#choice.setFacts(facts, this.#parts.clock.wallMicros())) {
      this.#noteChoice();
      this.#parts.onChange();
    }
    // Not before: a collector set of its own keeps a bridge from being deleted and added in one transaction.
    if (this.#choice.prefersDatapath && !this.#isOpen && this.#ticks.isRunning) {
      this.#isOpen = true;
      this.#ticks.hurry();
      this.#path.open();
    }
  }

  /** Without own rows nothing arrives. */
  get #pathState(): PathState {
    return this.#rowsWatch.fault === undefined ? this.#path.state : 'failed';
  }

  #noteChoice(): void {
    const { sampler, reason } = this.#choice.status();
    this.#changedMs = this.#nowMs();
    this.#parts.log.info(`bridge ${this.#parts.bridge}: sampler ${sampler} (${reason})`);
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicMicros() / 1000;
  }
}
