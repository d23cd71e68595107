// The status of a bridge session; docs/status.md explains each field.

import type { KeeperStatus } from '../runtime/keeper.ts';
import type { HookState } from './hook-reconciler.ts';
import type { ReconcilerStatus } from './reconciler.ts';
import type { TranslationStatus } from './translation-status.ts';

export interface BridgeSessionStatus {
  readonly hook: HookState;
  readonly connection: KeeperStatus;
  /** The negotiated OpenFlow version, such as "OpenFlow 1.4". */
  readonly protocol: string | undefined;
  /** The version of Open vSwitch, such as "3.1". */
  readonly switchVersion: string | undefined;
  /** How changes of flows are detected: by a monitor on the main connection, by one in OpenFlow 1.0, or by polling. */
  readonly flowMonitor: 'main' | 'OpenFlow 1.0' | 'none' | undefined;
  /** Rate of each of the daemon's meters, in packet-ins a second; undefined without meters. */
  readonly meterRate: number | undefined;
  /** Times that a missing or modified hook or meter was reinstalled. */
  readonly hookRepairs: number;
  readonly hookReconciler: ReconcilerStatus;
  readonly translation: TranslationStatus;
  readonly translationReconciler: ReconcilerStatus;
}
