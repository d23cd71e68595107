// The interface of the demo's traffic sources: one uses network namespaces, one injects frames.

import type { Counts } from './kinds.ts';
import type { PrivateOvs, PrivateOvsOptions } from './private-ovs.ts';
import type { Write } from './text.ts';

/** The demo's one bridge. */
export const BRIDGE = 'br0';

/** Options of a source. */
export interface TrafficParts {
  readonly ovs: PrivateOvs;
  readonly write: Write;
}

/** A source of traffic. Methods are called in the order of their declaration. */
export interface Traffic {
  /** How to start the switch. */
  readonly switchOptions: PrivateOvsOptions;
  /** The ports, as arguments of ovs-vsctl. */
  readonly portArguments: readonly string[];
  /** Called when packets are exported; no packet is sent before. */
  begin(parts: TrafficParts): Promise<void>;
  /** Sends one round of all kinds in a second or two. */
  round(parts: TrafficParts): Promise<void>;
  /** Called each second after the round: sends traffic whose rates change, or has it sent. */
  go(parts: TrafficParts, seconds: number): Promise<void>;
  /** Ends the traffic and sends a few last packets. */
  finish(parts: TrafficParts): Promise<void>;
  /** The sent packets, if they are known exactly. */
  sent(): Counts | undefined;
  /** Frees all resources. Safe at any time, and to repeat. */
  stop(): Promise<void>;
}
