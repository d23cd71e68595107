// The events that the page marks in its chart: found by comparing the status of two slots, newest last.

import type { ControlStatus } from '../../control/control-parts.ts';
import { isDown } from '../../export/collector-session.ts';
import { listExporters } from '../exporter-list.ts';

/** Events that are kept; the oldest is forgotten. */
export const EVENTS_MAX = 200;

/** `start`: the daemon started; `bridge`: packets of a bridge reach the daemon or not; `sampler`: another one; `collector`. */
export type EventKind = 'start' | 'bridge' | 'sampler' | 'collector';

export interface HistoryEvent {
  readonly kind: EventKind;
  /** On the monotonic clock. */
  readonly micros: number;
  readonly isGood: boolean;
  /** A short sentence without a full stop: `collector 10.0.0.5:4739 cannot be reached`. */
  readonly text: string;
}

/** Since when a collector cannot be reached, and why. */
export interface CollectorOutage {
  readonly sinceMicros: number;
  readonly reason: string | undefined;
}

/** What is compared. */
interface Facts {
  readonly hooks: ReadonlyMap<string, boolean>;
  readonly samplers: ReadonlyMap<string, readonly [sampler: string, reason: string]>;
}

type Source = Pick<ControlStatus, 'bridges'>;

export class EventList {
  readonly #events: HistoryEvent[] = [];
  #facts: Facts = { hooks: new Map(), samplers: new Map() };
  readonly #outages = new Map<string, CollectorOutage>();

  constructor(startMicros: number) {
    this.#events.push({ kind: 'start', micros: startMicros, isGood: true, text: 'ovs-ipfix started' });
  }

  /** The events, oldest first. */
  get list(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** The collectors that cannot be reached, by target. */
  get outages(): ReadonlyMap<string, CollectorOutage> {
    return this.#outages;
  }

  /** Compares the status with the last one. */
  compare(status: Source, micros: number): void {
    const facts = factsOf(status);
    for (const [bridge, isInstalled] of facts.hooks) {
      const before = this.#facts.hooks.get(bridge);
      if (before !== undefined && before !== isInstalled) {
        const text = `bridge ${bridge}: packets ${isInstalled ? '' : 'do not '}reach the daemon`;
        this.#add('bridge', micros, isInstalled, text);
      }
    }
    for (const [bridge, [sampler, reason]] of facts.samplers) {
      const before = this.#facts.samplers.get(bridge);
      if (before !== undefined && before[0] !== sampler) {
        this.#add('sampler', micros, sampler !== 'none', `bridge ${bridge}: sampler ${sampler}: ${reason}`);
      }
    }
    this.#facts = facts;
    this.#compareCollectors(status, micros);
  }

  #compareCollectors(status: Source, micros: number): void {
    const down = new Map<string, string | undefined>();
    const listed = new Set<string>();
    for (const { exporter } of listExporters(status)) {
      for (const { target, state, lastError } of exporter.collectors) {
        listed.add(target);
        if (isDown(state)) {
          down.set(target, lastError ?? down.get(target));
        }
      }
    }
    for (const [target, reason] of down) {
      const known = this.#outages.get(target);
      if (known === undefined) {
        this.#add('collector', micros, false, `collector ${target} cannot be reached`);
      }
      this.#outages.set(target, { sinceMicros: known?.sinceMicros ?? micros, reason });
    }
    for (const target of this.#outages.keys()) {
      if (!down.has(target)) {
        this.#outages.delete(target);
        if (listed.has(target)) {
          this.#add('collector', micros, true, `collector ${target} can be reached again`);
        }
      }
    }
  }

  #add(kind: EventKind, micros: number, isGood: boolean, text: string): void {
    this.#events.push({ kind, micros, isGood, text });
    if (this.#events.length > EVENTS_MAX) {
      this.#events.shift();
    }
  }
}

function factsOf({ bridges }: Source): Facts {
  return {
    hooks: new Map(bridges.map(({ bridge, session }) => [bridge, session.hook === 'installed'])),
    samplers: new Map(
      bridges.flatMap(({ bridge, samplerChoice: choice }) =>
        choice === undefined ? [] : [[bridge, [choice.sampler, choice.reason] as const]],
      ),
    ),
  };
}
