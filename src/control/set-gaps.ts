// The gaps of one bridge's collector sets: times in which the daemon should have exported a set's samples and they did not reach it.
// Sets of a bridge have most gaps together, as when ovs-vswitchd restarts, and share a line of the log. A gap begins when samples
// were last known to arrive: at the last tick before the connection ended, or when the row was written. It ends `SETTLE_MS` after
// the bridge is connected, its flows are rewritten, and the row of a redirected set has the daemon's socket.

import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import {
  type BegunGap,
  type EndedGap,
  endGap,
  firstGap,
  type GapCause,
  GapRecord,
  type Leaving,
  logGap,
  type SamplingGapsStatus,
  SETTLE_MS,
} from './gap-record.ts';

/** A set that the daemon exports for: its row is adopted, redirected or native. */
export interface ExportedSet {
  readonly collectorSetId: number;
  /** Whether its samples can arrive: it has an exporter, and a redirected row has the daemon's socket. */
  readonly isReachable: boolean;
  /** Whether its samples come by its row instead of packet-ins. */
  readonly isRedirected: boolean;
  /** Whether its row was to be taken over until now. */
  readonly isTakenOver: boolean;
}

export interface SetGapsOptions {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** When the last changes of rows were sent, monotonic. */
  readonly writtenMicros: () => number;
  /** When the previous daemon has ended, monotonic; undefined: it is not known. */
  readonly previousEndMicros: number | undefined;
}

interface OpenGap extends BegunGap {
  /** Since when samples arrive again; undefined while they do not. */
  settledMicros: number | undefined;
}

interface GapSet {
  exported: ExportedSet;
  open: OpenGap | undefined;
  readonly record: GapRecord;
}

/** Milliseconds between two ticks. */
const TICK_MS = 250;

export class SetGaps {
  readonly #options: SetGapsOptions;
  readonly #sets = new Map<number, GapSet>();
  /** Whether the bridge is connected and everything was installed since. */
  #isUp = false;
  #isConfigured = false;
  #isLeft = false;
  /** The last tick, and the one before: a process that was paused may tick before it reads that the connection has ended. */
  #tickMicros: number;
  #knownMicros: number;
  #ticking: Timer | undefined;
  #settling: Timer | undefined;

  constructor(options: SetGapsOptions) {
    this.#options = options;
    this.#tickMicros = options.clock.monotonicMicros();
    this.#knownMicros = this.#tickMicros;
  }

