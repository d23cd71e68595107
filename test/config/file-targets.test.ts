import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readConfiguration } from '../../src/config/configuration.ts';
import { readReplaySettings } from '../../src/config/replay-settings.ts';
import { readRunSettings } from '../../src/config/settings.ts';
import { parseTarget } from '../../src/config/target.ts';

const ROW = '11111111-1111-4111-8111-111111111111';
/** A folder that is not read. */
const FOLDER = '/files';

/** Makes a folder, which is removed after the test. */
function makeFolder(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'files-')));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Reads a row with these targets. */
function read(targets: readonly string[], path?: string) {
  const columns = { targets, cache_active_timeout: 1, cache_max_flows: 1 };
  const tables = {
    bridges: [{ uuid: 'b', columns: { name: 'br0', ipfix: { uuid: ROW } } }],
    ipfix: new Map([[ROW, { uuid: ROW, columns }]]),
    collectorSets: [],
    controllers: new Map(),
  };
  const fileTargets = path === undefined ? undefined : { path };
  const { ipfixRows, conditions } = readConfiguration(tables, 1400, 'extended', undefined, { fileTargets });
  return {
    targets: ipfixRows[0]?.targets.map(({ text }) => text),
    conditions: conditions.map(({ code, message }) => `${code}: ${message}`),
  };
}

test('a file is a target, whose case counts', () => {
  const transport = 'file';
  for (const host of ['%Y%m%d%H%M.ipfix', 'Flows-%S.a_b.ipfix', 'x.ipfix']) {
    assert.deepEqual(parseTarget(`file:${host}`), {
      target: { host, port: 0, text: `file:${host}`, transport },
    });
  }
  assert.deepEqual(read(['file:a.ipfix', 'file:A.ipfix'], FOLDER), {
    targets: ['file:A.ipfix', 'file:a.ipfix'],
    conditions: [],
  });
});

test('refuses names that lead elsewhere, control characters and other conversions, and says why', () => {
  const notPlain = /which is not a plain name: use letters, digits, "_", "-" and single dots, no "\/"/u;
  for (const [name, reason] of [
    ['/etc/cron.d/x.ipfix', notPlain],
    ['../x.ipfix', notPlain],
    ['a/../x.ipfix', notPlain],
    ['a/x.ipfix', notPlain],
    ['a..ipfix', notPlain],
    ['.x.ipfix', notPlain],
    ['-x.ipfix', notPlain],
    ['..', notPlain],
    ['', notPlain],
    ['x\n.ipfix', notPlain],
    ['x\0.ipfix', notPlain],
    ['x\u202e.ipfix', notPlain],
    ['x y.ipfix', notPlain],
    ['%F.ipfix', /which has the conversion "%F"; use %Y, %m, %d, %H, %M and %S/u],
    ['%/x.ipfix', /which has the conversion "%\/"/u],
    ['%%.ipfix', /which has the conversion "%%"/u],
    ['x%.ipfix', /which has the conversion "%\."/u],
    ['x%', notPlain],
    ['%toString.ipfix', /which has the conversion "%t"/u],
    ['x.conf', /which does not end with \.ipfix/u],
    ['.ipfix', notPlain],
    [`${'x'.repeat(95)}.ipfix`, /which is longer than 100 characters/u],
  ] as const) {
    const result = parseTarget(`file:${name}`);
    assert.ok('fault' in result, name);
    assert.match(result.fault, reason, name);
  }
});

test('without a folder a file gets nothing, which is a condition, and the other targets stay', () => {
  assert.deepEqual(read(['file:a.ipfix', '192.0.2.1']), {
    targets: ['192.0.2.1:4739'],
    conditions: [
      'file-targets-off: The daemon has no folder for files, so nothing is written to file:a.ipfix.',
    ],
  });
  assert.deepEqual(read(['file:a.ipfix', '192.0.2.1'], FOLDER), {
    targets: ['192.0.2.1:4739', 'file:a.ipfix'],
    conditions: [],
  });
});

test('the folder is resolved at the start, and must be a folder', (t) => {
  const parent = makeFolder(t);
  const link = join(parent, 'link');
  const folder = join(parent, 'folder');
  mkdirSync(folder);
  symlinkSync(folder, link);
  writeFileSync(join(parent, 'file'), '');
  const settings = readRunSettings({ fileTargets: link, fileBytes: '200000', fileTargetsBytes: '400000' });
  assert.deepEqual(settings.fileTargets, { path: folder, fileBytesMax: 200_000, folderBytesMax: 400_000 });
  assert.equal(readRunSettings({}).fileTargets, undefined);
  assert.deepEqual(readRunSettings({ fileTargets: folder }).fileTargets, {
    path: folder,
    fileBytesMax: 16_777_216,
    folderBytesMax: 1_073_741_824,
  });
  assert.throws(
    () => readRunSettings({ fileTargets: join(parent, 'file') }),
    /^SettingsError: --file-targets: files cannot be written in ".*file": it is not a folder\. Name a folder/u,
  );
  assert.throws(() => readRunSettings({ fileTargets: join(parent, 'none') }), /no such file or directory/u);
  assert.throws(
    () => readRunSettings({ fileTargets: folder, fileBytes: '300000', fileTargetsBytes: '500000' }),
    /--file-targets-bytes: 500000 is less than two files of --file-bytes \(300000\)/u,
  );
});

test('a folder that the process may not write is refused', { skip: process.getuid?.() === 0 }, (t) => {
  const folder = join(makeFolder(t), 'read-only');
  mkdirSync(folder);
  chmodSync(folder, 0o500);
  assert.throws(() => readRunSettings({ fileTargets: folder }), /permission denied/u);
});

test('replay needs the folder for a file', (t) => {
  const folder = makeFolder(t);
  assert.throws(
    () => readReplaySettings({ to: ['file:a.ipfix'] }),
    /^SettingsError: --to: "file:a\.ipfix" needs the folder for files: --file-targets DIR\.$/u,
  );
  const { targets, fileTargets } = readReplaySettings({ to: ['file:a.ipfix'], fileTargets: folder });
  assert.deepEqual([targets[0]?.text, fileTargets?.path], ['file:a.ipfix', folder]);
});
