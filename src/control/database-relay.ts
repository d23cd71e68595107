// Detects relays of the OVS database (ovsdb(7), "Relay"; ovsdb-server 2.16 and later). A relay grants locks to its clients, but
// the real server does not have them and refuses each transaction that asserts one with "not owner". Rows can be read over a
// relay but not adopted, so the daemon does not work with one.

import type { Condition } from '../config/condition.ts';
import { type OvsdbClient, OvsdbReplyError, OvsdbTransactionError } from '../ovsdb-client/index.ts';

/** `code` of the error. */
export const DATABASE_RELAY = 'DATABASE_RELAY';

const ACTION =
  'connect to the real ovsdb-server, the one beside ovs-vswitchd (usually unix:/var/run/openvswitch/db.sock), with --db';

/** Thrown when the server is a relay of the database. */
export class DatabaseRelayError extends Error {
  readonly code = DATABASE_RELAY;

  constructor() {
    super(`The server is a relay, whose locks the real server does not have: ${ACTION}.`);
    this.name = 'DatabaseRelayError';
  }
}

/** Whether the server is a relay of the database. Servers before 2.9 have no database `_Server`, and are never relays. */
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

/** Returns the condition of a daemon whose database is a relay. */
export function relayCondition(endpoint: string): Condition {
  return {
    code: 'database-is-relay',
    severity: 'error',
    where: `OVS database ${endpoint}`,
    message:
      'It is a relay, whose locks the real server does not have, so no row can be adopted and nothing is exported.',
    action: `${ACTION.charAt(0).toUpperCase()}${ACTION.slice(1)}.`,
  };
}
