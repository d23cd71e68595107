// The language of the house, in source, scripts and manual: no refused word (test/support/house-language.ts), but for the
// places that are listed here with a reason.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LANGUAGE_RULES, languageRemarks } from './support/house-language.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDERS = ['src', 'test', 'docs', 'docker', 'schema', '.ci', 'findings'];
const FILES = ['README.md'];
const READ = /\.(?:ts|tsx|mjs|js|md|8|sh|pl|ya?ml|json|html|css)$|^\.ci\/[\w-]+$/u;
const FILES_MIN = 300;

/** Files that have the words because they are about them, or because another program's output has them. */
const NOT_READ = [
  'test/support/house-language.ts',
  'test/language.test.ts',
  // It lists the names that were replaced.
  'docs/CHANGELOG.md',
  // Schemas of Open vSwitch as it ships them, and recorded data.
  'test/vectors/',
  'test/node-openflow/vectors/',
];

/** Uses that are right, each with the reason; one that occurs no more must go. */
const ALLOWED: readonly { path: string; found: string; reason: string }[] = [
  {
    path: 'src/commands/run/pidfile-launcher.pl',
    found: 'whence',
    reason: 'the field l_whence of struct flock (fcntl(2))',
  },
];

async function textFiles(): Promise<string[]> {
  const found = [...FILES];
  for (const folder of FOLDERS) {
    const names = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
    for (const entry of names.filter((each) => each.isFile())) {
      found.push(join(entry.parentPath, entry.name).slice(ROOT.length + 1));
    }
  }
  return found.filter((path) => READ.test(path) && !NOT_READ.some((start) => path.startsWith(start))).sort();
}

test('no file has a word that the house does not use', async () => {
  const files = await textFiles();
  assert.ok(files.length > FILES_MIN, `only ${files.length} files were read`);
  const remarks: string[] = [];
  const used = new Set<string>();
  for (const path of files) {
    for (const { line, found, rule } of languageRemarks(path, await readFile(join(ROOT, path), 'utf8'))) {
      const allowed = ALLOWED.find((each) => each.path === path && each.found === found);
      if (allowed === undefined) {
        remarks.push(`${path}:${line}: "${found}": not "${rule.not}" but "${rule.but}"`);
      } else {
        used.add(`${path}: ${found}`);
      }
    }
  }
  assert.deepEqual(remarks, []);
  assert.deepEqual(
    ALLOWED.map(({ path, found }) => `${path}: ${found}`).filter((each) => !used.has(each)),
    [],
    'allowed, and not found any more',
  );
});

for (const rule of LANGUAGE_RULES) {
  test(`refuses "${rule.not}"`, () => {
    const { within: _, ...anywhere } = rule;
    for (const sentence of rule.broken) {
      const remarks = languageRemarks('x.ts', `// ${sentence}`, [anywhere]);
      assert.ok(remarks.length > 0, `"${sentence}" was let pass`);
    }
    for (const sentence of rule.kept ?? []) {
      assert.deepEqual(languageRemarks('x.ts', sentence, [anywhere]), [], sentence);
    }
  });
}

test('a phrase is found across a line break, in a name, and only in the folders of its rule', () => {
  const text = '// The hook\n// is no\n// flow.\nconst packetsOwed = 1;\n';
  assert.deepEqual(
    languageRemarks('src/x.ts', text).map(({ line, found }) => `${line}: ${found}`),
    ['2: is no flow', '4: Owed'],
  );
  assert.equal(languageRemarks('src/flow/x.ts', 'touches').length, 1);
  assert.equal(languageRemarks('src/web/x.ts', 'touches').length, 0);
});
