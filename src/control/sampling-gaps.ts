// The gaps of one bridge: times in which the daemon should have exported its packets and they did not reach it. Packets that a
// counter has, such as those that the meter dropped, are not in a gap. One begins at the last moment at which the hook was known
// to be installed: when the last packet arrived, at the last poll, or at the last proof (hook-proof.ts). It ends `SETTLE_MS` after
// the hook is installed and the row is the daemon's, or after the row was handed back.

import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { HookSight } from './bridge-session-options.ts';
import {
  type BegunGap,
  type EndedGap,
  type ExportBegin,
  endGap,
  firstGap,
  type GapCause,
  GapRecord,
  type Leaving,
  logGap,
  type SamplingGapsStatus,
  SETTLE_MS,
} from './gap-record.ts';

/** Cells of the times at which the hook was seen. */
const KNOWN = 0;
const LATEST = 1;
const PROVED = 2;

export interface SamplingGapsOptions {
  readonly bridge: string;
  readonly clock: Clock;
  /** The clock of the packet path, which is asked for each packet. */
  readonly sampleClock: Clock;
  readonly log: Logger;
  /** A gap of the daemon that was active before, which is logged already. */
  readonly previousGap: EndedGap | undefined;
}

export class SamplingGaps {
  readonly #options: SamplingGapsOptions;
  /** When the last batch arrived, the one before, and the last proof; in cells, as a double in a field would be an object. */
  readonly #seenMicros = new Float64Array(3);
  readonly #record = new GapRecord();
  /** Whether the daemon should export the packets of the bridge. */
  #isExpected = false;
  /** Whether the hook was installed when it was last seen. */
  #isInstalled = false;
  #open: BegunGap | undefined;
  #settling: Timer | undefined;

  constructor(options: SamplingGapsOptions) {
    this.#options = options;
    this.#seenMicros.fill(options.clock.monotonicMicros());
    if (options.previousGap !== undefined) {
      this.#record.add(options.previousGap);
    }
  }

  /**
   * Notes that a packet has arrived; runs for each. It may have waited since the batch before it, while this process was paused, and
   * the hook may be gone since then: the hook is known to have been installed at the time of that batch.
   */
  seen(): void {
    const times = this.#seenMicros;
    const nowMicros = this.#options.sampleClock.monotonicMicros();
    if (nowMicros !== times[LATEST]) {
      times[KNOWN] = times[LATEST]!;
      times[LATEST] = nowMicros;
    }
  }

  /** Notes that the hook was installed at this time (monotonic), unless it is known to be missing since. */
  prove(micros: number): void {
    this.#seenMicros[PROVED] = Math.max(this.#seenMicros[PROVED]!, micros);
  }

  /** Notes what is seen of the hook. */
  see(sight: HookSight): void {
    this.#isInstalled = sight === 'installed';
    if (!this.#isExpected) {
      return;
    }
    if (sight === 'installed') {
      this.seen();
      if (this.#open !== undefined) {
        this.#seenMicros.fill(this.#options.clock.monotonicMicros());
        this.#settle();
      }
    } else {
      this.#begin(sight === 'missing' ? 'hook' : 'connection');
    }
  }

  /** The daemon should export the packets of the bridge from now on. */
  expect(begin: ExportBegin): void {
    const { cause, sinceMicros } = firstGap(begin, this.#options.clock);
    this.#isExpected = true;
    this.#begin(cause, sinceMicros);
    if (this.#isInstalled) {
      this.#settle();
    }
  }

  /** The daemon should not export any more: its row belongs to ovs-vswitchd, or there is none. */
  expectNothing(): void {
    this.#isExpected = false;
    this.#close(0);
  }

  /**
   * The hook is removed, or left to another daemon. `endNow` follows when the row is handed back; a gap that is open when the row or its
   * bridge ends is one until now. `adoptingMicros`: since when the row is being adopted, if it is.
   */
  leave(leaving: Leaving, adoptingMicros?: number): void {
    const handsBack = leaving === 'handed back';
    if (leaving === 'ended') {
      this.#close(0);
    } else if (handsBack && this.#isExpected) {
      this.#begin('hand-back');
    } else if (handsBack && adoptingMicros !== undefined) {
      this.#begin('hand-back', adoptingMicros);
    } else {
      this.#forget();
    }
    this.#isExpected = false;
  }

  /** Ends an open gap without a timer, at a stop: the time in which the datapath follows is added. */
  endNow(): void {
    this.#close(SETTLE_MS);
  }

  status(): SamplingGapsStatus {
    return this.#record.status();
  }

  /** Begins a gap, by default when the hook was last known to be installed. An open one goes on. */
  #begin(cause: GapCause, sinceMicros = this.#lastKnownMicros()): void {
    this.#settling?.cancel();
    this.#settling = undefined;
    this.#open ??= { cause, sinceMicros };
  }

  #lastKnownMicros(): number {
    return Math.max(this.#seenMicros[KNOWN]!, this.#seenMicros[PROVED]!);
  }

  /** Everything is installed: an open gap ends when the datapath has followed. */
  #settle(): void {
    if (this.#settling === undefined) {
      this.#settling = this.#options.clock.setTimer(() => this.#close(0), SETTLE_MS);
    }
  }

  #forget(): void {
    this.#settling?.cancel();
    this.#settling = undefined;
    this.#open = undefined;
  }

  #close(settleMs: number): void {
    const open = this.#open;
    this.#forget();
    if (open === undefined) {
      return;
    }
    const { bridge, clock, log } = this.#options;
    const gap = endGap(clock, open, settleMs);
    this.#record.add(gap);
    logGap(log.limited(`gap ${bridge}`), `bridge ${bridge}:`, gap);
  }
}
