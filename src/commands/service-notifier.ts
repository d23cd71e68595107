// What systemd is told of a daemon that it started (sd_notify(3)): that it runs, what it waits for, that it is alive, and
// that it stops. Used by `run`. Without NOTIFY_SOCKET in the environment nothing is told. Node has no datagram sockets of
// the unix family, so systemd-notify(1) speaks for us; the unit has NotifyAccess=all for that reason.

import { execFile } from 'node:child_process';
import type { Clock, Timer } from '../runtime/clock.ts';

/** Milliseconds after which a systemd-notify that hangs is ended. */
const NOTIFY_TIMEOUT_MS = 5000;
/** Milliseconds between two looks at the state where the unit has no watchdog. */
const STATUS_INTERVAL_MS = 10_000;

/** What the notifier is handed. */
export interface ServiceNotifierOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly clock: Clock;
  /** One sentence about the state, for `systemctl status`. */
  readonly state: () => string;
  /** Hears once of a notification that could not be sent, and not again until one could. */
  readonly onFault: (sentence: string) => void;
}

/** Tells systemd about the process; `start`, then `stop` before the process ends. */
export class ServiceNotifier {
  readonly #options: ServiceNotifierOptions;
  readonly #isWanted: boolean;
  readonly #watchdogMs: number | undefined;
  #timer: Timer | undefined;
  #told = '';
  #isFaulty = false;

  constructor(options: ServiceNotifierOptions) {
    this.#options = options;
    this.#isWanted = Boolean(options.environment['NOTIFY_SOCKET']);
    this.#watchdogMs = this.#isWanted ? watchdogInterval(options.environment, options.pid) : undefined;
  }

  /** Says that the service runs. Whether OVS can be reached is a matter of its state and no reason for a failed start. */
  async start(): Promise<void> {
    if (!this.#isWanted) {
      return;
    }
    this.#told = this.#options.state();
    await this.#send(['READY=1', `STATUS=${this.#told}`]);
    this.#schedule();
  }

  /** Says that the service stops; no watchdog is fed any more, so a stop that hangs is ended by systemd. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isWanted) {
      await this.#send(['STOPPING=1', 'STATUS=Flushing caches and handing rows back.']);
    }
  }

  // The next look is planned by the event loop that carries the packets: where that hangs, the watchdog hungers.
  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#schedule();
      const state = this.#options.state();
      const news = this.#watchdogMs === undefined ? [] : ['WATCHDOG=1'];
      if (state !== this.#told) {
        news.push(`STATUS=${state}`);
      }
      this.#told = state;
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
            onFault(`systemd cannot be told ${news.join(', ')}: ${error.message.trim()}`);
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
  const isForUs = [undefined, '', String(pid)].includes(environment['WATCHDOG_PID']);
  return isForUs && micros > 0 ? micros / 3000 : undefined;
}
