// What to do when a live database cannot be migrated from here: the reason as a sentence, and the commands that do it,
// ready to be copied. docs/migration.md shows the same commands, and a test runs them.

import { join } from 'node:path';
import { databaseDefault } from '../runtime/rundir.ts';
import { databaseName } from './cache-columns.ts';

/** Why a live migration is not for us to do. */
export type Obstacle = 'NO_CONVERT' | 'CLUSTERED' | 'RELAY' | 'READ_ONLY' | 'NO_PERMISSION' | 'REFUSED';

/** Where the database file lies when nobody says otherwise: in OVS_DBDIR, else in /etc/openvswitch. */
function databaseFile(): string {
  return join(process.env['OVS_DBDIR'] || '/etc/openvswitch', 'conf.db');
}

const SCHEMA_FILE = 'vswitch.ovsschema';
const MIGRATED_FILE = 'vswitch-cache.ovsschema';

/** The sentence and the commands. `method` is the server's connection method, `detail` what the server said. */
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
  `and start ovsdb-server again as it was started before. (The database file may be another one than ${databaseFile()};`,
  'where ovs-ctl starts it, the installed schema has to be migrated first: see docs/migration.md.)',
];

const ADVICE: Readonly<Record<Obstacle, Advice>> = {
  NO_CONVERT: (method) => ({
    reason:
      'this ovsdb-server cannot convert a database while it runs, as those of Open vSwitch 2.9 and later can',
    steps: [
      'ovs-vswitchd goes on forwarding while its database is away. On the machine of the database:',
      ...convertFile(method),
    ],
  }),
  CLUSTERED: (method) => ({
    reason: `${databaseName} is a clustered database here, whose schema is that of all servers of the cluster`,
    steps: [
      'If that is what you want, and all servers of the cluster are up:',
      ...makeSchemaFile(method),
      `  ovsdb-client convert ${method} ${MIGRATED_FILE}`,
    ],
  }),
  RELAY: (method) => ({
    reason: 'this server relays the database of another one, and would convert only its own copy',
    steps: [
      `Migrate its source. That is the METHOD behind relay:${databaseName}: in what this shows on the machine of ${method}:`,
      '  ps -C ovsdb-server -o args',
      '  ovs-ipfix migrate METHOD',
    ],
  }),
  READ_ONLY: (method) => ({
    reason: 'the database can only be read here',
    steps: [
      'If the server is a backup of another one, migrate that one, whose connection method this shows:',
      '  ovs-appctl -t ovsdb-server ovsdb-server/sync-status',
      '  ovs-ipfix migrate METHOD',
      'Else use a connection that may write, such as the local socket on the machine of the database:',
      `  ovs-ipfix migrate ${databaseDefault()}`,
      'or convert the file:',
      ...convertFile(method),
    ],
  }),
  NO_PERMISSION: (method) => ({
    reason: 'the role of this connection does not allow to convert a database',
    steps: [
      'Use a connection without a role, such as the local socket on the machine of the database:',
      `  ovs-ipfix migrate ${databaseDefault()}`,
      'or convert the file:',
      ...convertFile(method),
    ],
  }),
  REFUSED: (method) => ({
    reason: 'the server refused to convert the database',
    steps: [
      'When the reason is mended, run this command again, or convert the file:',
      ...convertFile(method),
    ],
  }),
};
