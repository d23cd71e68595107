// `ovs-ipfix migrate --schema` as a program: input, output, exit codes, and that a refusal or a failure leaves the output file
// and its folder unchanged.

import assert from 'node:assert/strict';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OLD_SCHEMA_FILE } from '../support/database-server.ts';
import { installedSchemaPath } from '../support/ovs-schema.ts';
import { ProgramError, runForOutput } from '../support/process.ts';
import { DAEMON_FILE, tier } from '../support/tiers.ts';

const NEEDS = tier('daemon');
const CKSUM_LINE = /"cksum": "2483452374 20182",/u;

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function migrate(
  args: readonly string[],
  input = '',
  environment: Record<string, string> = {},
): Promise<Result> {
  return run(process.execPath, [DAEMON_FILE, 'migrate', ...args], input, environment);
}

async function run(
  program: string,
  args: readonly string[],
  input = '',
  environment: Record<string, string> = {},
): Promise<Result> {
  try {
    return { exitCode: 0, ...(await runForOutput(program, args, { input, environment })) };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.exitCode === undefined) {
      throw error;
    }
    return { exitCode: error.exitCode, stdout: error.stdout, stderr: error.stderr };
  }
}

/** Makes a folder with the old schema as `old`. */
async function folderWithOld(t: TestContext): Promise<{ folder: string; old: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'schema-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const old = join(folder, 'old');
  await copyFile(OLD_SCHEMA_FILE, old);
  await chmod(old, 0o640);
  return { folder, old };
}

