// What the session of a bridge depends on, and its callbacks.

import type { RegisterBit } from '../config/settings.ts';
import type { PacketInView } from '../node-openflow/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Endpoint, TlsFiles } from '../runtime/endpoint.ts';
import type { KeeperOptions } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import type { BridgeConnection } from './bridge-connection.ts';
import type { UnmeteredPolicy } from './hook-refusal.ts';
import type { MeterEvents } from './meter-readings.ts';
import type { SampleProbabilities } from './sample-probabilities.ts';

/** What is seen of the hook: it is as installed, it was removed or modified, or the connection has ended. */
export type HookSight = 'installed' | 'missing' | 'disconnected';

/** Callbacks of a session. */
export interface BridgeEvents extends MeterEvents {
  /** Called for each packet-in to the daemon's controller id; the view is only valid until the call returns. */
  readonly onPacketIn: (packetIn: PacketInView) => void;
  /** Called with each new connection once it is set up, and with undefined when it has ended. */
  readonly onConnection: (connection: BridgeConnection | undefined) => void;
  /** Called when the hook is seen to be installed or missing, each second at least while it is installed. */
  readonly onHook: (sight: HookSight) => void;
  /** Called at a stop when nothing is installed any more, before the connection is closed. */
  readonly onRemoved: () => Promise<void>;
  /** Called when `missing` or `isRewriting` may have changed. */
  readonly onChange: () => void;
}

export interface BridgeSessionOptions extends BridgeEvents {
  readonly bridge: string;
  readonly endpoint: Endpoint;
  readonly tls: TlsFiles | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mark: RegisterBit;
  readonly unmetered: UnmeteredPolicy;
  /** Gets the probabilities of the `sample` actions in flows, while flows are read. */
  readonly probabilities?: SampleProbabilities | undefined;
  /** See `Leadership.isLeading`: otherwise nothing is modified. */
  readonly isLeading: () => boolean;
  /** Whether the bridge is known to be deleted, and with it everything installed. */
  readonly isBridgeGone: () => boolean;
  /** Whether ovs-vswitchd is known not to run, so that nothing is installed; it may restart with saved flows. */
  readonly isSwitchStopped: () => boolean;
  /** Whether OVS is restoring saved flows (Open_vSwitch.other_config:flow-restore-wait), which may have the daemon's actions. */
  readonly isRestoringFlows: () => boolean;
  /** Makes a stream to the bridge; tests pass a scripted switch. */
  readonly dial?: KeeperOptions<BridgeConnection>['dial'];
}
