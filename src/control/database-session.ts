// The connection to the OVS database: keeps a replica of the tables that the daemon reads, holds the lock of the only active
// ovs-ipfix of this OVS, and writes the changes that ownership.ts plans. It does not interpret rows.

import type { Condition } from '../config/condition.ts';
import type { ConfigurationTables } from '../config/configuration.ts';
import type { InterfaceList } from '../config/interfaces.ts';
import { type DatabaseRow, IPFIX_COLUMN_NAMES } from '../config/ipfix-row.ts';
import {
  type Operation,
  OvsdbClient,
  Replica,
  type RowChange as ReplicaChange,
  type Snapshot,
  type Uuid,
} from '../ovsdb-client/index.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Endpoint, TlsFiles } from '../runtime/endpoint.ts';
import { ConnectionKeeper, type KeeperStatus } from '../runtime/keeper.ts';
import type { Logger } from '../runtime/log.ts';
import { reasonOf } from '../runtime/sentence.ts';
import { settlesWithin } from '../runtime/within.ts';
import { DATABASE_RELAY, DatabaseRelayError, isRelay, relayCondition } from './database-relay.ts';
import { areOfInterfaces, INTERFACE_COLUMNS, InterfaceWatch } from './interface-watch.ts';
import type { RowChange } from './row-change.ts';
import { writeRows } from './row-writes.ts';
import { TargetsColumn } from './targets-column.ts';

/** The name of ovs-vswitchd's configuration database. */
export const DATABASE_NAME = 'Open_vSwitch';
/**
 * Name of the OVSDB lock of the active daemon (RFC 7047, section 4.1.8): an <id> (section 3.1), which has no hyphen.
 */
const LOCK_NAME = 'ovs_ipfix';
/** Name of the lock that `release` holds while it runs, by which a daemon knows that it was not another daemon that took its own. */
const RELEASE_LOCK_NAME = 'ovs_ipfix_release';

/** The tables and columns that the configuration is read from; what a database lacks is left out. */
export const WATCHED_COLUMNS = {
  Open_vSwitch: ['bridges', 'ovs_version', 'other_config'],
  Bridge: ['name', 'ipfix', 'external_ids', 'controller', 'fail_mode', 'datapath_type'],
  Controller: ['is_connected'],
  IPFIX: IPFIX_COLUMN_NAMES,
  Flow_Sample_Collector_Set: ['id', 'bridge', 'ipfix', 'local_group_id', 'external_ids'],
} satisfies Readonly<Record<string, readonly string[]>>;

/** The same with the interfaces of bridges. */
const WATCHED_WITH_INTERFACES: Readonly<Record<string, readonly string[]>> = {
  ...WATCHED_COLUMNS,
  ...INTERFACE_COLUMNS,
  Bridge: [...WATCHED_COLUMNS.Bridge, ...INTERFACE_COLUMNS.Bridge],
};

/** waiting: another ovs-ipfix has the lock; lost: another client took it; after `release` it is not requested again. */
export type LockState = 'none' | 'waiting' | 'held' | 'lost';

export interface DatabaseStatus extends KeeperStatus {
  readonly lock: LockState;
  /** Whether the replica is that of the current connection. */
  readonly isSynced: boolean;
}

export interface DatabaseSessionOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly endpoints: readonly Endpoint[];
  readonly tls: TlsFiles | undefined;
  /** How to get the lock: queue for it, as the daemon does, or take it from its holder, as `release` does. */
  readonly lock: 'queue' | 'steal';
  /** Called with each snapshot that is not about interfaces only, and again when the lock changes hands. */
  readonly onChange: () => void;
  /**
   * Called with the names of the bridges whose interfaces have changed, before `onChange`. Interfaces are not read without
   * it.
   */
  readonly onInterfaces?: (bridges: ReadonlySet<string>) => void;
}

export class DatabaseSession {
  readonly #options: DatabaseSessionOptions;
  readonly #keeper: ConnectionKeeper<OvsdbClient>;
  readonly #replica: Replica;
  readonly #interfaces = new InterfaceWatch();
  #snapshot: Snapshot | undefined;
  #lock: LockState = 'none';
  #onHeld: () => void = () => {};
  #relayEndpoint = '';
  #targetsColumn = new TargetsColumn(undefined);

