// Follows the interfaces of all bridges through the snapshots of the database: finds which bridges a change is about, and
// reads only their rows again. A bridge with thousands of ports sees many such changes, and none of them is a reason to
// reconcile anything.

import {
  type BridgeMembers,
  type InterfaceList,
  membersOf,
  NO_INTERFACES,
  readInterfaces,
} from '../config/interfaces.ts';
import type { DatabaseRow } from '../config/ipfix-row.ts';
import { bridgeNameOf } from '../config/reference.ts';
import type { RowChange, Snapshot } from '../ovsdb-client/index.ts';

/** The tables and columns of interfaces; not those that ovs-vswitchd writes every few seconds (statistics, status). */
export const INTERFACE_COLUMNS = {
  Bridge: ['ports'],
  Port: ['interfaces'],
  Interface: ['name', 'type', 'options', 'ofport', 'ifindex', 'external_ids'],
} as const;

/** A bridge and the rows that its list was read from. */
interface WatchedBridge {
  readonly name: string;
  members: BridgeMembers;
  list: InterfaceList;
}

/** What a change of rows means for a bridge: its members may differ, or only what their Interface rows say. */
type Extent = 'members' | 'interfaces';

export class InterfaceWatch {
  /** By uuid. */
  readonly #bridges = new Map<string, WatchedBridge>();
  /** The uuid of the bridge that a Port or Interface row belongs to. */
  readonly #owners = new Map<string, string>();
  readonly #uuids = new Map<string, string>();

  /** Returns the interfaces of a bridge by its name, empty for one that is not known. */
  listOf(bridge: string): InterfaceList {
    return this.#bridges.get(this.#uuids.get(bridge) ?? '')?.list ?? NO_INTERFACES;
  }

  /** Reads what has changed, and returns the names of the bridges whose interfaces it is about. */
  update(snapshot: Snapshot, changes: readonly RowChange[]): ReadonlySet<string> {
    const changed = new Set<string>();
    for (const [uuid, extent] of this.#extents(changes)) {
      const row = snapshot.table('Bridge').get(uuid);
      const known = this.#bridges.get(uuid);
      if (known !== undefined) {
        changed.add(known.name);
      }
      if (row === undefined) {
        this.#forget(uuid, known);
        continue;
      }
      const bridge = known ?? this.#add(row);
      changed.add(bridge.name);
      if (extent === 'members') {
        this.#setMembers(uuid, bridge, membersOf(row, snapshot.table('Port')));
      }
      bridge.list = readInterfaces(bridge.name, rowsOf(bridge, snapshot), bridge.list.interfaces);
    }
    return changed;
  }

  /** The bridges, by uuid, that changes of rows are about. */
  #extents(changes: readonly RowChange[]): ReadonlyMap<string, Extent> {
    const extents = new Map<string, Extent>();
    for (const { table, uuid, before, after } of changes) {
      // A row that no bridge has yet comes with a change of the row that refers to it.
      const owner = table === 'Bridge' ? uuid : this.#owners.get(uuid);
      if (owner === undefined) {
        continue;
      }
      if (table === 'Port' || (table === 'Bridge' && before?.columns['ports'] !== after?.columns['ports'])) {
        extents.set(owner, 'members');
      } else if (table === 'Interface' && !extents.has(owner)) {
        extents.set(owner, 'interfaces');
      }
    }
    return extents;
  }

  /** A name is that of one row (an index of the table), and never changes. */
  #add(row: DatabaseRow): WatchedBridge {
    const name = bridgeNameOf(row);
    const bridge = { name, members: { ports: [], interfaces: [] }, list: NO_INTERFACES };
    this.#bridges.set(row.uuid, bridge);
    this.#uuids.set(name, row.uuid);
    return bridge;
  }

  #forget(uuid: string, bridge: WatchedBridge | undefined): void {
    if (bridge !== undefined) {
      this.#setMembers(uuid, bridge, { ports: [], interfaces: [] });
      this.#bridges.delete(uuid);
      if (this.#uuids.get(bridge.name) === uuid) {
        this.#uuids.delete(bridge.name);
      }
    }
  }

  #setMembers(uuid: string, bridge: WatchedBridge, members: BridgeMembers): void {
    for (const member of [...bridge.members.ports, ...bridge.members.interfaces]) {
      // A port that has moved to another bridge may have been read for that one already.
      if (this.#owners.get(member) === uuid) {
        this.#owners.delete(member);
      }
    }
    for (const member of [...members.ports, ...members.interfaces]) {
      this.#owners.set(member, uuid);
    }
    bridge.members = members;
  }
}

function* rowsOf({ members }: WatchedBridge, snapshot: Snapshot): Generator<DatabaseRow | undefined> {
  const rows = snapshot.table('Interface');
  for (const uuid of members.interfaces) {
    yield rows.get(uuid);
  }
}

/** Whether changes are about interfaces only, so that nothing else has to be read again. */
export function areOfInterfaces(changes: readonly RowChange[]): boolean {
  return changes.length > 0 && changes.every((change) => isOfInterfaces(change.table) || isOfPorts(change));
}

function isOfInterfaces(table: string): boolean {
  return table === 'Port' || table === 'Interface';
}

/** Whether a bridge differs only in its ports; values that are unchanged are the same objects. */
function isOfPorts({ table, before, after }: RowChange): boolean {
  if (table !== 'Bridge' || before === undefined || after === undefined) {
    return false;
  }
  const names = Object.keys(after.columns);
  return names.every((name) => name === 'ports' || before.columns[name] === after.columns[name]);
}
