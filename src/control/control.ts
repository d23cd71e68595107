// The control plane: reads the configuration from the database, runs a `SampledBridge` for each bridge with a row that is or
// should be adopted, and adopts and releases rows. Every change triggers one reconciliation with the newest whole snapshot.
// While the database is down, the last good configuration stays in force.

import { type Condition, shownCondition } from '../config/condition.ts';
import type { BridgeConfig, Configuration } from '../config/configuration.ts';
import type { RunSettings } from '../config/settings.ts';
import { Exporter } from '../export/exporter.ts';
import type { ExporterOptions } from '../export/exporter-options.ts';
import { DelayedCall } from '../runtime/delayed-call.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { isSwitchUser } from '../runtime/switch-user.ts';
import { nextTurn, OnceATurn } from '../runtime/turns.ts';
import { msUntil, settlesWithin } from '../runtime/within.ts';
import { AdoptionPace } from './adoption-pace.ts';
import { describeSampling, redirectionsOf, rowsOf, runInTurn, samplePortsOf } from './bridge-rows.ts';
import { BridgeSession } from './bridge-session.ts';
import { listConditions } from './condition-list.ts';
import { ConditionLog } from './condition-log.ts';
import { ConfigurationReader } from './configuration-reader.ts';
import type { ControlParts, ControlStatus } from './control-parts.ts';
import { DatabaseSession } from './database-session.ts';
import {
  closeDatabase,
  describeLoss,
  describeWithoutExporter,
  FLUSH_END_MS,
  handBackRows,
  ipfixRowsOf,
  ROWS_END_MS,
  SOURCES_END_MS,
  type StopReport,
  showLastLife,
} from './hand-back.ts';
import { OwnRows } from './own-rows.ts';
import {
  type AdoptionRules,
  desiredRows,
  notAdopted,
  planOwnership,
  withOwnershipConditions,
} from './ownership.ts';
import { PreviousExport } from './previous-export.ts';
import { missingParts } from './readiness.ts';
import { Reconciler } from './reconciler.ts';
import type { RowChange } from './row-change.ts';
import { SampledBridge } from './sampled-bridge.ts';
import type {
  BridgeInterfaces,
  RunningExporter,
  SampledBridgeSessionOptions,
} from './sampled-bridge-parts.ts';
import type { SampledBridgeStatus } from './sampled-bridge-status.ts';

export class Control {
  readonly #settings: RunSettings;
  readonly #parts: ControlParts;
  readonly #log: Logger;
  readonly #database: DatabaseSession;
  readonly #rows: Reconciler;
  readonly #bridges = new Map<string, SampledBridge>();
  /** Bridges that are not desired any more and are still flushing. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Sentences about what could not be removed or released. */
  readonly #left: string[] = [];
  readonly #conditionLog: ConditionLog;
  readonly #ownRows: OwnRows;
  readonly #reader: ConfigurationReader;
  /** What was read of the newest snapshot, and the same with the conditions that depend on the ownership of rows. */
  #read: Configuration | undefined;
  #configuration: Configuration | undefined;
  readonly #previous: PreviousExport;
  #desired: (bridge: string, row: string) => boolean = () => false;
  #isStopping = false;
  readonly #pace: AdoptionPace;
  readonly #recheck: DelayedCall;
  /** One reconciliation for all changes of the database, its connection, the lock and bridges' samplability in a turn. */
  readonly #following = new OnceATurn(() => this.#follow());