/** Returns the content of all files of a folder. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')])),
  );
}

test('writes the same text from a file or standard input, to a file or standard output', NEEDS, async (t) => {
  const { folder, old } = await folderWithOld(t);
  const text = await readFile(old, 'utf8');
  const printed = await migrate(['--schema', old]);
  assert.equal(printed.exitCode, 0);
  assert.match(printed.stdout, CKSUM_LINE);
  assert.match(
    printed.stderr,
    /old \(version 7\.3\.0\): added cache_active_timeout .* its cksum is now "2483452374 20182"\.\n$/u,
  );
  assert.equal((await migrate(['--schema', '-', '--output', '-'], text)).stdout, printed.stdout);
  const output = join(folder, 'new');
  assert.equal((await migrate(['--schema', '-', '--output', output], text)).stdout, '');
  assert.equal(await readFile(output, 'utf8'), printed.stdout);
  assert.deepEqual(Object.keys(await contentOf(folder)), ['new', 'old']);
  assert.equal(await readFile(old, 'utf8'), text);
});

test(
  'keeps the mode and a link when it replaces its input, and does not write the file in a second run',
  NEEDS,
  async (t) => {
    const { folder, old } = await folderWithOld(t);
    const link = join(folder, 'link');
    await symlink('old', link);
    assert.equal((await migrate(['--schema', link, '--output', link])).exitCode, 0);
    assert.match(await readFile(old, 'utf8'), CKSUM_LINE);
    assert.deepEqual(await readdir(folder), ['link', 'old']);
    const first = await stat(old);
    assert.equal(first.mode & 0o777, 0o640);
    const again = await migrate(['--schema', old, '--output', old]);
    assert.match(again.stderr, /has both columns already: unchanged\.\n$/u);
    assert.equal((await stat(old)).ino, first.ino);
  },
);

test('does not change the installed schema', tier('daemon', 'ovs'), async () => {
  const { exitCode, stdout } = await migrate(['--schema', installedSchemaPath()]);
  assert.equal(exitCode, 0);
  assert.equal(stdout, await readFile(installedSchemaPath(), 'utf8'));
});

test('--check returns by its exit code whether the columns exist', NEEDS, async (t) => {
  const { old } = await folderWithOld(t);
  const lacks = await migrate(['--schema', old, '--check']);
  assert.equal(lacks.exitCode, 3);
  assert.match(lacks.stdout, /lacks cache_active_timeout and cache_max_flows\.\n$/u);
  const migrated = (await migrate(['--schema', old])).stdout;
  const has = await migrate(['--schema', '-', '--check'], migrated);
  assert.deepEqual(
    [has.exitCode, has.stdout],
    [0, 'standard input (version 7.3.0): table IPFIX has cache_active_timeout and cache_max_flows.\n'],
  );
  // The environment variables of the flags.
  assert.equal(
    (await migrate([], '', { OVS_IPFIX_MIGRATE_SCHEMA: old, OVS_IPFIX_MIGRATE_CHECK: '1' })).exitCode,
    3,
  );
});

const REFUSALS: Readonly<Record<string, { make: (old: string) => string | Buffer; says: RegExp }>> = {
  'broken JSON': { make: (old) => old.slice(0, -30), says: /old is not valid JSON: line \d+, column \d+/u },
  'bytes that are not UTF-8': {
    make: (old) => Buffer.from(old.replace('IPFIX', 'IPF\xcd'), 'latin1'),
    says: /its bytes are not UTF-8/u,
  },
  'another database': {
    make: (old) => old.replace('Open_vSwitch', 'Else'),
    says: /schema of the database Else/u,
  },
  'no table IPFIX': { make: (old) => old.replace('"IPFIX": {', '"I": {'), says: /has no table IPFIX/u },
  'a column of another type': {
    make: (old) => old.replace('"IPFIX": {\n     "columns": {', '$&"cache_max_flows": {"type": "real"},'),
    says: /IPFIX\.cache_max_flows of another type: real/u,
  },
  'too many bytes': {
    make: (old) => old + ' '.repeat(4 * 1024 * 1024),
    says: /has more than 4194304 bytes/u,
  },
};

for (const [what, { make, says }] of Object.entries(REFUSALS)) {
  test(`writes nothing for ${what}`, NEEDS, async (t) => {
    const { folder, old } = await folderWithOld(t);
    await writeFile(old, make(await readFile(old, 'utf8')));
    const output = join(folder, 'output');
    await writeFile(output, 'as it was');
    const before = await contentOf(folder);
    for (const target of [output, old, join(folder, 'absent')]) {
      const { exitCode, stdout, stderr } = await migrate(['--schema', old, '--output', target]);
      assert.deepEqual([exitCode, stdout], [1, '']);
      assert.match(stderr, says);
      assert.match(stderr, /Nothing was written\.\n$/u);
    }
    assert.equal((await migrate(['--schema', old])).stdout, '');
    assert.deepEqual(await contentOf(folder), before);
  });
}

test('leaves the old file, and no other, when the disk is full', NEEDS, async (t) => {
  const { folder, old } = await folderWithOld(t);
  const before = await contentOf(folder);
  const script = `ulimit -f 8; exec '${process.execPath}' '${DAEMON_FILE}' migrate --schema '${old}' --output '${old}'`;
  const { exitCode, stderr } = await run('bash', ['-c', script]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /Cannot write .*old: EFBIG/u);
  assert.deepEqual(await contentOf(folder), before);
});

test('does not replace what is not a regular file', NEEDS, async (t) => {
  const { folder, old } = await folderWithOld(t);
  for (const output of ['/dev/null', folder]) {
    const { exitCode, stderr } = await migrate(['--schema', old, '--output', output]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /is not a regular file, so it cannot be replaced/u);
  }
  assert.ok((await stat('/dev/null')).isCharacterDevice());
  const absent = await migrate(['--schema', join(folder, 'absent')]);
  assert.equal(absent.exitCode, 1);
  assert.match(absent.stderr, /Cannot read .*absent: ENOENT/u);
});

test('refuses flags that exclude each other', NEEDS, async (t) => {
  const { folder, old } = await folderWithOld(t);
  const before = await contentOf(folder);
  const output = join(folder, 'output');
  const cases: readonly [readonly string[], RegExp][] = [
    [['--schema', old, 'unix:x'], /give a database or --schema, not both/u],
    [['--schema', old, '--db', 'unix:x'], /give a database or --schema, not both/u],
    [['--output', output], /--output needs --schema/u],
    [['--schema', old, '--check', '--output', output], /--check writes nothing/u],
    [['--db', 'unix:x', 'unix:y'], /the database is given twice/u],
    [['--frobnicate'], /unknown option/u],
  ];
  for (const [args, says] of cases) {
    const { exitCode, stdout, stderr } = await migrate(args);
    assert.deepEqual([exitCode, stdout], [1, '']);
    assert.match(stderr, says);
  }
  assert.deepEqual(await contentOf(folder), before);
});
