// The advice when `migrate` cannot convert a live database: the reason as a sentence, and the commands that do it, ready
// to be copied. docs/migration.md shows the same commands, and a test runs them.

import { join } from 'node:path';
import { databaseDefault } from '../runtime/rundir.ts';
import { databaseName } from './cache-columns.ts';

/** Why `migrate` cannot convert a live database; a subset of `MigrationErrorCode`. */
export type Obstacle = 'NO_CONVERT' | 'CLUSTERED' | 'RELAY' | 'READ_ONLY' | 'NO_PERMISSION' | 'REFUSED';

/** Returns the default path of the database file: in OVS_DBDIR, else in /etc/openvswitch. */
function databaseFile(): string {
  return join(process.env['OVS_DBDIR'] || '/etc/openvswitch', 'conf.db');
}

const SCHEMA_FILE = 'vswitch.ovsschema';
const MIGRATED_FILE = 'vswitch-cache.ovsschema';

/** Returns the sentence and the commands. `method` is the server's connection method, `detail` the server's own text. */
export function adviseByHand(obstacle: Obstacle, method: string, detail: string): string {
  const { reason, steps } = ADVICE[obstacle](method);
  const said = detail === '' ? '' : ` (${detail})`;
  return [`${method}: ${reason}${said}. Nothing was changed. ${steps[0]}`, ...steps.slice(1)].join('\n');
}

type Advice = (method: string) => { readonly reason: string; readonly steps: readonly string[] };

const makeSchemaFile = (method: string): string[] => [
  `  ovsdb-client get-schema ${method} ${databaseName} > ${SCHEMA_FILE}`,
  `  ovs-ipfix migrate --schema ${SCHEMA_FILE} --output ${MIGRATED_FILE}`,
];

const convertFile = (method: string): string[] => [
  ...makeSchemaFile(method),
  '  ovs-appctl -t ovsdb-server exit',
  `  ovsdb-tool convert ${databaseFile()} ${MIGRATED_FILE}`,
  `and start ovsdb-server as it was started before. (The database file may not be ${databaseFile()}; where ovs-ctl`,
  'starts ovsdb-server, migrate the installed schema first: see docs/migration.md.)',
];

const ADVICE: Readonly<Record<Obstacle, Advice>> = {
  NO_CONVERT: (method) => ({
    reason: 'this ovsdb-server cannot convert a database while it runs; ovsdb-server 2.9 and later can',
    steps: [
      'ovs-vswitchd continues forwarding while its database is down. On the machine of the database:',
      ...convertFile(method),
    ],
  }),
  CLUSTERED: (method) => ({
    reason: `${databaseName} is a clustered database, and its schema is shared by all servers of the cluster`,
    steps: [
      'To convert it for all of them, with all servers of the cluster up:',
      ...makeSchemaFile(method),
      `  ovsdb-client convert ${method} ${MIGRATED_FILE}`,
    ],
  }),
  RELAY: (method) => ({
    reason: 'this server is a relay of another server and would convert only its own copy',
    steps: [
      `Migrate its source: the METHOD after relay:${databaseName}: in the output of this command on the machine of ${method}:`,
      '  ps -C ovsdb-server -o args',
      '  ovs-ipfix migrate METHOD',
    ],
  }),
  READ_ONLY: (method) => ({
    reason: 'the database is read-only over this connection',
    steps: [
      'If the server is a backup, migrate the active server. This command shows its connection method:',
      '  ovs-appctl -t ovsdb-server ovsdb-server/sync-status',
      '  ovs-ipfix migrate METHOD',
      'Otherwise use a connection that may write, such as the local socket on the machine of the database:',
      `  ovs-ipfix migrate ${databaseDefault()}`,
      'or convert the file:',
      ...convertFile(method),
    ],
  }),
  NO_PERMISSION: (method) => ({
    reason: 'the role of this connection may not convert a database',
    steps: [
      'Use a connection without a role, such as the local socket on the machine of the database:',
      `  ovs-ipfix migrate ${databaseDefault()}`,
      'or convert the file:',
      ...convertFile(method),
    ],
  }),
  REFUSED: (method) => ({
    reason: 'the server refused to convert the database',
    steps: ['Remove the reason and run this command again, or convert the file:', ...convertFile(method)],
  }),
};
