// The interfaces of a bridge from the rows of the database (Bridge.ports, Port.interfaces, Interface): a pure function. Each
// interface with an OpenFlow port gets its number in records, and the name of what is attached to it.

import {
  type BridgeInterface,
  fallbackNumber,
  OFPORT_MAX,
  OFPP_LOCAL,
  ofportOf,
} from '../intake/ingress-interfaces.ts';
import { shownName } from '../runtime/safe-text.ts';
import type { DatabaseRow } from './ipfix-row.ts';
import { referenceOf } from './reference.ts';

/** The rows that a bridge refers to, by uuid. */
export interface BridgeMembers {
  readonly ports: readonly string[];
  readonly interfaces: readonly string[];
}

/** The interfaces of one bridge. */
export interface InterfaceList {
  /** By port, each port once. */
  readonly interfaces: readonly BridgeInterface[];
  /** Interface rows that are missing, make no sense, or have the port of another one. */
  readonly skipped: number;
}

/** The list of a bridge without rows. */
export const NO_INTERFACES: InterfaceList = { interfaces: [], skipped: 0 };

/** Keys of Interface.external_ids with what is attached, the first that is set counts. */
const DESCRIPTION_KEYS: readonly string[] = ['vm-name', 'iface-id', 'attached-mac'];
const IFINDEX_MAX = 0xffff_ffff;
const TUNNEL_PORT_MAX = 65_535;

/** Returns which Port and Interface rows a bridge has; `ports` are the Port rows by uuid. */
export function membersOf(bridge: DatabaseRow, ports: ReadonlyMap<string, DatabaseRow>): BridgeMembers {
  const portUuids = references(bridge.columns['ports']);
  const interfaces: string[] = [];
  for (const uuid of portUuids) {
    interfaces.push(...references(ports.get(uuid)?.columns['interfaces']));
  }
  return { ports: portUuids, interfaces };
}

/**
 * Reads the interfaces of a bridge from their rows, of which some may be missing. Interfaces without an OpenFlow port, which
 * ovs-vswitchd has not added yet or could not add, are left out. `before` is the list that was read last: an interface
 * without an ifindex keeps its number, because the column is ephemeral and empty for a moment after a restart of
 * ovsdb-server (ovs-vswitchd writes 0 for "none").
 */
export function readInterfaces(
  bridge: string,
  rows: Iterable<DatabaseRow | undefined>,
  before: readonly BridgeInterface[] = [],
): InterfaceList {
  const byPort = new Map<number, BridgeInterface>();
  let known: ReadonlyMap<number, BridgeInterface> | undefined;
  let skipped = 0;
  for (const row of rows) {
    const read = row && readInterface(row);
    if (read === undefined || (read !== 'no port' && byPort.has(read.ofport))) {
      skipped += 1;
    } else if (read !== 'no port') {
      if (row?.columns['ifindex'] === undefined) {
        known ??= new Map(before.map((each) => [each.ofport, each]));
        byPort.set(read.ofport, withNumberOf(known.get(read.ofport), read));
      } else {
        byPort.set(read.ofport, read);
      }
    }
  }
  if (!byPort.has(OFPP_LOCAL)) {
    byPort.set(OFPP_LOCAL, localInterface(bridge));
  }
  const interfaces = [...byPort.values()].sort((a, b) => a.ofport - b.ofport);
  return { interfaces, skipped };
}

/** An interface with the number that it had before, if it is the same. */
function withNumberOf(before: BridgeInterface | undefined, now: BridgeInterface): BridgeInterface {
  return before?.name === now.name ? { ...now, number: before.number } : now;
}

/** Reads one row; undefined when it makes no sense. */
function readInterface({ columns }: DatabaseRow): BridgeInterface | 'no port' | undefined {
  const { name, type, ofport: port, ifindex } = columns;
  // -1: ovs-vswitchd could not add the interface, as for a device that does not exist.
  if (port === undefined || port === -1) {
    return 'no port';
  }
  if (typeof name !== 'string' || name === '' || typeof port !== 'number') {
    return undefined;
  }
  const ofport = ofportOf(port);
  const isPort = Number.isInteger(ofport) && ((ofport >= 1 && ofport <= OFPORT_MAX) || ofport === OFPP_LOCAL);
  if (!isPort) {
    return undefined;
  }
  return {
    ofport,
    number: numberOf(ifindex, ofport),
    name: shownName(name),
    type: typeof type === 'string' ? shownName(type) : '',
    description: shownName(attachedTo(columns['external_ids']) ?? name),
    ...tunnelPortOf(columns['options']),
  };
}

/** The ifindex, or the fallback number where it is 0, absent or makes no sense. */
function numberOf(ifindex: unknown, ofport: number): number {
  const isIndex =
    typeof ifindex === 'number' && Number.isInteger(ifindex) && ifindex >= 1 && ifindex <= IFINDEX_MAX;
  return isIndex ? ifindex : fallbackNumber(ofport);
}

/** The UDP or TCP port of a tunnel; empty where it is not set. */
function tunnelPortOf(options: unknown): { readonly tunnelPort?: number } {
  const text: unknown = options instanceof Map ? options.get('dst_port') : undefined;
  const port = typeof text === 'string' && /^\d{1,5}$/u.test(text) ? Number(text) : 0;
  return port >= 1 && port <= TUNNEL_PORT_MAX ? { tunnelPort: port } : {};
}

function attachedTo(externalIds: unknown): string | undefined {
  if (externalIds instanceof Map) {
    for (const key of DESCRIPTION_KEYS) {
      const value: unknown = externalIds.get(key);
      if (typeof value === 'string' && value !== '') {
        return value;
      }
    }
  }
  return undefined;
}

/** ovs-vswitchd gives a bridge its local port even where the database has no interface for it. */
function localInterface(bridge: string): BridgeInterface {
  return {
    ofport: OFPP_LOCAL,
    number: fallbackNumber(OFPP_LOCAL),
    name: bridge,
    type: 'internal',
    description: bridge,
  };
}

/** The uuids in a column that is a set of references. */
function references(value: unknown): readonly string[] {
  const uuids: string[] = [];
  for (const each of Array.isArray(value) ? value : [value]) {
    const uuid = referenceOf(each);
    if (uuid !== undefined) {
      uuids.push(uuid);
    }
  }
  return uuids;
}
