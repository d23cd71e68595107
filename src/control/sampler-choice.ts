// Chooses the sampler of a bridge: packet-ins through a meter, which are exact while none is dropped, or the datapath, whose
// samples are right at any rate. Pure but for the time, which its caller passes; docs/sampling.md has the rules.

import type { SamplerPolicy } from '../config/bridge-keys.ts';

/** A sampler; `none`: the bridge can have neither now. */
export type SamplerName = 'packet-in' | 'datapath' | 'none';

/** Whether samples of the datapath reach the daemon. */
export type PathState = 'untested' | 'good' | 'failed';

/** What the choice depends on. */
export interface SamplerFacts {
  readonly policy: SamplerPolicy;
  readonly hasKernelDatapath: boolean;
  /** Whether the bridge has meters; undefined while it is not connected. */
  readonly hasMeters: boolean | undefined;
  /** Whether packet-ins are allowed without meters (`--unmetered=allow`). */
  readonly allowsUnmetered: boolean;
  readonly path: PathState;
}

/** The sampler now and why; `sinceMicros` is wall time. */
export interface ChosenSampler {
  readonly sampler: SamplerName;
  readonly sinceMicros: number;
  readonly reason: string;
  /** Changes since the start. */
  readonly changes: number;
}

/** Seconds in which the meter drops packets before `auto` has the datapath sample, within `DROP_WINDOW_SECONDS`. */
export const DROP_SECONDS = 2;
/** Seconds that these may be apart: pauses between bursts do not make the counts right. */
export const DROP_WINDOW_SECONDS = 10;
/** Seconds of a low packet rate before `auto` returns to packet-ins. */
export const QUIET_SECONDS = 60;
/** The largest low packet rate, as a share of `ovs-ipfix-max-rate`. */
const QUIET_SHARE = 0.5;

export class SamplerChoice {
  #facts: SamplerFacts | undefined;
  #isOverloaded = false;
  /** A bit for each of the last seconds, the newest lowest: whether the meter dropped packets in it. */
  #drops = 0;
  #quietSeconds = 0;
  #status: ChosenSampler;

  constructor(wallMicros: number) {
    this.#status = { sampler: 'packet-in', sinceMicros: wallMicros, reason: 'start', changes: 0 };
  }

  /** The sampler now. */
  get sampler(): SamplerName {
    return this.#status.sampler;
  }

  /** Whether the datapath would sample if its samples arrived. */
  get prefersDatapath(): boolean {
    return this.#facts !== undefined && preference(this.#facts, this.#isOverloaded)[0] === 'datapath';
  }

  status(): ChosenSampler {
    return this.#status;
  }

  /** Takes changed facts. Returns whether the sampler has changed. */
  setFacts(facts: SamplerFacts, wallMicros: number): boolean {
    this.#facts = facts;
    return this.#choose(wallMicros);
  }

  /**
   * Takes what one second has brought: whether the hook's meter dropped packets, and the packets of the bridge; undefined if
   * they are not known. Returns whether the sampler has changed.
   */
  passSecond(
    {
      hasDropped,
      packetRate,
      maxSampleRate,
    }: {
      readonly hasDropped: boolean;
      readonly packetRate: number | undefined;
      readonly maxSampleRate: number;
    },
    wallMicros: number,
  ): boolean {
    const isQuiet = packetRate !== undefined && packetRate < maxSampleRate * QUIET_SHARE;
    this.#drops = ((this.#drops << 1) | (hasDropped ? 1 : 0)) & (2 ** DROP_WINDOW_SECONDS - 1);
    this.#quietSeconds = isQuiet ? this.#quietSeconds + 1 : 0;
    if (countBits(this.#drops) >= DROP_SECONDS) {
      this.#isOverloaded = true;
      this.#quietSeconds = 0;
    } else if (this.#quietSeconds >= QUIET_SECONDS) {
      this.#isOverloaded = false;
    }
    return this.#choose(wallMicros);
  }

  #choose(wallMicros: number): boolean {
    if (this.#facts === undefined) {
      return false;
    }
    const [sampler, reason] = choose(this.#facts, this.#isOverloaded);
    const { sampler: before, sinceMicros, changes } = this.#status;
    const isChanged = sampler !== before;
    this.#status = isChanged
      ? { sampler, sinceMicros: wallMicros, reason, changes: changes + 1 }
      : { sampler, sinceMicros, reason, changes };
    return isChanged;
  }
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) {
    count += 1;
  }
  return count;
}

/** Returns the sampler and the reason for it. */
function choose(facts: SamplerFacts, isOverloaded: boolean): readonly [SamplerName, string] {
  const { hasMeters = true, allowsUnmetered, path } = facts;
  const preferred = preference(facts, isOverloaded);
  if (preferred[0] === 'packet-in' || path === 'good') {
    return preferred;
  }
  const why =
    path === 'failed' ? 'samples of the datapath do not arrive' : 'the way of samples is not tested yet';
  return hasMeters || allowsUnmetered ? ['packet-in', why] : ['none', `${why}, and the bridge has no meters`];
}

function preference(
  { policy, hasKernelDatapath, hasMeters = true }: SamplerFacts,
  isOverloaded: boolean,
): readonly [SamplerName, string] {
  if (policy !== 'auto') {
    return [policy, 'ovs-ipfix-sampler'];
  }
  if (hasKernelDatapath) {
    return ['datapath', 'kernel datapath'];
  }
  if (!hasMeters) {
    return ['datapath', 'no meters'];
  }
  return isOverloaded ? ['datapath', 'meter dropped'] : ['packet-in', 'the packet rate is low'];
}
