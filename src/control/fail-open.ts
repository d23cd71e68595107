// The condition of a bridge in standalone mode whose controllers are all disconnected: OVS forwards by a hidden flow above the
// hook (ovs-vswitchd.conf.db(5), Bridge.fail_mode), so no packet is sampled until a controller is back.

import type { Condition } from '../config/condition.ts';

/** Returns the condition of a bridge. */
export function failOpenCondition(bridge: string): Condition {
  return {
    code: 'fail-open',
    severity: 'error',
    where: `Bridge ${bridge}`,
    message:
      'All its controllers are disconnected and its fail_mode is standalone, so OVS forwards on its own and bypasses the hook.',
    action:
      `Reconnect a controller ("ovs-vsctl get-controller ${bridge}"), remove the controllers with "ovs-vsctl del-controller ` +
      `${bridge}", or set "ovs-vsctl set-fail-mode ${bridge} secure"; sampling then resumes.`,
  };
}
