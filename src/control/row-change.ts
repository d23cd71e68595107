// The content of an IPFIX row that is adopted, redirected or handed back; pure. ownership.ts decides which of them a row gets, and
// row-operations.ts makes operations of it.
//
//   row          targets                     held in external_ids              ovs-ipfix-state
//   -----------  --------------------------  --------------------------------  ----------------------------
//   adopted      none                        targets                           adopted
//   redirected   the daemon's socket; none   targets, columns of the cache     redirected, or in a native
//                until the cache is flushed                                    row redirected-native

import {
  type CacheColumns,
  effectiveTargets,
  type IpfixRow,
  isAdopted,
  isOnlyForDaemon,
  isRedirected,
  readHeldCache,
} from '../config/ipfix-row.ts';
import {
  formatHeldTargets,
  HELD_ACTIVE_TIMEOUT_KEY,
  HELD_MAX_FLOWS_KEY,
  HELD_TARGETS_KEY,
  OWN_IPFIX_KEYS,
  parseHeldTargets,
  REDIRECT_KEYS,
  REDIRECTED_TO_KEY,
  type RowState,
  STATE_KEY,
} from '../config/row-keys.ts';
import { areOnlyForDaemon, daemonTargets, switchTargets } from '../config/target-forms.ts';

/** A change of a row: the row as it was read, and the new content of its columns. */
export interface RowChange {
  readonly kind: 'adopt' | 'annotate' | 'release' | 'redirect';
  readonly row: IpfixRow;
  readonly targets: readonly string[];
  readonly externalIds: ReadonlyMap<string, string>;
  /** Undefined: the columns stay as they are. */
  readonly cacheColumns?: CacheColumns | undefined;
}

const NO_CACHE: CacheColumns = { activeTimeout: undefined, maxFlows: undefined };

/** Whether the row is one that only the daemon exports for, redirected or not. */
export function isNative(row: IpfixRow): boolean {
  return isOnlyForDaemon(row) && !isAdopted(row);
}

/** Returns the column `targets` as the database has it. */
export function targetsColumnOf({ redirectedTo, targets }: IpfixRow): readonly string[] {
  return redirectedTo === undefined ? targets : [redirectedTo];
}

/** Returns a change that adopts a row; the keys of its conditions are those of `row`. */
export function adoptionOf(row: IpfixRow): RowChange {
  const externalIds = held(row, 'adopted');
  const cacheColumns = isRedirected(row) ? returnedCache(row) : undefined;
  for (const key of REDIRECT_KEYS) {
    externalIds.delete(key);
  }
  return { kind: 'adopt', row, targets: [], externalIds, cacheColumns };
}

/** Returns a change that redirects a row to a socket of the daemon; undefined: to none, so that ovs-vswitchd flushes its cache. */
export function redirectionOf(row: IpfixRow, target: string | undefined): RowChange {
  const externalIds = held(row, isNative(row) ? 'redirected-native' : 'redirected');
  const before = readHeldCache(row.externalIds);
  const columns = row.cacheColumns ?? NO_CACHE;
  setKey(externalIds, HELD_ACTIVE_TIMEOUT_KEY, columns.activeTimeout ?? before.activeTimeout);
  setKey(externalIds, HELD_MAX_FLOWS_KEY, columns.maxFlows ?? before.maxFlows);
  setKey(externalIds, REDIRECTED_TO_KEY, target);
  const targets = target === undefined ? [] : [target];
  const cacheColumns = row.cacheColumns && NO_CACHE;
  return { kind: 'redirect', row, targets, externalIds, cacheColumns };
}

/** Whether ovs-vswitchd may have samples in its cache for the collectors of the row. */
export function mayHaveCache({ targets, cacheColumns }: IpfixRow): boolean {
  const { activeTimeout = 0, maxFlows = 0 } = cacheColumns ?? NO_CACHE;
  return targets.length > 0 && activeTimeout > 0 && maxFlows > 0;
}

/**
 * Returns the change that hands a row back; a native row becomes what it was. Targets that ovs-vswitchd cannot use stay held. Where
 * they are all that the user has set anew in the column, they stay there.
 */
export function releaseOf(row: IpfixRow): RowChange {
  const externalIds = new Map(row.externalIds);
  const adopted = isAdopted(row);
  for (const key of OWN_IPFIX_KEYS) {
    if (adopted || key !== HELD_TARGETS_KEY) {
      externalIds.delete(key);
    }
  }
  const cacheColumns = isRedirected(row) ? returnedCache(row) : undefined;
  const change = { kind: 'release', row, externalIds, cacheColumns } as const;
  if (!adopted || areOnlyForDaemon(row.targets)) {
    return { ...change, targets: row.targets };
  }
  const texts = effectiveTargets(row);
  const kept = daemonTargets(texts);
  if (kept.length > 0) {
    externalIds.set(HELD_TARGETS_KEY, formatHeldTargets(kept));
  }
  return { ...change, targets: switchTargets(texts) };
}

/** Returns the targets of a row that get nothing once it is handed back, as they are written. */
export function targetsWithoutExporter(row: IpfixRow): readonly string[] {
  const { targets, externalIds } = releaseOf(row);
  return [...daemonTargets(targets), ...parseHeldTargets(externalIds.get(HELD_TARGETS_KEY) ?? '')];
}

/** Whether the row has another content afterwards. */
export function isChange(change: RowChange): boolean {
  const { row, cacheColumns } = change;
  const targets = targetsColumnOf(row);
  const sameTargets =
    targets.length === change.targets.length &&
    targets.every((target, index) => target === change.targets[index]);
  const sameKeys =
    row.externalIds.size === change.externalIds.size &&
    [...row.externalIds].every(([key, value]) => change.externalIds.get(key) === value);
  const sameCache =
    cacheColumns === undefined ||
    (cacheColumns.activeTimeout === row.cacheColumns?.activeTimeout &&
      cacheColumns.maxFlows === row.cacheColumns?.maxFlows);
  return !(sameTargets && sameKeys && sameCache);
}

/** Returns the keys with new targets held, if the row has them, and a state. */
function held(row: IpfixRow, state: RowState): Map<string, string> {
  const externalIds = new Map(row.externalIds);
  if (row.targets.length > 0) {
    externalIds.set(HELD_TARGETS_KEY, formatHeldTargets(effectiveTargets(row)));
  }
  return externalIds.set(STATE_KEY, state);
}

/** The columns of the cache as they are handed back: what is set again counts more than what is held. */
function returnedCache({ externalIds, cacheColumns }: IpfixRow): CacheColumns | undefined {
  const before = readHeldCache(externalIds);
  return (
    cacheColumns && {
      activeTimeout: cacheColumns.activeTimeout ?? before.activeTimeout,
      maxFlows: cacheColumns.maxFlows ?? before.maxFlows,
    }
  );
}

function setKey(externalIds: Map<string, string>, key: string, value: number | string | undefined): void {
  if (value === undefined) {
    externalIds.delete(key);
  } else {
    externalIds.set(key, String(value));
  }
}
