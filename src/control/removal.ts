// Waits at a stop until nothing of the daemon is in a bridge: over reconnections, over a restart of OVS that restores saved
// flows, and until a deadline.

import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { leftInSavedFlows } from './leftovers.ts';

/** A bridge from which everything is being removed. */
export interface Removal {
  readonly bridge: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timeoutMs: number;
  /** Whether saved flows may restore the daemon's actions when ovs-vswitchd restarts. */
  readonly mayReturn: boolean;
  /** Whether OVS is restoring saved flows (Open_vSwitch.other_config:flow-restore-wait). */
  readonly isRestoring: () => boolean;
  readonly isClean: () => boolean;
  /** Whether the bridge is not connected and known to be deleted. */
  readonly isGone: () => boolean;
  /** Whether the bridge is not connected and ovs-vswitchd known not to run. */
  readonly isStopped: () => boolean;
  /** Whether waiting does not help any more. */
  readonly isStuck: () => boolean;
  /** Called when saved flows have been restored: the bridge has to be read again. */
  readonly onRestored: () => void;
  /** Resolves when something has changed, or after that many milliseconds. */
  readonly changed: (timeoutMs: number) => Promise<void>;
  readonly describeLeft: () => string;
}

/** Milliseconds in which ovs-vswitchd may restart with saved flows; after that it is considered stopped. */
const RESTART_MS = 2000;
/** Milliseconds between two checks whether ovs-vswitchd still runs. */
const GONE_CHECK_MS = 200;

/** Resolves to a sentence about what is left, or undefined. */
export async function waitForRemoval(removal: Removal): Promise<string | undefined> {
  const { bridge, clock, log, timeoutMs } = removal;
  const nowMs = () => clock.monotonicMicros() / 1000;
  const endMs = nowMs() + timeoutMs;
  // A restart of OVS stops ovs-vswitchd before it announces that it restores the flows which it has saved.
  const stoppedEndMs = nowMs() + (removal.mayReturn ? RESTART_MS : 0);
  let wasRestoring = false;
  for (;;) {
    const isRestoring = removal.isRestoring();
    if (wasRestoring && !isRestoring) {
      removal.onRestored();
    }
    wasRestoring = isRestoring;
    if (!isRestoring && removal.isClean()) {
      return undefined;
    }
    const isStopped = nowMs() >= stoppedEndMs && removal.isStopped();
    if (!isRestoring && (isStopped || removal.isGone())) {
      log.info(`bridge ${bridge}: deleted, or ovs-vswitchd is not running; nothing to remove`);
      return undefined;
    }
    const leftMs = endMs - nowMs();
    if (leftMs <= 0 || removal.isStuck()) {
      return isRestoring ? leftInSavedFlows(bridge) : removal.describeLeft();
    }
    await removal.changed(Math.min(leftMs, GONE_CHECK_MS));
  }
}
