// The condition of a bridge whose OpenFlow socket cannot be reached or does not speak a version of ours.

import type { Condition } from '../config/condition.ts';
import type { KeeperStatus } from '../runtime/keeper.ts';
import { clause } from '../runtime/sentence.ts';

/** Failed attempts after which a bridge counts as unreachable; a restart of ovs-vswitchd takes fewer. */
const UNREACHABLE_AFTER = 5;

/** Undefined while the attempts may still be those of a restart. */
export function unreachableCondition(bridge: string, status: KeeperStatus): Condition | undefined {
  const { failureCount, endpoint, lastError, lastErrorCode } = status;
  if (failureCount < UNREACHABLE_AFTER) {
    return undefined;
  }
  const reason = clause(lastError ?? 'no reason known');
  const isVersion = lastErrorCode === 'OPENFLOW_VERSION';
  return {
    code: 'bridge-unreachable',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message: isVersion
      ? `It allows no OpenFlow version of ours on its socket ${endpoint}: ${reason}.`
      : `Its OpenFlow socket ${endpoint} cannot be reached: ${reason}.`,
    action: isVersion
      ? `Allow one of our versions beside those in its column protocols, with "ovs-vsctl add Bridge ${bridge} protocols OpenFlow14".`
      : 'Check that ovs-vswitchd runs and that OVS_RUNDIR or --openflow names its sockets.',
  };
}
