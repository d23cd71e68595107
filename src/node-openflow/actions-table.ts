// The table of actions, indexed by name for encoding and by number for decoding. Actions of OVS that are not in it (learn,
// nat, bundle, multipath, encap, decap) are kept as bytes.
import { type ActionRow, type KnownActionType, placeIn } from './action-rows.ts';
import { FIELD_ACTION_ROWS } from './actions-fields.ts';
import { NICIRA_ROWS } from './actions-nicira.ts';
import { STANDARD_ROWS } from './actions-standard.ts';
import { OPENFLOW_VERSIONS, type OpenFlowVersion } from './version.ts';

/** Every action that has a codec. */
const ACTION_ROWS: readonly ActionRow[] = [...STANDARD_ROWS, ...FIELD_ACTION_ROWS, ...NICIRA_ROWS];

const rowsByType: ReadonlyMap<string, ActionRow> = new Map(ACTION_ROWS.map((row) => [row.type, row]));

const rowsByPlace: ReadonlyMap<number, ActionRow> = new Map(
  OPENFLOW_VERSIONS.flatMap((version) =>
    ACTION_ROWS.flatMap((row): [number, ActionRow][] => {
      const place = placeIn(row, version);
      return place === undefined ? [] : [[placeKey(version, place.vendor, place.number), row]];
    }),
  ),
);

/** Returns the row of an action type. */
export function actionRow(type: KnownActionType): ActionRow {
  const row = rowsByType.get(type);
  if (row === undefined) {
    throw new TypeError(`there is no codec for the action "${type}"`);
  }
  return row;
}

/** Returns the row of a number on the wire, if the table has it; `vendor` is 0 for OpenFlow's own actions. */
export function actionRowAt(version: OpenFlowVersion, vendor: number, number: number): ActionRow | undefined {
  return rowsByPlace.get(placeKey(version, vendor, number));
}

function placeKey(version: OpenFlowVersion, vendor: number, number: number): number {
  return (vendor * 0x1_0000 + number) * 8 + version;
}
