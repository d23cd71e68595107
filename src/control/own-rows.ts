// Keeps the daemon's own rows (own-rows-plan.ts) as desired: creates them once for each bridge that the datapath samples or may
// sample, and destroys those of bridges that have left `Open_vSwitch.bridges`, which the strong reference of a collector set would
// keep in the database, and those of a daemon that died.

import type { ConfigurationTables } from '../config/configuration.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { clause } from '../runtime/sentence.ts';
import type { DatabaseSession } from './database-session.ts';
import {
  isEmptyPlan,
  OWN_SET_FIRST,
  OWN_SET_LAST,
  type OwnRowsDesired,
  type OwnSet,
  ownRowsOperations,
  ownSets,
  planOwnRows,
} from './own-rows-plan.ts';
import { Reconciler } from './reconciler.ts';

export interface OwnRowsOptions {
  readonly database: DatabaseSession;
  readonly clock: Clock;
  readonly log: Logger;
  /** The run of the daemon: other rows are of a daemon that died. */
  readonly owner: string;
}

/** Nothing: all own rows of all runs are destroyed. */
const NONE: OwnRowsDesired = { owner: '', ports: new Map(), kept: new Set(), avoided: new Map() };

export class OwnRows {
  readonly #options: OwnRowsOptions;
  readonly #reconciler: Reconciler;
  #desired: OwnRowsDesired;
  #sets: ReadonlyMap<string, OwnSet> = new Map();
  /** Bridges for which no id is free. */
  #withoutId: ReadonlySet<string> = new Set();

  constructor(options: OwnRowsOptions) {
    this.#options = options;
    this.#desired = { ...NONE, owner: options.owner };
    this.#reconciler = new Reconciler({
      clock: options.clock,
      reconcile: () => this.#reconcile(),
      onFailure: (error) => options.log.limited('own rows').warn(`${error.message}; retrying`),
    });
  }

  /** Reconciles the rows with a new snapshot. */
  follow(tables: ConfigurationTables, desired: Omit<OwnRowsDesired, 'owner'>): void {
    this.#desired = { ...desired, owner: this.#options.owner };
    this.#sets = ownSets(tables, this.#desired);
    const plan = planOwnRows(tables, this.#desired);
    this.#withoutId = new Set(plan.refused);
    const { lock, hasCollectorSets } = this.#options.database;
    if (lock === 'held' && hasCollectorSets && !isEmptyPlan(plan)) {
      this.#reconciler.trigger();
    }
  }

  /** Returns why the bridge cannot have own rows now, as a clause; undefined if nothing is known to prevent them. */
  refusal(bridge: string): string | undefined {
    if (!this.#options.database.hasCollectorSets) {
      return 'the database has no table Flow_Sample_Collector_Set';
    }
    if (this.#withoutId.has(bridge)) {
      return `all collector set ids from ${OWN_SET_FIRST} to ${OWN_SET_LAST} are in use`;
    }
    const { lastError } = this.#reconciler.status();
    return lastError && clause(lastError);
  }

  /** Returns the own rows of a bridge; undefined until the database has them with the right target. */
  setOf(bridge: string): OwnSet | undefined {
    return this.#sets.get(bridge);
  }

  /** Why the last attempt to write the rows failed; undefined when it succeeded. */
  get failure(): Error | undefined {
    return this.#reconciler.failure;
  }

  /** Stops reconciling. */
  stop(): void {
    this.#reconciler.stop();
  }

  async #reconcile(): Promise<void> {
    const { database } = this.#options;
    if (database.lock === 'held') {
      await writeOwnRows(database, this.#desired);
    }
  }
}

/** Destroys the own rows of all runs. Rejects when the database refuses or is down. */
export async function removeOwnRows(database: DatabaseSession): Promise<void> {
  await writeOwnRows(database, NONE);
}

async function writeOwnRows(database: DatabaseSession, desired: OwnRowsDesired): Promise<void> {
  const tables = database.tables();
  const plan = tables && planOwnRows(tables, desired);
  if (plan === undefined || isEmptyPlan(plan)) {
    return;
  }
  const { added, removed, retargeted } = plan;
  await database.transact(
    `own collector sets: ${added.length} added, ${removed.length} removed, ${retargeted.length} changed`,
    (column) => ownRowsOperations(plan, desired.owner, (targets) => column.write(targets)),
  );
}
