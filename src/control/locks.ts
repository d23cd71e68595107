// The OVSDB locks of the daemon (RFC 7047, section 4.1.8; leadership.ts has what each is for). A name is an <id> (section 3.1), which
// has no hyphen.

import type { OvsdbClient } from '../ovsdb-client/index.ts';

/** That of the active daemon, asserted in each of its transactions. */
export const LOCK_NAME = 'ovs_ipfix';
/** That of the standby that watches the active daemon. */
export const DEPUTY_LOCK_NAME = 'ovs_ipfix_deputy';
/** That which shows that the active daemon is alive. */
export const ALIVE_LOCK_NAME = 'ovs_ipfix_alive';
/** That of `ovs-ipfix release` while it runs. */
export const RELEASE_LOCK_NAME = 'ovs_ipfix_release';

/** Returns whether another client holds a lock: requests it, and leaves it at once, so that a client that waits for it gets it then. */
export async function isLockHeld(client: OvsdbClient, id: string): Promise<boolean> {
  const isFree = await client.lock(id);
  await client.unlock(id);
  return !isFree;
}

/** Releases a lock that this session holds or is queued for; the server refuses to release another one. */
export async function leaveLock(client: OvsdbClient, id: string): Promise<void> {
  if (client.hasRequestedLock(id)) {
    await client.unlock(id);
  }
}
