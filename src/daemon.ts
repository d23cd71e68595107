// The composition root: builds all parts of the daemon, connects them, and starts and stops them in order. Sinks start before
// sources; sources stop before sinks.

import { hostname } from 'node:os';
import { join } from 'node:path';
import { LOG_MODULES, type RunSettings, type WebSettings } from './config/settings.ts';
import { Control } from './control/control.ts';
import type { StopReport } from './control/hand-back.ts';
import { BatchClock } from './export/batch-clock.ts';
import { FileFolder } from './export/files/file-folder.ts';
import { ENGINE_FILE, flowEngines } from './export/flow-engines.ts';
import { sessionOpener } from './export/open-session.ts';
import { PathMtus } from './export/path-mtu.ts';
import { SendBudget } from './export/send-budget.ts';
import { TrafficTable } from './flow/traffic-table.ts';
import { eventCounters } from './report/counters.ts';
import { Coverage } from './report/coverage.ts';
import { RecentLosses } from './report/recent-losses.ts';
import { Report } from './report/report.ts';
import { History } from './report/traffic/history.ts';
import { addressText } from './runtime/address-text.ts';
import { type Clock, systemClock } from './runtime/clock.ts';
import { Log, type Logger } from './runtime/log.ts';
import { isPidFileLive } from './runtime/pid-file.ts';
import { programFolder, readProgramFile } from './runtime/program-folder.ts';
import { secretWord } from './runtime/secret-word.ts';
import { SystemFaults } from './runtime/system-faults.ts';
import { msUntil, settlesWithin, within } from './runtime/within.ts';
import { CommandRegistry } from './unixctl/commands.ts';
import { registerDaemonCommands } from './unixctl/daemon-commands.ts';
import { askDatapaths, DatapathUpcallsReader } from './unixctl/datapath-upcalls.ts';
import { registerLogCommands } from './unixctl/log-commands.ts';
import { registerReportCommands } from './unixctl/report-commands.ts';
import { UnixctlServer } from './unixctl/server.ts';
import type { Examine } from './web/examination.ts';
import { WebServer } from './web/server.ts';
import { readToken } from './web/token.ts';

/** Milliseconds before the deadline of a stop at which the control socket is not waited for any longer. */
const CLOSE_MARGIN_MS = 20;

/** What the daemon needs from its command. */
export interface DaemonCallbacks {
  readonly onExit: () => void;
  readonly examine: Examine;
}

export class Daemon {
  readonly #log: Log;
  readonly #logger: Logger;
  readonly #control: Control;
  readonly #upcalls: DatapathUpcallsReader;
  readonly #report: Report;
  readonly #coverage: Coverage;
  readonly #recentLosses: RecentLosses;
  readonly #history: History;
  readonly #web: WebServer | undefined;
  readonly #onExit: () => void;
  readonly #examine: Examine;
  readonly #unixctl: UnixctlServer;
  readonly #version: string;
  readonly #systemFaults: SystemFaults;