  constructor(options: DatabaseSessionOptions) {
    this.#options = options;
    this.#replica = new Replica({
      database: DATABASE_NAME,
      tables: options.onInterfaces === undefined ? WATCHED_COLUMNS : WATCHED_WITH_INTERFACES,
      onChange: (snapshot, changes) => this.#changed(snapshot, changes),
    });
    this.#keeper = new ConnectionKeeper<OvsdbClient>({
      name: 'ovsdb',
      endpoints: options.endpoints,
      clock: options.clock,
      log: options.log,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      open: (stream) => this.#open(new OvsdbClient(stream)),
      onUp: () => options.onChange(),
      onDown: () => options.onChange(),
    });
  }

  start(): void {
    this.#keeper.start();
  }

  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  status(): DatabaseStatus {
    return { ...this.#keeper.status(), lock: this.#lock, isSynced: this.#keeper.session !== undefined };
  }

  /** Returns the conditions that prevent the use of the database. */
  conditions(): readonly Condition[] {
    const isDown = this.#keeper.session === undefined;
    const isOfRelay = isDown && this.#keeper.status().lastErrorCode === DATABASE_RELAY;
    return isOfRelay ? [relayCondition(this.#relayEndpoint)] : [];
  }

  get lock(): LockState {
    return this.#lock;
  }

  /** Whether the database has collector sets: very old ones lack the table. */
  get hasCollectorSets(): boolean {
    return this.#replica.schema?.tables.has('Flow_Sample_Collector_Set') === true;
  }

  /** Whether OVS waits for saved flows to be restored (ovs-vswitchd.conf.db(5), other_config:flow-restore-wait). */
  get isRestoringFlows(): boolean {
    const rows = [...(this.#snapshot?.table('Open_vSwitch').values() ?? [])];
    return rows.some(({ columns }) => {
      const otherConfig = columns['other_config'];
      return otherConfig instanceof Map && otherConfig.get('flow-restore-wait') === 'true';
    });
  }

  /** The newest whole snapshot, which outlives its connection; undefined before the first. */
  tables(): ConfigurationTables | undefined {
    return this.#snapshot && configurationTables(this.#snapshot, this.#targetsColumn);
  }

  /** The interfaces of a bridge as the newest snapshot has them; they outlive the connection as well. */
  interfacesOf(bridge: string): InterfaceList {
    return this.#interfaces.listOf(bridge);
  }

  /**
   * Writes the changes of rows, in transactions that the server aborts if a row has changed meanwhile or the lock is not held.
   * Rejects with the first failure after all have been tried.
   */
  async write(changes: readonly RowChange[]): Promise<void> {
    const client = this.#connected('IPFIX rows not changed');
    await writeRows(changes, {
      column: this.#targetsColumn,
      log: this.#options.log,
      transact: (operations) =>
        client.transact(DATABASE_NAME, [{ op: 'assert', lock: LOCK_NAME }, ...operations]),
    });
  }

  /** Runs operations in one transaction, which the server aborts if the lock is not held; `what` is for its comment. */
  async transact(what: string, operations: (targets: TargetsColumn) => readonly Operation[]): Promise<void> {
    const client = this.#connected(`${what}: failed`);
    await client.transact(DATABASE_NAME, [
      { op: 'assert', lock: LOCK_NAME },
      ...operations(this.#targetsColumn),
      { op: 'comment', comment: `ovs-ipfix: ${what}` },
    ]);
    this.#options.log.info(what);
  }

  /** Returns the client of the connection; throws an error that begins with `failure` while there is none. */
  #connected(failure: string): OvsdbClient {
    const client = this.#keeper.session;
    if (client === undefined) {
      throw new Error(`${failure}: not connected to the database`);
    }
    return client;
  }

  /** Resolves when the lock is held over a live connection, or after `timeoutMs`. */
  async held(timeoutMs: number): Promise<void> {
    this.#keeper.endPause();
    const held = new Promise<void>((resolve) => {
      this.#onHeld = () => {
        if (this.#lock === 'held') {
          resolve();
        }
      };
      this.#onHeld();
    });
    await settlesWithin(this.#options.clock, timeoutMs, held);
    this.#onHeld = () => {};
  }

  /** Ends a backoff, and requests the lock again if another client took it. */
  async resync(): Promise<void> {
    const client = this.#keeper.session;
    if (client === undefined) {
      this.#keeper.endPause();
    } else if (this.#lock === 'lost') {
      this.#lock = 'none';
      await this.#askForLock(client);
    }
  }

  #changed(snapshot: Snapshot, changes: readonly ReplicaChange[]): void {
    this.#snapshot = snapshot;
    this.#targetsColumn = new TargetsColumn(this.#replica.schema);
    const bridges = this.#interfaces.update(snapshot, changes);
    if (bridges.size > 0) {
      this.#options.onInterfaces?.(bridges);
    }
    if (!areOfInterfaces(changes)) {
      this.#options.onChange();
    }
  }

  async #open(client: OvsdbClient): Promise<OvsdbClient> {
    if (await isRelay(client, DATABASE_NAME)) {
      this.#relayEndpoint = this.#keeper.status().endpoint;
      throw new DatabaseRelayError();
    }
    await this.#replica.attach(client);
    if (this.#lock !== 'lost') {
      await this.#askForLock(client);
    }
    return client;
  }

  async #askForLock(client: OvsdbClient): Promise<void> {
    const onHeld = (isHeld: boolean) => this.#lockChanged(client, isHeld);
    if (this.#options.lock === 'steal') {
      await client.lock(RELEASE_LOCK_NAME);
      await client.steal(LOCK_NAME, onHeld);
    } else {
      await client.lock(LOCK_NAME, onHeld);
    }
  }

  /** Handles changes of the lock, in the order received. The end of a connection releases it: another client did not take it. */
  #lockChanged(client: OvsdbClient, isHeld: boolean): void {
    const before = this.#lock;
    if (client.end !== undefined) {
      this.#lock = 'none';
    } else if (isHeld) {
      this.#lock = before === 'lost' ? 'lost' : 'held';
    } else {
      this.#lock = before === 'held' ? 'lost' : 'waiting';
    }
    if (this.#lock === 'waiting') {
      this.#options.log.warn('another ovs-ipfix has the lock of the active daemon; standing by');
    } else if (this.#lock === 'lost' && before === 'held') {
      this.#options.log.warn('another client took the lock of the active daemon; export stopped');
      this.#queueAgain(client).catch((error: unknown) => {
        // The end of a connection leaves the queue as well, and the next one does not request the lock.
        this.#options.log.debug(`lock not requested again: ${reasonOf(error)}`);
      });
    }
    this.#onHeld();
    this.#options.onChange();
  }

  /**
   * Leaves the queue of a lost lock, in which the previous holder stays before standby daemons (RFC 7047, section 4.1.8), and
   * joins its end as a standby; not while `release` runs, which would be undone.
   */
  async #queueAgain(client: OvsdbClient): Promise<void> {
    await client.unlock(LOCK_NAME);
    const isReleased = !(await client.lock(RELEASE_LOCK_NAME));
    await client.unlock(RELEASE_LOCK_NAME);
    if (isReleased) {
      this.#options.log.warn(
        '"ovs-ipfix release" was run; export stopped until "ovs-appctl -t ovs-ipfix readopt" or a restart',
      );
    } else {
      await this.resync();
    }
  }
}

