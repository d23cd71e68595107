// What a round runs on: a private Open vSwitch with one exported bridge, a collector, one daemon or two, and the traffic. Faults act on
// it; it keeps what the account needs.

import { symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { endInOrder } from '../support/end-in-order.ts';
import { createIpfixRow } from '../support/ipfix-rows.ts';
import { type Ovs, startOvs } from '../support/ovs.ts';
import { waitFor } from '../support/wait.ts';
import type { Interval, RoundFacts } from './account.ts';
import { DaemonLife } from './daemon-life.ts';
import { NumberedCollector } from './numbered-collector.ts';
import { STEPPED_CLOCK } from './stepped-clock.ts';
import { Traffic } from './traffic.ts';

export type RoundSampler = 'packet-in' | 'datapath';

export interface StageOptions {
  readonly sampler: RoundSampler;
  readonly hasStandby: boolean;
  readonly logsToFile: boolean;
  /** A module that daemons load; default: that of a clock that can be stepped. */
  readonly daemonModule?: string;
}

export const BRIDGE = 'br0';
const PORT = 'p1';
const READY_MS_MAX = 30_000;
const ASK_INTERVAL_MS = 100;
/** The line of a daemon that has read the database. */
const DATABASE_READ = /ovsdb: connected to/u;
const SAMPLING_STARTED = /bridge br0: sampling started/u;
/** A packet-in counts as lost when it is missing at three readings, one a second. */
const COUNTED_MS_MAX = 6000;
/** Milliseconds in which a record may still arrive. */
const QUIET_MS = 300;

/** Whether the database may have a file system of its own, which can be filled: it takes root. */
export const HAS_SMALL_DISK = process.getuid?.() === 0;
const DATABASE_BYTES = 4 * 1024 * 1024;

export class Stage {
  readonly ovs: Ovs;
  readonly collector: NumberedCollector;
  readonly sampler: RoundSampler;
  readonly traffic: Traffic;
  readonly lives: DaemonLife[] = [];
  readonly daemonOutages: Interval[] = [];
  /** Times that do not count towards the length of a gap. */
  readonly uncounted: Interval[] = [];
  /** When the switch stopped forwarding, and when a packet that it accepted afterwards may have been injected first. */
  readonly #switchOutages: { readonly fromMs: number; readonly restartMs: number }[] = [];
  readonly #deletions: Interval[] = [];
  /** Daemons that were not ended. */
  readonly #live = new Set<DaemonLife>();
  readonly #asking: Promise<void>[] = [];
  readonly #daemonModule: string;
  #isOver = false;

  private constructor(ovs: Ovs, collector: NumberedCollector, sampler: RoundSampler, daemonModule: string) {
    this.#daemonModule = daemonModule;
    this.ovs = ovs;
    this.collector = collector;
    this.sampler = sampler;
    this.traffic = new Traffic(() => this.#switchSocket(), PORT);
  }

  /** Starts everything but the traffic. */
  static async open({ sampler, hasStandby, logsToFile, daemonModule }: StageOptions): Promise<Stage> {
    const ovs = await startOvs({
      allowedWarnings: [/\|(WARN|ERR)\|/u],
      ...(HAS_SMALL_DISK ? { databaseBytes: DATABASE_BYTES } : {}),
    });
    const stage = new Stage(ovs, await NumberedCollector.open(), sampler, daemonModule ?? STEPPED_CLOCK);
    try {
      await stage.addBridge();
      await writeFile(stage.#logTarget, '');
      await symlink(stage.#logTarget, stage.logPath);
      await stage.startDaemon(logsToFile);
      await stage.ready();
      if (hasStandby) {
        const standby = await stage.startDaemon();
        await standby.logged(/standing by/u);
      }
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  /** The bridge with its port and row, as an operator makes it: in one transaction, so that no packet is unsampled. */
  async addBridge(): Promise<void> {
    const { ovs } = this;
    await ovs.addBridge(BRIDGE);
    await ovs.vsctl('set', 'Bridge', BRIDGE, `external_ids:ovs-ipfix-sampler=${this.sampler}`);
    await createIpfixRow(ovs, BRIDGE, [this.collector.target], {
      sampling: 1,
      cache_active_timeout: 0,
      cache_max_flows: 0,
    });
    await ovs.addDummyPort(BRIDGE, PORT);
  }

  /** The log of the daemons, a link that the fault of a full disk leads to /dev/full. */
  get logPath(): string {
    return join(this.ovs.rundir, 'ovs-ipfix.log');
  }

  get #logTarget(): string {
    return `${this.logPath}.1`;
  }

  /** Starts a daemon that logs to standard error, or to `logPath`. */
  async startDaemon(logsToFile = false): Promise<DaemonLife> {
    const spawnedMs = performance.now();
    const daemon = await startDaemon(this.ovs, {
      waitForReady: false,
      environment: {
        NODE_OPTIONS: `--import=${this.#daemonModule}`,
        SOAK_FILE: join(this.ovs.rundir, 'soak'),
      },
      arguments: logsToFile ? ['--log-file', this.logPath] : [],
    });
    const life = new DaemonLife(daemon, spawnedMs, this.collector.target);
    this.lives.push(life);
    this.#live.add(life);
    this.#asking.push(this.#ask(life));
    return life;
  }

  /** The logs of all daemons. */
  get log(): string {
    return this.lives.map(({ daemon }) => daemon.log).join('\n');
  }

  /** The daemon that was started first of those that were not ended. */
  get active(): DaemonLife {
    const [life] = this.#live;
    if (life === undefined) {
      throw new Error('No daemon of the round is alive.');
    }
    return life;
  }

  /** Ends a daemon, whose counters are read before. */
  async endDaemon(life: DaemonLife, signal: NodeJS.Signals): Promise<void> {
    await life.ask();
    this.#live.delete(life);
    await life.daemon.kill(signal);
  }

  async fillDisk(): Promise<void> {
    await unlink(this.logPath);
    await symlink('/dev/full', this.logPath);
    await this.active.daemon.appctl('vlog/reopen');
  }

  /** Notes that the switch has not forwarded since then; packets that it accepts after now end the outage. */
  noteSwitchOutage(fromMs: number): void {
    this.#switchOutages.push({ fromMs, restartMs: performance.now() });
  }

  /** Notes that the bridge was deleted since then. */
  noteDeletion(fromMs: number): void {
    this.#deletions.push({ fromMs, toMs: performance.now() });
  }

  /** Waits until one of the daemons is ready, with each packet sampled. */
  async ready(): Promise<void> {
    await waitFor(
      async () => {
        const answers = await Promise.all([...this.#live].map((life) => life.isReady(this.sampler)));
        return answers.some(Boolean);
      },
      { what: 'a daemon is ready', timeoutMs: READY_MS_MAX, intervalMs: 20 },
    );
  }

  /** Returns the facts for the account, once all records have arrived and all losses are counted, or after some seconds. */
  async facts(isExplained: (facts: RoundFacts) => boolean): Promise<RoundFacts> {
    const endMs = performance.now() + COUNTED_MS_MAX;
    let sinceMs = performance.now();
    let facts = this.#facts();
    await waitFor(
      () => {
        const next = this.#facts();
        if (next.exported.size !== facts.exported.size || next.counted !== facts.counted) {
          sinceMs = performance.now();
        }
        facts = next;
        const nowMs = performance.now();
        return nowMs > endMs || (nowMs - sinceMs > QUIET_MS && isExplained(facts));
      },
      { what: 'the end of the account', timeoutMs: COUNTED_MS_MAX * 2, intervalMs: 50 },
    );
    return facts;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await endInOrder(
      () => this.traffic.stop(),
      ...[...this.#live].map((life) => async () => {
        life.daemon.signal('SIGCONT');
        await life.daemon.kill();
      }),
      () => Promise.all(this.#asking),
      () => this.collector.stop(),
      () => this.ovs.stop(),
    );
  }

  #facts(): RoundFacts {
    const { collector, traffic, lives } = this;
    collector.read();
    const taken = traffic.uncertain.filter(({ number }) => collector.records.has(number));
    const counts = lives.map((life) => life.counts());
    const sent = counts.reduce((sum, { recordsSent }) => sum + recordsSent, 0);
    return {
      injections: [...traffic.injections, ...taken],
      exported: collector.records,
      gaps: lives.flatMap((life) => life.gaps()),
      switchOutages: this.#switchOutages.map(({ fromMs, restartMs }) => ({
        fromMs,
        toMs: Math.max(restartMs, traffic.acceptedSince(restartMs) ?? performance.now()),
      })),
      daemonOutages: [...this.daemonOutages, ...this.#unknown()],
      uncounted: this.uncounted,
      thinned: lives.flatMap((life) => life.thinned),
      counted: counts.reduce((sum, { lost }) => sum + lost, 0) + Math.max(0, sent - collector.fromDaemons),
    };
  }

  /**
   * Times of a daemon that has started when the bridge was deleted before it had read the database. The daemon before it was killed, and
   * had adopted a row that is gone by the first reading: neither can know of this time, which ends with the bridge.
   */
  #unknown(): readonly Interval[] {
    return this.lives.flatMap((life) => {
      const readMs = life.loggedMs(DATABASE_READ) ?? Number.POSITIVE_INFINITY;
      const sampledMs = life.loggedMs(SAMPLING_STARTED) ?? Number.POSITIVE_INFINITY;
      return this.#deletions
        .filter(({ fromMs, toMs }) => life.aliveMs < toMs && readMs > fromMs && sampledMs > toMs)
        .map(({ toMs }) => ({ fromMs: life.aliveMs, toMs }));
    });
  }

  #switchSocket(): string {
    return join(this.ovs.rundir, `ovs-vswitchd.${this.ovs.vswitchdPid}.ctl`);
  }

  /** Asks a daemon for its status again and again, until it is ended or the round is over. */
  async #ask(life: DaemonLife): Promise<void> {
    while (!this.#isOver && this.#live.has(life)) {
      await life.ask();
      await delay(ASK_INTERVAL_MS);
    }
  }
}
