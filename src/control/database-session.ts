// The connection to the OVS database: keeps a replica of the tables that the daemon reads, holds the lock of the only active
// ovs-ipfix of this OVS, and writes the changes that ownership.ts plans. It does not interpret rows.

import type { Condition } from '../config/condition.ts';
import type { ConfigurationTables } from '../config/configuration.ts';
import type { InterfaceList } from '../config/interfaces.ts';
import { type DatabaseRow, IPFIX_COLUMN_NAMES } from '../config/ipfix-row.ts';
import {
  type DatabaseSchema,
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
import { settlesWithin } from '../runtime/within.ts';
import { DATABASE_RELAY, DatabaseRelayError, isRelay, relayCondition } from './database-relay.ts';
import { areOfInterfaces, INTERFACE_COLUMNS, InterfaceWatch } from './interface-watch.ts';
import { Leadership, type LeadershipOptions, type LeadershipStatus, type LockState } from './leadership.ts';
import { LOCK_NAME } from './locks.ts';
import type { RowChange } from './row-change.ts';
import { writeRows } from './row-writes.ts';
import { SampleGate, type SampleGateStatus } from './sample-gate.ts';
import { TargetsColumn } from './targets-column.ts';
import { unwritableConditions } from './unwritable-database.ts';

/** The name of ovs-vswitchd's configuration database. */
export const DATABASE_NAME = 'Open_vSwitch';
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

export interface DatabaseStatus extends KeeperStatus, LeadershipStatus {
  /** Whether the replica is that of the current connection. */
  readonly isSynced: boolean;
  /** Samples that have waited for the proof of leadership. */
  readonly samples: SampleGateStatus;
}

export interface DatabaseSessionOptions {
  readonly clock: Clock;
  /** The clock of the packet path; default: `clock`. */
  readonly sampleClock?: Clock;
  readonly log: Logger;
  readonly endpoints: readonly Endpoint[];
  readonly tls: TlsFiles | undefined;
  /** See `LeadershipOptions.lock`. */
  readonly lock: LeadershipOptions['lock'];
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
  readonly #leadership: Leadership;
  /** What the samples of all bridges pass. */
  readonly gate: SampleGate;
  readonly #interfaces = new InterfaceWatch();
  #snapshot: Snapshot | undefined;
  #tables: ConfigurationTables | undefined;
  #onHeld: () => void = () => {};
  #relayEndpoint = '';
  #schema: DatabaseSchema | undefined;
  /** When the last changes of rows were sent. */
  #writtenMicros = 0;
  #isWriting = false;
  #changedMicros = 0;
  #targetsColumn = new TargetsColumn(undefined);

  constructor(options: DatabaseSessionOptions) {
    this.#options = options;
    this.#leadership = new Leadership({
      clock: options.clock,
      sampleClock: options.sampleClock ?? options.clock,
      log: options.log,
      lock: options.lock,
      endsWithClient: () => this.#keeper.status().endpoint.startsWith('unix:'),
      onChange: () => this.#leadershipChanged(),
    });
    this.gate = new SampleGate(() => this.#leadership.admission);
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
    this.#leadership.stop();
    return this.#keeper.stop();
  }

  status(): DatabaseStatus {
    return {
      ...this.#keeper.status(),
      ...this.#leadership.status(),
      isSynced: this.#keeper.session !== undefined,
      samples: this.gate.status(),
    };
  }

  /** Returns the conditions that prevent the use of the database; `failures` are those of its writers, where the last attempt failed. */
  conditions(failures: readonly (Error | undefined)[]): readonly Condition[] {
    const isDown = this.#keeper.session === undefined;
    const { lastErrorCode, endpoint } = this.#keeper.status();
    const isOfRelay = isDown && lastErrorCode === DATABASE_RELAY;
    return isOfRelay ? [relayCondition(this.#relayEndpoint)] : unwritableConditions(endpoint, failures);
  }

  get lock(): LockState {
    return this.#leadership.lock;
  }

  /** See `Leadership.isLeading`. */
  get isLeading(): boolean {
    return this.#leadership.isLeading;
  }

  /** Since when changes of rows are being written (monotonic); undefined while none are. */
  get writingMicros(): number | undefined {
    return this.#isWriting ? this.#writtenMicros : undefined;
  }

  /** When the last changes of rows were sent, monotonic. */
  get writtenMicros(): number {
    return this.#writtenMicros;
  }

  /** See `Leadership.takePreviousEnd`. */
  takePreviousEnd(): number | undefined {
    return this.#leadership.takePreviousEnd();
  }

  /** See `Leadership.showLastLife`. */
  showLastLife(): Promise<void> {
    return this.#leadership.showLastLife();
  }

  /** When rows have changed last (monotonic), apart from those of interfaces. */
  get changedMicros(): number {
    return this.#changedMicros;
  }

  /** See `Leadership.holderAliveMicros`. */
  get holderAliveMicros(): number {
    return this.#leadership.holderAliveMicros;
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

  /** The newest whole snapshot, an object of its own for each, which outlives its connection; undefined before the first. */
  tables(): ConfigurationTables | undefined {
    return this.#tables;
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
    if (changes.some(({ kind }) => kind !== 'annotate')) {
      this.#writtenMicros = this.#options.clock.monotonicMicros();
      this.#isWriting = true;
    }
    const writing = writeRows(changes, {
      column: this.#targetsColumn,
      log: this.#options.log,
      transact: (operations) =>
        client.transact(DATABASE_NAME, [{ op: 'assert', lock: LOCK_NAME }, ...operations]),
    });
    await writing.finally(() => {
      this.#isWriting = false;
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
        if (this.lock === 'held') {
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
    } else {
      await this.#leadership.resync(client);
    }
  }

  #leadershipChanged(): void {
    this.#onHeld();
    this.gate.follow();
    this.#options.onChange();
  }

  #changed(snapshot: Snapshot, changes: readonly ReplicaChange[]): void {
    this.#snapshot = snapshot;
    if (this.#replica.schema !== this.#schema) {
      this.#schema = this.#replica.schema;
      this.#targetsColumn = new TargetsColumn(this.#schema);
    }
    const bridges = this.#interfaces.update(snapshot, changes);
    if (this.#tables === undefined || !areOfInterfaces(changes)) {
      this.#tables = configurationTables(snapshot, this.#targetsColumn);
    }
    if (bridges.size > 0) {
      this.#options.onInterfaces?.(bridges);
    }
    if (!areOfInterfaces(changes)) {
      this.#changedMicros = this.#options.clock.monotonicMicros();
      this.#options.onChange();
    }
  }

  async #open(client: OvsdbClient): Promise<OvsdbClient> {
    if (await isRelay(client, DATABASE_NAME)) {
      this.#relayEndpoint = this.#keeper.status().endpoint;
      throw new DatabaseRelayError();
    }
    await this.#replica.attach(client);
    await this.#leadership.attach(client);
    return client;
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
