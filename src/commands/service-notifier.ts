// Notifies systemd (sd_notify(3)) of the daemon's start, state and stop, and pings its watchdog. Used by `run`. Does nothing
// without NOTIFY_SOCKET in the environment. Node.js has no unix datagram sockets, so systemd-notify(1) sends the notifications,
// and the unit has NotifyAccess=all.

import { execFile } from 'node:child_process';
import type { Clock, Timer } from '../runtime/clock.ts';

/** Milliseconds after which a systemd-notify that hangs is ended. */
const NOTIFY_TIMEOUT_MS = 5000;
/** Milliseconds between two checks of the state without a watchdog. */
const STATUS_INTERVAL_MS = 10_000;

/** Options of `ServiceNotifier`. */
export interface ServiceNotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  /** Returns the state as a sentence, for `systemctl status`. */
  readonly state: () => string;
  /** Called with the first failure of a notification, and again only after a success. */
  readonly onFault: (sentence: string) => void;
}

/** Sends the notifications; call `start`, then `stop` before the process ends. */
export class ServiceNotifier {
  readonly #options: ServiceNotifierOptions;
  readonly #isEnabled: boolean;
  readonly #watchdogMs: number | undefined;
  #timer: Timer | undefined;
  #sentState = '';
  #isFaulty = false;

  constructor(options: ServiceNotifierOptions) {
    this.#options = options;
    this.#isEnabled = Boolean(options.environment['NOTIFY_SOCKET']);
    this.#watchdogMs = this.#isEnabled ? watchdogInterval(options.environment, options.pid) : undefined;
  }

  /** Notifies of the start. An unreachable OVS is part of the state and does not fail the start. */
  async start(): Promise<void> {
    if (!this.#isEnabled) {
      return;
    }
    this.#sentState = this.#options.state();
    await this.#send(['READY=1', `STATUS=${this.#sentState}`]);
    this.#schedule();
  }

  /** Notifies of the stop and ends the watchdog pings, so that systemd ends a stop that hangs. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isEnabled) {
      await this.#send(['STOPPING=1', 'STATUS=Flushing caches and handing rows back.']);
    }
  }

  // The timer runs on the event loop that processes packets: when that hangs, the watchdog gets no ping.
  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#schedule();
      const state = this.#options.state();
      const news = this.#watchdogMs === undefined ? [] : ['WATCHDOG=1'];
      if (state !== this.#sentState) {
        news.push(`STATUS=${state}`);
      }
      this.#sentState = state;
      if (news.length > 0) {
        void this.#send(news);
      }
    }, this.#watchdogMs ?? STATUS_INTERVAL_MS);
  }

  #send(news: readonly string[]): Promise<void> {
    const { environment, onFault } = this.#options;
    return new Promise((resolve) => {
      execFile(
        'systemd-notify',
        [...news],
        { env: { ...environment }, timeout: NOTIFY_TIMEOUT_MS },
        (error) => {
          if (error !== null && !this.#isFaulty) {
            onFault(`systemd-notify ${news.join(' ')} failed: ${error.message.trim()}`);
          }
          this.#isFaulty = error !== null;
          resolve();
        },
      );
    });
  }
}

/** A third of the unit's WatchdogSec in milliseconds, so that one late ping does no harm; undefined without a watchdog. */
function watchdogInterval(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const micros = Number(environment['WATCHDOG_USEC']);
  const isForThisProcess = [undefined, '', String(pid)].includes(environment['WATCHDOG_PID']);
  return isForThisProcess && micros > 0 ? micros / 3000 : undefined;
}
