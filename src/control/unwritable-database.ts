// A database that ovsdb-server cannot write, as on a full disk: it refuses each transaction with "I/O error" and goes on serving
// what it has. Rows stay as they are meanwhile, and the daemon exports by them.

import type { Condition } from '../config/condition.ts';
import { OvsdbTransactionError } from '../ovsdb-client/index.ts';
import { clause } from '../runtime/sentence.ts';

/** The error of a transaction that the server could not write to its file (RFC 7047, section 3.1: `<error>`). */
const IO_ERROR = 'I/O error';

/** Returns the condition of a database, if the last attempt to write it failed for that; `failures` are those of its writers. */
export function unwritableConditions(
  endpoint: string,
  failures: readonly (Error | undefined)[],
): readonly Condition[] {
  const failure = failures.find(isUnwritable);
  return failure === undefined
    ? []
    : [
        {
          code: 'database-unwritable',
          severity: 'error',
          where: `OVS database ${endpoint}`,
          message:
            `ovsdb-server cannot write it (${clause(reasonOf(failure))}): no row is adopted or handed back, ` +
            'and what is exported already goes on.',
          action:
            'Free space in the file system of the database, usually that of /etc/openvswitch/conf.db. ' +
            'The daemon tries again after 5 s at most.',
        },
      ];
}

function isUnwritable(failure: Error | undefined): failure is OvsdbTransactionError {
  return failure instanceof OvsdbTransactionError && failure.error === IO_ERROR;
}

function reasonOf({ details }: OvsdbTransactionError): string {
  return details ?? IO_ERROR;
}