  /** Takes the sets that the daemon exports for. */
  configure(exported: readonly ExportedSet[]): void {
    const ids = new Set(exported.map(({ collectorSetId }) => collectorSetId));
    this.#close(
      [...this.#sets].filter(([id]) => !ids.has(id)).map(([, set]) => set),
      0,
    );
    for (const id of this.#sets.keys()) {
      if (!ids.has(id)) {
        this.#sets.delete(id);
      }
    }
    for (const each of exported) {
      const set = this.#sets.get(each.collectorSetId);
      if (set === undefined) {
        this.#sets.set(each.collectorSetId, {
          exported: each,
          open: this.#firstGap(each),
          record: new GapRecord(),
        });
      } else {
        set.exported = each;
      }
    }
    this.#isConfigured = true;
    this.#evaluate();
    if (this.#sets.size > 0) {
      this.#ticking ??= this.#arm();
    } else {
      this.#stopTicking();
    }
  }

  /** The bridge is connected and everything is installed. */
  installed(): void {
    if (!this.#isUp) {
      this.#isUp = true;
      this.#evaluate();
    }
  }

  /** The bridge has lost its connection. */
  disconnected(): void {
    if (this.#isUp) {
      this.#isUp = false;
      this.#evaluate();
    }
  }

  /** Samples do not come any more. `endNow` follows when the rows are handed back; open gaps of ended rows end now. */
  leave(leaving: Leaving): void {
    this.#isLeft = true;
    this.#stopTicking();
    this.#settling?.cancel();
    this.#settling = undefined;
    if (leaving === 'ended') {
      this.#close([...this.#sets.values()], 0);
    }
    if (leaving !== 'handed back') {
      this.#sets.clear();
    }
    for (const set of this.#sets.values()) {
      if (!set.exported.isRedirected) {
        this.#begin(set, 'hand-back');
      }
    }
  }

  /** The rows were handed back, at a stop: the gaps end when the datapath has followed. */
  endNow(): void {
    const writtenMicros = this.#options.writtenMicros();
    for (const set of this.#sets.values()) {
      this.#begin(set, 'hand-back', writtenMicros);
    }
    this.#close([...this.#sets.values()], SETTLE_MS);
    this.#sets.clear();
  }

  /** Returns the gaps of a set; undefined for one that the daemon does not export for. */
  status(collectorSetId: number): SamplingGapsStatus | undefined {
    return this.#sets.get(collectorSetId)?.record.status();
  }

  /** The gap with which the export of a set begins. */
  #firstGap({ isTakenOver }: ExportedSet): OpenGap {
    const { clock, previousEndMicros, writtenMicros } = this.#options;
    const begin = {
      isTakenOver,
      writtenMicros: writtenMicros(),
      previousEndMicros: this.#isConfigured ? undefined : previousEndMicros,
    };
    return { ...firstGap(begin, clock), settledMicros: undefined };
  }

  /** Begins a gap, by default when samples were last known to arrive; an open one goes on. */
  #begin(set: GapSet, cause: GapCause, sinceMicros = this.#knownMicros): void {
    set.open ??= { cause, sinceMicros, settledMicros: undefined };
  }

  #evaluate(): void {
    if (this.#isLeft) {
      return;
    }
    const nowMicros = this.#options.clock.monotonicMicros();
    for (const set of this.#sets.values()) {
      const isCollected = this.#isUp && set.exported.isReachable;
      if (!isCollected) {
        this.#begin(set, this.#isUp ? 'redirection' : 'connection');
      }
      if (set.open !== undefined) {
        set.open.settledMicros = isCollected ? (set.open.settledMicros ?? nowMicros) : undefined;
      }
    }
    this.#settle();
  }

  /** Closes the gaps that have settled, and comes back for those that settle. */
  #settle(): void {
    const nowMicros = this.#options.clock.monotonicMicros();
    const isSettled = ({ open }: GapSet) =>
      open?.settledMicros !== undefined && nowMicros - open.settledMicros >= SETTLE_MS * 1000;
    this.#close([...this.#sets.values()].filter(isSettled), 0);
    const isSettling = [...this.#sets.values()].some(({ open }) => open?.settledMicros !== undefined);
    if (isSettling && this.#settling === undefined) {
      this.#settling = this.#options.clock.setTimer(() => {
        this.#settling = undefined;
        this.#settle();
      }, SETTLE_MS);
    }
  }

  /** Ends open gaps `settleMs` from now; those that began together share a line of the log. */
  #close(sets: readonly GapSet[], settleMs: number): void {
    const { bridge, clock, log } = this.#options;
    const groups = new Map<string, { readonly gap: EndedGap; readonly ids: number[] }>();
    for (const set of sets) {
      const { open, exported, record } = set;
      set.open = undefined;
      if (open === undefined) {
        continue;
      }
      const key = `${open.cause} ${open.sinceMicros}`;
      const group = groups.get(key) ?? { gap: endGap(clock, open, settleMs), ids: [] };
      group.ids.push(exported.collectorSetId);
      groups.set(key, group);
      record.add(group.gap);
    }
    for (const { gap, ids } of groups.values()) {
      const what = ids.length === 1 ? `collector set ${ids[0]}` : `${ids.length} collector sets`;
      logGap(log.limited(`set gaps ${bridge}`), `bridge ${bridge}: ${what}`, gap);
    }
  }

  #arm(): Timer {
    return this.#options.clock.setTimer(() => {
      this.#knownMicros = this.#tickMicros;
      this.#tickMicros = this.#options.clock.monotonicMicros();
      this.#ticking = this.#arm();
    }, TICK_MS);
  }

  #stopTicking(): void {
    this.#ticking?.cancel();
    this.#ticking = undefined;
  }
}
