// What the control plane depends on, and its whole status.

import type { OpenSession } from '../export/collector-session.ts';
import type { SendBudget } from '../export/send-budget.ts';
import type { MakeFlowEngine } from '../flow/flow-engine.ts';
import type { TrafficTable } from '../flow/traffic-table.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { ConditionList } from './condition-list.ts';
import type { DatabaseStatus } from './database-session.ts';
import type { ReconcilerStatus } from './reconciler.ts';
import type { SampledBridgeStatus } from './sampled-bridge-status.ts';

/** The dependencies of `Control`. */
export interface ControlParts {
  readonly clock: Clock;
  /** The clock of the packet path, read once a batch. */
  readonly sampleClock: Clock;
  readonly log: Logger;
  readonly openSession: OpenSession;
  readonly sendBudget: SendBudget;
  /** Creates the flow caches. Default: those in TypeScript. */
  readonly makeEngine?: MakeFlowEngine | undefined;
  /** Counts the traffic of all exporters, for the history. */
  readonly traffic?: TrafficTable | undefined;
  /** Random 32-bit numbers for samplers. */
  readonly randomSeed: () => number;
  /** Whether ovs-vswitchd is known not to run. */
  readonly isSwitchStopped: () => boolean;
}

/** The whole status for operators; plain data. */
export interface ControlStatus extends ConditionList {
  readonly database: DatabaseStatus;
  readonly rows: ReconcilerStatus;
  readonly bridges: readonly SampledBridgeStatus[];
  /** Why the daemon is not ready, as sentences; empty when everything that is configured runs. */
  readonly missing: readonly string[];
}
