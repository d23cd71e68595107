// The database schema of a test's OVS: the installed one, with or without the two columns of the flow cache, so that both kinds
// of database can be tested with any version. Independent of the product's migration.

import { accessSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['/usr/share/openvswitch', '/usr/local/share/openvswitch'];

const CACHE_COLUMNS = {
  cache_active_timeout: {
    type: { key: { type: 'integer', minInteger: 0, maxInteger: 4200 }, min: 0, max: 1 },
  },
  cache_max_flows: {
    type: { key: { type: 'integer', minInteger: 0, maxInteger: 4_294_967_295 }, min: 0, max: 1 },
  },
};

/** Returns the path of the installed vswitch.ovsschema: in $OVS_PKGDATADIR or in the usual folders. */
export function installedSchemaPath(): string {
  const folders = [process.env['OVS_PKGDATADIR'], ...FOLDERS].filter((folder) => folder !== undefined);
  const found = folders
    .map((folder) => join(folder, 'vswitch.ovsschema'))
    .find((file) => {
      try {
        accessSync(file);
        return true;
      } catch {
        return false;
      }
    });
  if (found === undefined) {
    throw new Error(`No vswitch.ovsschema in ${folders.join(', ')}.`);
  }
  return found;
}

/** Returns the text of the installed schema, with or without the cache columns and the table Flow_Sample_Collector_Set. */
export function schemaText(withCacheColumns: boolean, withCollectorSets = true): string {
  const schema = JSON.parse(readFileSync(installedSchemaPath(), 'utf8')) as {
    cksum?: string;
    tables: { IPFIX: { columns: Record<string, unknown> }; Flow_Sample_Collector_Set?: unknown };
  };
  const { columns } = schema.tables.IPFIX;
  for (const [name, column] of Object.entries(CACHE_COLUMNS)) {
    if (withCacheColumns) {
      columns[name] ??= column;
    } else {
      delete columns[name];
    }
  }
  if (!withCollectorSets) {
    delete schema.tables.Flow_Sample_Collector_Set;
  }
  // The checksum would be wrong; ovsdb-tool accepts a file without one.
  delete schema.cksum;
  return JSON.stringify(schema, undefined, 2);
}
