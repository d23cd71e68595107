// The composition root: the one file that builds all parts of the daemon, connects them, and knows the order in which
// they start and stop. Sinks start before sources; sources stop before sinks.

import { randomInt } from 'node:crypto';
import type { RunSettings } from './config/settings.ts';
import { Control } from './control/control.ts';
import { BatchClock } from './export/batch-clock.ts';
import { UdpSession } from './export/udp-session.ts';
import { Report } from './report/report.ts';
import { statusJson } from './report/status-document.ts';
import { statusText } from './report/status-text.ts';
import { systemClock, type Timer } from './runtime/clock.ts';
import { Log, type Logger } from './runtime/log.ts';
import { CommandRegistry } from './unixctl/commands.ts';
import { UnixctlError } from './unixctl/errors.ts';
import { UnixctlServer } from './unixctl/server.ts';

export class Daemon {
  readonly #log: Log;
  readonly #logger: Logger;
  readonly #control: Control;
  readonly #report: Report;
  readonly #unixctl: UnixctlServer;
  readonly #version: string;

  constructor(settings: RunSettings, version: string) {
    const clock = systemClock;
    const sampleClock = new BatchClock(clock);
    this.#version = version;
    this.#log = new Log({
      clock,
      level: settings.logLevel,
      destination: settings.logFile === undefined ? 'stderr' : { file: settings.logFile },
    });
    this.#logger = this.#log.logger('ovs_ipfix');
    const collectorLog = this.#log.logger('collector');
    this.#control = new Control(settings, {
      clock,
      sampleClock,
      log: this.#logger,
      openSession: (target, listener) => new UdpSession(target, listener, { clock, log: collectorLog }),
      randomSeed: () => randomInt(2 ** 32),
    });
    this.#report = new Report({
      clock,
      control: this.#control,
      version,
      logLinesLost: () => this.#log.lostCount,
    });
    this.#unixctl = new UnixctlServer({
      path: settings.unixctlPath,
      commands: this.#commands(),
      log: this.#log.logger('unixctl'),
      clock,
    });
  }

  /** Rejects when the control socket cannot be opened; whether OVS can be reached shows in `ready` and the log. */
  async start(): Promise<void> {
    await this.#unixctl.start();
    this.#logger.info(`ovs-ipfix ${this.#version} is running; control socket ${this.#unixctl.status().path}`);
    this.#control.start();
  }

  /** Flushes, hands back and closes everything; rejects when that takes longer than `deadlineMs`. */
  async stop(reason: string, deadlineMs: number): Promise<void> {
    this.#logger.info(`${reason}; flushing caches and handing rows back`);
    let timer: Timer | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      const late = () =>
        reject(new Error(`stopping took longer than ${deadlineMs} ms; run "ovs-ipfix release".`));
      timer = systemClock.setTimer(late, deadlineMs);
    });
    try {
      await Promise.race([this.#control.stop().then(() => this.#unixctl.stop()), deadline]);
    } finally {
      timer?.cancel();
    }
    this.#logger.info('stopped');
    this.#log.close();
  }

  /** Sentences about what `ready` waits for; none when the daemon is ready. */
  missing(): readonly string[] {
    return this.#control.missing();
  }

  #commands(): CommandRegistry {
    const registry = new CommandRegistry(`ovs-ipfix ${this.#version}`);
    registry.register('ready', '', 0, 0, () => {
      const missing = this.missing();
      if (missing.length > 0) {
        throw new UnixctlError('UNIXCTL_REFUSED', missing.join(' '));
      }
      return 'ready';
    });
    registry.register('status', '[text|json]', 0, 1, ([format = 'text']) => {
      if (format !== 'text' && format !== 'json') {
        throw new UnixctlError('UNIXCTL_REFUSED', `status has the formats text and json, not "${format}".`);
      }
      return (format === 'json' ? statusJson : statusText)(this.#report.status());
    });
    return registry;
  }
}
