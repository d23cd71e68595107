// Checks that the list of `npm run test:versions` is complete: each test that uses Open vSwitch is in one of its checks.

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKS, FILES_OF_ONE_VERSION, FILES_WITHOUT_OVS } from './checks.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const checked = [...CHECKS.flatMap(({ files }) => files), ...FILES_WITHOUT_OVS, ...FILES_OF_ONE_VERSION];

test('each integration test and oracle is in exactly one check of the versions', () => {
  const files = ['test/integration', 'test/oracle'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`),
  );
  assert.ok(files.length > 30);
  for (const file of files) {
    assert.equal(
      checked.filter((each) => each === file).length,
      1,
      `${file} must be in one check of test/versions/checks.ts, or among its FILES_WITHOUT_OVS`,
    );
  }
});

test('each file of a check exists', () => {
  assert.deepEqual(
    checked.filter((file) => !existsSync(join(ROOT, file))),
    [],
  );
});
