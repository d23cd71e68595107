// The condition of a bridge whose OpenFlow socket cannot be reached, or over which no OpenFlow version
// can be negotiated. The doctor reports the same condition.

import type { Condition } from '../config/condition.ts';
import type { KeeperStatus } from '../runtime/keeper.ts';
import { clause } from '../runtime/sentence.ts';

/** Failed attempts after which a bridge is reported as unreachable; a restart of ovs-vswitchd takes fewer. */
const UNREACHABLE_AFTER = 5;

/** Returns the condition; undefined while the attempts may still be those of a restart. */
export function unreachableCondition(bridge: string, status: KeeperStatus): Condition | undefined {
  const { failureCount, endpoint, lastError, lastErrorCode } = status;
  if (failureCount < UNREACHABLE_AFTER) {
    return undefined;
  }
  const reason = clause(lastError ?? 'no reason known');
  return lastErrorCode === 'OPENFLOW_VERSION'
    ? noCommonVersion(bridge, endpoint, reason)
    : bridgeUnreachable(bridge, endpoint, reason);
}

/** Returns the condition of a bridge whose socket refuses connections; `reason` is a clause. */
export function bridgeUnreachable(bridge: string, endpoint: string, reason: string): Condition {
  return {
    code: 'bridge-unreachable',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message: `Its OpenFlow socket ${endpoint} cannot be reached: ${reason}.`,
    action:
      'Check that ovs-vswitchd runs ("systemctl status openvswitch-switch"), and that OVS_RUNDIR or --openflow names its sockets.',
  };
}

function noCommonVersion(bridge: string, endpoint: string, reason: string): Condition {
  return {
    code: 'bridge-unreachable',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message: `OpenFlow cannot be negotiated on its socket ${endpoint}: ${reason}.`,
    action: `Allow one of the daemon's versions beside those in its column protocols, with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`,
  };
}
