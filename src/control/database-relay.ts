// Relays of the OVS database (ovsdb(7), "Relay"; ovsdb-server 2.16 and later). A relay grants the locks of its own clients, and
// the real server, which does not know of them, refuses each transaction that asserts one with "not owner". Rows can be read
// over a relay and never adopted, so that the daemon does not work with one.

import type { Condition } from '../config/condition.ts';
import { type OvsdbClient, OvsdbReplyError, OvsdbTransactionError } from '../ovsdb-client/index.ts';

/** `code` of the error. */
export const DATABASE_RELAY = 'DATABASE_RELAY';

const ACTION =
  'connect to the real ovsdb-server, the one beside ovs-vswitchd (usually unix:/var/run/openvswitch/db.sock), with --db';

/** The server has the database as a relay. */
export class DatabaseRelayError extends Error {
  readonly code = DATABASE_RELAY;

  constructor() {
    super(`The database is a relay, which cannot assert locks: ${ACTION}.`);
    this.name = 'DatabaseRelayError';
  }
}

/** Whether the server has the database as a relay. Servers before 2.9 have no database `_Server`, and no relays. */
export async function isRelay(client: OvsdbClient, database: string): Promise<boolean> {
  try {
    const [{ rows }] = await client.transact('_Server', [
      { op: 'select', table: 'Database', where: [['name', '==', database]], columns: ['model'] },
    ]);
    return rows[0]?.['model'] === 'relay';
  } catch (error) {
    if (error instanceof OvsdbReplyError || error instanceof OvsdbTransactionError) {
      return false;
    }
    throw error;
  }
}

/** The condition of a daemon that was given a relay. */
export function relayCondition(endpoint: string): Condition {
  return {
    code: 'database-is-relay',
    severity: 'error',
    where: `OVS database ${endpoint}`,
    message:
      'It is a relay, which cannot assert locks, so that no row can be adopted and nothing is exported.',
    action: `${ACTION.charAt(0).toUpperCase()}${ACTION.slice(1)}.`,
  };
}
