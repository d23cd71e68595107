// Compiles the flow engine, src/engine, to dist/flow-engine.wasm. Without optimisation for size, and without SIMD, which was slower.

import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join('dist', 'flow-engine.wasm');

const { error, stderr } = await asc.main(
  [
    join('src', 'engine', 'main.ts'),
    ...['--baseDir', ROOT, '--outFile', OUTPUT, '-O3', '--noAssert', '--converge', '--runtime', 'stub'],
    // The memory comes from TypeScript, which shares it; its first pages are those of wasm-engine.ts.
    ...['--importMemory', '--sharedMemory', '--initialMemory', '32', '--maximumMemory', '65536', '--enable', 'threads'],
  ],
);
if (error !== null || stderr.toString() !== '') {
  process.stderr.write(stderr.toString());
  process.exitCode = 1;
}
