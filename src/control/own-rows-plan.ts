// What is to be changed in the daemon's own rows: of each bridge that the datapath samples, a `Flow_Sample_Collector_Set` and its
// `IPFIX` row, whose target is the daemon's socket. Pure. own-rows.ts writes the changes.

import type { ConfigurationTables } from '../config/configuration.ts';
import type { DatabaseRow } from '../config/ipfix-row.ts';
import { ownerOf } from '../config/own-rows.ts';
import { bridgeNameOf, referenceOf } from '../config/reference.ts';
import { OWNER_KEY } from '../config/row-keys.ts';
import type { Operation } from '../ovsdb-client/index.ts';

/** Which rows there should be. */
export interface OwnRowsDesired {
  /** The run of the daemon, the value of `ovs-ipfix-owner`. */
  readonly owner: string;
  /** By the name of the bridge: the port on 127.0.0.1 that its samples are sent to. */
  readonly ports: ReadonlyMap<string, number>;
  /** Names of bridges whose rows are left as they are. */
  readonly kept: ReadonlySet<string>;
  /** By the name of the bridge: ids that flows of other clients have in their `sample` actions. */
  readonly avoided: ReadonlyMap<string, ReadonlySet<number>>;
}

/** The own rows of a bridge. */
export interface OwnSet {
  readonly collectorSetId: number;
  readonly collectorSetRow: string;
  readonly ipfixRow: string;
}

/** The changes of the own rows. */
export interface OwnRowsPlan {
  /** Rows of Flow_Sample_Collector_Set; their IPFIX rows are removed by the database, as nothing else refers to them. */
  readonly removed: readonly string[];
  readonly retargeted: readonly { readonly ipfixRow: string; readonly port: number }[];
  readonly added: readonly {
    readonly bridgeRow: string;
    readonly collectorSetId: number;
    readonly port: number;
  }[];
  /** Names of bridges for which no id is free. */
  readonly refused: readonly string[];
}

/** First and last id of own collector sets; (id, bridge) is a unique index of the table. */
export const OWN_SET_FIRST = 0xffff_fe00;
export const OWN_SET_LAST = 0xffff_feff;

/** Returns the changes that lead to the desired rows. */
export function planOwnRows(tables: ConfigurationTables, desired: OwnRowsDesired): OwnRowsPlan {
  const sets = setsByBridge(tables);
  const remaining = new Set([...tables.collectorSets].filter((row) => ownerOf(row) !== undefined));
  const retargeted: { ipfixRow: string; port: number }[] = [];
  const added: { bridgeRow: string; collectorSetId: number; port: number }[] = [];
  const refused: string[] = [];
  for (const bridge of tables.bridges) {
    const name = bridgeNameOf(bridge);
    const ofBridge = sets.get(bridge.uuid) ?? [];
    const own = ownRowOf(ofBridge, name, desired);
    const port = desired.ports.get(name);
    if (own !== undefined && (port !== undefined || desired.kept.has(name))) {
      remaining.delete(own);
    }
    if (port === undefined) {
      continue;
    }
    if (own === undefined) {
      const collectorSetId = freeId(ofBridge, desired.avoided.get(name));
      if (collectorSetId === undefined) {
        refused.push(name);
      } else {
        added.push({ bridgeRow: bridge.uuid, collectorSetId, port });
      }
      continue;
    }
    const ipfixRow = referenceOf(own.columns['ipfix']) ?? '';
    if (!hasTarget(tables.ipfix.get(ipfixRow), port)) {
      retargeted.push({ ipfixRow, port });
    }
  }
  return { removed: [...remaining].map(({ uuid }) => uuid), retargeted, added, refused };
}

/** Whether nothing is to be changed in the database. */
export function isEmptyPlan({ removed, retargeted, added }: OwnRowsPlan): boolean {
  return removed.length + retargeted.length + added.length === 0;
}

