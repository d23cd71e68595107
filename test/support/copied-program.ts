// Copies of the built program, for tests that run it as another user, or changed.

import assert from 'node:assert/strict';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DAEMON_FILE } from './tiers.ts';

/** Copies the program without its page to a folder, and returns the file to run. */
export async function copyProgram(folder: string): Promise<string> {
  const program = join(folder, basename(DAEMON_FILE));
  await cp(DAEMON_FILE, program);
  await cp(join(dirname(DAEMON_FILE), 'parts'), join(folder, 'parts'), { recursive: true });
  return program;
}

/** Changes the one file of a copied program that has the pattern once. */
export async function changeProgram(program: string, pattern: RegExp, replacement: string): Promise<void> {
  const parts = join(dirname(program), 'parts');
  const names = (await readdir(parts)).filter((name) => name.endsWith('.cjs'));
  let changes = 0;
  for (const file of [program, ...names.map((name) => join(parts, name))]) {
    const source = await readFile(file, 'utf8');
    const changed = source.replace(pattern, replacement);
    if (changed !== source) {
      changes += 1;
      await writeFile(file, changed);
    }
  }
  assert.equal(changes, 1, `the files with ${pattern}`);
}
