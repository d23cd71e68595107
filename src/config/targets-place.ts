// Where a row has its targets, for what conditions say of them.

import { type IpfixRow, isNative } from './ipfix-row.ts';
import { HELD_TARGETS_KEY } from './row-keys.ts';

/** A column or key that has the targets of a row. */
export interface TargetsPlace {
  /** Its name in a condition: `column targets`. */
  readonly name: string;
  /** What sets it, as an argument of `ovs-vsctl set IPFIX ROW`, up to the value: `targets=`. */
  readonly setting: string;
}

const COLUMN: TargetsPlace = { name: 'column targets', setting: 'targets=' };
const KEY: TargetsPlace = {
  name: `external_ids:${HELD_TARGETS_KEY}`,
  setting: `external_ids:${HELD_TARGETS_KEY}=`,
};

/** The command that sets the targets of a row there, up to the value. */
export function targetsCommand(uuid: string, { setting }: TargetsPlace): string {
  return `ovs-vsctl set IPFIX ${uuid} ${setting}`;
}

/** The place where operators write the targets of a row: of an adopted one it is the column, which the daemon empties. */
export function targetsPlaceOf(row: IpfixRow): TargetsPlace {
  return isNative(row) ? KEY : COLUMN;
}
