// The interfaces of bridges with their numbers in records: what `ovs-appctl interfaces` shows, for an operator who finds a
// number in a collector and looks for the port.

import type { BridgeInterfaces } from '../control/sampled-bridge-parts.ts';
import { columns, type Table } from './tables.ts';
import { textTable } from './text-table.ts';

/** A row for each interface, by bridge and port. */
export function interfaceTable(bridges: readonly BridgeInterfaces[]): Table {
  const heads = columns('BRIDGE', '>PORT', '>NUMBER', 'TYPE', 'INTERFACE', 'ATTACHED');
  const rows = bridges.flatMap(({ bridge, interfaces }) =>
    interfaces.map(({ ofport, number, type, name, description }) => [
      bridge,
      String(ofport),
      String(number),
      type === '' ? 'system' : type,
      name,
      description === name ? '' : description,
    ]),
  );
  return {
    text: rows.length === 0 ? 'nothing is exported' : textTable(heads, rows).join('\n'),
    json: bridges,
  };
}
