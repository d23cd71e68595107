// Keeps the daemon's own rows (own-rows-plan.ts) as desired: creates them once for each bridge that the datapath samples or may
// sample, and destroys those of bridges that have left `Open_vSwitch.bridges`, which the strong reference of a collector set would
// keep in the database, and those of a daemon that died.

import type { ConfigurationTables } from '../config/configuration.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { DatabaseSession } from './database-session.ts';
import {
  isEmptyPlan,
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
const NONE: OwnRowsDesired = { owner: '', ports: new Map(), kept: new Set() };

export class OwnRows {
  readonly #options: OwnRowsOptions;
  readonly #reconciler: Reconciler;
  #desired: OwnRowsDesired;
  #sets: ReadonlyMap<string, OwnSet> = new Map();

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
    if (this.#options.database.lock === 'held' && !isEmptyPlan(planOwnRows(tables, this.#desired))) {
      this.#reconciler.trigger();
    }
  }

  /** Returns the own rows of a bridge; undefined until the database has them with the right target. */
  setOf(bridge: string): OwnSet | undefined {
    return this.#sets.get(bridge);
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
