// Notices that samples of the datapath cannot arrive because the daemon has no socket or no own rows: the database may lack the
// table, refuse the rows, or have no free id for them. Pure but for the time, which its caller passes.

import type { Condition } from '../config/condition.ts';

/** What a bridge needs before the datapath can sample it. */
export interface OwnRowsFacts {
  /** Undefined while there is no socket. */
  readonly port: number | undefined;
  readonly hasOwnSet: boolean;
  /** Why the last attempt to write the own rows failed; undefined if it did not, or before the first. */
  readonly refusal: string | undefined;
}

/** Milliseconds without a socket or own rows before the bridge is sampled otherwise. */
export const NO_ROWS_MS = 2000;

export class OwnRowsWatch {
  #sinceMs: number | undefined;
  #fault: string | undefined;

  /** Why the bridge has no own rows, as a clause; undefined if it has them, or may have them soon. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Takes the facts, some times a second. */
  check({ port, hasOwnSet, refusal }: OwnRowsFacts, nowMs: number): void {
    const cause = port === undefined ? 'no socket could be opened on 127.0.0.1' : refusal;
    if (hasOwnSet || cause === undefined) {
      this.#sinceMs = undefined;
      this.#fault = undefined;
      return;
    }
    this.#sinceMs ??= nowMs;
    this.#fault = nowMs - this.#sinceMs >= NO_ROWS_MS ? cause : undefined;
  }

  /** The bridge needs no own rows. */
  reset(): void {
    this.#sinceMs = undefined;
    this.#fault = undefined;
  }
}

/** What is sampled otherwise, or not, and the consequence as the end of a sentence; `fault` is as in `OwnRowsWatch`. */
export interface Unreachable extends Pick<Condition, 'where' | 'severity'> {
  readonly fault: string | undefined;
  readonly consequence: string;
}

/** Returns the condition of a bridge whose datapath should sample, and whose samples do not arrive. */
export function unreachableCondition(
  bridge: string,
  { fault, consequence, ...about }: Unreachable,
): Condition {
  if (fault === undefined) {
    return {
      ...about,
      code: 'datapath-unreachable',
      message: `Samples of the datapath do not arrive, ${consequence}`,
      action: "ovs-vswitchd cannot reach the daemon's socket: share its network namespace.",
    };
  }
  return {
    ...about,
    code: 'no-own-rows',
    message: `The datapath cannot sample (${fault}), ${consequence}`,
    action:
      'Let the daemon write its own rows in IPFIX and Flow_Sample_Collector_Set, or choose packet-ins with ' +
      `"ovs-vsctl set Bridge ${bridge} external_ids:ovs-ipfix-sampler=packet-in".`,
  };
}

/** Returns the condition of a bridge that the datapath cannot sample; `isSampled`: packet-ins do meanwhile. */
export function unreachableBridge(bridge: string, fault: string | undefined, isSampled: boolean): Condition {
  const consequence = isSampled
    ? 'so its packets are sampled by packet-ins.'
    : 'and it has no meters: it is not sampled.';
  const severity = isSampled ? 'warning' : 'error';
  return unreachableCondition(bridge, { where: `Bridge ${bridge}`, fault, severity, consequence });
}