/** Returns the rows of a snapshot. */
export function configurationTables(snapshot: Snapshot, targetsColumn: TargetsColumn): ConfigurationTables {
  return {
    bridges: rootedBridges(snapshot),
    ipfix: targetsColumn.read(snapshot.table('IPFIX')),
    collectorSets: [...snapshot.table('Flow_Sample_Collector_Set').values()],
    controllers: snapshot.table('Controller'),
    ovsVersion: ovsVersion(snapshot),
  };
}

/** Returns the version of Open vSwitch in the root row; undefined if it is not set. */
function ovsVersion(snapshot: Snapshot): string | undefined {
  const [root] = snapshot.table('Open_vSwitch').values();
  const version = root?.columns['ovs_version'];
  return typeof version === 'string' && version !== '' ? version : undefined;
}

/**
 * Returns the bridges of ovs-vswitchd: those that the root row refers to. The row of a deleted bridge is kept as long as a
 * collector set refers to it.
 */
function rootedBridges(snapshot: Snapshot): readonly DatabaseRow[] {
  const bridges = [...snapshot.table('Bridge').values()];
  const rooted = new Set<string>();
  for (const root of snapshot.table('Open_vSwitch').values()) {
    const references = root.columns['bridges'];
    for (const reference of Array.isArray(references) ? references : []) {
      rooted.add((reference as Uuid).uuid);
    }
  }
  return bridges.filter((bridge) => rooted.has(bridge.uuid));
}
