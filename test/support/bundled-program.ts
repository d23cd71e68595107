// Programs of the tests in TypeScript, bundled: a process that loads TypeScript takes several times as long to start.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

/** Bundles a TypeScript file with all that it imports, and returns the path of the module; it is removed at exit. */
export async function bundleProgram(file: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bundled-program-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, basename(file).replace(/\.ts$/u, '.cjs'));
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
  });
  return outfile;
}
