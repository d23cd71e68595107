// Many rows at a time: creates collector sets in one transaction, which no command line could hold, and counts the rows that a
// daemon has adopted or redirected as they change.

import type { Socket } from 'node:net';
import { type Operation, OvsdbClient, Replica } from '../../src/ovsdb-client/index.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { dial } from '../../src/runtime/endpoint.ts';
import type { Ovs } from './ovs.ts';

const DATABASE = 'Open_vSwitch';

async function connect(ovs: Ovs): Promise<OvsdbClient> {
  const path = ovs.dbEndpoint.slice('unix:'.length);
  const stream = await dial({ kind: 'unix', path }, { clock: systemClock });
  (stream as Socket).unref();
  return new OvsdbClient(stream);
}

/** Creates the sets 1 to `count` of a bridge, each with an IPFIX row of its own. */
export async function createSets(ovs: Ovs, bridge: string, count: number, target: string): Promise<void> {
  const client = await connect(ovs);
  const where = [['name', '==', bridge]] as const;
  const [{ rows }] = await client.transact(DATABASE, [
    { op: 'select', table: 'Bridge', where, columns: ['_uuid'] },
  ]);
  const uuid = rows[0]?.['_uuid'] as { uuid: string };
  const operations = Array.from({ length: count }, (_, index): Operation[] => [
    { op: 'insert', table: 'IPFIX', uuidName: `row${index}`, row: { targets: [target] } },
    {
      op: 'insert',
      table: 'Flow_Sample_Collector_Set',
      row: { id: index + 1, bridge: uuid, ipfix: { namedUuid: `row${index}` } },
    },
  ]);
  await client.transact(DATABASE, operations.flat());
  client.close();
}

/** The rows that a daemon has adopted or redirected. */
export class OwnedRows {
  #client: OvsdbClient | undefined;
  #count = 0;
  #updates = 0;

  static async follow(ovs: Ovs): Promise<OwnedRows> {
    const rows = new OwnedRows();
    rows.#client = await connect(ovs);
    const replica = new Replica({
      database: DATABASE,
      tables: { IPFIX: ['external_ids'] },
      onChange: (_snapshot, changes) => {
        rows.#updates += 1;
        for (const { before, after } of changes) {
          rows.#count += Number(isOwned(after?.columns)) - Number(isOwned(before?.columns));
        }
      },
    });
    await replica.attach(rows.#client);
    return rows;
  }

  get count(): number {
    return this.#count;
  }

  /** Transactions that have changed rows, as far as the server has not merged them. */
  get updates(): number {
    return this.#updates;
  }

  close(): void {
    this.#client?.close();
  }
}

function isOwned(columns: Readonly<Record<string, unknown>> | undefined): boolean {
  const externalIds = columns?.['external_ids'];
  return externalIds instanceof Map && externalIds.has('ovs-ipfix-state');
}