  /** `onExit` is called for `ovs-appctl exit`, `examine` for the findings of the doctor on the page. */
  constructor(settings: RunSettings, version: string, { onExit, examine }: DaemonCallbacks) {
    this.#onExit = onExit;
    this.#examine = examine;
    const clock = systemClock;
    const sampleClock = new BatchClock(clock);
    const sendBudget = new SendBudget(sampleClock, settings.messageRateMax);
    this.#version = version;
    this.#log = new Log({
      clock,
      modules: LOG_MODULES,
      specs: settings.logSpecs,
      destination: settings.logFile === undefined ? 'stderr' : { file: settings.logFile },
    });
    this.#logger = this.#log.logger('ovs_ipfix');
    this.#systemFaults = new SystemFaults(this.#logger);
    const collectorLog = this.#log.logger('collector');
    const pathMtus = new PathMtus(clock);
    const traffic = new TrafficTable(secretWord());
    this.#control = new Control(settings, {
      clock,
      sampleClock,
      log: this.#logger,
      openSession: sessionOpener(
        { clock, log: collectorLog, pathMtus, onAddress: () => this.#control.recheckRows() },
        settings.queueBytesMax,
        settings.fileTargets &&
          new FileFolder(settings.fileTargets, { clock, log: collectorLog, recovers: true }),
      ),
      sendBudget,
      makeEngine: flowEngines(settings.engine, () => readProgramFile(ENGINE_FILE), this.#logger),
      traffic,
      randomSeed: secretWord,
      isSwitchStopped: () => !isPidFileLive(settings.switchPidFile),
    });
    this.#upcalls = new DatapathUpcallsReader({
      clock,
      ask: () => askDatapaths(settings.switchPidFile, clock),
      log: this.#logger,
      isNeeded: () => this.#control.isSampledByDatapath,
    });
    this.#recentLosses = new RecentLosses(clock, () => ({ bridges: this.#control.bridges() }));
    const hashSeed = secretWord();
    this.#history = new History({ clock, table: traffic, hashSeed, control: this.#control });
    this.#report = new Report({
      history: this.#history,
      host: hostname(),
      hashSeed,
      clock,
      control: this.#control,
      version,
      sending: () => sendBudget.status(),
      upcalls: () => this.#upcalls.upcalls(),
      logLinesLost: () => this.#log.lostCount,
      systemFaults: this.#systemFaults,
      web: () => this.#web?.status(),
      recentLosses: (now) => this.#recentLosses.status(now),
    });
    this.#coverage = new Coverage(clock, () => eventCounters(this.#control.status()));
    this.#web = settings.web && this.#makeWeb(settings.web, clock);
    this.#unixctl = new UnixctlServer({
      path: settings.unixctlPath,
      commands: this.#commands(),
      log: this.#log.logger('unixctl'),
      clock,
    });
  }

  /** Starts all parts; rejects when the control socket or the page cannot listen. An unreachable OVS only shows in `ready` and the log. */
  async start(): Promise<void> {
    await this.#unixctl.start();
    this.#logger.info(`ovs-ipfix ${this.#version} is running; control socket ${this.#unixctl.status().path}`);
    await this.#startWeb();
    this.#control.start();
    this.#upcalls.start();
    this.#coverage.start();
    this.#recentLosses.start();
    this.#history.start();
  }

  /**
   * Removes what is installed, hands rows back, flushes and closes everything. Rejects when that takes longer than
   * `deadlineMs`, when state is left in a switch or a row, with what is left and how to remove it, or when flows were not sent.
   */
  async stop(reason: string, deadlineMs: number): Promise<void> {
    this.#coverage.stop();
    this.#recentLosses.stop();
    this.#history.stop();
    this.#upcalls.stop();
    this.#logger.info(`${reason}; handing rows back and flushing caches`);
    const late = `stopping took longer than ${deadlineMs} ms; run "ovs-ipfix release".`;
    const endMicros = systemClock.monotonicMicros() + deadlineMs * 1000;
    const { left, withoutExporter } = await within(systemClock, deadlineMs, late, this.#stopParts(endMicros));
    this.#logger.info(withoutExporter === undefined ? 'stopped' : `stopped; ${withoutExporter}`);
    this.#log.close();
    if (left.length > 0) {
      throw new Error(left.join(' '));
    }
  }

  async #stopParts(endMicros: number): Promise<StopReport> {
    await this.#web?.stop();
    const report = await this.#control.stop();
    // A client that does not read its answer is not waited for beyond the time of the stop.
    const leftMs = msUntil(systemClock, endMicros - CLOSE_MARGIN_MS * 1000);
    await settlesWithin(systemClock, leftMs, this.#unixctl.stop());
    return report;
  }

  #makeWeb(settings: WebSettings, clock: Clock): WebServer {
    return new WebServer({
      listen: settings.listen,
      token: settings.tokenFile === undefined ? undefined : readToken(settings.tokenFile),
      folder: join(programFolder(), 'web'),
      report: this.#report,
      examine: this.#examine,
      clock,
      log: this.#log.logger('web'),
    });
  }

  async #startWeb(): Promise<void> {
    if (this.#web === undefined) {
      return;
    }
    try {
      const { host, port } = await this.#web.start();
      this.#logger.info(`the page is at http://${addressText(host, port)}/`);
    } catch (error) {
      await this.#unixctl.stop();
      throw error;
    }
  }

  /** Counts an uncaught error of the operating system, after which the daemon goes on; returns false for any other error. */
  survives(thrown: unknown): boolean {
    return this.#systemFaults.note(thrown);
  }

  /** Returns what keeps the daemon from being ready, as sentences; none when it is ready. */
  missing(): readonly string[] {
    return this.#control.missing();
  }

  #commands(): CommandRegistry {
    const registry = new CommandRegistry(`ovs-ipfix ${this.#version}`);
    registerReportCommands(registry, this.#report);
    registerLogCommands(registry, this.#log);
    registerDaemonCommands(registry, {
      report: this.#report,
      coverage: this.#coverage,
      missing: () => this.missing(),
      readopt: () => this.#control.resync(),
      exit: this.#onExit,
    });
    return registry;
  }
}
