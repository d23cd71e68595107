// The watch of a standby daemon over the active one: it steals the lock that shows life, and a living holder steals it back.

import type { OvsdbClient } from '../ovsdb-client/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { ALIVE_LOCK_NAME, DEPUTY_LOCK_NAME, leaveLock } from './locks.ts';

export interface DeputyWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when the holder has given no sign of life for `TAKEOVER_MS`. */
  readonly onSilence: (client: OvsdbClient) => Promise<void>;
}

/** Milliseconds without a sign of life after which a standby takes over: longer than a lease. */
export const TAKEOVER_MS = 1600;
const WATCH_TICK_MS = 250;

export class DeputyWatch {
  readonly #options: DeputyWatchOptions;
  #client: OvsdbClient | undefined;
  #timer: Timer | undefined;
  /** Whether the holder takes part: one of an earlier version does not. */
  #isWatchable = false;
  /** When the lock that shows life was stolen last. */
  #stolenMicros = 0;
  /** When the holder last gave a sign of life: it stole the lock back, or that of the deputy at its stop. */
  #aliveMicros = 0;

  constructor(options: DeputyWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch over a session, once no other standby does. Rejects with the end of the session. */
  async start(client: OvsdbClient): Promise<void> {
    if (this.#client === client) {
      return;
    }
    let wasHeld = false;
    this.#timer?.cancel();
    this.#client = client;
    this.#isWatchable = false;
    this.#aliveMicros ||= this.#options.clock.monotonicMicros();
    await leaveLock(client, DEPUTY_LOCK_NAME);
    if (this.#client !== client) {
      return;
    }
    await client.lock(DEPUTY_LOCK_NAME, (isHeld) => {
      if (isHeld && this.#client === client) {
        wasHeld = true;
        this.#arm(client);
      } else if (wasHeld && client.end === undefined && this.#client === client) {
        this.#stolen(client);
      }
    });
  }

  /** When the holder last gave a sign of life; when the watch began if it has given none. */
  get aliveMicros(): number {
    return this.#aliveMicros;
  }

  /** Ends the watch, so that another standby may watch. */
  stop(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#aliveMicros = 0;
    this.#timer?.cancel();
    if (client !== undefined && client.end === undefined) {
      leaveLock(client, DEPUTY_LOCK_NAME).catch((error: unknown) => this.#note(error));
    }
  }

  /** The holder has taken the lock of the deputy for a moment, as its last sign of life. The watch begins again. */
  #stolen(client: OvsdbClient): void {
    this.#aliveMicros = this.#options.clock.monotonicMicros();
    this.#client = undefined;
    this.start(client).catch((error: unknown) => this.#note(error));
  }

  #arm(client: OvsdbClient): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => {
      this.#watch(client)
        .catch((error: unknown) => this.#note(error))
        .finally(() => {
          if (this.#client === client && client.hasLock(DEPUTY_LOCK_NAME)) {
            this.#arm(client);
          }
        });
    }, WATCH_TICK_MS);
  }

  /** Takes one look. What the server sends before a reply was sent before the request was read, so the order shows who acts. */
  async #watch(client: OvsdbClient): Promise<void> {
    if (!this.#isWatchable && !(await this.#findHolder(client))) {
      return;
    }
    const { clock } = this.#options;
    if (!client.hasLock(ALIVE_LOCK_NAME)) {
      await leaveLock(client, ALIVE_LOCK_NAME);
      this.#stolenMicros = clock.monotonicMicros();
      await client.steal(ALIVE_LOCK_NAME, (isHeld) => {
        // The end of the session is not a sign of life.
        if (!isHeld && client.end === undefined) {
          this.#aliveMicros = clock.monotonicMicros();
        }
      });
      return;
    }
    const askedMicros = clock.monotonicMicros();
    await client.request('echo', []);
    const isSilent =
      client.hasLock(ALIVE_LOCK_NAME) && askedMicros - this.#stolenMicros >= TAKEOVER_MS * 1000;
    if (isSilent && this.#client === client) {
      await this.#options.onSilence(client);
    }
  }

  /** Whether the holder shows life, by a lock that is not free. */
  async #findHolder(client: OvsdbClient): Promise<boolean> {
    await leaveLock(client, ALIVE_LOCK_NAME);
    const isFree = await client.lock(ALIVE_LOCK_NAME);
    await client.unlock(ALIVE_LOCK_NAME);
    this.#isWatchable = !isFree;
    return this.#isWatchable;
  }

  /** The end of a session, which its keeper reports. */
  #note(error: unknown): void {
    this.#options.log.debug(`the active daemon is not watched: ${reasonOf(error)}`);
  }
}
