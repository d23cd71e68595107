// What the demo asks of a source of traffic; there is one with real interfaces and one that hands frames to the switch.

import type { Counts } from './kinds.ts';
import type { PrivateOvs, PrivateOvsOptions } from './private-ovs.ts';
import type { Write } from './text.ts';

/** The demo's one bridge. */
export const BRIDGE = 'br0';

/** What a source is given. */
export interface TrafficParts {
  readonly ovs: PrivateOvs;
  readonly write: Write;
}

/** A source of traffic. Calls come in the order of the declaration. */
export interface Traffic {
  /** How the switch has to be started. */
  readonly switchOptions: PrivateOvsOptions;
  /** The two ports, as arguments of ovs-vsctl. */
  readonly portArguments: readonly string[];
  /** Called when packets are exported: from here on packets may come, and none before. */
  begin(parts: TrafficParts): Promise<void>;
  /** A round of everything, in a second or two; `number` counts from 1. */
  round(parts: TrafficParts, number: number): Promise<void>;
  /** A few packets more, and then none for ever. */
  finish(parts: TrafficParts): Promise<void>;
  /** What was sent so far, where that is known exactly. */
  sent(): Counts | undefined;
  /** Frees what it has taken from the machine. Safe at any time, and to repeat. */
  stop(): Promise<void>;
}
