// Releases everything, whether a daemon runs, has stopped or was killed: hands rows back to ovs-vswitchd, and removes hooks,
// meters and actions from all bridges. Idempotent. Used by `ovs-ipfix release`, which a service manager runs after the daemon.

import { bridgeNameOf } from '../config/reference.ts';
import type { OvsSettings } from '../config/settings.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { isPidFileLive } from '../runtime/pid-file.ts';
import { clause, reasonOf } from '../runtime/sentence.ts';
import { settlesWithin } from '../runtime/within.ts';
import { BridgeSession } from './bridge-session.ts';
import { DatabaseSession } from './database-session.ts';
import { describeWithoutExporter, ipfixRowsOf } from './hand-back.ts';
import { removeOwnRows } from './own-rows.ts';
import { planRelease } from './ownership.ts';

/** The result; `failures` has a sentence for each bridge that could not be cleaned. */
export interface ReleaseReport {
  /** Whether nothing was done because another client holds the lock. */
  readonly isHeldByAnother: boolean;
  readonly rowCount: number;
  readonly bridgeCount: number;
  /** See `describeWithoutExporter`. */
  readonly withoutExporter: string | undefined;
  readonly failures: readonly string[];
}

/** Time limit for the database in milliseconds. */
export const RELEASE_TIMEOUT_MS = 5000;
/** How long `--unless-held` waits for a lock that another client holds: the server may not know yet that a daemon has died. */
export const RELEASE_LOCK_WAIT_MS = 1000;
/** Time limit for each bridge in milliseconds, which may have tens of thousands of flows to restore. */
export const RELEASE_BRIDGE_TIMEOUT_MS = 30_000;

/**
 * Releases rows, and cleans all bridges concurrently. Takes the lock from a daemon that runs, unless `isForced` is false: then
 * it does nothing while another client holds the lock. Rejects when the database cannot be reached or refuses.
 */
export async function release(
  settings: OvsSettings,
  isForced: boolean,
  parts: { readonly clock: Clock; readonly log: Logger },
): Promise<ReleaseReport> {
  const { database, bridges } = await openDatabase(settings, isForced, parts);
  try {
    if (database.lock !== 'held') {
      return { isHeldByAnother: true, rowCount: 0, bridgeCount: 0, withoutExporter: undefined, failures: [] };
    }
    const rows = ipfixRowsOf(database);
    const changes = planRelease(rows);
    await database.write(changes);
    await removeOwnRows(database);
    const outcomes = await Promise.allSettled(
      bridges().map((bridge) => cleanBridge(bridge, settings, { ...parts, database })),
    );
    return {
      isHeldByAnother: false,
      rowCount: changes.length,
      withoutExporter: describeWithoutExporter(rows),
      bridgeCount: outcomes.filter((outcome) => outcome.status === 'fulfilled').length,
      failures: outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [`${reasonOf(outcome.reason)}.`] : [],
      ),
    };
  } finally {
    await database.stop();
  }
}

/**
 * Connects and takes the lock from a running daemon, which stops exporting and does not request it again; without `isForced`,
 * the lock may still be another client's in the end.
 */
async function openDatabase(
  settings: OvsSettings,
  isForced: boolean,
  parts: { readonly clock: Clock; readonly log: Logger },
): Promise<{ database: DatabaseSession; bridges: () => string[] }> {
  let onChange = () => {};
  const database = new DatabaseSession({
    ...parts,
    endpoints: settings.database,
    tls: settings.tls,
    lock: isForced ? 'steal' : 'queue',
    onChange: () => onChange(),
  });
  const isUsable = () => database.tables() !== undefined && database.status().isSynced;
  const answered = new Promise<void>((resolve) => {
    onChange = () => {
      if (isUsable() && (database.lock === 'held' || (!isForced && database.lock === 'waiting'))) {
        resolve();
      }
    };
  });
  database.start();
  if (await settlesWithin(parts.clock, RELEASE_TIMEOUT_MS, answered)) {
    await database.held(RELEASE_LOCK_WAIT_MS);
  } else {
    const { endpoint, lastError } = database.status();
    await database.stop();
    throw new Error(
      `The database ${endpoint} could not be reached: ${clause(lastError ?? 'no answer in time')}.`,
    );
  }
  const bridges = () => [...(database.tables()?.bridges ?? [])].map(bridgeNameOf);
  return { database, bridges };
}

/** Removes everything from a bridge, by a session whose desired state is empty. */
async function cleanBridge(
  bridge: string,
  settings: OvsSettings,
  parts: { readonly clock: Clock; readonly log: Logger; readonly database: DatabaseSession },
): Promise<void> {
  const { clock, log, database } = parts;
  const session = new BridgeSession({
    clock,
    log,
    bridge,
    endpoint: settings.openflow(bridge),
    tls: settings.tls,
    mark: settings.mark,
    unmetered: 'allow',
    isLeading: () => true,
    isBridgeGone: () => false,
    isSwitchStopped: () => !isPidFileLive(settings.switchPidFile),
    isRestoringFlows: () => database.isRestoringFlows,
    onPacketIn: () => {},
    onPool: () => {},
    onLedgerEvent: () => {},
    onHook: () => {},
    onConnection: () => {},
    onRemoved: async () => {},
    onChange: () => {},
  });
  session.scanForStaleActions();
  session.start();
  try {
    await session.cleaned(RELEASE_BRIDGE_TIMEOUT_MS);
  } finally {
    await session.stop(0);
  }
}
