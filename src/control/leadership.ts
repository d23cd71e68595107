// Which of several daemons of one OVS is the active one. Locks of OVSDB (RFC 7047, section 4.1.8) say so and prove that their holder
// is alive. They are not rows, so ovs-vswitchd and ovn-controller do not notice.
//
//   lock               held by
//   -----------------  ---------------------------------------------------------------------------------------------------
//   ovs_ipfix          the active daemon; standby daemons queue for it
//   ovs_ipfix_deputy   the standby daemon that watches the active one; further ones queue for it. An active daemon that stops steals it
//                      for a moment when it has handed its rows back, as its last sign of life
//   ovs_ipfix_alive    the active daemon; the deputy steals it again and again, and the active daemon steals it back
//   ovs_ipfix_release  `ovs-ipfix release` while it runs: by it a daemon knows that no other daemon took its lock
//
// A deputy from which `ovs_ipfix_alive` is not stolen back for `TAKEOVER_MS` takes over: the holder is frozen, or cut off from the
// database. The holder acts only with a valid lease (leader-lease.ts), which ends sooner. Each measures on its own clock.

import type { OvsdbClient } from '../ovsdb-client/index.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { DeputyWatch } from './deputy-watch.ts';
import { LEASE_MS, LeaderLease } from './leader-lease.ts';
import {
  ALIVE_LOCK_NAME,
  DEPUTY_LOCK_NAME,
  isLockHeld,
  LOCK_NAME,
  leaveLock,
  RELEASE_LOCK_NAME,
} from './locks.ts';
import type { SampleAdmission } from './sample-gate.ts';

/** Milliseconds between two checks of a lease, and between two signs of a deputy. */
export const LEASE_TICK_MS = 250;

/** waiting: another ovs-ipfix has the lock; lost: another client took it; after `release` it is not requested again. */
export type LockState = 'none' | 'waiting' | 'held' | 'lost';

/** The leadership, for operators. */
export interface LeadershipStatus {
  readonly lock: LockState;
  /** Whether the daemon may sample and write: it is the active one, and can prove it. */
  readonly isLeading: boolean;
  /** Whether another daemon is ready to take over. */
  readonly hasStandby: boolean;
}

export interface LeadershipOptions {
  readonly clock: Clock;
  /** The clock of the packet path, read once a batch. */
  readonly sampleClock: Clock;
  readonly log: Logger;
  /** How to get the lock: `compete` as the daemon does, `queue` without watching the holder, or take it from its holder. */
  readonly lock: 'compete' | 'queue' | 'steal';
  /** Whether the end of a session means that its client is gone, as on this host: it does not over a network. */
  readonly endsWithClient: () => boolean;
  /** Called when `lock` or `isLeading` may have changed. */
  readonly onChange: () => void;
}

