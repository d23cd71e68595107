// The npm package as a user gets it: packed, installed into an empty project without a network, and used. The program runs,
// both libraries are imported by their names and connect to peers, and a consumer type-checks.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { runForOutput, runProgram } from '../support/process.ts';
import { tier } from '../support/tiers.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const { version, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};
const TIMEOUT_MS = 60_000;
const options = tier('daemon');

const IMPORTING = `
import { Duplex } from 'node:stream';
import { JsonFramer, isUuid, OvsdbClient } from 'ovs-ipfix/ovsdb-client';
import { encodeMessage, decodeMessage, flowMod, OPENFLOW_VERSIONS } from 'ovs-ipfix/node-openflow';

const messages = [];
new JsonFramer({ messageBytesMax: 1000, depthMax: 8 }).push(Buffer.from('{"id":1}{"id":2}'), (message) => messages.push(message));
const written = [];
const stream = new Duplex({ read() {}, write(chunk, _encoding, done) { written.push(chunk.toString()); done(); } });
const client = new OvsdbClient(stream);
const listed = client.listDbs();
setImmediate(() => {
  stream.push(JSON.stringify({ id: JSON.parse(written.join('')).id, result: ['Open_vSwitch'], error: null }));
});
const databases = await listed;
client.close();
const echo = decodeMessage(4, encodeMessage(4, { type: 'echo_request', data: Buffer.from('x') }, 7));
console.log(JSON.stringify({ messages, databases, echo: echo.message.type, isUuid: isUuid('x'), flowMod: typeof flowMod, versions: OPENFLOW_VERSIONS.length > 0 }));
`;

const CONSUMER = `
import type { Duplex } from 'node:stream';
import { type FlowStats, flowStatsRequest, OpenFlowConnection } from 'ovs-ipfix/node-openflow';
import { OvsdbClient, Replica } from 'ovs-ipfix/ovsdb-client';

export async function flows(stream: Duplex): Promise<readonly FlowStats[]> {
  const connection = new OpenFlowConnection(stream, { versions: [4], onMessage: (message) => message.type });
  await connection.ready;
  return (await connection.request({ type: 'flow_stats_request', ...flowStatsRequest() })).entries;
}

export async function bridges(stream: Duplex): Promise<number> {
  const replica = new Replica({ database: 'Open_vSwitch', tables: { Bridge: ['name'] }, onChange() {} });
  await replica.attach(new OvsdbClient(stream));
  // @ts-expect-error: the mistake, which only the types of the package reveal.
  new OvsdbClient('a path');
  const count: number = replica.snapshot?.table('Bridge').size ?? 0;
  return count;
}
`;

/** Packs the built tree; returns the tarball's path and its files. */
async function pack(folder: string): Promise<{ tarball: string; files: readonly string[] }> {
  // Without scripts, because `npm run build` has built it.
  const args = ['pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`];
  const [report] = JSON.parse(await runProgram('npm', args, { cwd: ROOT, timeoutMs: TIMEOUT_MS })) as {
    filename: string;
    files: { path: string }[];
  }[];
  return { tarball: join(folder, report!.filename), files: report!.files.map(({ path }) => path) };
}

/** Makes a project with the package and its dependencies, copied from this repository, only. */
async function install(project: string, tarball: string): Promise<void> {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  for (const [path, { dev, optional }] of Object.entries(lock.packages)) {
    if (path !== '' && !dev && !optional) {
      cpSync(join(ROOT, path), join(project, path), { recursive: true });
    }
  }
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  const args = ['install', '--offline', '--no-audit', '--no-fund', tarball];
  await runProgram('npm', args, { cwd: project, timeoutMs: TIMEOUT_MS });
}

const folder = mkdtempSync(join(tmpdir(), 'npm-pack-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const project = join(folder, 'project');
let files: readonly string[] = [];
before(async () => {
  if (options.skip !== false) {
    return;
  }
  const packed = await pack(folder);
  files = packed.files;
  mkdirSync(project);
  await install(project, packed.tarball);
});

test(
  'the tarball has the program, the page, both libraries with types, and no development files',
  options,
  () => {
    const wanted = [
      'dist/ovs-ipfix.cjs',
      'dist/ovs-ipfix-pidfile',
      'dist/web/index.html',
      'dist/lib/ovsdb-client/index.js',
      'dist/lib/ovsdb-client/index.d.ts',
      'dist/lib/node-openflow/index.js',
      'dist/lib/node-openflow/index.d.ts',
      'docs/install.md',
      'LICENSE',
      'README.md',
    ];
    assert.deepEqual(
      wanted.filter((file) => !files.includes(file)),
      [],
    );
    const allowed =
      /^(dist\/(ovs-ipfix\.cjs|parts\/[\w-]+\.cjs|ovs-ipfix-pidfile|web\/|lib\/)|docs\/|docker\/metrics\/|schema\/|src\/[\w-]+\/README\.md$|[A-Z]+(\.md)?$|package\.json$)/u;
    assert.deepEqual(
      files.filter((file) => !allowed.test(file)),
      [],
    );
    assert.ok(Object.keys(dependencies).length < 10, 'the list of run-time dependencies is short');
  },
);

test('the installed program prints its version', options, async () => {
  const said = await runForOutput(join(project, 'node_modules', '.bin', 'ovs-ipfix'), ['--version']);
  assert.equal(said.stdout.trim(), version);
});

test(
  'both libraries can be imported by their sub-paths and work; their internals cannot be imported',
  options,
  async () => {
    writeFileSync(join(project, 'use.mjs'), IMPORTING);
    assert.deepEqual(JSON.parse(await runProgram('node', ['use.mjs'], { cwd: project })), {
      messages: [{ id: 1 }, { id: 2 }],
      databases: ['Open_vSwitch'],
      echo: 'echo_request',
      isUuid: false,
      flowMod: 'function',
      versions: true,
    });
    const inside = ['--input-type=module', '--eval', "import 'ovs-ipfix/dist/lib/ovsdb-client/client.js'"];
    await assert.rejects(runProgram('node', inside, { cwd: project }), /ERR_PACKAGE_PATH_NOT_EXPORTED/);
  },
);

test('a consumer type-checks against the types, and a mistake in it is reported', options, async () => {
  symlinkSync(join(ROOT, 'node_modules', '@types'), join(project, 'node_modules', '@types'));
  writeFileSync(join(project, 'consumer.ts'), CONSUMER);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
  const said = await runProgram('node', [tsc, ...flags, 'consumer.ts'], {
    cwd: project,
    timeoutMs: TIMEOUT_MS,
  });
  assert.equal(said, '');
});
