// Reads the database without changing it.

import {
  type Configuration,
  type ConfigurationTables,
  readConfiguration,
} from '../../config/configuration.ts';
import type { DoctorSettings } from '../../config/doctor-settings.ts';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../../config/export-flags.ts';
import { isRelay, relayCondition } from '../../control/database-relay.ts';
import { configurationTables, DATABASE_NAME, WATCHED_COLUMNS } from '../../control/database-session.ts';
import { isLockHeld, LOCK_NAME } from '../../control/locks.ts';
import { withOwnershipConditions } from '../../control/ownership.ts';
import { TargetsColumn } from '../../control/targets-column.ts';
import type { CollectorTarget } from '../../export/collector-session.ts';
import { OvsdbClient, Replica, type Snapshot } from '../../ovsdb-client/index.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial, type Endpoint, formatEndpoint } from '../../runtime/endpoint.ts';
import { isForbidden } from '../../runtime/error-code.ts';
import { clause, reasonOf } from '../../runtime/sentence.ts';
import type { TlsClientFiles } from '../../runtime/tls-files.ts';
import { within } from '../../runtime/within.ts';

/** A folder that never has files: in place of the daemon's, where the doctor is not given its flags. */
const NO_FOLDER = '/dev/null';
/** The daemon's TLS files, likewise. */
const NO_FILES: TlsClientFiles = {
  ca: `${NO_FOLDER}/ca.crt`,
  certificate: undefined,
  key: undefined,
  isClientOptional: true,
};
/** The daemon's folder for files, likewise. */
const FOLDER_OF_DAEMON = { path: '/' };
/** Milliseconds for all tables. */
const DATABASE_MS_MAX = 5000;

/** What the checks need of the database. */
export interface DatabaseFacts {
  readonly tables: ConfigurationTables;
  readonly configuration: Configuration;
  /** Version of Open vSwitch; undefined when ovs-ctl(8) has not written it. */
  readonly ovsVersion: string | undefined;
  /** Whether ovs-vswitchd has applied the newest change that a client waits for (cur_cfg and next_cfg). */
  readonly isUpToDate: boolean;
  /** Whether another client holds the lock of the active daemon; false if that was not asked. */
  readonly isLockHeld: boolean;
}

/** None of the endpoints has answered with the tables in time; the message gives the reason for each. */
export class DatabaseUnreachable extends Error {
  /** Whether the system has denied access to one of them. */
  readonly isForbidden: boolean;

  constructor(reasons: readonly string[], isForbidden: boolean) {
    super(reasons.join('; '));
    this.name = 'DatabaseUnreachable';
    this.isForbidden = isForbidden;
  }
}

/** Returns the TLS files of a target, if the doctor was given them. */
export function knownTlsFiles({ tls }: CollectorTarget): TlsClientFiles | undefined {
  return tls?.ca.startsWith(`${NO_FOLDER}/`) === true ? undefined : tls;
}

/** Reads the tables, and the lock if it is asked for, from the first endpoint that answers; rejects with `DatabaseUnreachable`. */
export async function readDatabase(
  settings: DoctorSettings,
  asksLock: boolean,
  clock: Clock,
): Promise<DatabaseFacts> {
  const reasons: string[] = [];
  let isDenied = false;
  for (const endpoint of settings.database) {
    try {
      const tls = settings.tls === undefined ? {} : { tls: settings.tls };
      const stream = await dial(endpoint, { clock, timeoutMs: DATABASE_MS_MAX, ...tls });
      const client = new OvsdbClient(stream);
      try {
        return await within(
          clock,
          DATABASE_MS_MAX,
          'it accepts connections and does not answer',
          read(client, endpoint, asksLock, settings),
        );
      } finally {
        client.close();
      }
    } catch (error) {
      const reason = clause(reasonOf(error));
      const name = formatEndpoint(endpoint);
      reasons.push(reason.includes(name) ? reason : `${name}: ${reason}`);
      isDenied ||= isForbidden(error);
    }
  }
  throw new DatabaseUnreachable(reasons, isDenied);
}

async function read(
  client: OvsdbClient,
  endpoint: Endpoint,
  asksLock: boolean,
  { collectorTls, source }: DoctorSettings,
): Promise<DatabaseFacts> {
  const relay = (await isRelay(client, DATABASE_NAME)) ? [relayCondition(formatEndpoint(endpoint))] : [];
  let snapshot: Snapshot | undefined;
  const replica = new Replica({
    database: DATABASE_NAME,
    tables: { ...WATCHED_COLUMNS, Open_vSwitch: ['bridges', 'ovs_version', 'cur_cfg', 'next_cfg'] },
    onChange: (next) => {
      snapshot = next;
    },
  });
  await replica.attach(client);
  if (snapshot === undefined) {
    throw new Error('the database has sent no content');
  }
  const tables = configurationTables(snapshot, new TargetsColumn(replica.schema));
  const [root] = [...snapshot.table('Open_vSwitch').values()];
  const { cur_cfg: current, next_cfg: next } = root?.columns ?? {};
  // The policy of a daemon that does not run is unknown; the conditions of rows do not depend on it.
  const configuration = withOwnershipConditions(
    readConfiguration(tables, MESSAGE_BYTES_MAX_DEFAULT, undefined, undefined, {
      collectorTls: { files: collectorTls.files ?? NO_FILES, folder: collectorTls.folder ?? NO_FOLDER },
      source,
      fileTargets: FOLDER_OF_DAEMON,
    }),
    'none',
  );
  return {
    tables,
    configuration: { ...configuration, conditions: [...relay, ...configuration.conditions] },
    ovsVersion: tables.ovsVersion,
    isUpToDate: Number(current ?? 0) >= Number(next ?? 0),
    isLockHeld: asksLock && (await isLockHeld(client, LOCK_NAME)),
  };
}
