// What runs is made to follow what the rows say: rows are taken over and handed back, and each bridge with a row of ours
// has a `SampledBridge`. A change of the database only marks things as dirty; what is to be is computed from the newest
// whole snapshot. When the database goes away, the last good configuration stays in force.

import { type BridgeConfig, type Configuration, readConfiguration } from '../config/configuration.ts';
import { readIpfixRow } from '../config/ipfix-row.ts';
import { describeProblem, type Problem } from '../config/problem.ts';
import type { RunSettings } from '../config/settings.ts';
import type { OpenSession } from '../export/collector-session.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { DatabaseSession, type DatabaseStatus } from './database-session.ts';
import { planOwnership, planRelease, withOwnershipProblems } from './ownership.ts';
import { Reconciler, type ReconcilerStatus } from './reconciler.ts';
import { type RunningExporter, SampledBridge, type SampledBridgeStatus } from './sampled-bridge.ts';

export type { RunningExporter } from './sampled-bridge.ts';

/** What `Control` needs from outside. */
export interface ControlParts {
  readonly clock: Clock;
  /** For the packet path, where reading the time once a batch is enough. */
  readonly sampleClock: Clock;
  readonly log: Logger;
  readonly openSession: OpenSession;
  /** Random 32-bit numbers for samplers. */
  readonly randomSeed: () => number;
}

/** The whole state for operators; plain data. */
export interface ControlStatus {
  readonly database: DatabaseStatus;
  readonly rows: ReconcilerStatus;
  readonly bridges: readonly SampledBridgeStatus[];
  readonly problems: readonly Problem[];
  /** What keeps us from being ready, as sentences; empty when everything that is configured runs. */
  readonly missing: readonly string[];
}

/** Waiting at most this long for rows to be handed back at the end. */
const RELEASE_ROUNDS_MAX = 5;