export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #lease: LeaderLease;
  readonly #deputy: DeputyWatch;
  #lock: LockState = 'none';
  #client: OvsdbClient | undefined;
  /** Of the next check of the lease; before the lock is held, of the end of the wait for it. */
  #timer: Timer | undefined;
  /** Since when the lock is held without a valid lease. */
  #doubtedMicros: number | undefined;
  /** When the previous holder was last known to live; at first, the start of this process. */
  #previousEndMicros: number | undefined = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#lease = new LeaderLease(options.sampleClock);
    this.#deputy = new DeputyWatch({ ...options, onSilence: (client) => this.#takeOver(client) });
  }

  get lock(): LockState {
    return this.#lock;
  }

  /** Whether the daemon may sample and write; it goes on without a database, as long as no standby can take over. */
  get isLeading(): boolean {
    return (this.#lock === 'held' || this.#lock === 'none') && this.#lease.isValid;
  }

  /** Whether samples may be processed; while the lock is held without a valid lease, only the answer of the database tells. */
  get admission(): SampleAdmission {
    if (this.isLeading) {
      return 'active';
    }
    return this.#lock === 'held' && this.#client?.end === undefined ? 'unproved' : 'other';
  }

  /** Returns once after each take-over, and after the start of the process, since when no daemon may have exported (monotonic). */
  takePreviousEnd(): number | undefined {
    const micros = this.#previousEndMicros;
    this.#previousEndMicros = undefined;
    return micros;
  }

  /** When the holder of the lock was last known to live (monotonic); 0 while this daemon is not its standby. */
  get holderAliveMicros(): number {
    return this.#deputy.aliveMicros;
  }

  status(): LeadershipStatus {
    return { lock: this.#lock, isLeading: this.isLeading, hasStandby: this.#lease.hasStandby };
  }

  /** Requests the lock over a new session, unless it is lost. Rejects with the end of the session. */
  async attach(client: OvsdbClient): Promise<void> {
    // Locks are in the memory of ovsdb-server: after its restart, the previous holder may still act.
    const mayBeHeld = this.#lock === 'waiting';
    this.#client = client;
    if (this.#lock !== 'lost') {
      await this.#request(client, mayBeHeld);
    }
  }

  /** Requests a lost lock again. Rejects with the end of the session. */
  async resync(client: OvsdbClient): Promise<void> {
    if (this.#lock === 'lost') {
      this.#lock = 'none';
      await this.#request(client, false);
    }
  }

  /**
   * Shows life to a standby once more, at a stop, after the rows are handed back: this daemon has done what the standby has seen of them
   * until then, and logs that gap itself. Resolves also if the session ends.
   */
  async showLastLife(): Promise<void> {
    const client = this.#client;
    if (
      client === undefined ||
      client.end !== undefined ||
      this.#lock !== 'held' ||
      !this.#lease.hasStandby
    ) {
      return;
    }
    try {
      await client.steal(DEPUTY_LOCK_NAME);
      await leaveLock(client, DEPUTY_LOCK_NAME);
    } catch (error) {
      this.#options.log.debug(`no last sign of life was given: ${reasonOf(error)}`);
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#deputy.stop();
  }

  async #request(client: OvsdbClient, mayBeHeld: boolean): Promise<void> {
    if (this.#options.lock === 'steal') {
      await client.lock(RELEASE_LOCK_NAME);
      await client.steal(LOCK_NAME, (isHeld) => this.#lockChanged(client, isHeld, false));
    } else {
      const mustWait = () => mayBeHeld || (this.#lock === 'waiting' && !this.#options.endsWithClient());
      await client.lock(LOCK_NAME, (isHeld) => this.#lockChanged(client, isHeld, mustWait()));
    }
  }

  /** Handles changes of the lock, in the order received. The end of a session releases it: another client did not take it. */
  #lockChanged(client: OvsdbClient, isHeld: boolean, mustWait: boolean): void {
    const before = this.#lock;
    if (client.end !== undefined) {
      this.#lock = 'none';
    } else if (!isHeld) {
      this.#lock = before === 'held' ? 'lost' : 'waiting';
    } else if (before !== 'lost') {
      if (before === 'waiting') {
        this.#previousEndMicros = this.#deputy.aliveMicros;
      }
      if (mustWait) {
        this.#lock = 'waiting';
        this.#timer = this.#options.clock.setTimer(() => this.#waited(client), LEASE_MS);
      } else {
        this.#hold(client);
      }
    }
    if (this.#lock === 'waiting' && !isHeld) {
      this.#standBy(client, before === 'waiting');
    } else if (this.#lock === 'lost' && before === 'held') {
      this.#lose(client);
    }
    this.#options.onChange();
  }

  /** The lease of a holder that may still act has ended. */
  #waited(client: OvsdbClient): void {
    if (client.end === undefined && client.hasLock(LOCK_NAME)) {
      this.#hold(client);
      this.#options.onChange();
    }
  }

  #hold(client: OvsdbClient): void {
    const { clock, lock } = this.#options;
    this.#deputy.stop();
    this.#lock = 'held';
    this.#lease.prove(clock.monotonicMicros());
    this.#doubtedMicros = undefined;
    if (lock === 'compete') {
      this.#showLife(client);
      this.#arm();
    }
  }

  #lose(client: OvsdbClient): void {
    const { log } = this.#options;
    this.#lease.end();
    this.#timer?.cancel();
    log.warn('another client took the lock of the active daemon; export stopped');
    this.#run('the lock is not requested again', this.#queueAgain(client));
  }

  #standBy(client: OvsdbClient, isKnown: boolean): void {
    this.#lease.end();
    this.#timer?.cancel();
    if (!isKnown) {
      this.#options.log.warn('another ovs-ipfix has the lock of the active daemon; standing by');
    }
    if (this.#options.lock === 'compete') {
      this.#run('the active daemon is not watched', this.#deputy.start(client));
    }
  }

  /**
   * Leaves the queue of a lost lock, in which the previous holder stays before standby daemons, and joins its end as a standby; not
   * while `release` runs, which would be undone.
   */
  async #queueAgain(client: OvsdbClient): Promise<void> {
    await leaveLock(client, LOCK_NAME);
    await leaveLock(client, ALIVE_LOCK_NAME);
    if (await isLockHeld(client, RELEASE_LOCK_NAME)) {
      this.#options.log.warn(
        '"ovs-ipfix release" was run; export stopped until "ovs-appctl -t ovs-ipfix readopt" or a restart',
      );
    } else {
      await this.resync(client);
    }
  }

  /** Takes the lock from a holder that gives no sign of life. */
  async #takeOver(client: OvsdbClient): Promise<void> {
    this.#options.log.warn(
      'the active ovs-ipfix does not answer: it is frozen, or cut off from the database; taking over',
    );
    await leaveLock(client, LOCK_NAME);
    await client.steal(LOCK_NAME, (isHeld) => this.#lockChanged(client, isHeld, false));
  }

  /** Takes the lock that shows life; only a living holder steals it back from a deputy. */
  #showLife(client: OvsdbClient): void {
    const steal = async () => {
      await leaveLock(client, ALIVE_LOCK_NAME);
      const sentMicros = this.#options.clock.monotonicMicros();
      await client.steal(ALIVE_LOCK_NAME, (isHeld) => {
        if (!isHeld && client.end === undefined && this.#lock === 'held') {
          this.#lease.seeStandby();
          this.#showLife(client);
        }
      });
      this.#prove(client, sentMicros);
    };
    this.#run('no sign of life was given', steal());
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => this.#tick(), LEASE_TICK_MS);
  }

  #tick(): void {
    this.#arm();
    const client = this.#client;
    const needsProof = this.#lease.tick();
    this.#noteDoubt();
    if (needsProof && client !== undefined && client.end === undefined && this.#lock === 'held') {
      const sentMicros = this.#options.clock.monotonicMicros();
      const asked = client.request('echo', []).then(() => this.#prove(client, sentMicros));
      this.#run('the lock is not proved', asked);
    }
  }

  /** The database has answered: had the lock been taken before the request, its loss would have come first. */
  #prove(client: OvsdbClient, sentMicros: number): void {
    if (this.#lock === 'held' && client === this.#client && client.hasLock(LOCK_NAME)) {
      this.#lease.prove(sentMicros);
      this.#noteDoubt();
    }
  }

  /** Logs the time in which samples waited because the lock was not proved. */
  #noteDoubt(): void {
    const { clock, log, onChange } = this.#options;
    const repeated = log.limited('lease');
    const nowMicros = clock.monotonicMicros();
    const { isValid } = this.#lease;
    if (isValid && this.#doubtedMicros !== undefined) {
      const ms = Math.round((nowMicros - this.#doubtedMicros) / 1000);
      this.#doubtedMicros = undefined;
      repeated.warn(`still the active daemon; samples waited for ${ms} ms, until that was proved`);
      onChange();
    } else if (!isValid && this.#doubtedMicros === undefined) {
      this.#doubtedMicros = nowMicros;
      repeated.warn(
        'the database does not confirm that this daemon is the active one; samples wait until it does',
      );
      onChange();
    }
  }

  /** Runs requests whose failure is the end of the session, which its keeper reports. */
  #run(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.log.debug(`${what}: ${reasonOf(error)}`));
  }
}
