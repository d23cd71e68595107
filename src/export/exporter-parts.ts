// What an exporter needs from outside: clocks, sessions, and when it may go on.

import { FlowCache } from '../flow/flow-cache.ts';
import type { FlowEngine, MakeFlowEngine } from '../flow/flow-engine.ts';
import type { TrafficTable } from '../flow/traffic-table.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { secretWord } from '../runtime/secret-word.ts';
import type { OpenSession } from './collector-session.ts';
import type { ExporterOptions } from './exporter-options.ts';
import type { Pace } from './pacer.ts';
import type { SendBudget } from './send-budget.ts';

/** What an exporter needs from outside. */
export interface ExporterParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly openSession: OpenSession;
  /** Calls back at the end of the current batch of input, before the event loop waits. Default: `setImmediate`. */
  readonly defer?: (callback: () => void) => void;
  /** Decides when the next slice of a long run of records follows. Default: a `Pacer`. */
  readonly pace?: Pace;
  /** How fast messages are sent over UDP; all exporters of a process share it. Default: without a limit. */
  readonly sendBudget?: SendBudget | undefined;
  /** Counts what samples represent, for the history of traffic. Default: nothing does. */
  readonly traffic?: TrafficTable | undefined;
  /** Creates the cache of flows. Default: the one in TypeScript. */
  readonly makeEngine?: MakeFlowEngine | undefined;
  /** Whether samples are added in batches while there are few flows, too: the owner then ends batches by `endBatch`. Default: no. */
  readonly hasBatches?: boolean;
  /** Secret seed of the cache's hash, against senders that choose keys which collide. Default: random. */
  readonly hashSeed?: number;
}

/** Creates the cache of an exporter; `dissect` is as for `MakeFlowEngine`. */
export function makeCache(
  { activeTimeoutSeconds, flowsMax }: ExporterOptions,
  { makeEngine = (options) => new FlowCache(options), hashSeed = secretWord() }: ExporterParts,
  dissect: Parameters<MakeFlowEngine>[1],
): FlowEngine {
  return makeEngine({ activeTimeoutMicros: activeTimeoutSeconds * 1_000_000, flowsMax, hashSeed }, dissect);
}
