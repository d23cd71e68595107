// The bridges and collector sets that refer to each IPFIX row.

import type { DatabaseRow } from './ipfix-row.ts';
import { bridgeNameOf, referenceOf } from './reference.ts';

/** Who refers to an IPFIX row. */
export interface RowUser {
  /** Names of the bridges that use the row, in their `ipfix` column or through a collector set; one for each reference. */
  readonly bridges: string[];
  /** The bridges whose `ipfix` column refers to the row. */
  readonly wholeBridges: string[];
  /** References to the row. */
  count: number;
  /** The first references, for conditions: "bridge br0", "collector set 7 of bridge br0". */
  readonly described: string[];
}

/** References to a row that conditions name; the others are counted. */
const DESCRIBED_MAX = 8;

/** Returns the users of each row by its uuid; `collectorSets` are those of users. */
export function usersOfIpfixRows(
  bridgeRows: readonly DatabaseRow[],
  collectorSets: readonly DatabaseRow[],
): ReadonlyMap<string, RowUser> {
  const users = new Map<string, RowUser>();
  const add = (uuid: string, describe: () => string): RowUser => {
    let user = users.get(uuid);
    if (user === undefined) {
      user = { bridges: [], wholeBridges: [], count: 0, described: [] };
      users.set(uuid, user);
    }
    user.count += 1;
    if (user.count <= DESCRIBED_MAX) {
      user.described.push(describe());
    }
    return user;
  };
  const names = new Map<string, string>();
  for (const row of bridgeRows) {
    const name = bridgeNameOf(row);
    names.set(row.uuid, name);
    const uuid = referenceOf(row.columns['ipfix']);
    if (uuid !== undefined) {
      const user = add(uuid, () => `bridge ${name}`);
      user.bridges.push(name);
      user.wholeBridges.push(name);
    }
  }
  for (const row of collectorSets) {
    const uuid = referenceOf(row.columns['ipfix']);
    if (uuid !== undefined) {
      const name = names.get(referenceOf(row.columns['bridge']) ?? '');
      const of = name === undefined ? 'no bridge' : `bridge ${name}`;
      const user = add(uuid, () => `collector set ${String(row.columns['id'])} of ${of}`);
      user.bridges.push(...(name === undefined ? [] : [name]));
    }
  }
  return users;
}

/** Returns the users of a row in words. */
export function describeUsers({ described, count }: RowUser): string {
  const more = count - described.length;
  return `${described.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
