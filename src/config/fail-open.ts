// Fail-open: a standalone bridge forwards by itself while all its controllers are disconnected (ovs-vswitchd.conf.db(5),
// Bridge.fail_mode).

import type { DatabaseRow } from './ipfix-row.ts';
import { referenceOf } from './reference.ts';

/** Whether the fail mode is standalone, which is the default, and every controller of the bridge is disconnected. */
export function isFailOpen(row: DatabaseRow, controllers: ReadonlyMap<string, DatabaseRow>): boolean {
  const references: unknown = row.columns['controller'];
  const uuids = (Array.isArray(references) ? references : [references]).map(referenceOf);
  const used = uuids.flatMap((uuid) => controllers.get(uuid ?? '') ?? []);
  return (
    row.columns['fail_mode'] !== 'secure' &&
    used.length > 0 &&
    used.every((controller) => controller.columns['is_connected'] !== true)
  );
}