export class Control {
  readonly #settings: RunSettings;
  readonly #parts: ControlParts;
  readonly #log: Logger;
  readonly #database: DatabaseSession;
  readonly #rows: Reconciler;
  readonly #bridges = new Map<string, SampledBridge>();
  /** Bridges that are no longer wanted and are still flushing. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #saidProblems = new Set<string>();
  #configuration: Configuration | undefined;
  #isStopping = false;

  constructor(settings: RunSettings, parts: ControlParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#log = parts.log.module('control');
    this.#database = new DatabaseSession({
      clock: parts.clock,
      log: parts.log.module('database'),
      endpoints: settings.database,
      tls: settings.tls,
      lock: 'queue',
      onChange: () => this.#follow(),
    });
    this.#rows = new Reconciler({
      clock: parts.clock,
      pass: () => this.#reconcileRows(),
      onFailure: (error) => this.#log.limited('rows').warn(`${error.message}; trying again`),
    });
  }

  start(): void {
    this.#database.start();
  }

  /** Sources first: hooks out, caches flushed, and then the rows go back to ovs-vswitchd. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#rows.stop();
    for (const name of this.#bridges.keys()) {
      this.#retire(name);
    }
    await Promise.all(this.#leaving.values());
    await this.#releaseRows();
    await this.#database.stop();
  }

  status(): ControlStatus {
    return {
      database: this.#database.status(),
      rows: this.#rows.status(),
      bridges: [...this.#bridges.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((bridge) => bridge.status()),
      problems: this.problems(),
      missing: this.missing(),
    };
  }

  /** Looks at everything again now, also at what waits for the end of a pause; asks for a lost lock again. */
  lookAgain(): void {
    this.#database.lookAgain().catch((error: unknown) => {
      this.#log.warn(`the lock of the active daemon could not be asked for: ${reasonOf(error)}`);
    });
    for (const bridge of this.#bridges.values()) {
      bridge.lookAgain();
    }
    this.#follow();
  }

  /** The exporters of all bridges. */
  exporters(): readonly RunningExporter[] {
    return [...this.#bridges.values()].flatMap((bridge) => bridge.exporters());
  }

  problems(): readonly Problem[] {
    const ofBridges = [...this.#bridges.values()].flatMap((bridge) => bridge.problems());
    return [...this.#database.problems(), ...(this.#configuration?.problems ?? []), ...ofBridges];
  }

  missing(): readonly string[] {
    const missing: string[] = [];
    const { isSynced, lock, lastError } = this.#database.status();
    if (!isSynced) {
      missing.push(`OVSDB is not in sync${lastError === undefined ? '' : ` (${clause(lastError)})`}.`);
    } else if (lock !== 'held') {
      missing.push(
        lock === 'lost'
          ? 'The lock of the active daemon was taken from us.'
          : 'Another ovs-ipfix has the lock of the active daemon.',
      );
    } else if (this.#rows.status().state !== 'idle') {
      missing.push('The IPFIX rows are being taken over.');
    }
    for (const bridge of this.#bridges.values()) {
      const sentence = bridge.missing();
      if (sentence !== undefined) {
        missing.push(sentence);
      }
    }
    return missing;
  }

  /** The database has changed, or the connection to it or the lock has. */
  #follow(): void {
    const tables = this.#database.tables();
    const { lock, isSynced } = this.#database.status();
    // A connection that ends takes the lock with it: that is nobody's wish, and what runs goes on.
    if (this.#isStopping || tables === undefined || !isSynced || lock === 'none') {
      return;
    }
    const configuration = readConfiguration(tables, this.#settings.messageBytesMax);
    this.#configuration = withOwnershipProblems(configuration, this.#settings.adopt);
    this.#sayProblems(this.#configuration.problems);
    const isActive = lock === 'held';
    for (const config of this.#configuration.bridges.values()) {
      if (isActive && isSampled(config)) {
        this.#run(config);
      }
    }
    for (const name of this.#bridges.keys()) {
      const config = this.#configuration.bridges.get(name);
      if (!isActive || config === undefined || !isSampled(config)) {
        this.#retire(name);
      }
    }
    if (isActive) {
      this.#rows.mark();
    }
  }

  #run(config: BridgeConfig): void {
    const running = this.#bridges.get(config.name);
    if (running !== undefined) {
      running.configure(config);
      return;
    }
    const bridge = new SampledBridge(config, {
      clock: this.#parts.clock,
      sampleClock: this.#parts.sampleClock,
      log: this.#parts.log.module('bridge'),
      openSession: this.#parts.openSession,
      endpoint: this.#settings.openflow(config.name),
      tls: this.#settings.tls,
      mark: this.#settings.mark,
      unmetered: this.#settings.unmetered,
      randomSeed: this.#parts.randomSeed,
    });
    this.#bridges.set(config.name, bridge);
    const sets = [...config.flowSampling.keys()].map((id) => `collector set ${id}`);
    const what = [...(config.sampling === undefined ? [] : ['the whole bridge']), ...sets].join(', ');
    this.#log.info(`bridge ${config.name}: exporting begins (${what})`);
    // One that is still taking its hook out under this name must not take out the new one.
    const leaving = this.#leaving.get(config.name);
    void (leaving ?? Promise.resolve()).then(() => {
      if (this.#bridges.get(config.name) === bridge) {
        bridge.start();
      }
    });
  }

  #retire(name: string): void {
    const bridge = this.#bridges.get(name);
    if (bridge === undefined) {
      return;
    }
    this.#bridges.delete(name);
    this.#log.info(`bridge ${name}: exporting ends; its cache is flushed`);
    const leaving = Promise.all([this.#leaving.get(name), bridge.stop()]).then(() => {
      if (this.#leaving.get(name) === leaving) {
        this.#leaving.delete(name);
      }
    });
    this.#leaving.set(name, leaving);
  }

  async #reconcileRows(): Promise<void> {
    if (this.#configuration !== undefined && this.#database.lock === 'held') {
      const plan = planOwnership(this.#configuration, this.#settings.adopt, this.problems());
      await this.#database.write(plan);
    }
  }

  /** Hands rows back. A row that somebody changes at this moment is planned anew; without a database it is left to `release`. */
  async #releaseRows(): Promise<void> {
    for (let round = 1; this.#database.lock === 'held'; round += 1) {
      const rows = [...(this.#database.tables()?.ipfix.values() ?? [])].map((row) =>
        readIpfixRow(row, '', []),
      );
      try {
        await this.#database.write(planRelease(rows));
        return;
      } catch (error) {
        if (round === RELEASE_ROUNDS_MAX) {
          this.#log.error(`rows could not be handed back (${reasonOf(error)}); run "ovs-ipfix release"`);
          return;
        }
      }
    }
  }

  /** Each problem is logged once, and again when it comes back after having gone. */
  #sayProblems(problems: readonly Problem[]): void {
    const now = new Set(problems.map(describeProblem));
    for (const said of this.#saidProblems) {
      if (!now.has(said)) {
        this.#saidProblems.delete(said);
      }
    }
    for (const text of now) {
      if (!this.#saidProblems.has(text)) {
        this.#saidProblems.add(text);
        this.#log.warn(text);
      }
    }
  }
}

/** Whether anything of the bridge is exported here. */
function isSampled(config: BridgeConfig): boolean {
  return config.sampling !== undefined || config.flowSampling.size > 0;
}
