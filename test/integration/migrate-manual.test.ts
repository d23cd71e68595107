// Replays the transcripts of docs/migration.md in order beside a 7.3.0 database, and compares the output; the commands by
// hand must be those of the program's advice.

import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { adviseByHand } from '../../src/schema/by-hand.ts';
import { DatabaseServer, OLD_SCHEMA_FILE } from '../support/database-server.ts';
import { tier } from '../support/tiers.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'migration.md');
const PROMPT = '# ';

interface Step {
  readonly command: string;
  readonly output: string;
}

/** Returns the indented blocks of the page. */
async function blocks(): Promise<string[]> {
  const page = await readFile(PAGE, 'utf8');
  return [...page.matchAll(/(?:^ {4}.*\n)+/gmu)].map(([block]) => block.replaceAll(/^ {4}/gmu, ''));
}

/** Returns the commands of a block, each with its output. */
function steps(block: string): Step[] {
  if (!block.startsWith(PROMPT)) {
    return [];
  }
  return `\n${block}`
    .split(`\n${PROMPT}`)
    .slice(1)
    .map((text) => {
      const [command = '', ...output] = text.split('\n');
      return { command, output: output.join('\n').trimEnd() };
    });
}

/** Paths of an installed Open vSwitch, and those of the test's folder. */
const PLACES = [
  '/var/run/openvswitch/db.sock',
  '/etc/openvswitch/conf.db',
  '/usr/share/openvswitch/vswitch.ovsschema',
];

function inFolder(text: string, folder: string): string {
  return PLACES.reduce(
    (result, place) => result.replaceAll(place, `${folder}/${place.split('/').at(-1)}`),
    text,
  );
}

function asInstalled(text: string, folder: string): string {
  return PLACES.reduce(
    (result, place) => result.replaceAll(`${folder}/${place.split('/').at(-1)}`, place),
    text,
  );
}

const MARK = '@@ end of a step';

/** Returns a shell script that runs the commands one by one, each with the exit code of the previous one. */
function script(commands: readonly string[]): string {
  const lines = commands.flatMap((command) => [
    command,
    'status=$?',
    // The server needs a moment to end, as between two commands of a person.
    command.endsWith('exit') ? 'while [ -e ovsdb-server.pid ]; do sleep 0.01; done' : '',
    `echo "${MARK}"`,
    '(exit $status)',
  ]);
  return ['exec 2>&1', ...lines, 'true'].join('\n');
}

test('replays the transcripts of the page about migration', tier('ovs', 'daemon'), async (t) => {
  const server = await DatabaseServer.create();
  t.after(() => server.remove());
  await copyFile(OLD_SCHEMA_FILE, join(server.folder, 'vswitch.ovsschema'));
  const vsctl = ['ovs-vsctl', '--no-wait', `--db=${server.method}`] as const;
  await server.run(...vsctl, 'init');
  await server.run(...vsctl, 'add-br', 'br0');
  const row = ['create', 'IPFIX', 'targets="192.0.2.1:4739"', 'obs_domain_id=123'];
  await server.run(...vsctl, '--', 'set', 'Bridge', 'br0', 'ipfix=@i', '--', '--id=@i', ...row);

  const all = (await blocks()).flatMap(steps);
  assert.ok(all.length > 12, `only ${all.length} commands were found`);
  const { stdout } = await server.shell(script(all.map(({ command }) => inFolder(command, server.folder))));
  const outputs = asInstalled(stdout, server.folder).split(`${MARK}\n`);
  for (const [index, { command, output }] of all.entries()) {
    assert.equal(outputs[index]?.trimEnd(), output, command);
  }
});

test('the manual commands of the page are those of the advice', async () => {
  // The page has the default folder.
  delete process.env['OVS_DBDIR'];
  const shown = adviseByHand('NO_CONVERT', 'unix:/var/run/openvswitch/db.sock', '')
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => `${line.trim()}\n`)
    .join('');
  assert.ok((await blocks()).includes(shown), shown);
});
