// Compiles the flow engine, src/engine, to dist/flow-engine.wasm.

import { join } from 'node:path';
import { main } from 'assemblyscript/asc';

const ROOT = join(import.meta.dirname, '..');

// The memory comes from TypeScript, which shares it; its first pages are those of src/flow/engine-instance.ts.
const MEMORY = '--importMemory --sharedMemory --initialMemory 32 --maximumMemory 65536 --enable threads --enable simd';
const OPTIONS = `-O3 --noAssert --converge --runtime stub ${MEMORY} --outFile dist/flow-engine.wasm`;

const { error } = await main(['src/engine/main.ts', '--baseDir', ROOT, ...OPTIONS.split(' ')], { stderr: process.stderr });
if (error !== null) {
  process.exitCode = 1;
}
