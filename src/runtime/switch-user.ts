// Which users' sockets may send samples of the datapath: those of the user that ovs-vswitchd runs as, which is that of the OpenFlow
// socket it has made for the bridge, and root's, who may do everything.

import { statSync } from 'node:fs';
import type { Endpoint } from './endpoint.ts';

const ROOT = 0;

/** Returns whether a user id may be that of the ovs-vswitchd behind an OpenFlow endpoint. */
export function isSwitchUser(endpoint: Endpoint, userId: number): boolean {
  return userId === ROOT || userId === ownerOf(endpoint);
}

/** Returns the owner of an endpoint's socket; undefined if it has none here, as while ovs-vswitchd does not run. */
function ownerOf(endpoint: Endpoint): number | undefined {
  return endpoint.kind === 'unix' ? statSync(endpoint.path, { throwIfNoEntry: false })?.uid : undefined;
}
