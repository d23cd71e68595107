// Whether the daemon is ready, which is decided here only: it is, unless something that it should export is not exported. `ready`,
// `status` and its exit code, `ovs_ipfix_ready`, the state that systemd shows and the image's health check show the sentences.
//
//   something is missing                              nothing is missing
//   ------------------------------------------------  ----------------------------------------------------------------------
//   no proof of being the active daemon, or rows      a row that is left to ovs-vswitchd on purpose: by --adopt, or because a
//   that are not adopted yet                          row of its bridge disables input sampling
//   a bridge that is not hooked, does not answer,     a row or set without a bridge: no packet can be sampled for it
//   has no meters, is in fail-open ...                a flow that cannot be rewritten: the others of its set are exported
//   a row or set whose columns leave nothing to       a collector that cannot be reached: what is sent to it is counted
//   export: a condition of severity error

import type { Configuration } from '../config/configuration.ts';
import { clause } from '../runtime/sentence.ts';
import type { DatabaseStatus } from './database-session.ts';
import { type AdoptPolicy, isForDaemon } from './ownership.ts';
import type { ReconcilerStatus } from './reconciler.ts';
import type { SampledBridge } from './sampled-bridge.ts';

/** What readiness depends on. */
export interface ReadinessFacts {
  readonly database: Pick<DatabaseStatus, 'isSynced' | 'isLeading' | 'lock' | 'lastError'>;
  readonly rows: Pick<ReconcilerStatus, 'state'>;
  readonly configuration: Configuration | undefined;
  readonly policy: AdoptPolicy;
  /** The bridges that are exported, or should be. */
  readonly bridges: Iterable<Pick<SampledBridge, 'name' | 'missing' | 'missingRedirection'>>;
  /** Whether a bridge should be programmed for an IPFIX row: see `desiredRows`. */
  readonly desired: (bridge: string, row: string) => boolean;
}

/** Returns why the daemon is not ready, as sentences; none when it is. */
export function missingParts(facts: ReadinessFacts): readonly string[] {
  const { bridges, configuration } = facts;
  const missing = [...missingLeadership(facts), ...unexported(facts)];
  for (const bridge of bridges) {
    const sentence =
      bridge.missing() ??
      missingRow(bridge.name, configuration, facts.desired) ??
      bridge.missingRedirection();
    if (sentence !== undefined) {
      missing.push(sentence);
    }
  }
  return missing;
}

function missingLeadership({ database, rows }: ReadinessFacts): readonly string[] {
  const { isSynced, isLeading, lock, lastError } = database;
  if (lock === 'held' && !isLeading) {
    return ['The database does not confirm that this daemon is the active one.'];
  }
  if (!isSynced) {
    return [`OVSDB is not in sync${lastError === undefined ? '' : ` (${clause(lastError)})`}.`];
  }
  if (lock === 'lost') {
    return [
      'The lock of the active daemon was taken by another client. After "ovs-ipfix release" nothing is exported until ' +
        '"ovs-appctl -t ovs-ipfix readopt" or a restart.',
    ];
  }
  if (lock !== 'held') {
    return ['Another ovs-ipfix has the lock of the active daemon.'];
  }
  return rows.state === 'idle' ? [] : ['IPFIX rows are being adopted.'];
}

/** Returns a sentence for each row and collector set that the daemon should export and whose columns leave nothing to export. */
function unexported({ configuration, policy }: ReadinessFacts): readonly string[] {
  const isMeant = (uuid: string | undefined) => {
    const row = configuration?.rowsByUuid.get(uuid ?? '');
    return uuid === undefined
      ? policy === 'all'
      : row !== undefined && row.bridges.length > 0 && isForDaemon(policy, row);
  };
  return (configuration?.conditions ?? [])
    .filter(({ severity, ipfixRow }) => severity === 'error' && isMeant(ipfixRow))
    .map(({ where, message }) => `${where}: ${message}`);
}

/** Returns a sentence if the bridge is sampled for a row that is not adopted yet. */
function missingRow(
  name: string,
  configuration: Configuration | undefined,
  desired: ReadinessFacts['desired'],
): string | undefined {
  const config = configuration?.bridges.get(name);
  const rows =
    config === undefined
      ? []
      : [...(config.sampling === undefined ? [] : [config.sampling]), ...config.flowSampling.values()];
  const waiting = rows.find((row) => !row.isOurs && desired(name, row.ipfixRow));
  return waiting && `IPFIX row ${waiting.ipfixRow} of bridge ${name} is not adopted yet.`;
}