  constructor(settings: RunSettings, parts: ControlParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#log = parts.log.module('control');
    this.#conditionLog = new ConditionLog(this.#log);
    this.#pace = new AdoptionPace(parts.clock);
    this.#reader = new ConfigurationReader(settings);
    this.#recheck = new DelayedCall(parts.clock, () => {
      if (this.#rowChanges().length > 0) {
        this.#rows.trigger();
      }
    });
    this.#database = new DatabaseSession({
      clock: parts.clock,
      log: parts.log.module('database'),
      endpoints: settings.database,
      tls: settings.tls,
      lock: 'compete',
      sampleClock: parts.sampleClock,
      onChange: () => this.#following.schedule(),
      onInterfaces: (bridges) => this.#followInterfaces(bridges),
    });
    this.#previous = new PreviousExport({ clock: parts.clock, log: this.#log, database: this.#database });
    const owner = parts.randomSeed().toString(16);
    this.#ownRows = new OwnRows({ database: this.#database, clock: parts.clock, log: this.#log, owner });
    this.#rows = new Reconciler({
      clock: parts.clock,
      reconcile: () => this.#reconcileRows(),
      onFailure: (error) => this.#log.limited('rows').warn(`${error.message}; retrying`),
    });
  }

  start(): void {
    this.#database.start();
  }

  /**
   * Removes hooks and actions, hands the rows back to ovs-vswitchd, and then flushes the caches: sources stop before sinks.
   * Each step has its time, which a frozen switch, database or collector does not prolong.
   */
  async stop(): Promise<StopReport> {
    const { clock, sendBudget } = this.#parts;
    const startMicros = clock.monotonicMicros();
    const leftMs = (endMs: number) => msUntil(clock, startMicros + endMs * 1000);
    this.#isStopping = true;
    this.#recheck.cancel();
    this.#rows.stop();
    this.#ownRows.stop();
    const bridges = [...this.#bridges.values()];
    const removals = Promise.all([
      ...bridges.map(async (bridge) => this.#noteLeft(await bridge.remove(true))),
      ...this.#leaving.values(),
    ]);
    await settlesWithin(clock, leftMs(SOURCES_END_MS), removals);
    const isActive = this.#database.lock === 'held';
    const withoutExporter = isActive ? describeWithoutExporter(ipfixRowsOf(this.#database)) : undefined;
    const notHandedBack = await handBackRows(this.#database, clock, leftMs(ROWS_END_MS));
    this.#noteLeft(notHandedBack);
    if (notHandedBack === undefined) {
      await showLastLife(this.#database, clock);
    }
    sendBudget.endWithin(leftMs(FLUSH_END_MS));
    const losses = await Promise.all(bridges.map((bridge) => bridge.flush(notHandedBack === undefined)));
    this.#noteLeft(describeLoss(losses.flat()));
    await settlesWithin(clock, leftMs(FLUSH_END_MS), removals);
    await closeDatabase(this.#database, clock);
    return { left: this.#left, withoutExporter };
  }

  /** Returns the status; `bridges` are those that the caller has read already. */
  status(bridges = this.bridges()): ControlStatus {
    return {
      database: this.#database.status(),
      rows: this.#rows.status(),
      bridges,
      ...listConditions(this.conditions()),
      missing: this.missing(),
    };
  }

  /** The status of each bridge that is or should be sampled, in the order of their names. */
  bridges(): readonly SampledBridgeStatus[] {
    const bridges = [...this.#bridges.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return bridges.map((bridge) => bridge.status());
  }

  /** Writes the conditions of collectors to rows soon: they have changed. A thousand sessions may open in one second. */
  recheckRows(): void {
    this.#recheck.schedule();
  }

  /** Reads everything again, ends backoffs, and requests a lost lock again. */
  resync(): void {
    this.#database.resync().catch((error: unknown) => {
      this.#log.warn(`the lock of the active daemon could not be requested: ${reasonOf(error)}`);
    });
    for (const bridge of this.#bridges.values()) {
      bridge.resync();
    }
    this.#following.schedule();
  }

  /** The exporters of all bridges. */
  exporters(): readonly RunningExporter[] {
    return [...this.#bridges.values()].flatMap((bridge) => bridge.exporters());
  }

  /** The interfaces of all bridges. */
  interfaces(): readonly BridgeInterfaces[] {
    return [...this.#bridges.values()].map((bridge) => bridge.interfaces());
  }

  conditions(): readonly Condition[] {
    const ofBridges = [...this.#bridges.values()].flatMap((bridge) => bridge.conditions());
    const ofRows = this.#configuration === undefined ? [] : notAdopted(this.#configuration, this.#rules());
    return [
      ...this.#database.conditions([this.#rows.failure, this.#ownRows.failure]),
      ...(this.#configuration?.conditions ?? []),
      ...ofRows,
      ...ofBridges.map(shownCondition),
    ];
  }

  missing(): readonly string[] {
    return missingParts({
      database: this.#database.status(),
      rows: this.#following.isDue ? { state: 'running' } : this.#rows.status(),
      configuration: this.#configuration,
      policy: this.#settings.adopt,
      bridges: this.#bridges.values(),
      desired: this.#desired,
    });
  }

  #rules(): AdoptionRules {
    const samplability = (bridge: string) => this.#bridges.get(bridge)?.samplability ?? 'pending';
    return { policy: this.#settings.adopt, samplability };
  }

  /** Reconciles with the newest snapshot. */
  #follow(): void {
    const tables = this.#database.tables();
    const { lock, isSynced } = this.#database.status();
    // The end of a connection releases the lock; that alone does not mean that another daemon has it, so sampling continues.
    if (this.#isStopping || tables === undefined || !isSynced || lock === 'none') {
      return;
    }
    const configuration = this.#reader.read(tables);
    if (configuration === undefined) {
      this.#following.schedule();
      return;
    }
    if (configuration !== this.#read) {
      this.#read = configuration;
      this.#configuration = withOwnershipConditions(configuration, this.#settings.adopt);
      this.#conditionLog.update(this.#configuration.conditions);
    }
    this.#ownRows.follow(tables, {
      ports: samplePortsOf(this.#bridges.values()),
      kept: new Set(this.#leaving.keys()),
      avoided: new Map([...this.#bridges.values()].map(({ name, avoidedSetIds }) => [name, avoidedSetIds])),
    });
    const isActive = lock === 'held';
    this.#desired = isActive ? desiredRows(configuration, this.#rules()) : () => false;
    const desired = [...configuration.bridges.values()].filter((config) => this.#isDesired(config));
    this.#previous.follow(configuration, isActive);
    if (runInTurn(desired, (config) => this.#run(config))) {
      this.#previous.bridgesBegun();
    } else {
      this.#following.schedule();
    }
    const names = new Set(desired.map(({ name }) => name));
    for (const name of [...this.#bridges.keys()].filter((each) => !names.has(each))) {
      this.#retire(name);
    }
    if (isActive) {
      this.#rows.trigger();
    }
  }

  /** Whether a bridge is sampled by its datapath. */
  get isSampledByDatapath(): boolean {
    return [...this.#bridges.values()].some((bridge) => bridge.isSampledByDatapath);
  }

  /** Interfaces of these bridges have changed; nothing else depends on them. */
  #followInterfaces(names: ReadonlySet<string>): void {
    for (const name of names) {
      this.#bridges.get(name)?.setInterfaces(this.#database.interfacesOf(name));
    }
  }

  /** Whether the bridge has a row for which it should be programmed. */
  #isDesired(config: BridgeConfig): boolean {
    return rowsOf(config).some((row) => this.#desired(config.name, row.ipfixRow));
  }

  /** Configures a bridge; returns whether its sampling begins or its rows have changed. */
  #run(config: BridgeConfig): boolean {
    const isDesired = (row: string) => this.#desired(config.name, row);
    const running = this.#bridges.get(config.name);
    if (running !== undefined) {
      return running.configure(config, isDesired);
    }
    const bridge = new SampledBridge(config, isDesired, {
      ...this.#parts,
      previousEndMicros: this.#previous.endMicros,
      previousGap: this.#previous.gapOf(config.name),
      rowWrites: this.#database,
      openBridge: (options) => this.#openBridge(config.name, options),
      makeExporter: (name, options) => this.#makeExporter(name, options),
      log: this.#parts.log.module('bridge'),
      ownSet: () => this.#ownRows.setOf(config.name),
      gate: this.#database.gate,
      isSwitchUser: (userId) => isSwitchUser(this.#settings.openflow(config.name), userId),
      ownRowsRefusal: () => this.#ownRows.refusal(config.name),
      unmetered: this.#settings.unmetered,
      onSamplability: (isDecisive = true) => (isDecisive ? this.#following.schedule() : this.#rows.trigger()),
    });
    bridge.setInterfaces(this.#database.interfacesOf(config.name));
    this.#bridges.set(config.name, bridge);
    this.#log.info(`bridge ${config.name}: sampling started (${describeSampling(config)})`);
    // An earlier bridge of this name that is still removing its hook must not remove the new one.
    void (this.#leaving.get(config.name) ?? Promise.resolve()).then(() => {
      if (this.#bridges.get(config.name) === bridge) {
        bridge.start();
      }
    });
    return true;
  }

  #openBridge(name: string, options: SampledBridgeSessionOptions): BridgeSession {
    const { openflow, tls, mark, unmetered } = this.#settings;
    return new BridgeSession({
      ...options,
      bridge: name,
      endpoint: openflow(name),
      tls,
      clock: this.#parts.clock,
      log: this.#parts.log.module('bridge'),
      mark,
      unmetered,
      isLeading: () => this.#database.isLeading,
      isBridgeGone: () => this.#configuration?.bridges.has(name) === false,
      isSwitchStopped: this.#parts.isSwitchStopped,
      isRestoringFlows: () => this.#database.isRestoringFlows,
    });
  }

  #makeExporter(name: string, options: ExporterOptions): Exporter {
    const { sampleClock: clock, openSession, sendBudget, makeEngine, traffic } = this.#parts;
    const log = this.#parts.log.module('bridge');
    return new Exporter(name, options, { clock, log, openSession, sendBudget, makeEngine, traffic });
  }

  #retire(name: string): void {
    const bridge = this.#bridges.get(name);
    if (bridge === undefined) {
      return;
    }
    this.#bridges.delete(name);
    this.#log.info(`bridge ${name}: sampling stopped, caches flushed`);
    const leaving = Promise.all([this.#leaving.get(name), this.#removeAndFlush(bridge)]).then(() => {
      if (this.#leaving.get(name) === leaving) {
        this.#leaving.delete(name);
        this.#following.schedule();
      }
    });
    this.#leaving.set(name, leaving);
  }

  /** Ends a bridge. Without the lock, its hook and actions may be those of the new holder, and are left as they are. */
  async #removeAndFlush(bridge: SampledBridge): Promise<void> {
    const { lock } = this.#database;
    if (lock === 'waiting' || lock === 'lost') {
      await bridge.abandon();
    } else {
      this.#noteLeft(await bridge.remove(false));
    }
    this.#noteLeft(describeLoss(await bridge.flush(false)));
  }

  async #reconcileRows(): Promise<void> {
    // A newer snapshot that is still being read triggers this again.
    if (this.#following.isDue) {
      return;
    }
    // The plan of a thousand rows is work of its own.
    await nextTurn();
    if (!this.#pace.allows(this.#bridges.values())) {
      this.#recheck.schedule();
      return;
    }
    const changes = this.#rowChanges();
    if (changes.length > 0) {
      this.#pace.written();
      await this.#database.write(changes);
    }
  }

  /** Returns the changes of rows that are to be written now. */
  #rowChanges(): readonly RowChange[] {
    if (this.#configuration === undefined || this.#database.lock !== 'held' || this.#isStopping) {
      return [];
    }
    const rules = { ...this.#rules(), redirections: redirectionsOf(this.#bridges.values()) };
    return planOwnership(this.#configuration, rules, this.conditions());
  }

  /** Reports what is left: here, and again with the exit status when the process ends. */
  #noteLeft(sentence: string | undefined): void {
    if (sentence === undefined) {
      return;
    }
    this.#log.error(sentence);
    if (this.#isStopping) {
      this.#left.push(sentence);
    }
  }
}
