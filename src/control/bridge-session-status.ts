// What a bridge session shows of itself; docs/status.md explains each field.

import type { KeeperStatus } from '../runtime/keeper.ts';
import type { HookState } from './hook-reconciler.ts';
import type { ReconcilerStatus } from './reconciler.ts';
import type { TranslationStatus } from './translation-reconciler.ts';

export interface BridgeSessionStatus {
  readonly hook: HookState;
  readonly connection: KeeperStatus;
  /** The OpenFlow version in use, such as "OpenFlow 1.4". */
  readonly protocol: string | undefined;
  /** The Open vSwitch behind the bridge, such as "3.1". */
  readonly switchVersion: string | undefined;
  /** How changes of flows are noticed: by a monitor on the main connection, by one in OpenFlow 1.0, or by polling. */
  readonly flowMonitor: 'main' | 'OpenFlow 1.0' | 'none' | undefined;
  /** Packet-ins a second that each of our meters lets pass; undefined without meters. */
  readonly meterRate: number | undefined;
  /** How often the hook or a meter was missing or modified and was reinstalled. */
  readonly hookRepairs: number;
  readonly hookReconciler: ReconcilerStatus;
  readonly translation: TranslationStatus;
  readonly translationReconciler: ReconcilerStatus;
}