/** Returns the own rows by the name of the bridge that have the right target. */
export function ownSets(tables: ConfigurationTables, desired: OwnRowsDesired): ReadonlyMap<string, OwnSet> {
  const sets = setsByBridge(tables);
  const own = new Map<string, OwnSet>();
  for (const bridge of tables.bridges) {
    const name = bridgeNameOf(bridge);
    const port = desired.ports.get(name);
    const row = ownRowOf(sets.get(bridge.uuid) ?? [], name, desired);
    const ipfixRow = referenceOf(row?.columns['ipfix']) ?? '';
    if (row !== undefined && port !== undefined && hasTarget(tables.ipfix.get(ipfixRow), port)) {
      own.set(name, { collectorSetId: Number(row.columns['id']), collectorSetRow: row.uuid, ipfixRow });
    }
  }
  return own;
}

/** Returns the operations of a plan; `writeTargets` formats the column `targets`. */
export function ownRowsOperations(
  { removed, retargeted, added }: OwnRowsPlan,
  owner: string,
  writeTargets: (targets: readonly string[]) => readonly string[],
): readonly Operation[] {
  const externalIds = new Map([[OWNER_KEY, owner]]);
  const targets = (port: number) => writeTargets([targetOf(port)]);
  return [
    ...removed.map(
      (uuid): Operation => ({
        op: 'delete',
        table: 'Flow_Sample_Collector_Set',
        where: [['_uuid', '==', { uuid }]],
      }),
    ),
    ...retargeted.map(
      ({ ipfixRow, port }): Operation => ({
        op: 'update',
        table: 'IPFIX',
        where: [['_uuid', '==', { uuid: ipfixRow }]],
        row: { targets: targets(port) },
      }),
    ),
    ...added.flatMap(({ bridgeRow, collectorSetId, port }, index): Operation[] => [
      {
        op: 'insert',
        table: 'IPFIX',
        uuidName: `ipfix${index}`,
        row: { targets: targets(port), external_ids: externalIds },
      },
      {
        op: 'insert',
        table: 'Flow_Sample_Collector_Set',
        row: {
          id: collectorSetId,
          bridge: { uuid: bridgeRow },
          ipfix: { namedUuid: `ipfix${index}` },
          external_ids: externalIds,
        },
      },
    ]),
  ];
}

/** What `setsByBridge` has returned. */
const knownSets = new WeakMap<ConfigurationTables, ReadonlyMap<string, readonly DatabaseRow[]>>();

/** Returns all collector sets by the uuid of their bridge. */
function setsByBridge(tables: ConfigurationTables): ReadonlyMap<string, readonly DatabaseRow[]> {
  const sets = knownSets.get(tables) ?? groupByBridge(tables);
  knownSets.set(tables, sets);
  return sets;
}

function groupByBridge(tables: ConfigurationTables): ReadonlyMap<string, readonly DatabaseRow[]> {
  const sets = new Map<string, DatabaseRow[]>();
  for (const row of tables.collectorSets) {
    const bridge = referenceOf(row.columns['bridge']) ?? '';
    const ofBridge = sets.get(bridge);
    if (ofBridge === undefined) {
      sets.set(bridge, [row]);
    } else {
      ofBridge.push(row);
    }
  }
  return sets;
}

/** Returns the own set of a bridge with an IPFIX row and an id that nothing else needs; further ones are removed. */
function ownRowOf(
  ofBridge: readonly DatabaseRow[],
  bridge: string,
  { owner, avoided }: OwnRowsDesired,
): DatabaseRow | undefined {
  const avoidedIds = avoided.get(bridge);
  return ofBridge.find(
    (row) =>
      ownerOf(row) === owner &&
      referenceOf(row.columns['ipfix']) !== undefined &&
      avoidedIds?.has(Number(row.columns['id'])) !== true,
  );
}

/** Returns an id that no set of the bridge has and that is not avoided; undefined if there is none. */
function freeId(
  ofBridge: readonly DatabaseRow[],
  avoided: ReadonlySet<number> = new Set(),
): number | undefined {
  const used = new Set(ofBridge.map((row) => Number(row.columns['id'])));
  for (let id = OWN_SET_FIRST; id <= OWN_SET_LAST; id += 1) {
    if (!used.has(id) && !avoided.has(id)) {
      return id;
    }
  }
  return undefined;
}

function targetOf(port: number): string {
  return `127.0.0.1:${port}`;
}

function hasTarget(ipfix: DatabaseRow | undefined, port: number): boolean {
  const targets: unknown = ipfix?.columns['targets'];
  return Array.isArray(targets) && targets.length === 1 && targets[0] === targetOf(port);
}
